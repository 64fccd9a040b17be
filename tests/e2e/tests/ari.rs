//! The CA says when to renew (RFC 9773): the window, the address that explains it, what the order says it
//! replaces, and answers that are of no use.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Secret;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::json;
use signet_acme::{AccountKey, Clients, Endpoint, NoObserver};
use signet_api::certificate::RenewalInformation;
use signet_api::{Certificate, Issuer, Order};
use signet_core::revocation::Reason;
use signet_e2e::{Relay, Said, Stage};
use signet_lab::{Config, Lab};

const URL: &str = "https://ca.example/why-so-soon";

/// What a CA says: so many seconds from now until so many.
fn window(from: i64, until: i64) -> String {
    let at = |seconds| (Timestamp::now() + SignedDuration::from_secs(seconds)).to_string();
    json!({ "suggestedWindow": { "start": at(from), "end": at(until) }, "explanationURL": URL }).to_string()
}

async fn issuer(stage: &Stage<'_>, server: Option<&str>) -> Result<()> {
    let mut acme = stage.acme("issuer", json!({ "http01": { "ingress": { "class": "nginx" } } }));
    acme["profile"] = json!("default");
    if let Some(server) = server {
        acme["server"] = json!(server);
    }
    stage.create::<Issuer>("issuer", json!({ "acme": acme })).await?;
    stage.issuer_ready("issuer").await
}

fn information(certificate: &Certificate) -> Option<&RenewalInformation> {
    certificate.status.as_ref()?.acme.as_ref()?.ari.as_ref()
}

fn renewal(certificate: &Certificate) -> Result<Timestamp> {
    let status = certificate.status.as_ref().and_then(|status| status.renewal_time.as_ref());
    Ok(status.context("it has a renewal time")?.0)
}

/// The certificate that the Order of the revision replaces, which the CA has taken for that.
async fn replaced(stage: &Stage<'_>, revision: &str) -> Result<String> {
    let orders = stage.list::<Order>().await?;
    let is_of = |order: &&Order| order.metadata.annotations.iter().flatten().any(|(_, value)| value == revision);
    let order = orders.iter().find(is_of).with_context(|| format!("revision {revision} has no Order"))?;
    let url = order.status.as_ref().and_then(|status| status.url.clone()).context("it has a URL")?;
    ensure!(stage.lab.took_for_replacement(&url), "the CA knows of no replacement by {url}");
    order.spec.replaces.clone().context("the Order says what it replaces")
}

/// Has the CA revoke a certificate, by its account, without a word to Signet.
async fn revoke(stage: &Stage<'_>, name: &str) -> Result<()> {
    let secret = stage.api::<Secret>().get("issuer-account").await?;
    let pem = secret.data.unwrap_or_default().remove("tls.key").context("the account has a key")?;
    let key = AccountKey::from_pem(std::str::from_utf8(&pem.0)?)?;
    let ca_bundle = Some(stage.lab.ca_bundle().into_bytes());
    let endpoint = Endpoint { directory_url: stage.lab.directory_url(), ca_bundle, skip_tls_verify: false };
    let clients = Clients::new(Arc::new(NoObserver));
    let account = clients.register(&endpoint, &key, None, None).await?;
    let chain = stage.key_pair(&format!("{name}-tls")).await?.chain_pem;
    let leaf = CertificateDer::from_pem_slice(chain.as_bytes())?;
    clients.account(&endpoint, &key, &account.uri).revoke(&leaf, Reason::Superseded).await?;
    Ok(())
}

/// In a lab of its own, whose controller starts anew: a process that remembers nothing asks.
#[tokio::test]
async fn a_window_that_moves_to_now_renews_and_says_why() -> Result<()> {
    let lab = Lab::start(Config::default()).await?;
    let stage = Stage::on(&lab, "ari").await?;
    issuer(&stage, None).await?;
    let name = |number: &str| json!({ "dnsNames": [format!("{number}.{}", stage.domain)] });
    stage.issue("moved", name("moved")).await?;
    stage.issue("later", name("later")).await?;
    stage.issue("revoked", name("revoked")).await?;
    let of = async |name: &str| stage.key_pair(&format!("{name}-tls")).await;
    lab.set_renewal_info(&of("moved").await?.chain_pem, &window(-7200, -3600)).await?;
    lab.set_renewal_info(&of("later").await?.chain_pem, &window(10 * 86_400, 11 * 86_400)).await?;
    revoke(&stage, "revoked").await?;
    lab.controller().restart().await?;

    let renewed = stage.revision("moved", 2).await?;
    stage.revision("revoked", 2).await?;
    replaced(&stage, "2").await?;
    stage.told("the CA asks for the renewal between").await?;
    ensure!(information(&renewed).is_none_or(|information| information.explanation_url.is_none()), "{renewed:?}");
    of("moved").await?.verify(&lab.pebble_root_pem().await?, &[&format!("moved.{}", stage.domain)])?;

    let words = ["Ready=True", "it is renewed at", "as the CA asks", URL];
    stage.says::<Certificate>("later", &words).await?;
    stage.told(&format!("for this reason: {URL}")).await?;
    let later = stage.ready("later").await?;
    let told = information(&later).context("it tells of the CA's wish")?;
    let wish = told.suggested_window.as_ref().context("it tells of the window")?;
    let planned = renewal(&later)?;
    ensure!(wish.start.0 <= planned && planned <= wish.end.0, "{planned} is not in {wish:?}");
    let story = lab.kubectl(["signet", "status", "certificate", "later", "-n", &stage.namespace]).await?;
    ensure!(story.contains("CA's wish") && story.contains(URL), "{story}");

    // The next process finds the same point in the window, and nothing to write.
    lab.controller().restart().await?;
    lab.controller().wait_ready().await?;
    stage.issue("after", name("after")).await?;
    ensure!(stage.ready("later").await?.metadata.resource_version == later.metadata.resource_version);
    lab.down().await
}

