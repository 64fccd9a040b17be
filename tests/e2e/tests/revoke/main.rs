//! Revocation, as the CA itself sees it: asked for, by policy, through deaths of the controller, and in the lists
//! of CA issuers.

mod asked;
mod deaths;
mod list;
mod policy;
mod refused;

use anyhow::{Context, Result, ensure};
use kube::ResourceExt;
use serde_json::json;
use signet_api::meta::condition;
use signet_api::{Certificate, labels};
use signet_e2e::Stage;
use signet_lab::Lab;

/// A Certificate that is Ready, of an Issuer that speaks ACME; and the serial number of what is in its Secret.
async fn issued(stage: &Stage<'_>, name: &str, spec: serde_json::Value) -> Result<String> {
    if stage.list::<signet_api::Issuer>().await?.is_empty() {
        stage.issuer("issuer", json!({ "http01": { "ingress": { "ingressClassName": "nginx" } } })).await?;
    }
    let mut whole = json!({ "dnsNames": [stage.domain], "privateKey": { "algorithm": "ECDSA" } });
    if let (Some(whole), serde_json::Value::Object(spec)) = (whole.as_object_mut(), spec) {
        whole.extend(spec);
    }
    stage.issue(name, whole).await?;
    serial(stage, name).await
}

/// The serial number of what is in Secret `<name>-tls`.
async fn serial(stage: &Stage<'_>, name: &str) -> Result<String> {
    Ok(stage.key_pair(&format!("{name}-tls")).await?.leaf.serial)
}

/// `kubectl signet revoke certificate NAME …`
async fn revoke(stage: &Stage<'_>, name: &str, options: &[&str]) -> Result<String> {
    let command = ["signet", "revoke", "certificate", name, "--namespace", &stage.namespace];
    stage.lab.kubectl(command.iter().chain(options)).await
}

/// Annotates a Certificate.
async fn annotate(stage: &Stage<'_>, name: &str, annotation: &str, value: Option<&str>) -> Result<()> {
    let patch = json!({ "metadata": { "annotations": { annotation: value } } });
    stage.patch::<Certificate>(name, patch).await.map(drop)
}

fn was_revoked(serial: &str, reason: &str) -> String {
    format!("The certificate with serial number {serial} was revoked as {reason} at ")
}

/// Waits until the Certificate says that this was revoked for this reason, and nothing is asked for any more.
async fn says_revoked(stage: &Stage<'_>, name: &str, serial: &str, reason: &str) -> Result<Certificate> {
    let sentence = was_revoked(serial, reason);
    stage
        .until(name, &format!("says: {sentence}"), |certificate: &Certificate| {
            let revoked = condition(&certificate.status.as_ref()?.conditions, "Revoked")?;
            let is_told = revoked.is_true() && revoked.message.as_ref()?.starts_with(&sentence);
            (is_told && !certificate.annotations().contains_key(labels::REVOKE)).then(|| certificate.clone())
        })
        .await
}

/// Waits for the same, and for the event that tells of it.
async fn told(stage: &Stage<'_>, name: &str, serial: &str, reason: &str) -> Result<Certificate> {
    let certificate = says_revoked(stage, name, serial, reason).await?;
    stage.told(&was_revoked(serial, reason)).await?;
    Ok(certificate)
}

/// Checks that the CA says `Valid`, or `Revoked` for the reason with this code.
async fn at_ca(lab: &Lab, serial: &str, code: Option<u64>) -> Result<()> {
    let said = lab.certificate_status(serial).await?;
    let wanted = if code.is_some() { "Revoked" } else { "Valid" };
    ensure!(said["Status"] == wanted && said["Reason"].as_u64() == code, "the CA says of {serial}: {said}");
    Ok(())
}

/// Waits until the CA says that this is revoked for the reason with this code.
async fn revoked_at_ca(stage: &Stage<'_>, serial: &str, code: u64) -> Result<()> {
    let what = format!("the CA says that {serial} is revoked for reason {code}");
    let is_revoked = async || at_ca(stage.lab, serial, Some(code)).await.map(Some);
    stage.eventually(&what, is_revoked).await
}

/// How often the CA was asked to revoke.
fn revocations(lab: &Lab) -> usize {
    lab.acme_requests().get("POST /revoke-cert").copied().unwrap_or(0)
}

/// What the finalizers of a Certificate are.
async fn finalizers(stage: &Stage<'_>, name: &str) -> Result<Vec<String>> {
    let certificate = stage.api::<Certificate>().get(name).await.context("read the Certificate")?;
    Ok(certificate.finalizers().to_vec())
}
