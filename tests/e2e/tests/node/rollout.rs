//! Signet is restarted, upgraded and rolled back while certificates are issued: no look of the CA finds nobody.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Result, ensure};
use futures::future::try_join_all;
use k8s_openapi::api::events::v1::Event;
use serde_json::json;
use signet_e2e::Stage;

use crate::stage_alone;

const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../charts/signet");
/// How many certificates are under way at any time.
const LANES: usize = 3;

/// Issues one certificate after the other, until `done`; returns how many.
async fn lane(stage: &Stage<'_>, lane: usize, done: &AtomicBool) -> Result<usize> {
    let mut number = 0;
    while !done.load(Ordering::Relaxed) {
        let name = format!("n{lane}-{number}");
        stage.issue(&name, json!({ "dnsNames": [format!("{name}.{}", stage.domain)] })).await?;
        number += 1;
    }
    Ok(number)
}

/// Everything that an operator does to Signet's pods.
async fn operate(stage: &Stage<'_>) -> Result<()> {
    let namespace = "--namespace=cert-manager";
    stage.lab.kubectl(["rollout", "restart", "deployment/signet", namespace]).await?;
    stage.lab.rolled_out("cert-manager", "deployment/signet").await?;
    let change = ["--reuse-values", "--set=podAnnotations.changed=yes"];
    stage.lab.helm(["upgrade", "signet", CHART, namespace, "--wait"].iter().chain(&change)).await?;
    stage.lab.helm(["rollback", "signet", namespace, "--wait"]).await?;
    stage.lab.rolled_out("cert-manager", "deployment/signet").await
}

#[tokio::test(flavor = "multi_thread")]
async fn no_challenge_fails_while_the_pods_change() -> Result<()> {
    let on_node = stage_alone("rollout").await?;
    let stage: &Stage<'_> = &on_node;
    stage.issuer("issuer", json!({ "http01": { "ingress": { "ingressClassName": "nginx" } } })).await?;
    let done = AtomicBool::new(false);
    let operated = async {
        let operated = operate(stage).await;
        done.store(true, Ordering::Relaxed);
        operated
    };
    let lanes = try_join_all((0..LANES).map(|number| lane(stage, number, &done)));
    let ((), issued) = tokio::try_join!(operated, lanes)?;
    println!("{issued:?} certificates were issued meanwhile");
    let failures: Vec<_> = stage.list::<Event>().await?.into_iter().filter(is_failure).collect();
    ensure!(failures.is_empty(), "{failures:#?}");
    Ok(())
}

/// Whether the CA did not accept a proof.
fn is_failure(event: &Event) -> bool {
    let challenge = event.regarding.as_ref().is_some_and(|object| object.kind.as_deref() == Some("Challenge"));
    challenge && event.reason.as_deref() == Some("Failed")
}
