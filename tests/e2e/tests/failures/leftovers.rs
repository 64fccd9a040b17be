//! A Certificate that goes while it is being issued takes everything with it.

use anyhow::{Result, ensure};
use k8s_openapi::api::core::v1::{Namespace, Secret, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::Ingress;
use kube::{Api, ResourceExt};
use serde_json::json;
use signet_api::{Certificate, CertificateRequest, Challenge, Order, labels};
use signet_e2e::{Stage, route53_solver};
use signet_lab::AccessKey;

/// Waits until nothing is left of an issuance.
async fn nothing_left(stage: &Stage<'_>) -> Result<()> {
    stage.none_left::<CertificateRequest>().await?;
    stage.none_left::<Order>().await?;
    stage.none_left::<Challenge>().await?;
    stage.none_left::<Ingress>().await?;
    stage.none_left::<Service>().await?;
    stage.none_left::<EndpointSlice>().await?;
    stage
        .eventually("the next key is gone", async || {
            let secrets = stage.list::<Secret>().await?;
            Ok(secrets.iter().all(|secret| !secret.labels().contains_key(labels::NEXT_PRIVATE_KEY)).then_some(()))
        })
        .await
}

#[tokio::test]
async fn of_http01() -> Result<()> {
    let stage = Stage::shared("left").await?;
    stage.issuer("issuer", json!({ "http01": { "ingress": { "class": "nginx" } } })).await?;
    stage.lab.add_a(&stage.domain, "127.0.0.1").await?;
    stage.certificate("web", json!({ "dnsNames": [stage.domain] })).await?;
    stage.only::<Ingress>().await?;
    stage.delete::<Certificate>("web").await?;
    nothing_left(&stage).await
}

#[tokio::test]
async fn of_dns01() -> Result<()> {
    let stage = Stage::shared("left").await?;
    let mut solver = stage.route53().await?;
    solver["waitInsteadOfSelfCheck"] = json!("1h");
    stage.issuer("issuer", solver).await?;
    stage.certificate("web", json!({ "dnsNames": [stage.domain, format!("*.{}", stage.domain)] })).await?;
    let record = format!("_acme-challenge.{}", stage.domain);
    let records = async || {
        let found = stage.txt(&record).await?;
        Ok((found.len() == 2).then_some(()))
    };
    stage.eventually("both records are there", records).await?;
    stage.delete::<Certificate>("web").await?;
    nothing_left(&stage).await?;
    let left = stage.txt(&record).await?;
    ensure!(left.is_empty(), "records are left: {left:?}");
    Ok(())
}

/// A provider that refuses everything can not hold a Challenge.
#[tokio::test]
async fn of_dns01_with_credentials_that_never_worked() -> Result<()> {
    let stage = Stage::shared("left").await?;
    let nobodys = AccessKey {
        access_key_id: "AKIAIOSFODNN7EXAMPLE".into(),
        secret_access_key: "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEYYY".into(),
    };
    stage.aws_secret(&nobodys).await?;
    let zone = stage.lab.create_hosted_zone(&stage.domain).await?;
    stage.issuer("issuer", route53_solver(&zone)).await?;
    stage.certificate("web", json!({ "dnsNames": [stage.domain] })).await?;
    let challenge = stage.only::<Challenge>().await?.name_any();
    stage.says::<Challenge>(&challenge, &["AWS does not know the access key"]).await?;
    stage.delete::<Certificate>("web").await?;
    nothing_left(&stage).await
}

/// Issuer, Secrets and Challenges go in any order.
#[tokio::test]
async fn of_a_namespace() -> Result<()> {
    let stage = Stage::shared("left").await?;
    let mut solver = stage.route53().await?;
    solver["waitInsteadOfSelfCheck"] = json!("1h");
    stage.issuer("issuer", solver).await?;
    stage.certificate("web", json!({ "dnsNames": [stage.domain] })).await?;
    let record = format!("_acme-challenge.{}", stage.domain);
    stage.eventually("the record is there", async || Ok((stage.txt(&record).await?.len() == 1).then_some(()))).await?;
    stage.lab.kubectl(["delete", "namespace", &stage.namespace, "--wait=false"]).await?;
    let namespaces = Api::<Namespace>::all(stage.client.clone());
    stage
        .eventually("the namespace is gone", async || {
            Ok(namespaces.get_opt(&stage.namespace).await?.is_none().then_some(()))
        })
        .await
}
