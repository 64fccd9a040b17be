//! Where HTTP-01 is answered: by every replica, which the EndpointSlices of their Service name.
//!
//! They are read when a solver asks, and not watched: that is one request for each Challenge.

use std::net::IpAddr;

use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::ListParams;
use kube::{Api, Client};

use crate::error::sentence;

/// Kubernetes' own label, on a slice, of the Service that it is of.
const SERVICE: &str = "kubernetes.io/service-name";

/// The Service of the responders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Service {
    namespace: String,
    name: String,
}

impl Service {
    /// Reads `[NAMESPACE/]NAME`; nothing of an empty text.
    pub(crate) fn parse(text: &str, namespace: &str) -> Option<Self> {
        let (namespace, name) = text.split_once('/').unwrap_or((namespace, text));
        (!name.is_empty()).then(|| Self { namespace: namespace.to_owned(), name: name.to_owned() })
    }
}

/// This replica's addresses, and those of all that are ready. A Service that can not be read is no
/// reason not to answer: this replica does.
pub(crate) async fn addresses(client: &Client, own: &[IpAddr], service: Option<&Service>) -> Vec<IpAddr> {
    let Some(service) = service else { return own.to_vec() };
    let api = Api::<EndpointSlice>::namespaced(client.clone(), &service.namespace);
    match api.list(&ListParams::default().labels(&format!("{SERVICE}={}", service.name))).await {
        Ok(slices) => with_ready(own, &slices.items),
        Err(error) => {
            let (namespace, name) = (&service.namespace, &service.name);
            tracing::warn!(
                namespace,
                name,
                error = sentence(&error),
                "could not read where other replicas answer HTTP-01"
            );
            own.to_vec()
        }
    }
}

fn with_ready(own: &[IpAddr], slices: &[EndpointSlice]) -> Vec<IpAddr> {
    let endpoints = slices.iter().flat_map(|slice| slice.endpoints.iter());
    // An unknown readiness counts as ready (EndpointConditions).
    let ready = endpoints.filter(|endpoint| endpoint.conditions.as_ref().is_none_or(|is| is.ready != Some(false)));
    let others = ready.flat_map(|endpoint| &endpoint.addresses).filter_map(|address| address.parse().ok());
    let mut all = own.to_vec();
    for address in others {
        if !all.contains(&address) {
            all.push(address);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_replica_that_is_ready_answers_and_this_one_in_any_case() {
        let slice = |endpoints: serde_json::Value| {
            serde_json::from_value::<EndpointSlice>(json!({ "addressType": "IPv4", "endpoints": endpoints })).unwrap()
        };
        let one = slice(json!([
            { "addresses": ["10.0.0.1"], "conditions": { "ready": false } },
            { "addresses": ["10.0.0.2"], "conditions": { "ready": true } },
            { "addresses": ["10.0.0.3"] },
        ]));
        let two = slice(json!([{ "addresses": ["2001:db8::1"], "conditions": {} }, { "addresses": ["10.0.0.2"] }]));
        let own = ["10.0.0.1".parse().unwrap()];
        let texts = |slices: &[EndpointSlice]| {
            with_ready(&own, slices).iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(texts(&[]), "10.0.0.1");
        assert_eq!(texts(&[one, two]), "10.0.0.1 10.0.0.2 10.0.0.3 2001:db8::1");
    }

    #[test]
    fn a_service_may_have_a_namespace() {
        let service = |namespace: &str| Some(Service { namespace: namespace.into(), name: "a".into() });
        assert_eq!(Service::parse("", "here"), None);
        assert_eq!(Service::parse("a", "here"), service("here"));
        assert_eq!(Service::parse("there/a", "here"), service("there"));
    }
}
