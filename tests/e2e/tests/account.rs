//! ACME accounts: keys that others made, another key, the end, and bindings.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use serde_json::json;
use signet_acme::{AccountKey, Clients, Endpoint, NoObserver};
use signet_api::issuer::AcmeStatus;
use signet_api::{Certificate, Issuer};
use signet_e2e::Stage;
use signet_lab::{AcmeConfig, Config, Lab};

const RSA_PKCS1: &str = include_str!("../../../host/acme/src/gaps/keys/rsa-pkcs1.pem");
const RSA_PKCS8: &str = include_str!("../../../host/acme/src/gaps/keys/rsa-pkcs8.pem");
const P384: &str = include_str!("../../../host/acme/src/gaps/keys/p384-sec1.pem");
const P521: &str = include_str!("../../../host/acme/src/gaps/keys/p521-sec1.pem");

/// The lab's CA, as somebody sees it who has keys.
struct Ca {
    clients: Clients,
    endpoint: Endpoint,
}

impl Ca {
    fn of(lab: &Lab) -> Self {
        let ca_bundle = Some(lab.ca_bundle().into_bytes());
        let endpoint = Endpoint { directory_url: lab.directory_url(), ca_bundle, skip_tls_verify: false };
        Self { clients: Clients::new(Arc::new(NoObserver)), endpoint }
    }

    async fn find(&self, pem: &str) -> Result<Option<String>> {
        Ok(self.clients.find(&self.endpoint, &AccountKey::from_pem(pem)?).await?)
    }
}

async fn issuer(stage: &Stage<'_>, name: &str) -> Result<()> {
    stage.issuer(name, json!({ "http01": { "ingress": { "class": "nginx" } } })).await
}

async fn account(stage: &Stage<'_>, name: &str) -> Result<AcmeStatus> {
    let status = stage.api::<Issuer>().get(name).await?.status;
    status.and_then(|status| status.acme).context("the Issuer has an account")
}

/// A value of the Secret with the account key, if it has it.
async fn value(stage: &Stage<'_>, name: &str, field: &str) -> Result<Option<String>> {
    let secret = stage.api::<Secret>().get(&format!("{name}-account")).await?;
    Ok(secret.data.unwrap_or_default().remove(field).map(|value| String::from_utf8(value.0)).transpose()?)
}

async fn signet(stage: &Stage<'_>, words: &str) -> Result<String> {
    let words = ["signet"].into_iter().chain(words.split(' ')).chain(["-n", &stage.namespace]);
    stage.lab.kubectl(words).await
}

#[tokio::test]
async fn keys_that_others_made_keep_their_accounts() -> Result<()> {
    let stage = Stage::shared("adopted").await?;
    let ca = Ca::of(stage.lab);
    // As cert-manager leaves it: an RSA key that the CA knows, in PKCS #1.
    let known = ca.clients.register(&ca.endpoint, &AccountKey::from_pem(RSA_PKCS1)?, None, None).await?;
    for (name, pem) in [("pkcs1", RSA_PKCS1), ("pkcs8", RSA_PKCS8), ("p384", P384), ("p521", P521)] {
        stage.secret(&format!("{name}-account"), &[("tls.key", pem)]).await?;
        issuer(&stage, name).await?;
        let uri = account(&stage, name).await?.uri;
        // Both forms are one key.
        ensure!((uri.as_ref() == Some(&known.uri)) == name.starts_with("pkcs"), "{name}: {uri:?}");
        ensure!(value(&stage, name, "tls.key").await?.as_deref() == Some(pem), "a key that is there is never replaced");
        let dns_name = format!("{name}.{}", stage.domain);
        stage.issue(name, json!({ "dnsNames": [dns_name], "issuerRef": { "name": name } })).await?;
    }
    // This CA does not take keys of Ed25519, and says so.
    let ed25519 = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n";
    stage.secret("ed25519-account", &[("tls.key", ed25519)]).await?;
    let acme = stage.acme("ed25519", json!({ "http01": { "ingress": { "class": "nginx" } } }));
    stage.create::<Issuer>("ed25519", json!({ "acme": acme })).await?;
    stage.says::<Issuer>("ed25519", &["Ready=False ErrRegisterACMEAccount", "the CA refused", "RS256"]).await?;
    Ok(())
}