/// A CA that wants to be asked every second is asked once a minute, and one that then wants a renewal gets it.
#[tokio::test]
async fn the_ca_says_when_it_wants_to_be_asked() -> Result<()> {
    let lab = Lab::start(Config::default()).await?;
    let relay = Relay::start(&lab).await?;
    let stage = Stage::on(&lab, "polled").await?;
    issuer(&stage, Some(&relay.server())).await?;
    stage.issue("web", json!({ "dnsNames": [stage.domain] })).await?;
    ensure!(relay.asked().is_empty(), "nobody asks about what was just issued");
    relay.say(Said { retry_after: Some("1".to_owned()), ..Said::default() });
    lab.controller().restart().await?;
    let questions = async |count: usize| {
        let what = format!("the CA is asked {count} times");
        let asked = async || Ok((relay.asked().len() >= count).then(|| relay.asked()));
        lab.eventually(&what, Duration::from_secs(100), asked).await
    };
    questions(1).await?;
    let told = stage.until("web", "tells of the window", |web: &Certificate| information(web).cloned()).await?;
    let before = stage.ready("web").await?;
    relay.say(Said { retry_after: Some("0".to_owned()), body: Some(window(-10, -5)), ..Said::default() });
    let asked = questions(2).await?;
    let apart = asked[1].at.duration_since(asked[0].at);
    ensure!((60..70).contains(&apart.as_secs()), "asked again after {apart:?}");
    ensure!(told.last_error.is_none() && told.explanation_url.is_none(), "{told:?}");
    ensure!(renewal(&before)? > Timestamp::now(), "{before:?}");

    relay.say(Said::default());
    stage.revision("web", 2).await?;
    ensure!(replaced(&stage, "2").await? == asked[0].certificate, "{asked:?}");
    lab.down().await
}

/// What is no answer is told once, and the certificate is renewed by its lifetime. An issuer that does not want
/// its CA to be asked has no answer at all.
#[tokio::test]
async fn an_answer_of_no_use_changes_nothing() -> Result<()> {
    let lab = Lab::start(Config::default()).await?;
    let relay = Relay::start(&lab).await?;
    let stage = Stage::on(&lab, "useless").await?;
    issuer(&stage, Some(&relay.server())).await?;
    let backwards = r#"{"suggestedWindow":{"start":"2026-01-02T00:00:00Z","end":"2026-01-01T00:00:00Z"}}"#;
    for (name, said, words) in [
        ("backwards", Said { body: Some(backwards.into()), ..Said::default() }, "begins before it ends"),
        ("garbage", Said { body: Some("<html>".into()), ..Said::default() }, "could not understand"),
    ] {
        let before = stage.issue(name, json!({ "dnsNames": [format!("{name}.{}", stage.domain)] })).await?;
        relay.say(said);
        lab.controller().restart().await?;
        let error = |web: &Certificate| information(web)?.last_error.clone();
        let error = stage.until(name, "tells of the answer", error).await?;
        ensure!(error.contains(words), "{error}");
        let after = stage.ready(name).await?;
        ensure!(renewal(&after)? == renewal(&before)?, "{after:?}");
        relay.say(Said::default());
    }
    // A CA that is closed is nobody's business for a day.
    let before = stage.issue("closed", json!({ "dnsNames": [stage.domain], "renewBefore": "2159h59m40s" })).await?;
    relay.say(Said { closed: true, ..Said::default() });
    lab.controller().restart().await?;
    let renewed = stage.revision("closed", 2).await?;
    ensure!(information(&before).is_none() && information(&renewed).is_none(), "{renewed:?}");
    stage.delete::<Certificate>("closed").await?;
    unasked(&stage, &relay).await?;
    lab.down().await
}

async fn unasked(stage: &Stage<'_>, relay: &Relay) -> Result<()> {
    relay.say(Said { body: Some(window(-10, -5)), ..Said::default() });
    let none = json!({ "spec": { "acme": { "renewalInformationSource": "None" } } });
    stage.patch::<Issuer>("issuer", none).await?;
    stage.issuer_ready("issuer").await?;
    let before = relay.asked().len();
    stage.issue("unasked", json!({ "dnsNames": [format!("unasked.{}", stage.domain)] })).await?;
    stage.lab.controller().restart().await?;
    stage.lab.kubectl(["signet", "renew", "unasked", "-n", &stage.namespace]).await?;
    let renewed = stage.revision("unasked", 2).await?;
    ensure!(information(&renewed).is_none() && relay.asked().len() == before, "{renewed:?}");
    let orders = stage.list::<Order>().await?;
    let own =
        orders.iter().filter(|order| order.metadata.name.as_ref().is_some_and(|name| name.starts_with("unasked")));
    let said: Vec<_> = own.map(|order| order.spec.replaces.clone()).collect();
    ensure!(said == [None, None] || said == [None], "{said:?}");
    Ok(())
}
