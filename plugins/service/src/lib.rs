//! Solves TLS-ALPN-01 through a Service: port 443 of a load balancer, of nodes, or of a Service that is there
//! already leads to Signet's own responder, which answers the CA's handshake.
//!
//! [`service`] says what the Service is, and what one must be that is there; it is pure. This file talks to
//! the host.

mod service;

use std::collections::BTreeMap;

use serde::Deserialize;
use signet_solver::backend::{self, Names, Receipt};
use signet_solver::responder::Endpoint;
use signet_solver::tls_alpn01::{Challenge, TlsAlpn01Solver};
use signet_solver::{Context, Result, kube};

struct Service;

/// The stanza `tlsALPN01.service` of an Issuer. The manifest's JSON Schema has checked it. An empty string is
/// how some templates say nothing.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Config {
    #[serde(rename = "type")]
    kind: String,
    name: String,
    node_port: Option<u16>,
    load_balancer_class: String,
    #[serde(rename = "externalIPs")]
    external_ips: Vec<String>,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
}

impl TlsAlpn01Solver for Service {
    type Config = Config;
    /// None where nothing is made.
    type Receipt = Option<Receipt>;

    fn present(config: Config, challenge: &Challenge, endpoint: &Endpoint) -> Result<Option<Receipt>> {
        let names = Names::of_tls(&challenge.host, &challenge.token);
        match (config.kind.as_str(), config.name.as_str()) {
            ("None", _) => Ok(None),
            (_, "") => {
                let service = service::service(&config, backend::service(&names, endpoint, config.kind()));
                backend::apply_service(&names, endpoint, &service).map(Some)
            }
            (_, name) => {
                let found = kube::get("v1", "Service", name).context("reading the Service")?;
                let port = service::port_of(name, found.as_ref())?;
                backend::lend(&names, endpoint, name, &port).map(Some)
            }
        }
    }

    fn cleanup(config: Config, challenge: &Challenge, receipt: Option<Option<Receipt>>) -> Result<()> {
        if config.kind == "None" {
            return Ok(());
        }
        backend::delete(&Names::of_tls(&challenge.host, &challenge.token), receipt.flatten())
    }
}

signet_solver::export!(tls_alpn01: Service);
