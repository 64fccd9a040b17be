//! Solves TLS-ALPN-01 through the Gateway API: Signet's own responder answers the CA's handshake, and a
//! TLSRoute, a Service and an EndpointSlice in the Challenge's namespace lead it there with its TLS as it is.
//!
//! [`route`] says what the route is, and is pure. This file talks to the host.

mod route;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use signet_solver::backend::{self, Names};
use signet_solver::responder::Endpoint;
use signet_solver::tls_alpn01::{Challenge, TlsAlpn01Solver};
use signet_solver::{Context, Error, Result, kube};

use crate::route::KIND;

/// The versions of the kind, newest first: which are there depends on the age of the cluster's CRDs.
const API_VERSIONS: [&str; 3] =
    ["gateway.networking.k8s.io/v1", "gateway.networking.k8s.io/v1alpha3", "gateway.networking.k8s.io/v1alpha2"];

struct TlsRoute;

/// The stanza `tlsALPN01.tlsroute` of an Issuer. The manifest's JSON Schema has checked it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    /// Passed on as they are.
    parent_refs: Vec<Value>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    service_type: String,
}

impl Config {
    fn service_type(&self) -> &str {
        if self.service_type.is_empty() { "ClusterIP" } else { &self.service_type }
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Receipt {
    /// The version that the route was made by.
    version: String,
    backend: backend::Receipt,
}

impl TlsAlpn01Solver for TlsRoute {
    type Config = Config;
    type Receipt = Receipt;

    fn present(config: Config, challenge: &Challenge, endpoint: &Endpoint) -> Result<Receipt> {
        let names = Names::of_tls(&challenge.host, &challenge.token);
        // It comes first: without the kind nothing is to be made.
        let version = served(names.object())?;
        let backend = backend::apply(&names, endpoint, config.service_type())?;
        let route = route::route(version, &names, &config, &challenge.server_name, endpoint.port);
        kube::apply(&route).context("applying the TLSRoute")?;
        Ok(Receipt { version: version.to_owned(), backend })
    }

    fn cleanup(_: Config, challenge: &Challenge, receipt: Option<Receipt>) -> Result<()> {
        let names = Names::of_tls(&challenge.host, &challenge.token);
        match &receipt {
            Some(receipt) => delete(&receipt.version, names.object())?,
            None => API_VERSIONS.iter().try_for_each(|version| delete(version, names.object()))?,
        }
        backend::delete(&names, receipt.map(|receipt| receipt.backend))
    }
}

/// The newest version of the kind that the API server has. The one thing that is not found is the kind.
fn served(name: &str) -> Result<&'static str> {
    for version in API_VERSIONS {
        match kube::get(version, KIND, name) {
            Ok(_) => return Ok(version),
            Err(Error::NotFound(_)) => {}
            Err(error) => return Err(error.context("reading the TLSRoute")),
        }
    }
    Err(Error::not_found(
        "the API server knows no TLSRoute: install the CRDs of the Gateway API (before 1.5 those of its experimental \
         channel), or use tlsALPN01.service",
    ))
}

fn delete(version: &str, name: &str) -> Result<()> {
    match kube::delete(version, KIND, name) {
        // Where the kind is gone the route is.
        Ok(()) | Err(Error::NotFound(_)) => Ok(()),
        Err(error) => Err(error.context(format_args!("deleting the TLSRoute {name:?}"))),
    }
}

signet_solver::export!(tls_alpn01: TlsRoute);
