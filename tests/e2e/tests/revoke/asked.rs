//! What somebody asks for, and what follows it.

use anyhow::{Result, ensure};
use kube::ResourceExt;
use serde_json::json;
use signet_api::{Certificate, CertificateRequest, labels};
use signet_e2e::Stage;

use crate::{annotate, at_ca, finalizers, issued, revoke, serial, told};

#[tokio::test]
async fn by_the_account_and_a_new_one_takes_its_place() -> Result<()> {
    let stage = Stage::shared("account").await?;
    let old = issued(&stage, "web", json!({})).await?;
    let said = revoke(&stage, "web", &["--reason", "superseded"]).await?;
    ensure!(said.contains(&format!("serial number {old} asked for, as superseded")), "{said}");
    told(&stage, "web", &old, "superseded").await?;
    at_ca(stage.lab, &old, Some(4)).await?;

    stage.revision("web", 2).await?;
    stage.told("Issuing a certificate: the certificate in Secret web-tls (serial number").await?;
    let new = serial(&stage, "web").await?;
    at_ca(stage.lab, &new, None).await?;
    stage.key_pair("web-tls").await?.verify(&stage.lab.pebble_root_pem().await?, &[&stage.domain])?;
    ensure!(finalizers(&stage, "web").await?.is_empty(), "it is held although nothing is asked for");
    // What is about the old certificate does not go along with the new request.
    let requests = stage.list::<CertificateRequest>().await?;
    let copied = |request: &CertificateRequest| request.annotations().keys().any(|name| name.contains("revoke"));
    ensure!(!requests.iter().any(copied), "{requests:?}");

    let status = stage.lab.kubectl(["signet", "status", "certificate", "web", "-n", &stage.namespace]).await?;
    ensure!(
        status.contains(&format!("The certificate with serial number {old} was revoked as superseded")),
        "{status}"
    );
    stage.delete::<Certificate>("web").await?;
    stage.none_left::<Certificate>().await
}

#[tokio::test]
async fn a_compromised_key_never_comes_back() -> Result<()> {
    let stage = Stage::shared("compromised").await?;
    let key = json!({ "algorithm": "ECDSA", "rotationPolicy": "Never" });
    let old = issued(&stage, "web", json!({ "privateKey": key })).await?;
    let before = stage.key_pair("web-tls").await?;
    revoke(&stage, "web", &["--reason", "keyCompromise", "--with-certificate-key"]).await?;
    told(&stage, "web", &old, "keyCompromise").await?;
    at_ca(stage.lab, &old, Some(1)).await?;
    stage.revision("web", 2).await?;
    let after = stage.key_pair("web-tls").await?;
    ensure!(after.key_pem != before.key_pem, "rotationPolicy Never has kept a compromised key");
    at_ca(stage.lab, &after.leaf.serial, None).await?;

    // From a backup, it is replaced again; and then rotationPolicy holds as before.
    stage.secret("web-tls", &[("tls.key", &before.key_pem), ("tls.crt", &before.chain_pem)]).await?;
    stage.revision("web", 3).await?;
    let restored = stage.key_pair("web-tls").await?;
    ensure!(restored.key_pem != before.key_pem, "a backup has brought the compromised key back");
    stage.lab.kubectl(["signet", "renew", "web", "--namespace", &stage.namespace]).await?;
    stage.revision("web", 4).await?;
    ensure!(stage.key_pair("web-tls").await?.key_pem == restored.key_pem, "rotationPolicy Never holds no more");
    Ok(())
}

#[tokio::test]
async fn nothing_follows_cessation_until_somebody_asks() -> Result<()> {
    let stage = Stage::shared("ceased").await?;
    let old = issued(&stage, "web", json!({})).await?;
    revoke(&stage, "web", &["--reason", "cessationOfOperation"]).await?;
    told(&stage, "web", &old, "cessationOfOperation").await?;
    at_ca(stage.lab, &old, Some(5)).await?;
    let says = ["Ready=False Revoked", "was revoked as cessationOfOperation", "kubectl signet renew web"];
    stage.says::<Certificate>("web", &says).await?;
    ensure!(serial(&stage, "web").await? == old);
    stage.lab.kubectl(["signet", "renew", "web", "--namespace", &stage.namespace]).await?;
    stage.revision("web", 2).await?;
    at_ca(stage.lab, &serial(&stage, "web").await?, None).await
}

#[tokio::test]
async fn one_that_was_replaced_is_revoked_and_its_successor_stays() -> Result<()> {
    let stage = Stage::shared("earlier").await?;
    let old = issued(&stage, "web", json!({ "revisionHistoryLimit": 3 })).await?;
    stage.lab.kubectl(["signet", "renew", "web", "--namespace", &stage.namespace]).await?;
    stage.revision("web", 2).await?;
    let new = serial(&stage, "web").await?;
    // By hand, and in the form in which openssl prints it.
    let pairs: Vec<_> = old.as_bytes().chunks(2).filter_map(|pair| std::str::from_utf8(pair).ok()).collect();
    let request = json!({ "serial": pairs.join(":").to_uppercase(), "reason": "affiliationChanged" }).to_string();
    annotate(&stage, "web", labels::REVOKE, Some(&request)).await?;
    let certificate = told(&stage, "web", &old, "affiliationChanged").await?;
    at_ca(stage.lab, &old, Some(3)).await?;
    at_ca(stage.lab, &new, None).await?;
    ensure!(certificate.status.is_some_and(|status| status.revision == Some(2)), "it was issued once more");
    ensure!(serial(&stage, "web").await? == new);
    let said = revoke(&stage, "web", &["--serial", &old]).await?;
    ensure!(said.contains("was revoked already, as affiliationChanged at"), "{said}");
    Ok(())
}
