//! Somebody deletes what an issuance under way stands on.

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use serde_json::json;
use signet_api::{Certificate, CertificateRequest, Challenge, Order};
use signet_e2e::{Kind, Stage};

/// Deletes the one object of a kind, and waits until there is another in its place.
async fn replaced<K: Kind>(stage: &Stage<'_>) -> Result<K> {
    let first = stage.only::<K>().await?;
    stage.delete::<K>(&first.name_any()).await?;
    let another = async || {
        let found = stage.list::<K>().await?;
        let [one] = &found[..] else { return Ok(None) };
        Ok((one.uid() != first.uid() && one.meta().deletion_timestamp.is_none()).then(|| one.clone()))
    };
    stage.eventually(&format!("there is another {} than {}", K::kind(&()), first.name_any()), another).await
}

#[tokio::test]
async fn whatever_is_deleted_is_made_again() -> Result<()> {
    let stage = Stage::shared("meddling").await?;
    stage.issuer("issuer", json!({ "http01": { "ingress": { "class": "nginx" } } })).await?;
    stage.lab.add_a(&stage.domain, "127.0.0.1").await?;
    stage.certificate("web", json!({ "dnsNames": [stage.domain], "privateKey": { "algorithm": "ECDSA" } })).await?;
    replaced::<Challenge>(&stage).await?;
    replaced::<Order>(&stage).await?;
    stage.only::<Challenge>().await?;
    replaced::<CertificateRequest>(&stage).await?;
    stage.only::<Challenge>().await?;

    let next = |certificate: &Certificate| certificate.status.as_ref()?.next_private_key_secret_name.clone();
    let next = stage.until("web", "names the Secret of the next key", next).await?;
    let first = stage.api::<Secret>().get(&next).await?;
    stage.delete::<Secret>(&next).await?;
    let another = |secret: &Secret| (secret.uid() != first.uid()).then_some(());
    stage.until(&next, "is made again", another).await?;

    stage.lab.clear_a(&stage.domain).await?;
    let revision = stage.ready("web").await?.status.and_then(|status| status.revision);
    anyhow::ensure!(revision.context("it has a revision")? == 1, "{revision:?}");
    stage.none_left::<Challenge>().await?;
    stage.key_pair("web-tls").await?.verify(&stage.lab.pebble_root_pem().await?, &[&stage.domain])
}
