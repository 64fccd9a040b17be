//! Orders wait for room instead of being refused, say so once, and what was spent outlives objects and processes.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use signet_api::labels::{LEASE, SPENT};
use signet_api::{Certificate, CertificateRequest, Order};
use signet_e2e::Stage;
use signet_lab::{Chart, Config, Lab};

/// A lab whose CA, as the operator says, sets these limits.
async fn limited(limits: Value) -> Result<Lab> {
    let lab = Lab::start(Config::bare()).await?;
    let values = json!({ "acme": { "limits": { lab.directory_url(): limits } } });
    lab.install(&Chart { values, ..Chart::default() }).await?;
    Ok(lab)
}

async fn issuer(stage: &Stage<'_>) -> Result<()> {
    stage.issuer("issuer", json!({ "http01": { "ingress": { "ingressClassName": "nginx" } } })).await
}

async fn signet(stage: &Stage<'_>, words: &str) -> Result<String> {
    let words = ["signet"].into_iter().chain(words.split(' ')).chain(["-n", &stage.namespace]);
    stage.lab.kubectl(words).await
}

/// The Order that waits.
async fn waiting(stage: &Stage<'_>) -> Result<Order> {
    stage
        .eventually("an Order waits for room", async || {
            let waits = |order: &Order| {
                let reason = order.status.as_ref().and_then(|status| status.reason.as_deref());
                reason.is_some_and(|reason| reason.starts_with("Waiting for room: "))
            };
            Ok(stage.list::<Order>().await?.into_iter().find(waits))
        })
        .await
}

#[tokio::test]
async fn an_order_waits_for_room_says_so_once_and_goes_on() -> Result<()> {
    let lab = limited(json!({ "newOrders": { "count": 2, "period": "40s" } })).await?;
    let stage = Stage::on(&lab, "limits").await?;
    issuer(&stage).await?;
    for name in ["a", "b"] {
        stage.issue(name, json!({ "dnsNames": [format!("{name}.{}", stage.domain)] })).await?;
    }
    let mut audit = lab.watch_audit_of_signet();
    stage.certificate("c", json!({ "dnsNames": [format!("c.{}", stage.domain)] })).await?;
    let order = waiting(&stage).await?;
    let reason = order.status.clone().and_then(|status| status.reason).context("it says why")?;
    ensure!(reason.contains("the CA takes 2 new orders of this account in 40 s, and 2 are used"), "{reason}");
    ensure!(reason.contains("`kubectl signet limits`"), "it says what to do: {reason}");
    stage.says::<CertificateRequest>("c-1", &["Ready=False Pending", "Waiting for room"]).await?;
    stage.says::<Certificate>("c", &["Ready=False", "Waiting for room"]).await?;

    let said = signet(&stage, "limits").await?;
    ensure!(said.contains(&lab.directory_url()) && said.contains("2 of 2"), "{said}");
    ensure!(said.contains(&format!("{} 2", stage.namespace)) && said.contains("Orders that wait: 1"), "{said}");
    ensure!(said.contains(&order.name_any()) && !said.contains("Note:"), "{said}");
    ensure!(signet(&stage, "limits --issuer issuer").await? == said, "it is the only issuer");

    let certificate = stage.ready("c").await?;
    ensure!(certificate.status.is_some_and(|status| status.failed_issuance_attempts.is_none()), "it is no failure");
    let writes = audit.read_on()?.into_iter().filter(|entry| entry.name == order.name_any());
    let mut counts = BTreeMap::<String, usize>::new();
    writes.for_each(|entry| *counts.entry(format!("{} {}", entry.verb, entry.subresource)).or_default() += 1);
    // That it waits, that it is made, and that it is done.
    ensure!(counts.values().sum::<usize>() - counts.get("create ").copied().unwrap_or(0) == 3, "{counts:?}");
    lab.down().await
}

#[tokio::test]
async fn deleting_what_shows_it_gives_nothing_back() -> Result<()> {
    let lab = limited(json!({ "certificatesPerSet": { "count": 1, "period": "10h" } })).await?;
    let stage = Stage::on(&lab, "spent").await?;
    issuer(&stage).await?;
    let spec = json!({ "dnsNames": [stage.domain] });
    stage.issue("web", spec.clone()).await?;
    stage.delete::<Certificate>("web").await?;
    for order in stage.list::<Order>().await? {
        stage.delete::<Order>(&order.name_any()).await.ok();
    }
    stage.none_left::<Order>().await?;
    let leases = Api::<Lease>::namespaced(stage.client.clone(), "cert-manager");
    let noted = async || {
        let lease = leases.get(LEASE).await?;
        Ok(lease.annotations().get(SPENT).is_some_and(|spent| spent.starts_with('c')).then_some(()))
    };
    stage.eventually("the Lease tells what objects no longer show", noted).await?;
    lab.controller().kill().await?;
    lab.controller().start().await?;
    lab.controller().wait_ready().await?;

    stage.api::<Secret>().delete("web-tls", &Default::default()).await?;
    stage.certificate("web", spec).await?;
    let reason = waiting(&stage).await?.status.and_then(|status| status.reason).unwrap_or_default();
    ensure!(reason.contains("1 certificates for exactly these names in 10 h, and 1 are used"), "{reason}");
    stage.issue("other", json!({ "dnsNames": [format!("other.{}", stage.domain)] })).await?;
    lab.down().await
}
