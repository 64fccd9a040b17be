//! What others do to a target Secret, and what Signet makes of it.

use anyhow::{Result, ensure};
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use serde_json::{Value, json};
use signet_api::{Certificate, labels};
use signet_e2e::{KeyPair, Stage};

/// A stage with Certificate `web`, Ready, and what its Secret holds.
async fn issued() -> Result<(Stage<'static>, KeyPair)> {
    let stage = Stage::shared("drift").await?;
    stage.self_signed_issuer("issuer").await?;
    let template = json!({ "labels": { "team": "shop" }, "annotations": { "note": "kept" } });
    let spec = json!({ "dnsNames": [stage.domain], "secretTemplate": template, "privateKey": { "algorithm": "ECDSA" },
        "additionalOutputFormats": [{ "type": "CombinedPEM" }] });
    stage.issue("web", spec).await?;
    let pair = stage.key_pair("web-tls").await?;
    Ok((stage, pair))
}

/// The Secret, as far as Signet is to keep it.
fn kept(secret: &Secret) -> (Value, Value, Value) {
    (json!(secret.labels()), json!(secret.annotations()), json!(secret.data))
}

#[tokio::test]
async fn labels_annotations_and_derived_values_come_back() -> Result<()> {
    let (stage, pair) = issued().await?;
    stage.patch::<Secret>("web-tls", json!({ "metadata": { "labels": { "mine": "stays" } } })).await?;
    let whole = stage.api::<Secret>().get("web-tls").await?;
    for damage in [
        json!({ "metadata": { "labels": { "team": null } } }),
        json!({ "metadata": { "labels": { "team": "another" } } }),
        json!({ "metadata": { "labels": { (labels::WATCHED): null } } }),
        json!({ "metadata": { "annotations": { "note": null } } }),
        json!({ "metadata": { "annotations": { (labels::ALT_NAMES): "another.example" } } }),
        json!({ "data": { "tls-combined.pem": null } }),
        json!({ "data": { "tls-combined.pem": "Z2FyYmFnZQ==" } }),
        json!({ "data": { "ca.crt": null } }),
        json!({ "data": { "ca.crt": "Z2FyYmFnZQ==" } }),
    ] {
        stage.patch::<Secret>("web-tls", damage.clone()).await?;
        let again = |secret: &Secret| (kept(secret) == kept(&whole)).then_some(());
        stage.until("web-tls", &format!("is whole again after {damage}"), again).await?;
    }
    let certificate = stage.ready("web").await?;
    ensure!(certificate.status.and_then(|status| status.revision) == Some(1), "it was issued again");
    ensure!(stage.key_pair("web-tls").await?.chain_pem == pair.chain_pem, "it was issued again");
    Ok(())
}

#[tokio::test]
async fn a_certificate_that_can_not_be_used_is_issued_again() -> Result<()> {
    let (stage, _) = issued().await?;
    let anothers = rcgen::KeyPair::generate()?.serialize_pem();
    let mut revision = 1;
    for (damage, words) in [
        (json!({ "data": { "tls.crt": "Z2FyYmFnZQ==" } }), "tls.crt in Secret web-tls is not a certificate"),
        (json!({ "data": { "tls.crt": "" } }), "Secret web-tls has no tls.crt"),
        (json!({ "data": { "tls.key": "" } }), "Secret web-tls has no tls.key"),
        (json!({ "data": { "tls.key": "Z2FyYmFnZQ==" } }), "tls.key in Secret web-tls is not a private key"),
        (json!({ "stringData": { "tls.key": anothers } }), "tls.key and tls.crt in Secret web-tls do not belong"),
        (
            json!({ "metadata": { "annotations": { (labels::ISSUER_NAME): "another" } } }),
            "Secret web-tls holds a certificate of Issuer another",
        ),
    ] {
        stage.patch::<Secret>("web-tls", damage).await?;
        revision += 1;
        stage.revision("web", revision).await?;
        stage.key_pair("web-tls").await?;
        stage.told(words).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_secret_that_is_gone_is_made_again() -> Result<()> {
    let (stage, first) = issued().await?;
    stage.delete::<Secret>("web-tls").await?;
    stage.revision("web", 2).await?;
    let second = stage.key_pair("web-tls").await?;
    ensure!(first.key_pem != second.key_pem && first.leaf.serial != second.leaf.serial, "{second:?}");

    let kept = stage.api::<Secret>().get("web-tls").await?;
    stage.delete::<Certificate>("web").await?;
    ensure!(stage.api::<Secret>().get("web-tls").await?.data == kept.data, "the Secret outlives its Certificate");
    Ok(())
}
