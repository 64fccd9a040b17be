//! The Service whose port 443 leads to the responder.

use serde_json::{Value, json};
use signet_solver::{Error, Result};

use crate::Config;

/// The port that the CA connects to (RFC 8737, section 3).
const PORT: u16 = 443;

impl Config {
    pub(crate) fn kind(&self) -> &str {
        if self.kind.is_empty() { "LoadBalancer" } else { &self.kind }
    }
}

/// `plain` with all that the stanza says.
pub(crate) fn service(config: &Config, plain: Value) -> Value {
    let mut service = plain;
    let port = &mut service["spec"]["ports"][0];
    port["port"] = json!(PORT);
    if let Some(node_port) = config.node_port {
        port["nodePort"] = json!(node_port);
    }
    let spec = &mut service["spec"];
    if !config.load_balancer_class.is_empty() {
        spec["loadBalancerClass"] = json!(config.load_balancer_class);
    }
    if !config.external_ips.is_empty() {
        spec["externalIPs"] = json!(config.external_ips);
    }
    // The Issuer's labels come first, ours after: tools find the objects by ours.
    let ours = service["metadata"]["labels"].take();
    let mut labels = json!(config.labels);
    if let (Some(labels), Value::Object(ours)) = (labels.as_object_mut(), ours) {
        labels.extend(ours);
    }
    service["metadata"]["labels"] = labels;
    if !config.annotations.is_empty() {
        service["metadata"]["annotations"] = json!(config.annotations);
    }
    service
}

/// The name of the port that is to lead to the responder, of a Service that is there: the port 443, or the
/// only one.
///
/// # Errors
/// There is no such Service, or it can not be lent an address.
pub(crate) fn port_of(name: &str, service: Option<&Value>) -> Result<String> {
    let asked = format!("the Service {name:?}, which the Issuer names in tlsALPN01.service.name,");
    let Some(service) = service else {
        return Err(Error::not_found(format!(
            "{asked} is not in this namespace: make it, without a selector, or leave the name out"
        )));
    };
    let spec = &service["spec"];
    let has_selector = spec["selector"].as_object().is_some_and(|selector| !selector.is_empty());
    if has_selector || spec["type"] == "ExternalName" {
        return Err(Error::config(format!(
            "{asked} leads elsewhere (by its selector or externalName): name one that has neither"
        )));
    }
    let ports = spec["ports"].as_array().map_or(&[][..], Vec::as_slice);
    let port = ports.iter().find(|port| port["port"] == PORT).or_else(|| ports.first().filter(|_| ports.len() == 1));
    match port {
        Some(port) => Ok(port["name"].as_str().unwrap_or_default().to_owned()),
        None => Err(Error::config(format!("{asked} has no port {PORT} (spec.ports): add one"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(stanza: Value) -> Config {
        serde_json::from_value(stanza).unwrap()
    }

    fn plain() -> Value {
        json!({
            "metadata": { "name": "s", "labels": { "signet.dev/challenge": "tls-alpn-01" } },
            "spec": { "type": "LoadBalancer", "ports": [{ "name": "tls", "port": 8443, "targetPort": 8443 }] },
        })
    }

    #[test]
    fn the_service_has_port_443_and_all_that_the_issuer_says() {
        let made = service(&config(json!({})), plain());
        assert_eq!(made["spec"]["ports"], json!([{ "name": "tls", "port": 443, "targetPort": 8443 }]));
        assert!(made["spec"].get("externalIPs").is_none() && made["metadata"].get("annotations").is_none());
        assert_eq!(config(json!({ "type": "" })).kind(), "LoadBalancer");

        let stanza = config(json!({
            "type": "NodePort", "nodePort": 30443, "loadBalancerClass": "x.io/lb", "externalIPs": ["192.0.2.1"],
            "labels": { "team": "web", "signet.dev/challenge": "no" }, "annotations": { "share": "yes" },
        }));
        let made = service(&stanza, plain());
        assert_eq!(made["spec"]["ports"][0]["nodePort"], 30443);
        assert_eq!(made["spec"]["loadBalancerClass"], "x.io/lb");
        assert_eq!(made["spec"]["externalIPs"], json!(["192.0.2.1"]));
        assert_eq!(made["metadata"]["labels"], json!({ "team": "web", "signet.dev/challenge": "tls-alpn-01" }));
        assert_eq!(made["metadata"]["annotations"], json!({ "share": "yes" }));
    }

    #[test]
    fn a_service_that_is_there_has_a_port_to_lend_to() {
        let of = |spec: Value| port_of("edge", Some(&json!({ "spec": spec })));
        let two = json!([{ "name": "http", "port": 80 }, { "name": "https", "port": 443 }]);
        assert_eq!(of(json!({ "ports": two })), Ok("https".to_owned()));
        assert_eq!(of(json!({ "ports": [{ "port": 8443 }] })), Ok(String::new()), "it may be reached as a node port");
        for (spec, words) in [
            (json!({ "ports": [{ "port": 1 }, { "port": 2 }] }), "has no port 443"),
            (json!({ "ports": two, "selector": { "app": "web" } }), "leads elsewhere"),
            (json!({ "type": "ExternalName" }), "leads elsewhere"),
        ] {
            let error = of(spec).unwrap_err();
            assert!(matches!(error, Error::Config(_)) && error.message().contains(words), "{error}");
        }
        assert!(matches!(port_of("edge", None), Err(Error::NotFound(_))));
    }
}
