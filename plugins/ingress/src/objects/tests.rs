//! The objects of one challenge, as a table of stanzas and what they change.

use serde_json::{Value, json};
use signet_solver::http01::Challenge;

use super::*;

fn challenge(host: &str) -> Challenge {
    Challenge { host: host.to_owned(), token: "tok".to_owned(), key_authorization: "tok.key".to_owned() }
}

fn config(stanza: Value) -> Config {
    serde_json::from_value(stanza).unwrap()
}

fn made(stanza: Value, host: &str) -> Value {
    let challenge = challenge(host);
    ingress(&Names::of(host, "tok"), &config(stanza), &challenge, 8089, PathType::Exact)
}

#[test]
fn the_guides_stanza_makes_one_exact_path_of_that_class() {
    let ingress = made(json!({"class": "nginx"}), "example.com");
    let name = &ingress["metadata"]["name"];
    assert_eq!(
        ingress["metadata"]["annotations"],
        json!({
            "kubernetes.io/ingress.class": "nginx",
            "nginx.ingress.kubernetes.io/whitelist-source-range": "0.0.0.0/0,::/0",
        })
    );
    assert_eq!(ingress["metadata"]["labels"]["acme.cert-manager.io/http01-solver"], "true");
    assert_eq!(
        ingress["spec"],
        json!({ "rules": [{ "host": "example.com", "http": { "paths": [{
            "path": "/.well-known/acme-challenge/tok",
            "pathType": "Exact",
            "backend": { "service": { "name": name, "port": { "number": 8089 } } },
        }] } }] })
    );
}

#[test]
fn a_class_by_name_is_a_field_and_not_an_annotation() {
    let ingress = made(json!({"ingressClassName": "contour", "class": ""}), "example.com");
    assert_eq!(ingress["spec"]["ingressClassName"], "contour");
    assert!(ingress["metadata"]["annotations"].get("kubernetes.io/ingress.class").is_none());
}

#[test]
fn an_address_gets_a_rule_without_host() {
    for host in ["192.0.2.1", "2001:db8::1"] {
        assert!(made(json!({}), host)["spec"]["rules"][0].get("host").is_none(), "{host}");
    }
}

#[test]
fn the_template_adds_and_our_labels_stay() {
    let template = json!({ "metadata": {
        "labels": { "team": "web", "acme.cert-manager.io/http01-solver": "no" },
        "annotations": { "nginx.ingress.kubernetes.io/whitelist-source-range": "10.0.0.0/8" },
    } });
    let metadata = made(json!({ "ingressTemplate": template }), "example.com")["metadata"].take();
    assert_eq!(metadata["labels"]["team"], "web");
    assert_eq!(metadata["labels"]["acme.cert-manager.io/http01-solver"], "true");
    assert_eq!(metadata["annotations"]["nginx.ingress.kubernetes.io/whitelist-source-range"], "10.0.0.0/8");
}
