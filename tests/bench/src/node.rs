//! What an operator waits for: a node, the install, a certificate behind a real ingress controller, and
//! the other replica when the leader is gone.

use std::time::Instant;

use anyhow::{Context, Result};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, ListParams};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use signet_api::Challenge;
use signet_e2e::Stage;
use signet_lab::{Chart, Config, Lab, Level};

use crate::SETTLING;
use crate::figures::{Figures, median};
use crate::site::{Site, Way};

const NAMESPACE: &str = "cert-manager";
const LEASE: &str = "cert-manager-controller";
/// How many certificates are issued, one after the other.
const CERTIFICATES: usize = 10;

pub(crate) async fn measure(figures: &mut Figures) -> Result<()> {
    let began = Instant::now();
    let lab = Lab::start(Config { level: Level::Node, ..Config::bare() }).await?;
    figures.add("node_ready_seconds", began.elapsed().as_secs_f64(), "s");
    // The first install brings the image in, which is the network's time elsewhere.
    lab.install(&Chart::default()).await?;
    lab.helm(["uninstall", "signet", "--namespace", NAMESPACE, "--wait"]).await?;
    let began = Instant::now();
    lab.upgrade(&Chart::default()).await?;
    figures.add("helm_install_seconds", began.elapsed().as_secs_f64(), "s");

    let site = Site::build(&lab, Way::Http01).await?;
    let mut times = Vec::new();
    for number in 0..CERTIFICATES {
        times.push(site.issue(&[format!("single-{number}")]).await?.as_secs_f64());
        site.is_tidy().await?;
    }
    figures.add("ingress_http01_ready_seconds", median(times), "s");
    tokio::time::sleep(SETTLING).await;
    figures.add("rss_pod_mib", resident_mib(&lab).await?, "MiB");
    failover(&lab, figures).await?;
    lab.down().await
}

/// What the kubelet says that Signet's container holds.
async fn resident_mib(lab: &Lab) -> Result<f64> {
    let said = lab.kubectl(["get", "--raw", "/api/v1/nodes/node0/proxy/stats/summary"]).await?;
    let summary: Value = serde_json::from_str(&said)?;
    let pods = summary["pods"].as_array().context("a node has pods")?;
    let ours = pods.iter().find(|pod| pod["podRef"]["namespace"] == NAMESPACE).context("Signet has a pod")?;
    let bytes = ours["containers"][0]["memory"]["rssBytes"].as_f64().context("a container has memory")?;
    Ok(bytes / f64::from(1 << 20))
}

/// From the death of the leader, in the middle of an issuance, to the first step of the other.
async fn failover(lab: &Lab, figures: &mut Figures) -> Result<()> {
    lab.upgrade(&Chart { values: json!({ "replicaCount": 2 }), ..Chart::default() }).await?;
    let stage = Stage::on(lab, "failover").await?;
    stage.issuer("issuer", json!({ "http01": { "ingress": { "ingressClassName": "nginx" } } })).await?;
    // An address of the pods' network that no pod has, so the Challenge stays where it is.
    lab.add_a(&stage.domain, "10.244.0.254").await?;
    stage.certificate("web", json!({ "dnsNames": [stage.domain] })).await?;
    let challenge = stage.only::<Challenge>().await?.name_any();
    let presented = |challenge: &Challenge| challenge.status.as_ref()?.presented.then_some(());
    stage.until(&challenge, "is presented", presented).await?;

    let leases = Api::<Lease>::namespaced(stage.client.clone(), NAMESPACE);
    let leader = leases.get(LEASE).await?.spec.and_then(|spec| spec.holder_identity).context("somebody leads")?;
    let pods = Api::<Pod>::namespaced(stage.client.clone(), NAMESPACE);
    let all = pods.list(&ListParams::default()).await?;
    let leading = all.items.iter().find(|pod| leader.contains(&pod.name_any())).context("a pod leads")?;
    lab.clear_a(&stage.domain).await?;
    let began = Instant::now();
    lab.kill_containers(leading).await?;
    // Its pod must not come back in its place.
    pods.delete(&leading.name_any(), &DeleteParams::default().grace_period(0)).await?;
    let version = async || stage.api::<Challenge>().get_opt(&challenge).await.map(|found| found?.resource_version());
    let last = version().await?;
    let next = async || Ok((version().await? != last).then_some(()));
    stage.eventually("the other replica writes", next).await?;
    figures.add("failover_seconds", began.elapsed().as_secs_f64(), "s");
    stage.ready("web").await?;
    Ok(())
}
