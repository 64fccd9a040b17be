//! The HTTPRoute that leads the CA's request to the responder.

use std::net::IpAddr;

use serde_json::{Map, Value, json};
use signet_solver::backend::Names;
use signet_solver::http01::Challenge;

use crate::config::Config;

pub(crate) const API_VERSION: &str = "gateway.networking.k8s.io/v1";
pub(crate) const KIND: &str = "HTTPRoute";

/// The route, for server-side apply. It takes the one path of its host and nothing else.
pub(crate) fn route(names: &Names, config: &Config, challenge: &Challenge, port: u16) -> Value {
    let path = json!({ "type": "Exact", "value": challenge.path() });
    let mut spec = json!({
        "parentRefs": config.parent_refs,
        "rules": [{
            "matches": [{ "path": path }],
            "backendRefs": [{ "name": names.object(), "port": port }],
        }],
    });
    // A route can not hold an IP address; without hostnames it is for every host of the listener.
    if challenge.host.parse::<IpAddr>().is_err() {
        spec["hostnames"] = json!([challenge.host]);
    }
    // The Issuer's labels come first, ours after: tools find the objects by ours.
    let mut labels: Map<String, Value> = config.labels.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
    labels.extend(names.labels());
    let metadata = json!({ "name": names.object(), "labels": labels });
    json!({ "apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": spec })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(stanza: Value, host: &str) -> Value {
        let challenge =
            Challenge { host: host.to_owned(), token: "tok".to_owned(), key_authorization: "tok.key".to_owned() };
        let config = serde_json::from_value(stanza).unwrap();
        route(&Names::of(host, "tok"), &config, &challenge, 8089)
    }

    #[test]
    fn one_exact_path_of_the_host_leads_to_the_service() {
        let route = made(json!({ "parentRefs": [{ "name": "web" }] }), "example.com");
        assert_eq!(route["apiVersion"], "gateway.networking.k8s.io/v1");
        assert_eq!(
            route["spec"],
            json!({
                "parentRefs": [{ "name": "web" }],
                "hostnames": ["example.com"],
                "rules": [{
                    "matches": [{ "path": { "type": "Exact", "value": "/.well-known/acme-challenge/tok" } }],
                    "backendRefs": [{ "name": route["metadata"]["name"], "port": 8089 }],
                }],
            })
        );
    }

    #[test]
    fn parent_refs_are_copied_with_all_that_they_say() {
        let whole = json!([
            { "group": "gateway.networking.k8s.io", "kind": "Gateway", "namespace": "infra", "name": "web",
              "sectionName": "http", "port": 80 },
            { "group": "", "kind": "Service", "name": "mesh" },
        ]);
        assert_eq!(made(json!({ "parentRefs": whole }), "example.com")["spec"]["parentRefs"], whole);
    }

    #[test]
    fn labels_are_added_and_ours_stay() {
        let labels = json!({ "team": "web", "acme.cert-manager.io/http01-solver": "no" });
        let route = made(json!({ "parentRefs": [{ "name": "web" }], "labels": labels }), "example.com");
        let labels = &route["metadata"]["labels"];
        assert_eq!((&labels["team"], &labels["acme.cert-manager.io/http01-solver"]), (&json!("web"), &json!("true")));
    }

    #[test]
    fn an_address_is_no_hostname() {
        for host in ["192.0.2.1", "2001:db8::1"] {
            let route = made(json!({ "parentRefs": [{ "name": "web" }] }), host);
            assert!(route["spec"].get("hostnames").is_none(), "{host}");
        }
    }
}
