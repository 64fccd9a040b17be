//! CAs that take no account, or whose own certificate is not trusted.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result};
use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Value, json};
use signet_api::Issuer;
use signet_e2e::Stage;
use signet_lab::{AcmeConfig, Component, Config, Lab, Port, Tools};

/// In a lab of its own: its CA wants a binding of every account.
#[tokio::test]
async fn a_ca_that_wants_an_external_account_binding() -> Result<()> {
    let secret = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W";
    let keys = BTreeMap::from([("kid-1".to_owned(), secret.to_owned())]);
    let acme = AcmeConfig { external_account_keys: keys, ..AcmeConfig::default() };
    let lab = Lab::start(Config { acme, ..Config::default() }).await?;
    let stage = Stage::on(&lab, "binding").await?;
    let mut acme = stage.acme("issuer", json!({ "http01": { "ingress": { "class": "nginx" } } }));
    stage.create::<Issuer>("issuer", json!({ "acme": acme })).await?;
    let register = "Ready=False ErrRegisterACMEAccount";
    stage.says::<Issuer>("issuer", &[register, "externalAccountRequired"]).await?;

    acme["externalAccountBinding"] = json!({ "keyID": "kid-1", "keySecretRef": { "name": "binding", "key": "mac" } });
    stage.patch::<Issuer>("issuer", json!({ "spec": { "acme": acme } })).await?;
    let place = format!("Secret {}/binding does not exist or has no mac", stage.namespace);
    stage.says::<Issuer>("issuer", &["Ready=False", "externalAccountBinding.keySecretRef", &place]).await?;
    stage.secret("binding", &[("mac", "bm90IHRoYXQga2V5IGJ1dCBhbm90aGVyIG9uZQ")]).await?;
    stage.says::<Issuer>("issuer", &[register, "refused"]).await?;
    stage.secret("binding", &[("mac", secret)]).await?;
    stage.issuer_ready("issuer").await?;
    stage.issue("web", json!({ "dnsNames": [stage.domain] })).await?;
    lab.down().await
}

/// A second CA in the shared lab, with a certificate of its own that nobody trusts by itself.
struct PrivateCa {
    server: String,
    certificate_pem: String,
}

impl PrivateCa {
    async fn start(lab: &Lab) -> Result<Self> {
        const PORT: u16 = 14_001;
        let address = lab.site().address;
        let mut params = rcgen::CertificateParams::new([address.to_string()])?;
        params.distinguished_name.push(rcgen::DnType::CommonName, "a private CA");
        let key = rcgen::KeyPair::generate()?;
        let certificate_pem = params.self_signed(&key)?.pem();
        let file = |name: &str| lab.site().path(format!("private-ca.{name}"));
        fs::write(file("crt"), &certificate_pem)?;
        fs::write(file("key"), key.serialize_pem())?;
        let settings = json!({ "pebble": { "listenAddress": format!("{address}:{PORT}"),
            "managementListenAddress": format!("{address}:15001"), "certificate": file("crt"),
            "privateKey": file("key"), "httpPort": Port::Http01 as u16, "tlsPort": 5001,
            "profiles": { "default": { "description": "the only one", "validityPeriod": 86_400 } } } });
        fs::write(file("json"), settings.to_string())?;
        let tools = tokio::task::spawn_blocking(Tools::ready).await??;
        let args = vec![format!("-config={}", file("json").display()), format!("-dnsserver={address}:53")];
        let env = BTreeMap::from([("PEBBLE_VA_NOSLEEP".to_owned(), "1".to_owned())]);
        let name = "private-ca".to_owned();
        lab.run_component(Component { name, program: tools.program("pebble"), args, env }).await?;
        Ok(Self { server: format!("https://{address}:{PORT}/dir"), certificate_pem })
    }

    fn acme(&self, stage: &Stage<'_>, name: &str, trust: Value) -> Result<Value> {
        let mut acme = stage.acme(name, json!({ "http01": { "ingress": { "class": "nginx" } } }));
        acme["server"] = json!(self.server);
        let fields = acme.as_object_mut().context("an object")?;
        fields.extend(trust.as_object().cloned().unwrap_or_default());
        Ok(acme)
    }
}

#[tokio::test]
async fn a_ca_with_a_certificate_of_its_own() -> Result<()> {
    let stage = Stage::shared("private").await?;
    let ca = PrivateCa::start(stage.lab).await?;
    let bundle = |pem: &str| json!({ "caBundle": BASE64_STANDARD.encode(pem) });
    let host = ca.server.trim_start_matches("https://").trim_end_matches("/dir");
    let reach = format!("could not reach {host}");
    for (name, trust, words) in [
        ("without", json!({}), ["ErrRegisterACMEAccount", reach.as_str(), "certificate"]),
        ("wrong", bundle(&stage.lab.ca_bundle()), ["ErrRegisterACMEAccount", reach.as_str(), "certificate"]),
        ("garbage", bundle("not PEM"), ["Ready=False", "CA bundle of the issuer", "PEM"]),
    ] {
        stage.create::<Issuer>(name, json!({ "acme": ca.acme(&stage, name, trust)? })).await?;
        stage.says::<Issuer>(name, &words).await?;
    }
    for (name, trust) in [("right", bundle(&ca.certificate_pem)), ("trusting", json!({ "skipTLSVerify": true }))] {
        stage.create::<Issuer>(name, json!({ "acme": ca.acme(&stage, name, trust)? })).await?;
        stage.issuer_ready(name).await?;
        let dns_name = format!("{name}.{}", stage.domain);
        stage.issue(name, json!({ "dnsNames": [dns_name], "issuerRef": { "name": name } })).await?;
    }
    // With the same key at another CA, it is another account.
    let elsewhere = json!({ "server": stage.lab.directory_url(), "skipTLSVerify": null });
    stage.patch::<Issuer>("trusting", json!({ "spec": { "acme": elsewhere } })).await?;
    stage.issuer_ready("trusting").await?;
    stage.issue("moved", json!({ "dnsNames": [stage.domain], "issuerRef": { "name": "trusting" } })).await?;
    stage.key_pair("moved-tls").await?.verify(&stage.lab.pebble_root_pem().await?, &[&stage.domain])?;
    Ok(())
}

#[tokio::test]
async fn a_ca_that_is_not_there() -> Result<()> {
    let stage = Stage::shared("unreached").await?;
    let mut acme = stage.acme("issuer", json!({ "http01": { "ingress": { "class": "nginx" } } }));
    acme["server"] = json!("https://127.0.0.1:1/directory");
    stage.create::<Issuer>("issuer", json!({ "acme": acme })).await?;
    let words = ["ErrRegisterACMEAccount", "could not reach 127.0.0.1:1", "Signet tries again by itself"];
    stage.says::<Issuer>("issuer", &words).await?;
    let right = stage.lab.directory_url();
    stage.patch::<Issuer>("issuer", json!({ "spec": { "acme": { "server": right } } })).await?;
    stage.issuer_ready("issuer").await
}
