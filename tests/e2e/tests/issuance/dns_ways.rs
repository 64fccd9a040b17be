//! The other proofs in the DNS: at a label of the account's own, and by a record that stays.

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::events::v1::Event;
use kube::ResourceExt;
use serde_json::json;
use signet_api::{Certificate, Challenge, ChallengeType, Issuer};
use signet_e2e::Stage;

/// Where the record of the account stands, the solver is what it is for dns-01.
#[tokio::test]
async fn a_record_at_a_label_of_the_account() -> Result<()> {
    let stage = Stage::shared("label").await?;
    let mut solver = stage.route53().await?;
    solver["dns01"]["accountLabel"] = json!(true);
    stage.issuer("issuer", solver).await?;
    let challenges = stage.watch::<Challenge>().await?;
    let (apex, wildcard) = (stage.domain.clone(), format!("*.{}", stage.domain));
    stage.issue("web", json!({ "dnsNames": [apex, wildcard] })).await?;
    stage.key_pair("web-tls").await?.verify(&stage.lab.pebble_root_pem().await?, &[&apex, &wildcard])?;
    stage.none_left::<Challenge>().await?;
    let challenges = challenges.so_far();
    ensure!(challenges.len() == 2, "{:?}", challenges.keys());
    for challenge in challenges.values() {
        let spec = &challenge.spec;
        let prefix = spec.record_prefix.as_deref().context("it has a label of its own")?;
        let label = prefix.strip_suffix("._acme-challenge").context("it is below the usual one")?;
        ensure!(spec.type_ == ChallengeType::DnsAccount01 && label.len() == 17, "{spec:?}");
        let left = stage.txt(&format!("{prefix}.{apex}")).await?;
        ensure!(left.is_empty(), "records are left: {left:?}");
    }
    Ok(())
}

/// What to publish is told once by the issuer, and by each Challenge while it is not there.
#[tokio::test]
async fn a_record_that_people_publish_once() -> Result<()> {
    let stage = Stage::shared("persist").await?;
    stage.issuer("issuer", json!({ "dnsPersist01": {} })).await?;
    let issuer = stage.api::<Issuer>().get("issuer").await?;
    let account = issuer.status.and_then(|status| status.acme?.uri).context("it has an account")?;
    let record = format!("pebble.letsencrypt.org; accounturi={account}");
    stage.says::<Issuer>("issuer", &["_validation-persist.NAME", &record]).await?;
    stage.told(&record).await?;

    let name = format!("_validation-persist.{}", stage.domain);
    let wildcard = format!("*.{}", stage.domain);
    stage.certificate("web", json!({ "dnsNames": [stage.domain] })).await?;
    let challenge = stage.only::<Challenge>().await?.name_any();
    let publish = format!("publish the TXT record {name} with the value \"{record}\", once and for good");
    stage.says::<Challenge>(&challenge, &[&publish, "ns1.", "has no TXT record at"]).await?;
    stage.says::<Certificate>("web", &[&publish]).await?;
    // What is meant to be it and is not, is told apart from what is about something else.
    stage.lab.add_txt(&name, "v=spf1 -all").await?;
    stage.lab.add_txt(&name, "pebble.letsencrypt.org; accounturi=https://ca.example/8").await?;
    stage.says::<Challenge>(&challenge, &["do not count", "names account https://ca.example/8"]).await?;
    stage.lab.add_txt(&name, &record).await?;
    stage.ready("web").await?;
    stage.key_pair("web-tls").await?.verify(&stage.lab.pebble_root_pem().await?, &[&stage.domain])?;
    stage.none_left::<Challenge>().await?;
    ensure!(stage.txt(&name).await?.contains(&record), "somebody took the record away");

    // It goes on proving the name, though not the wildcard, which needs a policy.
    stage.issue("again", json!({ "dnsNames": [stage.domain] })).await?;
    stage.certificate("wild", json!({ "dnsNames": [wildcard] })).await?;
    let challenge = stage.only::<Challenge>().await?.name_any();
    stage.says::<Challenge>(&challenge, &["; policy=wildcard\"", "is not for wildcards"]).await?;
    stage.lab.clear_txt(&name).await?;
    stage.lab.add_txt(&name, &format!("{record}; policy=wildcard; persistUntil=4102444800")).await?;
    stage.ready("wild").await?;
    stage.key_pair("wild-tls").await?.verify(&stage.lab.pebble_root_pem().await?, &[&wildcard])?;
    let warnings = stage.list::<Event>().await?;
    let warnings: Vec<_> = warnings.iter().filter(|event| event.type_.as_deref() == Some("Warning")).collect();
    ensure!(warnings.is_empty(), "{warnings:?}");
    Ok(())
}
