//! The TLSRoute that leads the CA's handshake to the responder.

use serde_json::{Map, Value, json};
use signet_solver::backend::Names;

use crate::Config;

pub(crate) const KIND: &str = "TLSRoute";

/// The route, for server-side apply. It takes the handshakes for one name and no others; for an address the
/// CA asks for a name of its own, so that there is one in any case.
pub(crate) fn route(api_version: &str, names: &Names, config: &Config, server_name: &str, port: u16) -> Value {
    // The Issuer's labels come first, ours after: tools find the objects by ours.
    let mut labels: Map<String, Value> = config.labels.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
    labels.extend(names.labels());
    json!({
        "apiVersion": api_version,
        "kind": KIND,
        "metadata": { "name": names.object(), "labels": labels },
        "spec": {
            "parentRefs": config.parent_refs,
            "hostnames": [server_name],
            "rules": [{ "backendRefs": [{ "name": names.object(), "port": port }] }],
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handshakes_for_the_name_lead_to_the_service() {
        let stanza = json!({
            "parentRefs": [{ "name": "edge", "namespace": "infra", "sectionName": "tls", "port": 443 }],
            "labels": { "team": "web", "signet.dev/challenge": "no" },
        });
        let config: Config = serde_json::from_value(stanza.clone()).unwrap();
        let names = Names::of_tls("example.com", "tok");
        let route = route("gateway.networking.k8s.io/v1", &names, &config, "example.com", 8443);
        assert_eq!(config.service_type(), "ClusterIP");
        assert_eq!(route["metadata"]["labels"], json!({ "team": "web", "signet.dev/challenge": "tls-alpn-01" }));
        assert_eq!(
            route["spec"],
            json!({
                "parentRefs": stanza["parentRefs"],
                "hostnames": ["example.com"],
                "rules": [{ "backendRefs": [{ "name": route["metadata"]["name"], "port": 8443 }] }],
            })
        );
    }
}
