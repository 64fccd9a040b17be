//! What an issuer chooses of that which its CA offers: a chain, a profile, a lifetime of hours.

use anyhow::{Context, Result, ensure};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use signet_api::{Certificate, Issuer, Order};
use signet_core::pki::Chain;
use signet_e2e::Stage;
use signet_lab::{AcmeConfig, Config, Lab};

async fn issuer(stage: &Stage<'_>, name: &str, choice: Value) -> Result<()> {
    let mut acme = stage.acme(name, json!({ "http01": { "ingress": { "class": "nginx" } } }));
    for (field, value) in choice.as_object().into_iter().flatten() {
        acme[field] = value.clone();
    }
    stage.create::<Issuer>(name, json!({ "acme": acme })).await?;
    stage.issuer_ready(name).await
}

/// In a lab of its own, whose CA has three roots.
#[tokio::test]
async fn the_chain_that_leads_to_the_root_of_choice() -> Result<()> {
    let acme = AcmeConfig { alternate_chains: 2, ..AcmeConfig::default() };
    let lab = Lab::start(Config { acme, ..Config::default() }).await?;
    let stage = Stage::on(&lab, "chain").await?;
    let mut roots = Vec::new();
    for number in 0..3 {
        roots.push(lab.pebble_root(number).await?);
    }
    for (number, root) in roots.iter().enumerate() {
        let subject = Chain::parse(root.as_bytes())?.leaf.subject.to_string();
        let name = subject.strip_prefix("CN=").context("a root has a common name")?;
        let issuer_name = format!("root-{number}");
        issuer(&stage, &issuer_name, json!({ "preferredChain": name })).await?;
        let dns_name = format!("{issuer_name}.{}", stage.domain);
        stage.issue(&issuer_name, json!({ "dnsNames": [dns_name], "issuerRef": { "name": issuer_name } })).await?;
        let pair = stage.key_pair(&format!("{issuer_name}-tls")).await?;
        for (other, root) in roots.iter().enumerate() {
            let leads_there = pair.verify(root, &[&dns_name]).is_ok();
            ensure!(
                leads_there == (other == number),
                "the chain for root {number} leads to root {other}: {leads_there}"
            );
        }
    }
    // Where there is no such chain, the CA's usual one is taken.
    issuer(&stage, "unknown", json!({ "preferredChain": "A Root That Nobody Has" })).await?;
    let dns_name = format!("unknown.{}", stage.domain);
    stage.issue("unknown", json!({ "dnsNames": [dns_name], "issuerRef": { "name": "unknown" } })).await?;
    stage.key_pair("unknown-tls").await?.verify(&roots[0], &[&dns_name])?;
    lab.down().await
}

/// Minutes from the beginning of the lifetime to the renewal.
fn renewed_after(certificate: &Certificate) -> Result<i64> {
    let status = certificate.status.as_ref().context("it has a status")?;
    let (from, due) = (status.not_before.as_ref(), status.renewal_time.as_ref());
    Ok(due.context("it is renewed")?.0.duration_since(from.context("it begins")?.0).as_mins())
}

#[tokio::test]
async fn certificates_of_hours_and_of_days() -> Result<()> {
    let stage = Stage::shared("short").await?;
    issuer(&stage, "hours", json!({ "enableDurationFeature": true })).await?;
    issuer(&stage, "days", json!({ "profile": "shortlived" })).await?;
    for (name, of, duration, minutes) in
        [("one", "hours", Some("1h"), 60), ("six", "hours", Some("6h"), 360), ("week", "days", None, 6 * 24 * 60)]
    {
        let mut spec = json!({ "dnsNames": [format!("{name}.{}", stage.domain)], "issuerRef": { "name": of } });
        if let Some(duration) = duration {
            spec["duration"] = json!(duration);
        }
        let certificate = stage.issue(name, spec).await?;
        let lifetime = stage.key_pair(&format!("{name}-tls")).await?.lifetime() / 60;
        ensure!((minutes - 1..=minutes).contains(&lifetime), "{name} lives for {lifetime} minutes");
        // At two thirds, or up to a sixtieth of the lifetime before that.
        let due = renewed_after(&certificate)?;
        let (earliest, latest) = (minutes * 2 / 3 - minutes / 60 - 1, minutes * 2 / 3);
        ensure!((earliest..=latest).contains(&due), "{name} is renewed after {due} minutes");
    }
    let orders = stage.list::<Order>().await?;
    let of = |name: &str| {
        orders.iter().find(|order| order.metadata.name.as_ref().is_some_and(|order| order.starts_with(name)))
    };
    let (hours, days) = (of("six").context("an Order")?, of("week").context("an Order")?);
    ensure!(hours.spec.duration.is_some() && hours.spec.profile.is_none(), "{hours:?}");
    ensure!(days.spec.duration.is_none() && days.spec.profile.as_deref() == Some("shortlived"), "{days:?}");

    // An hour that is renewed within it: due seconds after the issuance, and the next one lives on.
    let spec = json!({ "dnsNames": [stage.domain], "issuerRef": { "name": "hours" }, "duration": "1h", "renewBefore": "59m50s" });
    stage.certificate("hasty", spec).await?;
    stage.revision("hasty", 2).await?;
    let pair = stage.key_pair("hasty-tls").await?;
    ensure!(pair.is_current() && pair.leaf.not_after > Timestamp::now() + SignedDuration::from_mins(50));
    stage.delete::<Certificate>("hasty").await
}

/// What the CA says to a profile that it does not have is told.
#[tokio::test]
async fn a_profile_that_the_ca_does_not_have() -> Result<()> {
    let stage = Stage::shared("profile").await?;
    issuer(&stage, "issuer", json!({ "profile": "eternal" })).await?;
    stage.certificate("web", json!({ "dnsNames": [stage.domain] })).await?;
    stage.says::<Certificate>("web", &["Ready=False", "the CA refused", "eternal"]).await.map(drop)
}
