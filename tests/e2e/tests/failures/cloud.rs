//! Route 53 says no, or can not be asked.

use anyhow::Result;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use serde_json::json;
use signet_api::Challenge;
use signet_e2e::Stage;
use signet_lab::AccessKey;

/// Each correction of the Secret is tried at once, until one is right.
#[tokio::test]
async fn wrong_credentials() -> Result<()> {
    let stage = Stage::shared("credentials").await?;
    let solver = stage.route53().await?;
    let held = stage.api::<Secret>().get("aws").await?.data.unwrap_or_default();
    let text =
        |key: &str| held.get(key).map(|bytes| String::from_utf8_lossy(&bytes.0).into_owned()).unwrap_or_default();
    let right = AccessKey { access_key_id: text("id"), secret_access_key: text("secret") };
    let nobodys = AccessKey { access_key_id: "AKIAIOSFODNN7EXAMPLE".into(), ..right.clone() };
    let anothers = AccessKey { secret_access_key: "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEYYY".into(), ..right.clone() };

    stage.aws_secret(&nobodys).await?;
    stage.issuer("issuer", solver).await?;
    stage.certificate("web", json!({ "dnsNames": [stage.domain] })).await?;
    let challenge = stage.only::<Challenge>().await?.name_any();
    stage.says::<Challenge>(&challenge, &["solver route53: AWS does not know the access key", "\"aws\""]).await?;
    stage.aws_secret(&anothers).await?;
    stage.says::<Challenge>(&challenge, &["the secret access key does not belong to", "\"aws\""]).await?;
    stage.aws_secret(&right).await?;
    stage.ready("web").await.map(drop)
}

#[tokio::test]
async fn a_secret_that_comes_later() -> Result<()> {
    let stage = Stage::shared("secret").await?;
    let solver = stage.route53().await?;
    let held = stage.api::<Secret>().get("aws").await?.data;
    stage.delete::<Secret>("aws").await?;
    stage.issuer("issuer", solver).await?;
    stage.certificate("web", json!({ "dnsNames": [stage.domain] })).await?;
    let challenge = stage.only::<Challenge>().await?.name_any();
    stage.says::<Challenge>(&challenge, &["solver route53:", "Secret", "\"aws\"", "\"secret\""]).await?;

    stage.secret("aws", &[]).await?;
    stage.patch::<Secret>("aws", json!({ "data": held })).await?;
    stage.ready("web").await.map(drop)
}

/// The message that says how to do without a permission is right about it.
#[tokio::test]
async fn a_zone_that_is_not_there() -> Result<()> {
    let stage = Stage::shared("zone").await?;
    let mut solver = stage.route53().await?;
    solver["dns01"]["route53"]["hostedZoneID"] = json!("Z00000000000000000000");
    stage.issuer("issuer", solver.clone()).await?;
    stage.certificate("web", json!({ "dnsNames": [stage.domain] })).await?;
    let challenge = stage.only::<Challenge>().await?.name_any();
    let words = ["there is no hosted zone", "Z00000000000000000000", "check route53.hostedZoneID"];
    stage.says::<Challenge>(&challenge, &words).await?;

    solver["dns01"]["route53"]["hostedZoneID"] = json!(null);
    let patch = json!({ "spec": { "acme": { "solvers": [solver] } } });
    stage.patch::<signet_api::Issuer>("issuer", patch).await?;
    stage.ready("web").await.map(drop)
}
