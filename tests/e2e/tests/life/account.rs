//! The account of an issuer, when its key or its address changes.

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Secret;
use serde_json::json;
use signet_api::Issuer;
use signet_api::issuer::AcmeStatus;
use signet_e2e::Stage;

async fn account(stage: &Stage<'_>) -> Result<AcmeStatus> {
    let status = stage.api::<Issuer>().get("issuer").await?.status;
    status.and_then(|status| status.acme).context("the Issuer has an account")
}

#[tokio::test]
async fn a_key_that_is_lost_and_an_address_that_changes() -> Result<()> {
    let stage = Stage::shared("account").await?;
    let mut acme = stage.acme("issuer", json!({ "http01": { "ingress": { "class": "nginx" } } }));
    acme["email"] = json!("first@example.com");
    stage.create::<Issuer>("issuer", json!({ "acme": acme })).await?;
    stage.issuer_ready("issuer").await?;
    let first = account(&stage).await?;
    ensure!(first.last_registered_email.as_deref() == Some("first@example.com"), "{first:?}");

    stage.patch::<Issuer>("issuer", json!({ "spec": { "acme": { "email": "second@example.com" } } })).await?;
    stage.issuer_ready("issuer").await?;
    let second = account(&stage).await?;
    ensure!(second.last_registered_email.as_deref() == Some("second@example.com"), "{second:?}");
    ensure!(second.uri == first.uri && second.last_private_key_hash == first.last_private_key_hash, "{second:?}");

    stage.delete::<Secret>("issuer-account").await?;
    let third = stage
        .until("issuer", "has another account", |issuer: &Issuer| {
            let acme = issuer.status.as_ref()?.acme.clone()?;
            (acme.uri != first.uri).then_some(acme)
        })
        .await?;
    ensure!(third.last_private_key_hash != first.last_private_key_hash, "{third:?}");
    stage.issuer_ready("issuer").await?;
    stage.issue("web", json!({ "dnsNames": [stage.domain] })).await.map(drop)
}

#[tokio::test]
async fn a_key_that_is_garbage() -> Result<()> {
    let stage = Stage::shared("account").await?;
    stage.secret("issuer-account", &[("tls.key", "no key")]).await?;
    let acme = stage.acme("issuer", json!({ "http01": { "ingress": { "class": "nginx" } } }));
    stage.create::<Issuer>("issuer", json!({ "acme": acme })).await?;
    let place = format!("tls.key in Secret {}/issuer-account", stage.namespace);
    stage.says::<Issuer>("issuer", &["Ready=False ErrVerifyACMEAccount", &place, "can not be used"]).await?;
    stage.delete::<Secret>("issuer-account").await?;
    stage.issuer_ready("issuer").await
}