#[tokio::test]
async fn another_key_in_the_middle_of_everything() -> Result<()> {
    let stage = Stage::shared("rollover").await?;
    issuer(&stage, "issuer").await?;
    let (before, old) = (account(&stage, "issuer").await?, value(&stage, "issuer", "tls.key").await?);
    let old = old.context("there is a key")?;
    let names: Vec<_> = (0..6).map(|number| format!("web-{number}")).collect();
    for name in &names {
        stage.certificate(name, json!({ "dnsNames": [format!("{name}.{}", stage.domain)] })).await?;
    }
    let said = signet(&stage, "account rollover issuer issuer").await?;
    ensure!(said.contains("another key for account"), "{said}");
    stage
        .says::<Issuer>("issuer", &["Ready=True", "AccountChange=False RolledOver: The account has another key"])
        .await?;
    let after = account(&stage, "issuer").await?;
    let new = value(&stage, "issuer", "tls.key").await?.context("there is a key")?;
    ensure!(after.uri == before.uri && after.last_private_key_hash != before.last_private_key_hash, "{after:?}");
    ensure!(new != old && value(&stage, "issuer", "tls.key.next").await?.is_none());
    let ca = Ca::of(stage.lab);
    ensure!(ca.find(&old).await?.is_none() && ca.find(&new).await? == after.uri, "the CA knows the new key only");
    for name in &names {
        let status = stage.ready(name).await?.status.unwrap_or_default();
        ensure!(status.revision == Some(1) && status.failed_issuance_attempts.is_none(), "{name}: {status:?}");
    }
    stage.issue("after", json!({ "dnsNames": [format!("after.{}", stage.domain)] })).await?;

    let story = signet(&stage, "status issuer issuer").await?;
    let uri = after.uri.unwrap_or_default();
    for words in
        [uri.as_str(), "RolledOver", "; its terms: ", "Renewals    when the CA asks", "There is nothing to do."]
    {
        ensure!(story.contains(words), "{words:?} is not in:\n{story}");
    }
    // Once more, as a second wish.
    signet(&stage, "account rollover issuer issuer").await?;
    let third = async || {
        let now = value(&stage, "issuer", "tls.key").await?;
        Ok((now.as_ref() != Some(&new)).then_some(now))
    };
    stage.eventually("the account has a third key", third).await?;
    stage.says::<Issuer>("issuer", &["Ready=True", "AccountChange=False RolledOver"]).await.map(drop)
}

/// In a lab of its own, whose controller died: before the CA heard of the next key, and after it took it.
#[tokio::test]
async fn a_death_on_the_way_to_another_key() -> Result<()> {
    let lab = Lab::start(Config::default()).await?;
    let stage = Stage::on(&lab, "cut").await?;
    let ca = Ca::of(&lab);
    for name in ["unheard", "taken"] {
        issuer(&stage, name).await?;
    }
    lab.controller().kill().await?;
    let mut next = BTreeMap::new();
    for name in ["unheard", "taken"] {
        signet(&stage, &format!("account rollover issuer {name}")).await?;
        let (key, pem) = AccountKey::generate()?;
        stage.patch::<Secret>(&format!("{name}-account"), json!({ "stringData": { "tls.key.next": pem } })).await?;
        if name == "taken" {
            let old = AccountKey::from_pem(&value(&stage, name, "tls.key").await?.context("a key")?)?;
            let uri = account(&stage, name).await?.uri.context("a URI")?;
            ca.clients.account(&ca.endpoint, &old, &uri).change_key(&key).await?;
        }
        next.insert(name, (account(&stage, name).await?.uri, pem));
    }
    lab.controller().start().await?;
    for (name, (uri, pem)) in next {
        stage.says::<Issuer>(name, &["Ready=True", "AccountChange=False RolledOver"]).await?;
        ensure!(value(&stage, name, "tls.key").await?.as_ref() == Some(&pem), "{name} has a key that nobody knows");
        ensure!(account(&stage, name).await?.uri == uri && ca.find(&pem).await? == uri, "{name} has another account");
        let dns_name = format!("{name}.{}", stage.domain);
        stage.issue(name, json!({ "dnsNames": [dns_name], "issuerRef": { "name": name } })).await?;
    }
    let changes = lab.acme_requests().get("POST /rollover-account-key").copied().unwrap_or(0);
    ensure!((2..=4).contains(&changes), "{changes} changes of keys, of which a refused nonce may have cost two");
    lab.down().await
}

