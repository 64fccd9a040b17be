//! Fetches an HTTP-01 resource as the CA will: by the name, on port 80, following redirects, and
//! without a care for the certificate of an https one (RFC 8555, section 8.3).

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use signet_dns::Dns;

use crate::error::sentence;

const TIMEOUT: Duration = Duration::from_secs(10);
const MAX_REDIRECTS: usize = 10;
/// A key authorization is some 90 bytes; what is longer is a page.
const MAX_BODY: usize = 1024;

/// Looks at HTTP-01 resources.
pub(crate) struct SelfCheck {
    client: reqwest::Client,
    /// Where Signet answers.
    port: u16,
}

impl SelfCheck {
    /// `dns` resolves the names; the system does when there is none. `port` is the one that Signet answers at.
    pub(crate) fn new(dns: Option<Dns>, port: u16) -> Result<Self, reqwest::Error> {
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("signet/", env!("CARGO_PKG_VERSION"), " (HTTP-01 self-check)"))
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::limited(MAX_REDIRECTS))
            .tls_danger_accept_invalid_certs(true)
            .pool_max_idle_per_host(0)
            .no_proxy();
        if let Some(dns) = dns {
            builder = builder.dns_resolver(Arc::new(Through(dns)));
        }
        Ok(Self { client: builder.build()?, port })
    }

    /// What to look at, by what answered.
    fn advice(&self, status: StatusCode) -> String {
        match status {
            StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => format!(
                "what answers for the name reaches nobody behind it; does a NetworkPolicy or a firewall keep it from port {} \
                 of Signet's pods?",
                self.port
            ),
            _ => "does the name lead to Signet, and port 80 with it?".to_owned(),
        }
    }

    /// Whether `host` answers for `token` with `key`; else what happened, as a phrase.
    pub(crate) async fn look(&self, host: &str, token: &str, key: &str) -> Result<(), String> {
        let host = match host.parse::<IpAddr>() {
            Ok(IpAddr::V6(address)) => format!("[{address}]"),
            _ => host.to_owned(),
        };
        let url = format!("http://{host}/.well-known/acme-challenge/{token}");
        let answer = self.client.get(&url).send().await;
        let mut answer = answer.map_err(|error| format!("GET {url}: {}", sentence(&error.without_url())))?;
        let (status, at) = (answer.status(), answer.url().to_string());
        let led = if at == url { String::new() } else { format!(", after redirects to {at},") };
        if !status.is_success() {
            return Err(format!("GET {url}{led} answered {status}; {}", self.advice(status)));
        }
        let mut body = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(|error| format!("GET {url}{led}: {}", sentence(&error)))? {
            body.extend_from_slice(&part);
            if body.len() > MAX_BODY {
                break;
            }
        }
        if body.trim_ascii() == key.as_bytes() {
            return Ok(());
        }
        Err(format!(
            "GET {url}{led} answered {status} with something else ({} bytes): another server has the name",
            body.len()
        ))
    }
}

struct Through(Dns);

impl Resolve for Through {
    fn resolve(&self, name: Name) -> Resolving {
        let dns = self.0.clone();
        Box::pin(async move {
            let found = dns.addresses(name.as_str()).await?;
            if found.is_empty() {
                return Err(format!("{} has no address", name.as_str()).into());
            }
            let addresses: Addrs = Box::new(found.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(addresses)
        })
    }
}
