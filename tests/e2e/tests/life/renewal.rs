//! Renewal, of certificates that are due some seconds after they were issued.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use signet_api::{Certificate, Issuer};
use signet_e2e::Stage;

/// A certificate of one hour that is due five seconds after it was issued.
fn hasty(stage: &Stage<'_>, key: Value) -> Value {
    json!({ "dnsNames": [stage.domain], "duration": "1h", "renewBefore": "59m55s", "privateKey": key })
}

/// Since when the Certificate has been Ready.
fn ready_since(certificate: &Certificate) -> Result<String> {
    let status = certificate.status.as_ref().context("a Certificate has a status")?;
    let ready = signet_api::meta::condition(&status.conditions, "Ready").context("it says whether it is ready")?;
    Ok(serde_json::to_string(&ready.last_transition_time)?)
}

#[tokio::test]
async fn a_renewal_takes_a_new_key_unless_it_may_not() -> Result<()> {
    let stage = Stage::shared("renewal").await?;
    stage.self_signed_issuer("issuer").await?;
    for (name, policy) in [("always", "Always"), ("never", "Never")] {
        stage.certificate(name, hasty(&stage, json!({ "algorithm": "ECDSA", "rotationPolicy": policy }))).await?;
    }
    let first = stage.ready("never").await?;
    stage.ready("always").await?;
    let (always, never) = (stage.key_pair("always-tls").await?, stage.key_pair("never-tls").await?);
    let renewed = stage.revision("never", 2).await?;
    stage.revision("always", 2).await?;
    let (always_again, never_again) = (stage.key_pair("always-tls").await?, stage.key_pair("never-tls").await?);

    ensure!(always.chain_pem != always_again.chain_pem && never.chain_pem != never_again.chain_pem);
    ensure!(always.key_pem != always_again.key_pem, "a renewal takes a new key");
    ensure!(never.key_pem == never_again.key_pem, "with rotationPolicy Never it keeps the key");
    ensure!(never.leaf.not_after < never_again.leaf.not_after, "{:?} {:?}", never.leaf, never_again.leaf);
    ensure!(ready_since(&first)? == ready_since(&renewed)?, "a certificate stays Ready while it is renewed");
    for name in ["always", "never"] {
        stage.delete::<Certificate>(name).await?;
    }
    Ok(())
}

#[tokio::test]
async fn an_acme_certificate_is_ordered_again() -> Result<()> {
    let stage = Stage::shared("renewal").await?;
    let mut acme = stage.acme("issuer", json!({ "http01": { "ingress": { "class": "nginx" } } }));
    acme["profile"] = json!("default");
    stage.create::<Issuer>("issuer", json!({ "acme": acme })).await?;
    // Certificates of this profile are good for 2160 hours, less a second.
    stage.issue("web", json!({ "dnsNames": [stage.domain], "renewBefore": "2159h59m54s" })).await?;
    let first = stage.key_pair("web-tls").await?;
    stage.revision("web", 2).await?;
    let second = stage.key_pair("web-tls").await?;
    ensure!(first.leaf.serial != second.leaf.serial, "{:?}", second.leaf);
    second.verify(&stage.lab.pebble_root_pem().await?, &[&stage.domain])?;
    stage.delete::<Certificate>("web").await
}

/// What is renewed at whose wish, and when, stands in the status.
#[tokio::test]
async fn the_time_of_the_renewal_is_told() -> Result<()> {
    let stage = Stage::shared("times").await?;
    stage.self_signed_issuer("issuer").await?;
    let table = [
        // Half an hour, a sixtieth of the lifetime, is what renewals are spread over that nobody gave a time.
        ("third", json!({ "duration": "30h" }), Some(19 * 60 + 30..=20 * 60)),
        ("before", json!({ "duration": "30h", "renewBefore": "3h" }), Some(27 * 60..=27 * 60)),
        ("percent", json!({ "duration": "30h", "renewBeforePercentage": 20 }), Some(24 * 60..=24 * 60)),
        ("never", json!({ "duration": "30h", "renewal": { "policy": "Disabled" } }), None),
    ];
    for (name, spec, minutes) in table {
        let mut spec = spec;
        spec["dnsNames"] = json!([stage.domain]);
        spec["privateKey"] = json!({ "algorithm": "ECDSA" });
        let status = stage.issue(name, spec).await?.status.context("a Certificate has a status")?;
        let from = status.not_before.context("it has a start")?.0;
        let due = status.renewal_time.map(|time| time.0.duration_since(from).as_mins());
        let is_told = due.map_or(minutes.is_none(), |due| minutes.is_some_and(|minutes| minutes.contains(&due)));
        ensure!(is_told, "{name}: {due:?}");
        let until = status.not_after.context("it has an end")?.0.duration_since(from).as_hours();
        ensure!(until == 30, "{name}: {until}");
    }
    Ok(())
}
