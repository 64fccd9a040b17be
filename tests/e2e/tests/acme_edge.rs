//! The ACME edge against a real CA, which refuses every third nonce here: accounts of both kinds of key,
//! a whole order by URL alone, chains by preference, and refusals that read well.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use signet_acme::{
    Account, AccountKey, Clients, Eab, Endpoint, Error, MacAlgorithm, NoObserver, Observer, RequestMade, Resource,
    Retry,
};
use signet_core::acme::{AuthorizationStatus, Identifier, OrderAtCa, OrderStatus};
use signet_lab::{AcmeConfig, Config, Lab};

const RSA_KEY: &str = include_str!("../../../host/acme/src/gaps/keys/rsa-pkcs1.pem");

fn endpoint(lab: &Lab) -> Endpoint {
    Endpoint {
        directory_url: lab.directory_url(),
        ca_bundle: Some(lab.ca_bundle().into_bytes()),
        skip_tls_verify: false,
    }
}

/// The order once the CA has taken it on from `status`.
async fn leaves(lab: &Lab, account: &Account, url: &str, status: OrderStatus) -> Result<OrderAtCa> {
    lab.eventually(&format!("the order is no longer {status:?}"), Duration::from_secs(30), async || {
        let order = account.order(url).await?;
        Ok((order.status != status).then_some(order))
    })
    .await
}

/// Counts the requests that change an account.
#[derive(Default)]
struct Updates(AtomicUsize);

impl Observer for Updates {
    fn request_made(&self, request: &RequestMade<'_>) {
        self.0.fetch_add((request.resource == Resource::Account).into(), Ordering::Relaxed);
    }
}

async fn lab(acme: AcmeConfig) -> Result<Lab> {
    Lab::start(Config { acme, ..Config::bare() }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_carried_through_by_its_urls() -> Result<()> {
    let lab = lab(AcmeConfig { refused_nonces: 33, alternate_chains: 1, ..AcmeConfig::default() }).await?;
    let updates = Arc::new(Updates::default());
    let (clients, endpoint) = (Clients::new(updates.clone()), endpoint(&lab));
    let key = AccountKey::from_pem(RSA_KEY)?;
    let made = clients.register(&endpoint, &key, Some("a@example.com"), None).await?;
    // The account is changed when the address is another one than the CA has, and then only.
    for (email, changes) in [("a@example.com", false), ("b@example.com", true), ("b@example.com", false)] {
        let before = updates.0.load(Ordering::Relaxed);
        let found = clients.register(&endpoint, &key, Some(email), None).await?;
        ensure!(made.created && !found.created && made.uri == found.uri, "{made:?} {found:?}");
        ensure!((updates.0.load(Ordering::Relaxed) > before) == changes, "{email}");
    }

    let account = clients.account(&endpoint, &key, &made.uri);
    let names = [Identifier::Dns("edge.example.net".into()), Identifier::Dns("*.edge.example.net".into())];
    // Of another CA's certificate this one does not want to hear; the order is made all the same.
    let order = account.new_order(&names, Some("shortlived"), Some("AAAA.AQ"), None).await?;
    ensure!(order.status == OrderStatus::Pending && order.authorization_urls.len() == 2, "{order:?}");
    let mut challenges = Vec::new();
    for url in &order.authorization_urls {
        let authorization = account.authorization(url).await?;
        ensure!(authorization.identifier == names[0] && authorization.expires.is_some(), "{authorization:?}");
        let challenge = authorization.challenges.into_iter().find(|c| c.kind == "dns-01").context("no dns-01")?;
        lab.add_txt("_acme-challenge.edge.example.net", &account.dns01_value(&challenge.token)).await?;
        challenges.push(challenge);
    }
    for challenge in challenges {
        account.accept(&challenge.url).await?;
    }
    let ready = leaves(&lab, &account, &order.url, OrderStatus::Pending).await?;
    ensure!(ready.status == OrderStatus::Ready, "{ready:?}");
    let params = rcgen::CertificateParams::new(["edge.example.net", "*.edge.example.net"].map(str::to_owned))?;
    let csr = params.serialize_request(&rcgen::KeyPair::generate()?)?;
    account.finalize(&order.url, &order.finalize_url, csr.der()).await?;
    let issued = leaves(&lab, &account, &order.url, OrderStatus::Processing).await?;
    let url = issued.certificate_url.clone().with_context(|| format!("no certificate: {issued:?}"))?;
    let default = account.certificate(&url, None).await?;
    ensure!(default.starts_with("-----BEGIN CERTIFICATE-----\n") && !default.contains('\r'), "{default}");
    ensure!(account.certificate(&url, Some("nobody")).await? == default, "an unknown preference takes the default");
    for url in &order.authorization_urls {
        ensure!(account.authorization(url).await?.status == AuthorizationStatus::Valid);
    }
    lab.down().await
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_say_what_and_whether_to_wait() -> Result<()> {
    let keys = BTreeMap::from([(
        "kid-1".to_owned(),
        "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W".to_owned(),
    )]);
    let lab = lab(AcmeConfig { external_account_keys: keys, ..AcmeConfig::default() }).await?;
    let (clients, endpoint) = (Clients::new(Arc::new(NoObserver)), endpoint(&lab));
    let (key, _) = AccountKey::generate()?;

    let error = clients.register(&endpoint, &key, None, None).await.expect_err("the CA wants a binding");
    ensure!(error.is_acme("externalAccountRequired") && error.retry() == Retry::Never, "{error:?}");
    let secret = b"zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W";
    let eab = Eab::new("kid-1", secret, MacAlgorithm::Hs256)?;
    let account = clients.register(&endpoint, &key, None, Some(&eab)).await?;

    let account = clients.account(&endpoint, &key, &account.uri);
    let name = [Identifier::Dns("refused.example".into())];
    let error = account.new_order(&name, None, None, None).await.expect_err("the CA refuses that name");
    ensure!(error.is_acme("rejectedIdentifier") && error.retry() == Retry::Never, "{error:?}");
    ensure!(error.sentence().contains("refused.example"), "{}", error.sentence());

    let stranger = Endpoint { ca_bundle: None, ..endpoint.clone() };
    let error = clients.register(&stranger, &key, None, None).await.expect_err("the CA's certificate is private");
    ensure!(matches!(error, Error::Reach { .. }) && error.sentence().contains("certificate"), "{}", error.sentence());
    let trusting = Endpoint { skip_tls_verify: true, ..stranger };
    clients.register(&trusting, &key, None, Some(&eab)).await?;
    lab.down().await
}
