//! What can not be done, or was done already.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Secret;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::json;
use signet_acme::{AccountKey, Clients, Endpoint, NoObserver, Revocation};
use signet_api::{Certificate, Issuer, labels};
use signet_core::revocation::Reason;
use signet_e2e::Stage;

use crate::{annotate, at_ca, finalizers, issued, revoke, serial, told};

#[tokio::test]
async fn what_somebody_else_revoked_is_revoked() -> Result<()> {
    let stage = Stage::shared("already").await?;
    let old = issued(&stage, "web", json!({})).await?;
    let pair = stage.key_pair("web-tls").await?;
    let endpoint = Endpoint {
        directory_url: stage.lab.directory_url(),
        ca_bundle: Some(stage.lab.ca_bundle().into_bytes()),
        skip_tls_verify: false,
    };
    let (key, der) = (AccountKey::from_pem(&pair.key_pem)?, CertificateDer::from_pem_slice(pair.chain_pem.as_bytes())?);
    let clients = Clients::new(Arc::new(NoObserver));
    for said in [Revocation::Done, Revocation::Already] {
        let answer = clients.revoke_with_key(&endpoint, &key, &der, Reason::Superseded).await?;
        ensure!(answer == said, "{answer:?}");
    }
    revoke(&stage, "web", &["--reason", "keyCompromise"]).await?;
    told(&stage, "web", &old, "keyCompromise").await?;
    at_ca(stage.lab, &old, Some(4)).await?;
    stage.revision("web", 2).await.map(drop)
}

#[tokio::test]
async fn an_account_that_is_not_believed_says_so_and_the_key_is() -> Result<()> {
    let stage = Stage::shared("stranger").await?;
    let old = issued(&stage, "web", json!({})).await?;
    // Another account from now on.
    stage.delete::<Secret>("issuer-account").await?;
    stage
        .until("issuer-account", "is made anew", |secret: &Secret| secret.metadata.uid.clone())
        .await
        .context("the account key")?;
    stage.issuer_ready("issuer").await?;
    revoke(&stage, "web", &["--reason", "superseded"]).await?;
    let words = ["Revoked=False CARefused", &old, "the CA refused", "not associated with account", "unauthorized"];
    stage.says::<Certificate>("web", &words).await?;
    at_ca(stage.lab, &old, None).await?;
    let status = stage.lab.kubectl(["signet", "status", "certificate", "web", "-n", &stage.namespace]).await?;
    ensure!(status.contains("To take the request back: `kubectl annotate certificate web"), "{status}");
    // Whoever holds the key may say that it is compromised.
    revoke(&stage, "web", &["--reason", "keyCompromise"]).await?;
    told(&stage, "web", &old, "keyCompromise").await?;
    at_ca(stage.lab, &old, Some(1)).await?;
    stage.revision("web", 2).await.map(drop)
}

#[tokio::test]
async fn bad_requests_are_told_on_the_object() -> Result<()> {
    let stage = Stage::shared("bad").await?;
    let current = issued(&stage, "web", json!({})).await?;
    let place = "metadata.annotations[signet.dev/revoke]";
    for (value, words) in [
        ("yes", [place, "is not of the form"]),
        (r#"{"serial": "7", "reason": "boredom"}"#, ["is no reason for a revocation", "keyCompromise"]),
        (r#"{"serial": "7f"}"#, ["CertificateNotFound", "no certificate with serial number 7f was issued"]),
    ] {
        annotate(&stage, "web", labels::REVOKE, Some(value)).await?;
        stage.says::<Certificate>("web", &["Revoked=False", words[0], words[1]]).await?;
    }
    stage.told("no certificate with serial number 7f was issued").await?;
    // Taken back, nothing of it is left.
    annotate(&stage, "web", labels::REVOKE, None).await?;
    let is_clean = |certificate: &Certificate| {
        let conditions = &certificate.status.as_ref()?.conditions;
        (conditions.len() == 1 && certificate.metadata.finalizers.is_none()).then_some(())
    };
    stage.until("web", "is as it was", is_clean).await?;
    annotate(&stage, "web", labels::REVOKE_WHEN, Some("sometimes")).await?;
    let words = ["Revoked=False InvalidPolicy", "metadata.annotations[signet.dev/revoke-when]", "\"sometimes\""];
    stage.says::<Certificate>("web", &words).await?;
    at_ca(stage.lab, &current, None).await
}

#[tokio::test]
async fn somebody_elses_certificate_is_not_revoked() -> Result<()> {
    let stage = Stage::shared("victim").await?;
    let victim = issued(&stage, "web", json!({})).await?;
    let thief = issued(&stage, "thief", json!({})).await?;
    // Certificates are public; whoever may write a Secret can put anybody's there.
    let public = stage.key_pair("web-tls").await?.chain_pem;
    let key = stage.key_pair("thief-tls").await?.key_pem;
    annotate(&stage, "thief", labels::REVOKE, Some(&json!({ "serial": victim }).to_string())).await?;
    stage.secret("thief-tls", &[("tls.crt", &public), ("tls.key", &key)]).await?;
    let number = victim.trim_start_matches('0');
    stage.says::<Certificate>("thief", &["Revoked=False CertificateNotFound", number]).await?;
    stage.revision("thief", 2).await?;
    at_ca(stage.lab, &victim, None).await?;
    at_ca(stage.lab, &thief, None).await
}

#[tokio::test]
async fn the_command_says_what_is_wrong() -> Result<()> {
    let stage = Stage::shared("command").await?;
    stage.self_signed_issuer("own").await?;
    stage.issue("own", json!({ "dnsNames": [stage.domain], "issuerRef": { "name": "own" } })).await?;
    stage.create::<Issuer>("ca", json!({ "ca": { "secretName": "own-tls" } })).await?;
    stage.certificate("never", json!({ "dnsNames": [stage.domain], "issuerRef": { "name": "none" } })).await?;
    stage.certificate("ca", json!({ "dnsNames": [stage.domain], "issuerRef": { "name": "ca" } })).await?;
    let place = format!("Certificate {}/", stage.namespace);
    for (name, options, words) in [
        ("web", &["--reason", "superseded"][..], vec![place.as_str(), "web does not exist"]),
        ("own", &["--reason", "boredom"], vec!["--reason", "\"boredom\" is no reason", "cessationOfOperation"]),
        ("own", &[], vec![&place, "spec.issuerRef", "Issuer own is of type selfSigned"]),
        ("ca", &[], vec!["Issuer ca keeps no list of revoked certificates", "signet.dev/crl-secret-name"]),
        ("never", &[], vec![&place, "has no certificate to revoke", "/never-tls"]),
    ] {
        let error =
            revoke(&stage, name, options).await.err().with_context(|| format!("{name} {options:?} is no error"))?;
        let error = format!("{error:#}");
        ensure!(words.iter().all(|word| error.contains(word)), "{name} {options:?}: {error}");
    }
    // The controller knows as much when the annotation is written by hand.
    let request = json!({ "serial": serial(&stage, "own").await? }).to_string();
    annotate(&stage, "own", labels::REVOKE, Some(&request)).await?;
    let words = ["Revoked=False CanNotRevoke", "Issuer own is of type selfSigned"];
    stage.says::<Certificate>("own", &words).await?;
    ensure!(finalizers(&stage, "own").await? == [labels::REVOKE_FINALIZER]);
    stage.delete::<Certificate>("own").await?;
    stage.told("The Certificate is deleted all the same").await
}
