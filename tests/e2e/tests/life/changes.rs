//! Certificates that their owners change.

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use serde_json::{Value, json};
use signet_api::{Certificate, CertificateRequest, Issuer, labels};
use signet_e2e::Stage;

async fn staged(prefix: &str) -> Result<Stage<'static>> {
    let stage = Stage::shared(prefix).await?;
    stage.self_signed_issuer("issuer").await?;
    Ok(stage)
}

fn spec(stage: &Stage<'_>) -> Value {
    json!({ "dnsNames": [stage.domain], "privateKey": { "algorithm": "ECDSA" } })
}

async fn requests(stage: &Stage<'_>) -> Result<Vec<String>> {
    Ok(stage.list::<CertificateRequest>().await?.iter().map(ResourceExt::name_any).collect())
}

#[tokio::test]
async fn each_change_is_another_revision() -> Result<()> {
    let stage = staged("change").await?;
    stage.issue("web", spec(&stage)).await?;
    let names = [stage.domain.clone(), format!("www.{}", stage.domain)];
    stage.self_signed_issuer("another").await?;
    let mut revision = 1;
    for (change, word) in [
        (json!({ "dnsNames": names }), "spec.dnsNames changed"),
        (json!({ "commonName": stage.domain }), "spec.commonName changed"),
        (json!({ "usages": ["client auth"] }), "spec.usages changed"),
        (json!({ "privateKey": { "size": 384 } }), "spec.privateKey.size asks for 384 bits"),
        (json!({ "issuerRef": { "name": "another" } }), "spec.issuerRef asks for Issuer another"),
    ] {
        stage.patch::<Certificate>("web", json!({ "spec": change })).await?;
        revision += 1;
        stage.revision("web", revision).await?;
        stage.told(word).await?;
        let only = format!("web-{revision}");
        stage
            .eventually("the request of the last revision is the only one", async || {
                Ok((requests(&stage).await? == [only.clone()]).then_some(()))
            })
            .await?;
    }
    let pair = stage.key_pair("web-tls").await?;
    ensure!(pair.leaf.names.dns == names && pair.leaf.public_key.size == 384, "{:?}", pair.leaf);
    Ok(())
}

#[tokio::test]
async fn as_many_requests_are_kept_as_are_wanted() -> Result<()> {
    let stage = staged("history").await?;
    let mut whole = spec(&stage);
    whole["revisionHistoryLimit"] = json!(2);
    stage.issue("web", whole).await?;
    for revision in 2..=3 {
        let names = [format!("v{revision}.{}", stage.domain)];
        stage.patch::<Certificate>("web", json!({ "spec": { "dnsNames": names } })).await?;
        stage.revision("web", revision).await?;
    }
    stage
        .eventually("two requests are left", async || Ok((requests(&stage).await? == ["web-2", "web-3"]).then_some(())))
        .await
}

/// The encoding is no matter of the certificate: the key is written down anew.
#[tokio::test]
async fn another_encoding_keeps_the_certificate() -> Result<()> {
    let stage = staged("encoding").await?;
    stage.issue("web", spec(&stage)).await?;
    let first = stage.key_pair("web-tls").await?;
    stage.patch::<Certificate>("web", json!({ "spec": { "privateKey": { "encoding": "PKCS8" } } })).await?;
    stage
        .until("web-tls", "holds its key in PKCS #8", |secret: &Secret| {
            let key = secret.data.as_ref()?.get("tls.key")?;
            key.0.starts_with(b"-----BEGIN PRIVATE KEY-----").then_some(())
        })
        .await?;
    let second = stage.key_pair("web-tls").await?;
    ensure!(first.chain_pem == second.chain_pem, "it was issued again");
    Ok(())
}

#[tokio::test]
async fn a_key_that_must_stay_and_can_not() -> Result<()> {
    let stage = staged("stay").await?;
    let mut whole = spec(&stage);
    whole["privateKey"]["rotationPolicy"] = json!("Never");
    stage.issue("web", whole).await?;
    stage.patch::<Certificate>("web", json!({ "spec": { "privateKey": { "size": 384 } } })).await?;
    let words =
        ["Ready=False CannotRegenerateKey", "web-tls", "rotationPolicy is Never", "set it to Always, or delete"];
    stage.says::<Certificate>("web", &words).await?;
    stage.patch::<Certificate>("web", json!({ "spec": { "privateKey": { "rotationPolicy": "Always" } } })).await?;
    stage.revision("web", 2).await.map(drop)
}

#[tokio::test]
async fn another_secret() -> Result<()> {
    let stage = staged("move").await?;
    stage.issue("web", spec(&stage)).await?;
    stage.patch::<Certificate>("web", json!({ "spec": { "secretName": "moved-tls" } })).await?;
    stage.revision("web", 2).await?;
    stage.key_pair("moved-tls").await?;
    stage.key_pair("web-tls").await?;
    Ok(())
}

#[tokio::test]
async fn a_secret_that_two_want() -> Result<()> {
    let stage = staged("rival").await?;
    stage.issue("web", spec(&stage)).await?;
    let mut whole = spec(&stage);
    whole["secretName"] = json!("web-tls");
    stage.certificate("rival", whole).await?;
    let words = ["Ready=False IncorrectCertificate", "Secret web-tls already belongs to Certificate web"];
    stage.says::<Certificate>("rival", &words).await?;
    ensure!(requests(&stage).await? == ["web-1"], "the rival has asked for a certificate");

    stage.delete::<Certificate>("web").await?;
    stage.ready("rival").await?;
    let secret = stage.api::<Secret>().get("web-tls").await?;
    let owner = secret.annotations().get(labels::CERTIFICATE_NAME).context("the Secret says whose it is")?;
    ensure!(owner == "rival", "it is {owner}'s");
    Ok(())
}

/// A Certificate is not touched when its issuer changes: it holds what that one signed.
#[tokio::test]
async fn an_issuer_that_changes_or_goes() -> Result<()> {
    let stage = staged("gone").await?;
    stage.issue("web", spec(&stage)).await?;
    let first = stage.key_pair("web-tls").await?;
    stage
        .patch::<Issuer>(
            "issuer",
            json!({ "spec": { "selfSigned": { "crlDistributionPoints": ["http://a.example"] } } }),
        )
        .await?;
    stage.issuer_ready("issuer").await?;
    stage.delete::<Issuer>("issuer").await?;
    stage
        .patch::<Secret>("web-tls", json!({ "metadata": { "annotations": { (labels::COMMON_NAME): "damage" } } }))
        .await?;
    stage
        .until("web-tls", "is repaired", |secret: &Secret| {
            (secret.annotations().get(labels::COMMON_NAME).map(String::as_str) == Some("")).then_some(())
        })
        .await?;
    ensure!(stage.key_pair("web-tls").await?.chain_pem == first.chain_pem, "it was issued again");
    stage.ready("web").await.map(drop)
}
