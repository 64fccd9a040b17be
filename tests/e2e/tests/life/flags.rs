//! What an operator can choose: who approves, and whether a Secret goes with its Certificate. In a
//! lab of its own, with a controller that is started so.

use anyhow::{Result, ensure};
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use kube::api::{Patch, PatchParams};
use serde_json::json;
use signet_api::{Certificate, CertificateRequest};
use signet_e2e::Stage;
use signet_lab::{Chart, Config, Lab};

/// Says yes or no to a request, as `cmctl` does.
async fn decide(stage: &Stage<'_>, request: &str, kind: &str) -> Result<()> {
    let condition = json!({ "type": kind, "status": "True", "reason": "Test", "message": "so said the test" });
    let patch = json!({ "status": { "conditions": [condition] } });
    let api = stage.api::<CertificateRequest>();
    api.patch_status(request, &PatchParams::default(), &Patch::Merge(patch)).await?;
    Ok(())
}

#[tokio::test]
async fn another_approver_and_owned_secrets() -> Result<()> {
    let extra_args = ["--disable-auto-approval", "--enable-certificate-owner-ref"].map(str::to_owned).to_vec();
    let chart = Chart { extra_args, ..Chart::default() };
    let lab = Lab::start(Config { chart: Some(chart), ..Config::default() }).await?;
    let stage = Stage::on(&lab, "flags").await?;
    stage.self_signed_issuer("issuer").await?;
    for name in ["yes", "no"] {
        stage.certificate(name, json!({ "dnsNames": [stage.domain] })).await?;
        stage.says::<CertificateRequest>(&format!("{name}-1"), &["Ready=False Pending", "approve"]).await?;
    }
    decide(&stage, "yes-1", "Approved").await?;
    decide(&stage, "no-1", "Denied").await?;
    stage.says::<CertificateRequest>("no-1", &["Denied=True Test", "Ready=False Denied", "so said the test"]).await?;
    stage.says::<Certificate>("no", &["Issuing=False Denied", "so said the test", "attempt 1 failed"]).await?;
    let certificate = stage.ready("yes").await?;

    let secret = stage.api::<Secret>().get("yes-tls").await?;
    let owners: Vec<_> = secret.owner_references().iter().map(|owner| owner.uid.clone()).collect();
    ensure!(certificate.uid().is_some_and(|uid| owners == [uid]), "{:?}", secret.metadata);
    stage.delete::<Certificate>("yes").await?;
    let gone = async || Ok(stage.api::<Secret>().get_opt("yes-tls").await?.is_none().then_some(()));
    stage.eventually("the Secret goes with its Certificate", gone).await?;
    lab.down().await
}
