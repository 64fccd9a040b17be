//! A node that is short of everything: what is under way goes on, once.

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{EvictParams, ListParams};
use kube::{Api, ResourceExt};
use serde_json::json;
use signet_api::{CertificateRequest, Challenge, Order};
use signet_e2e::Stage;

use crate::stage_alone;

const NAMESPACE: &str = "cert-manager";

/// A Certificate whose Challenge is presented and goes no further, since its name leads nowhere yet.
async fn under_way(stage: &Stage<'_>) -> Result<()> {
    let solver = json!({ "http01": { "ingress": { "ingressClassName": "nginx" } } });
    // An address of the pods' network that no pod has.
    stage.pending(solver, "10.244.0.254").await.map(drop)
}

/// Lets the name lead to the node, and sees one certificate come of one request and one order.
async fn ends_well(stage: &Stage<'_>) -> Result<()> {
    stage.lab.clear_a(&stage.domain).await?;
    stage.ready("web").await?;
    let (requests, orders) = (stage.list::<CertificateRequest>().await?, stage.list::<Order>().await?);
    ensure!(requests.len() == 1 && orders.len() == 1, "{} requests, {} orders", requests.len(), orders.len());
    let root = stage.lab.pebble_root_pem().await?;
    stage.key_pair("web-tls").await?.verify(&root, &[&stage.domain])
}

async fn signet_pod(stage: &Stage<'_>) -> Result<Pod> {
    let pods = Api::<Pod>::namespaced(stage.client.clone(), NAMESPACE);
    let running = |pod: &Pod| pod.metadata.deletion_timestamp.is_none();
    let pods = pods.list(&ListParams::default().labels("app.kubernetes.io/name=signet")).await?;
    pods.into_iter().find(running).context("Signet has a pod")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_evicted_pod_is_carried_on() -> Result<()> {
    let on_node = stage_alone("evicted").await?;
    let stage: &Stage<'_> = &on_node;
    under_way(stage).await?;
    let pod = signet_pod(stage).await?.name_any();
    Api::<Pod>::namespaced(stage.client.clone(), NAMESPACE).evict(&pod, &EvictParams::default()).await?;
    stage.lab.rolled_out(NAMESPACE, "deployment/signet").await?;
    ends_well(stage).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_server_is_restarted() -> Result<()> {
    let on_node = stage_alone("apiserver").await?;
    let stage: &Stage<'_> = &on_node;
    under_way(stage).await?;
    stage.lab.restart_apiserver().await?;
    ends_well(stage).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clusters_dns_is_away() -> Result<()> {
    let on_node = stage_alone("nodns").await?;
    let stage: &Stage<'_> = &on_node;
    under_way(stage).await?;
    stage.lab.kubectl(["scale", "deployment/coredns", "--namespace=kube-system", "--replicas=0"]).await?;
    let name = stage.only::<Challenge>().await?.name_any();
    stage.says::<Challenge>(&name, &["failed to lookup address"]).await?;
    stage.lab.kubectl(["scale", "deployment/coredns", "--namespace=kube-system", "--replicas=1"]).await?;
    stage.lab.rolled_out("kube-system", "deployment/coredns").await?;
    ends_well(stage).await
}

/// A limit of memory beneath what Signet needs, and then none.
#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_is_killed_for_its_memory_is_carried_on() -> Result<()> {
    let on_node = stage_alone("oom").await?;
    let stage: &Stage<'_> = &on_node;
    under_way(stage).await?;
    let limit = |memory: &str| {
        let path = "/spec/template/spec/containers/0/resources";
        json!([{ "op": "replace", "path": path, "value": { "limits": { "memory": memory } } }]).to_string()
    };
    let patch = async |patch: &str| {
        let args = ["patch", "deployment/signet", "--namespace", NAMESPACE, "--type=json", "--patch", patch];
        stage.lab.kubectl(args).await
    };
    let add = limit("16Mi").replace("\"replace\"", "\"add\"");
    patch(&add).await?;
    let killed = async || {
        let pods = Api::<Pod>::namespaced(stage.client.clone(), NAMESPACE).list(&ListParams::default()).await?;
        let statuses = pods.into_iter().filter_map(|pod| pod.status?.container_statuses).flatten();
        let ends = statuses.filter_map(|status| status.last_state?.terminated?.reason);
        Ok(ends.into_iter().any(|reason| reason == "OOMKilled").then_some(()))
    };
    stage.eventually("a pod is killed for its memory", killed).await?;
    patch(&limit("512Mi")).await?;
    stage.lab.rolled_out(NAMESPACE, "deployment/signet").await?;
    ends_well(stage).await
}
