//! The Ingress that leads the CA's request to the responder, as JSON for server-side apply.

use std::net::IpAddr;

use serde_json::{Map, Value, json};
use signet_solver::backend::Names;
use signet_solver::http01::Challenge;

use crate::config::Config;

pub(crate) const API_VERSION: &str = "networking.k8s.io/v1";
pub(crate) const KIND: &str = "Ingress";

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

/// The host of a rule; none for an IP address, which a rule can not hold: it then matches all.
pub(crate) fn rule_host(challenge: &Challenge) -> Option<&str> {
    challenge.host.parse::<IpAddr>().is_err().then_some(challenge.host.as_str())
}

/// One entry of a rule's `http.paths`.
pub(crate) fn path(names: &Names, challenge: &Challenge, port: u16, path_type: PathType) -> Value {
    json!({
        "path": challenge.path(),
        "pathType": path_type.name(),
        "backend": { "service": { "name": names.object(), "port": { "number": port } } },
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
    all.extend(names.labels());
    let metadata = json!({ "name": names.object(), "labels": all, "annotations": annotations(config) });
    json!({ "apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": spec })
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

#[cfg(test)]
mod tests;
