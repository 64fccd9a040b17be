//! The ACME CA (Pebble) and the DNS data of names that no hosted zone holds
//! (pebble-challtestsrv).

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::config::AcmeConfig;
use crate::control::Component;
use crate::lab::Lab;
use crate::pki::Pair;
use crate::site::{Port, Site};
use crate::tools::Tools;

pub(crate) fn challenge_server(site: &Site, tools: &Tools) -> Component {
    let args = vec![
        format!("-dnsserver={}", site.at(Port::ChallengeDns)),
        format!("-management={}", site.at(Port::ChallengeAdmin)),
        format!("-defaultIPv4={}", site.edge()),
        "-defaultIPv6=".to_owned(),
        "-http01=".to_owned(),
        "-https01=".to_owned(),
        "-tlsalpn01=".to_owned(),
        "-doh=".to_owned(),
    ];
    Component::new("challtestsrv", tools.program("pebble-challtestsrv"), args)
}

pub(crate) fn pebble(site: &Site, tools: &Tools, config: &AcmeConfig) -> Result<Component> {
    let server = Pair::at(&site.path("pki/world"), "acme");
    let file = site.path("pebble.json");
    let settings = json!({ "pebble": {
        "listenAddress": site.listen(Port::Acme).to_string(),
        "managementListenAddress": site.at(Port::AcmeAdmin).to_string(),
        "certificate": server.certificate,
        "privateKey": server.key,
        "httpPort": Port::Http01 as u16,
        "tlsPort": Port::Cloud as u16,
        "externalAccountBindingRequired": !config.external_account_keys.is_empty(),
        "externalAccountMACKeys": config.external_account_keys,
        "domainBlocklist": config.refused_names,
        "retryAfter": { "authz": config.retry_after_seconds, "order": config.retry_after_seconds },
        "keyAlgorithm": "ecdsa",
        "profiles": {
            "default": { "description": "the profile without a name", "validityPeriod": config.validity_seconds },
            "shortlived": { "description": "six days", "validityPeriod": 6 * 24 * 3600 },
        },
    }});
    fs::write(&file, settings.to_string())?;
    let args = vec![format!("-config={}", file.display()), format!("-dnsserver={}", site.at(Port::Dns))];
    let mut component = Component::new("pebble", tools.program("pebble"), args)
        .env("PEBBLE_VA_NOSLEEP", "1")
        .env("PEBBLE_WFE_NONCEREJECT", config.refused_nonces.to_string())
        .env("PEBBLE_AUTHZREUSE", config.reused_authorizations.to_string())
        .env("PEBBLE_ALTERNATE_ROOTS", config.alternate_chains.to_string());
    component.env.extend(config.env.clone());
    Ok(component)
}

pub(crate) async fn ready(site: &Site) -> Result<()> {
    outside_client(site)?.get(format!("https://{}/dir", site.at(Port::Acme))).send().await?.error_for_status()?;
    Ok(())
}

/// A client that trusts the lab's outside world.
pub(crate) fn outside_client(site: &Site) -> Result<reqwest::Client> {
    let ca = reqwest::Certificate::from_pem(&fs::read(site.path("pki/world/ca.crt"))?)?;
    Ok(reqwest::Client::builder().user_agent("signet-lab").tls_certs_only([ca]).no_proxy().build()?)
}

impl Lab {
    /// The CA's directory: the `server:` of an Issuer.
    pub fn directory_url(&self) -> String {
        format!("https://{}:{}/dir", self.site.world(), Port::Acme as u16)
    }

    /// The certificate that an Issuer's `caBundle` must hold to trust the CA's own TLS, in PEM.
    pub fn ca_bundle(&self) -> String {
        fs::read_to_string(self.site.path("pki/world/ca.crt")).expect("the lab wrote it")
    }

    /// The root that issued certificates chain to, in PEM.
    ///
    /// # Errors
    /// Pebble does not answer.
    pub async fn pebble_root_pem(&self) -> Result<String> {
        self.pebble_root(0).await
    }

    /// A root by its number: 0 is the default one, then the alternate ones.
    ///
    /// # Errors
    /// Pebble does not answer, or has no such root.
    pub async fn pebble_root(&self, number: u8) -> Result<String> {
        let url = format!("https://{}/roots/{number}", self.site.at(Port::AcmeAdmin));
        Ok(outside_client(&self.site)?.get(url).send().await?.error_for_status()?.text().await?)
    }

    /// What the CA says of a certificate by its serial number in hexadecimal: `Status`, and once that is
    /// `Revoked`, `Reason` (nothing for unspecified).
    ///
    /// # Errors
    /// Pebble does not answer, or has issued no such certificate.
    pub async fn certificate_status(&self, serial: &str) -> Result<Value> {
        let url = format!("https://{}/cert-status-by-serial/{serial}", self.site.at(Port::AcmeAdmin));
        Ok(outside_client(&self.site)?.get(url).send().await?.error_for_status()?.json().await?)
    }