#[tokio::test]
async fn an_account_that_is_ended() -> Result<()> {
    let stage = Stage::shared("ended").await?;
    issuer(&stage, "issuer").await?;
    stage.issue("before", json!({ "dnsNames": [format!("before.{}", stage.domain)] })).await?;
    let first = account(&stage, "issuer").await?;
    let refused = signet(&stage, "account deactivate issuer issuer").await.err().context("it takes a yes")?;
    let refused = refused.to_string();
    ensure!(refused.contains("can not be undone") && refused.contains("1 Certificate names it now"), "{refused}");
    stage.says::<Issuer>("issuer", &["Ready=True"]).await?;

    signet(&stage, "account deactivate issuer issuer --yes").await?;
    let uri = first.uri.clone().unwrap_or_default();
    let ready = format!("Ready=False AccountDeactivated: The account {uri} was deactivated");
    stage.says::<Issuer>("issuer", &[&ready, "AccountChange=False Deactivated", "delete Secret"]).await?;
    let key = value(&stage, "issuer", "tls.key").await?.context("the key is still there")?;
    let gone = Ca::of(stage.lab).find(&key).await.err().context("the CA refuses the key")?;
    ensure!(gone.to_string().contains("deactivated"), "{gone}");
    let again = signet(&stage, "account rollover issuer issuer").await.err().context("there is no account")?;
    ensure!(again.to_string().contains("has no account any more"), "{again}");

    // It does not come back by itself, whatever else is edited; what is good stays good.
    stage.patch::<Issuer>("issuer", json!({ "spec": { "acme": { "email": "me@example.com" } } })).await?;
    stage.certificate("after", json!({ "dnsNames": [format!("after.{}", stage.domain)] })).await?;
    stage.says::<Certificate>("after", &["Ready=False", "is not ready: The account", "was deactivated"]).await?;
    stage.says::<Certificate>("before", &["Ready=True"]).await?;
    stage.says::<Issuer>("issuer", &[&ready]).await?;

    stage.delete::<Secret>("issuer-account").await?;
    stage.issuer_ready("issuer").await?;
    let second = account(&stage, "issuer").await?;
    ensure!(second.uri != first.uri, "{second:?}");
    stage.ready("after").await?;
    let said = stage.says::<Issuer>("issuer", &["Ready=True"]).await?;
    ensure!(!said.contains("AccountChange"), "{said}");
    Ok(())
}

/// In a lab of its own, whose CA wants a binding of every account, by whatever algorithm.
#[tokio::test]
async fn bindings_by_every_algorithm() -> Result<()> {
    let secret = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12WzWNDZM6eQGHWpSRTPal5eIUYFTu7EajV";
    let keys = BTreeMap::from([("kid-1".to_owned(), secret.to_owned())]);
    let acme = AcmeConfig { external_account_keys: keys, ..AcmeConfig::default() };
    let lab = Lab::start(Config { acme, ..Config::default() }).await?;
    let stage = Stage::on(&lab, "bound").await?;
    stage.secret("binding", &[("mac", secret)]).await?;
    for algorithm in ["HS256", "HS384", "HS512"] {
        let name = algorithm.to_lowercase();
        let mut acme = stage.acme(&name, json!({ "http01": { "ingress": { "class": "nginx" } } }));
        acme["externalAccountBinding"] =
            json!({ "keyID": "kid-1", "keyAlgorithm": algorithm, "keySecretRef": { "name": "binding", "key": "mac" } });
        stage.create::<Issuer>(&name, json!({ "acme": acme })).await?;
        stage.issuer_ready(&name).await?;
    }
    // Whoever has a binding has another key as well.
    signet(&stage, "account rollover issuer hs512").await?;
    stage.says::<Issuer>("hs512", &["Ready=True", "AccountChange=False RolledOver"]).await?;
    lab.down().await
}

/// A ClusterIssuer's key is in the cluster resource namespace.
#[tokio::test]
async fn the_account_of_a_cluster_issuer() -> Result<()> {
    let stage = Stage::shared("cluster").await?;
    let name = stage.namespace.clone();
    let acme = stage.acme(&name, json!({ "http01": { "ingress": { "class": "nginx" } } }));
    let issuer = json!({ "apiVersion": "cert-manager.io/v1", "kind": "ClusterIssuer", "metadata": { "name": name },
        "spec": { "acme": acme } });
    stage.lab.apply(&issuer.to_string()).await?;
    stage.cluster_issuer_ready(&name).await?;
    stage.lab.kubectl(["signet", "account", "rollover", "clusterissuer", &name]).await?;
    let api = Api::<signet_api::ClusterIssuer>::all(stage.client.clone());
    let rolled_over = async || {
        let status = api.get(&name).await?.status.unwrap_or_default();
        let change = signet_api::meta::condition(&status.conditions, "AccountChange").cloned();
        Ok(change.filter(|change| change.reason.as_deref() == Some("RolledOver")))
    };
    stage.eventually("the ClusterIssuer has another key", rolled_over).await?;
    stage.cluster_issuer_ready(&name).await?;
    let story = stage.lab.kubectl(["signet", "status", "clusterissuer", &name]).await?;
    ensure!(story.contains("ClusterIssuer") && story.contains("RolledOver"), "{story}");
    stage.lab.kubectl(["delete", "clusterissuer", &name]).await.map(drop)
}
