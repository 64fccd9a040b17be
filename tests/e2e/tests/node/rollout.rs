//! A rolling update of Signet while certificates are issued: no look of the CA finds nobody.

use anyhow::{Result, ensure};
use k8s_openapi::api::events::v1::Event;
use serde_json::json;
use signet_e2e::Stage;

use crate::stage_alone;

/// How many certificates are under way at any time, and how many come one after the other.
const LANES: usize = 3;
const LENGTH: usize = 10;

/// Issues one certificate after the other.
async fn lane(stage: &Stage<'_>, lane: usize) -> Result<()> {
    for number in 0..LENGTH {
        let name = format!("n{lane}-{number}");
        stage.issue(&name, json!({ "dnsNames": [format!("{name}.{}", stage.domain)] })).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_challenge_fails_while_the_pods_change() -> Result<()> {
    let on_node = stage_alone("rollout").await?;
    let stage: &Stage<'_> = &on_node;
    stage.issuer("issuer", json!({ "http01": { "ingress": { "ingressClassName": "nginx" } } })).await?;
    let update = async {
        stage.lab.kubectl(["rollout", "restart", "deployment/signet", "--namespace=cert-manager"]).await?;
        stage.lab.rolled_out("cert-manager", "deployment/signet").await
    };
    let lanes = futures::future::try_join_all((0..LANES).map(|number| lane(stage, number)));
    tokio::try_join!(update, lanes)?;
    let failures: Vec<_> = stage.list::<Event>().await?.into_iter().filter(is_failure).collect();
    ensure!(failures.is_empty(), "{failures:#?}");
    Ok(())
}

/// Whether the CA did not accept a proof.
fn is_failure(event: &Event) -> bool {
    let challenge = event.regarding.as_ref().is_some_and(|object| object.kind.as_deref() == Some("Challenge"));
    challenge && event.reason.as_deref() == Some("Failed")
}
