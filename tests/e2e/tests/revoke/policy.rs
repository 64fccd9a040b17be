//! What is revoked without being asked for: with the Certificate, and once another one is in place.

use anyhow::{Result, ensure};
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use serde_json::json;
use signet_api::{Certificate, CertificateRequest, Issuer, labels};
use signet_e2e::Stage;

use crate::{annotate, at_ca, finalizers, issued, revoked_at_ca, serial, told};

async fn renew(stage: &Stage<'_>, name: &str, revision: i64) -> Result<String> {
    stage.lab.kubectl(["signet", "renew", name, "--namespace", &stage.namespace]).await?;
    stage.revision(name, revision).await?;
    serial(stage, name).await
}

async fn held(stage: &Stage<'_>, name: &str, held: bool) -> Result<()> {
    let what = format!("Certificate {name} is held: {held}");
    let is_so = async || Ok((finalizers(stage, name).await?.is_empty() != held).then_some(()));
    stage.eventually(&what, is_so).await
}

#[tokio::test]
async fn a_certificate_that_goes_is_revoked() -> Result<()> {
    let stage = Stage::shared("goes").await?;
    let (web, other) = (issued(&stage, "web", json!({})).await?, issued(&stage, "other", json!({})).await?);
    annotate(&stage, "web", labels::REVOKE_WHEN, Some("deleted")).await?;
    held(&stage, "web", true).await?;
    for name in ["web", "other"] {
        stage.delete::<Certificate>(name).await?;
    }
    stage.none_left::<Certificate>().await?;
    at_ca(stage.lab, &web, Some(5)).await?;
    at_ca(stage.lab, &other, None).await?;
    stage.told(&format!("serial number {web} was revoked as cessationOfOperation")).await?;
    // The Secret stays, as it always does.
    stage.api::<Secret>().get("web-tls").await?;

    // Whoever takes the policy back is not held.
    let kept = issued(&stage, "kept", json!({})).await?;
    annotate(&stage, "kept", labels::REVOKE_WHEN, Some("deleted,replaced")).await?;
    held(&stage, "kept", true).await?;
    annotate(&stage, "kept", labels::REVOKE_WHEN, Some("never")).await?;
    held(&stage, "kept", false).await?;
    stage.delete::<Certificate>("kept").await?;
    stage.none_left::<Certificate>().await?;
    at_ca(stage.lab, &kept, None).await
}

#[tokio::test]
async fn nobody_is_held_when_there_is_nobody_to_ask() -> Result<()> {
    let stage = Stage::shared("orphan").await?;
    let web = issued(&stage, "web", json!({})).await?;
    annotate(&stage, "web", labels::REVOKE_WHEN, Some("deleted")).await?;
    held(&stage, "web", true).await?;
    stage.delete::<Issuer>("issuer").await?;
    stage.none_left::<Issuer>().await?;
    stage.delete::<Certificate>("web").await?;
    stage.none_left::<Certificate>().await?;
    stage.told("There is neither an Issuer issuer").await?;
    stage.told("The Certificate is deleted all the same").await?;
    at_ca(stage.lab, &web, None).await
}

#[tokio::test]
async fn one_that_is_replaced_with_another_key_is_revoked() -> Result<()> {
    let stage = Stage::shared("replaced").await?;
    let first = issued(&stage, "web", json!({ "revisionHistoryLimit": 1 })).await?;
    annotate(&stage, "web", labels::REVOKE_WHEN, Some("replaced")).await?;
    let second = renew(&stage, "web", 2).await?;
    told(&stage, "web", &first, "superseded").await?;
    at_ca(stage.lab, &first, Some(4)).await?;
    at_ca(stage.lab, &second, None).await?;
    // The request of the first was kept for it, and no longer than that.
    one_request(&stage, "web-2").await?;

    // With the same key it is the same to whoever holds the key.
    let keep = json!({ "spec": { "privateKey": { "rotationPolicy": "Never" } } });
    stage.patch::<Certificate>("web", keep).await?;
    let third = renew(&stage, "web", 3).await?;
    one_request(&stage, "web-3").await?;
    at_ca(stage.lab, &second, None).await?;
    ensure!(second != third);
    revoked_at_ca(&stage, &first, 4).await
}

/// Waits until this is the only request that is left.
async fn one_request(stage: &Stage<'_>, name: &str) -> Result<()> {
    stage
        .eventually(&format!("CertificateRequest {name} is the only one"), async || {
            let left: Vec<_> = stage.list::<CertificateRequest>().await?.iter().map(ResourceExt::name_any).collect();
            ensure!(left == [name], "there are {left:?}");
            Ok(Some(()))
        })
        .await
}
