//! What is told when port 443 of a name does not lead to Signet, and that it goes on once it does.

use anyhow::{Context, Result, ensure};
use kube::ResourceExt;
use rcgen::CustomExtension;
use serde_json::json;
use sha2::{Digest, Sha256};
use signet_api::{Certificate, Challenge, Issuer};
use signet_e2e::Stage;

use crate::handshake::{ACME, Other};
use crate::{direct, lead};

/// Asks for a certificate `label` of the name `label` below the stage's domain, and waits for what its Challenge says.
async fn says(stage: &Stage<'_>, label: &str, words: &[&str]) -> Result<()> {
    let name = format!("{label}.{}", stage.domain);
    stage.certificate(label, json!({ "dnsNames": [name] })).await?;
    let found = async || {
        let all = stage.list::<Challenge>().await?;
        Ok(all.into_iter().find(|challenge| challenge.spec.dns_name == name))
    };
    let challenge = stage.eventually("the Challenge is there", found).await?.name_any();
    let known = format!("{name} does not show the proof yet: ");
    let told = stage.says::<Challenge>(&challenge, &[&[known.as_str()], words].concat()).await;
    told.map(drop)
}

#[tokio::test]
async fn what_answers_instead_is_told() -> Result<()> {
    let stage = Stage::shared("instead").await?;
    stage.issuer("issuer", direct()).await?;
    let name = |label: &str| format!("{label}.{}", stage.domain);
    let proof = || CustomExtension::new_acme_identifier(&Sha256::digest("another's"));

    stage.lab.add_a(&name("none"), "127.0.0.1").await?;
    let none = format!("connecting to {}:443 (127.0.0.1)", name("none"));
    says(&stage, "none", &[&none, "onnection refused", "does the name lead to Signet"]).await?;

    let web = Other::start(1, None, "shop.test", None).await?;
    stage.lab.add_a(&name("web"), &web.0.to_string()).await?;
    let ends = "ends TLS before Signet";
    says(&stage, "web", &["answers TLS without acme-tls/1", "a certificate for shop.test", ends]).await?;

    let strict = Other::start(2, Some(b"h2"), "shop.test", None).await?;
    stage.lab.add_a(&name("strict"), &strict.0.to_string()).await?;
    says(&stage, "strict", &["refuses a handshake for acme-tls/1 (NoApplicationProtocol)", ends]).await?;

    let bare = Other::start(3, Some(ACME), &name("bare"), None).await?;
    stage.lab.add_a(&name("bare"), &bare.0.to_string()).await?;
    says(&stage, "bare", &["without the critical extension acmeIdentifier", "another ACME client"]).await?;

    let wrong = Other::start(4, Some(ACME), &name("wrong"), Some(proof())).await?;
    stage.lab.add_a(&name("wrong"), &wrong.0.to_string()).await?;
    says(&stage, "wrong", &["with the proof of another challenge"]).await?;

    let odd = Other::start(5, Some(ACME), "shop.test", Some(proof())).await?;
    stage.lab.add_a(&name("odd"), &odd.0.to_string()).await?;
    let words = format!("with a certificate for shop.test, not for {} alone", name("odd"));
    says(&stage, "odd", &[&words]).await?;

    // One of its addresses is not enough: the CA takes any.
    lead(&stage, &name("both")).await?;
    stage.lab.add_a(&name("both"), &bare.0.to_string()).await?;
    says(&stage, "both", &[&format!("({})", bare.0), "another ACME client"]).await?;

    for label in ["none", "web", "wrong", "both"] {
        lead(&stage, &name(label)).await?;
        stage.ready(label).await?;
    }
    Ok(())
}

/// Whoever was first has the name until its Challenge is over; who waits is told for whom.
#[tokio::test]
async fn a_name_that_another_challenge_has() -> Result<()> {
    let stage = Stage::shared("first").await?;
    stage.issuer("issuer", direct()).await?;
    stage.lab.add_a(&stage.domain, "127.0.0.1").await?;
    stage.certificate("first", json!({ "dnsNames": [stage.domain] })).await?;
    let first = stage.only::<Challenge>().await?.name_any();
    stage.certificate("second", json!({ "dnsNames": [stage.domain] })).await?;
    let all = stage.some::<Challenge>(2).await?;
    let second = all.iter().map(ResourceExt::name_any).find(|name| *name != first).context("there are two")?;
    let words = format!("Challenge {}/{first} was first to prove {}", stage.namespace, stage.domain);
    stage.says::<Challenge>(&second, &[&words]).await?;
    stage.says::<Certificate>("second", &[&words]).await?;

    stage.delete::<Certificate>("first").await?;
    let shown = |challenge: &Challenge| challenge.status.as_ref()?.presented.then_some(());
    stage.until(&second, "takes its turn", shown).await?;
    lead(&stage, &stage.domain).await?;
    stage.ready("second").await.map(drop)
}

/// One whose solver could not show anything does not keep others from the name.
#[tokio::test]
async fn a_name_that_another_challenge_could_not_show() -> Result<()> {
    let stage = Stage::shared("refused").await?;
    stage.issuer("issuer", direct()).await?;
    stage
        .create::<Issuer>(
            "broken",
            json!({ "acme": stage.acme("broken", json!({ "tlsALPN01": { "service":
        { "name": "missing" } } })) }),
        )
        .await?;
    stage.issuer_ready("broken").await?;
    lead(&stage, &stage.domain).await?;
    let broken = json!({ "dnsNames": [stage.domain], "issuerRef": { "name": "broken" } });
    stage.certificate("broken", broken).await?;
    let challenge = stage.only::<Challenge>().await?.name_any();
    let words = ["the Service \"missing\"", "is not in this namespace: make it, without a selector"];
    stage.says::<Challenge>(&challenge, &words).await?;
    stage.issue("web", json!({ "dnsNames": [stage.domain] })).await.map(drop)
}

#[tokio::test]
async fn a_wildcard_and_an_unknown_plugin() -> Result<()> {
    let stage = Stage::shared("wild").await?;
    stage.issuer("issuer", direct()).await?;
    stage.certificate("wild", json!({ "dnsNames": [format!("*.{}", stage.domain)] })).await?;
    let words = ["Issuing=False Failed", "tlsALPN01 service", "A wildcard is proven in the DNS alone"];
    stage.says::<Certificate>("wild", &words).await?;

    let acme = |solver| json!({ "acme": stage.acme("odd", json!({ "tlsALPN01": solver })) });
    stage.create::<Issuer>("odd", acme(json!({ "edge": {} }))).await?;
    let words = ["spec.acme.solvers[0].tlsALPN01.edge: no plugin edge solves TLS-ALPN-01 here (loaded are service"];
    stage.says::<Issuer>("odd", &words).await?;
    stage.create::<Issuer>("both", acme(json!({ "service": { "name": "a", "type": "NodePort" } }))).await?;
    stage.says::<Issuer>("both", &["spec.acme.solvers[0].tlsALPN01.service: "]).await?;
    let refused =
        stage.create::<Issuer>("two", json!({ "acme": stage.acme("two", json!({ "tlsALPN01": {}, "dns01": {} })) }));
    let refused = refused.await.err().map(|error| format!("{error:#}")).unwrap_or_default();
    ensure!(refused.contains("exactly one of http01, dns01, tlsALPN01 and dnsPersist01 must be set"), "{refused}");
    Ok(())
}
