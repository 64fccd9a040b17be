//! What leads the CA's request to the responder, as JSON for server-side apply.

use std::net::IpAddr;

use serde_json::{Map, Value, json};
use signet_solver::http01::Challenge;
use signet_solver::responder::Endpoint;
use signet_solver::{Error, Result};

use crate::config::Config;
use crate::names::Names;

/// A kind of object, as the API names it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) api_version: &'static str,
    pub(crate) kind: &'static str,
}

pub(crate) const INGRESS: Kind = Kind { api_version: "networking.k8s.io/v1", kind: "Ingress" };
pub(crate) const SERVICE: Kind = Kind { api_version: "v1", kind: "Service" };
pub(crate) const ENDPOINT_SLICE: Kind = Kind { api_version: "discovery.k8s.io/v1", kind: "EndpointSlice" };

/// The name of the one port. A Service and its EndpointSlices are matched by it.
const PORT: &str = "http";

/// How the controller compares the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PathType {
    Exact,
    ImplementationSpecific,
}

impl PathType {
    fn name(self) -> &'static str {
        match self {
            Self::Exact => "Exact",
            Self::ImplementationSpecific => "ImplementationSpecific",
        }
    }
}

/// `metadata.name`.
pub(crate) fn name(object: &Value) -> Option<&str> {
    object["metadata"]["name"].as_str()
}

/// The host of a rule; none for an IP address, which a rule can not hold: it then matches all.
pub(crate) fn rule_host(challenge: &Challenge) -> Option<&str> {
    challenge.host.parse::<IpAddr>().is_err().then_some(challenge.host.as_str())
}

/// One entry of a rule's `http.paths`.
pub(crate) fn path(names: &Names, challenge: &Challenge, port: u16, path_type: PathType) -> Value {
    json!({
        "path": challenge.path(),
        "pathType": path_type.name(),
        "backend": { "service": { "name": names.object, "port": { "number": port } } },
    })
}

/// The Ingress, of the class that the Issuer asks for.
pub(crate) fn ingress(names: &Names, config: &Config, challenge: &Challenge, port: u16, path_type: PathType) -> Value {
    let mut rule = json!({ "http": { "paths": [path(names, challenge, port, path_type)] } });
    if let Some(host) = rule_host(challenge) {
        rule["host"] = json!(host);
    }
    let mut spec = json!({ "rules": [rule] });
    if let Some(class) = config.ingress_class_name() {
        spec["ingressClassName"] = json!(class);
    }
    // The template's labels come first, ours after: tools find the objects by ours.
    let mut all: Map<String, Value> = config.metadata().labels.iter().map(|(k, v)| (k.clone(), json!(v))).collect();
    all.extend(labels(names));
    object(INGRESS, &names.object, all, annotations(config), spec)
}

/// The CA may ask from anywhere, so an allow list that the controller has by default must not
/// apply to this one path. The Issuer's template has the last word.
fn annotations(config: &Config) -> Map<String, Value> {
    let mut all = Map::new();
    all.insert("nginx.ingress.kubernetes.io/whitelist-source-range".into(), json!("0.0.0.0/0,::/0"));
    if let Some(class) = config.class() {
        all.insert("kubernetes.io/ingress.class".into(), json!(class));
    }
    all.extend(config.metadata().annotations.iter().map(|(key, value)| (key.clone(), json!(value))));
    all
}

/// The Service: without a selector, as the responder is no pod of this namespace.
pub(crate) fn service(names: &Names, config: &Config, endpoint: &Endpoint) -> Value {
    let mut spec = json!({
        "type": config.service_type(),
        "ports": [{ "name": PORT, "protocol": "TCP", "port": endpoint.port, "targetPort": endpoint.port }],
    });
    // Without this a cluster of two families gives the Service only its first one.
    if endpoint.addresses.iter().any(|address| address.contains(':')) {
        spec["ipFamilyPolicy"] = json!("PreferDualStack");
    }
    object(SERVICE, &names.object, labels(names), Map::new(), spec)
}

/// An EndpointSlice for each address family that the responder has.
///
/// # Errors
/// Transient when the responder has no address yet.
pub(crate) fn endpoint_slices(names: &Names, endpoint: &Endpoint) -> Result<Vec<Value>> {
    let family = |v6| {
        let same = |address: &&String| address.parse().is_ok_and(|parsed: IpAddr| parsed.is_ipv6() == v6);
        endpoint.addresses.iter().filter(same).collect::<Vec<_>>()
    };
    let slices: Vec<Value> = [("IPv4", names.object.clone(), family(false)), ("IPv6", names.slice_v6(), family(true))]
        .into_iter()
        .filter(|(_, _, addresses)| !addresses.is_empty())
        .map(|(family, name, addresses)| endpoint_slice(names, &name, family, &addresses, endpoint.port))
        .collect();
    if slices.is_empty() {
        return Err(Error::transient("Signet's responder has no address yet: is one of its replicas ready?"));
    }
    Ok(slices)
}

fn endpoint_slice(names: &Names, name: &str, family: &str, addresses: &[&String], port: u16) -> Value {
    let mut all = labels(names);
    all.insert("kubernetes.io/service-name".into(), json!(names.object));
    // So that the cluster's own controllers leave the slice alone.
    all.insert("endpointslice.kubernetes.io/managed-by".into(), json!("signet"));
    let endpoints: Vec<Value> =
        addresses.iter().map(|address| json!({ "addresses": [address], "conditions": { "ready": true } })).collect();
    let Kind { api_version, kind } = ENDPOINT_SLICE;
    json!({
        "apiVersion": api_version,
        "kind": kind,
        "metadata": { "name": name, "labels": all },
        "addressType": family,
        "endpoints": endpoints,
        "ports": [{ "name": PORT, "protocol": "TCP", "port": port }],
    })
}

fn labels(names: &Names) -> Map<String, Value> {
    let pairs = [
        ("acme.cert-manager.io/http01-solver", "true"),
        ("acme.cert-manager.io/http-domain", &names.domain_label),
        ("acme.cert-manager.io/http-token", &names.token_label),
    ];
    pairs.into_iter().map(|(key, value)| (key.to_owned(), json!(value))).collect()
}

fn object(
    Kind { api_version, kind }: Kind,
    name: &str,
    labels: Map<String, Value>,
    annotations: Map<String, Value>,
    spec: Value,
) -> Value {
    let mut metadata = json!({ "name": name, "labels": labels });
    if !annotations.is_empty() {
        metadata["annotations"] = Value::Object(annotations);
    }
    json!({ "apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec })
}

#[cfg(test)]
mod tests;