    /// How many requests the CA has had so far, by `METHOD path`; nonces and the directory apart.
    pub fn acme_requests(&self) -> BTreeMap<String, usize> {
        let log = fs::read_to_string(self.site.log("pebble")).unwrap_or_default();
        count_requests(&log)
    }

    /// Adds a TXT value at a name that no hosted zone holds.
    ///
    /// # Errors
    /// pebble-challtestsrv does not answer.
    pub async fn add_txt(&self, name: &str, value: &str) -> Result<()> {
        self.challenge_server("set-txt", &json!({ "host": dotted(name), "value": value })).await
    }

    /// Removes all TXT values at a name that no hosted zone holds.
    ///
    /// # Errors
    /// pebble-challtestsrv does not answer.
    pub async fn clear_txt(&self, name: &str) -> Result<()> {
        self.challenge_server("clear-txt", &json!({ "host": dotted(name) })).await
    }

    /// Gives a name an address other than the lab's own.
    ///
    /// # Errors
    /// pebble-challtestsrv does not answer.
    pub async fn add_a(&self, name: &str, address: &str) -> Result<()> {
        self.challenge_server("add-a", &json!({ "host": dotted(name), "addresses": [address] })).await
    }

    /// Gives a name the lab's own address again.
    ///
    /// # Errors
    /// pebble-challtestsrv does not answer.
    pub async fn clear_a(&self, name: &str) -> Result<()> {
        self.challenge_server("clear-a", &json!({ "host": dotted(name) })).await
    }

    /// Makes a name, that no hosted zone holds, an alias of another.
    ///
    /// # Errors
    /// pebble-challtestsrv does not answer.
    pub async fn set_cname(&self, name: &str, target: &str) -> Result<()> {
        self.challenge_server("set-cname", &json!({ "host": dotted(name), "target": dotted(target) })).await
    }

    /// Gives a name, that no hosted zone holds, CAA records: property tags and values.
    ///
    /// # Errors
    /// pebble-challtestsrv does not answer.
    pub async fn set_caa(&self, name: &str, records: &[(&str, &str)]) -> Result<()> {
        self.challenge_server("clear-caa", &json!({ "host": dotted(name) })).await?;
        let policies: Vec<_> = records.iter().map(|(tag, value)| json!({ "tag": tag, "value": value })).collect();
        match policies.is_empty() {
            true => Ok(()),
            false => self.challenge_server("add-caa", &json!({ "host": dotted(name), "policies": policies })).await,
        }
    }

    /// Makes every question about a name fail, or no longer.
    ///
    /// # Errors
    /// pebble-challtestsrv does not answer.
    pub async fn set_servfail(&self, name: &str, failing: bool) -> Result<()> {
        let call = if failing { "set-servfail" } else { "clear-servfail" };
        self.challenge_server(call, &json!({ "host": dotted(name) })).await
    }

    async fn challenge_server(&self, call: &str, arguments: &Value) -> Result<()> {
        let url = format!("http://{}/{call}", self.site.at(Port::ChallengeAdmin));
        let answer = reqwest::Client::new().post(url).json(arguments).send().await?;
        ensure!(answer.status().is_success(), "pebble-challtestsrv refuses {call} with {}", answer.status());
        Ok(())
    }
}

/// pebble-challtestsrv compares names as text.
fn dotted(name: &str) -> String {
    format!("{}.", name.trim_end_matches('.').to_ascii_lowercase())
}

fn count_requests(log: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for line in log.lines() {
        let Some((start, _)) = line.split_once(" -> calling handler()") else { continue };
        let words: Vec<&str> = start.rsplit(' ').take(2).collect();
        if let [path, method] = words[..]
            && !matches!(path, "/dir" | "/nonce-plz")
        {
            *counts.entry(format!("{method} {path}")).or_default() += 1;
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_path() {
        let log = "Pebble 2026/01/01 00:00:00 GET /dir -> calling handler()\n\
                   Pebble 2026/01/01 00:00:00 HEAD /nonce-plz -> calling handler()\n\
                   Pebble 2026/01/01 00:00:00 POST /order-plz -> calling handler()\n\
                   Pebble 2026/01/01 00:00:00 POST /my-order/ -> calling handler()\n\
                   Pebble 2026/01/01 00:00:00 POST /my-order/ -> calling handler()\n\
                   Pebble 2026/01/01 00:00:00 Generated new root issuer\n";
        let expected = [("POST /my-order/".to_owned(), 2), ("POST /order-plz".to_owned(), 1)];
        assert_eq!(count_requests(log), BTreeMap::from(expected));
    }
}
