//! Adding one path to an Ingress that somebody else owns, and taking it out again, by JSON Patch.
//!
//! A patch carries the resourceVersion that it was made from: positions in a list mean nothing in
//! another version, and the API server then answers with a conflict.

use serde_json::{Value, json};
use signet_solver::http01::Challenge;

use crate::objects::rule_host;

/// The patch that puts `path` first in the challenge's host; none when it is there already.
///
/// A rule of that host is extended when it has paths; else a rule is added. So a rule that is left
/// without paths later can only be one that was added here.
pub(crate) fn add(ingress: &Value, challenge: &Challenge, path: &Value) -> Option<Value> {
    let rules = rules(ingress);
    let host = rule_host(challenge);
    let operation = match rules.iter().position(|rule| of_host(rule, host) && !paths(rule).is_empty()) {
        Some(rule) => match paths(&rules[rule]).iter().position(|known| known["path"] == path["path"]) {
            Some(at) if same(&paths(&rules[rule])[at], path) => return None,
            Some(at) => {
                json!({ "op": "replace", "path": format!("/spec/rules/{rule}/http/paths/{at}"), "value": path })
            }
            None => json!({ "op": "add", "path": format!("/spec/rules/{rule}/http/paths/0"), "value": path }),
        },
        None => add_rule(ingress, host, path),
    };
    Some(patch(ingress, operation))
}

/// The patch that takes the challenge's path to the Service `service` out; none when it is gone.
pub(crate) fn remove(ingress: &Value, challenge: &Challenge, service: &str) -> Option<Value> {
    let (wanted, host) = (challenge.path(), rule_host(challenge));
    let ours = |path: &Value| path["path"] == wanted && path["backend"]["service"]["name"] == service;
    let (rule, at) = rules(ingress).iter().enumerate().find_map(|(index, rule)| {
        let at = of_host(rule, host).then(|| paths(rule).iter().position(ours))??;
        Some((index, at))
    })?;
    let last = paths(&rules(ingress)[rule]).len() == 1;
    let at = if last { format!("/spec/rules/{rule}") } else { format!("/spec/rules/{rule}/http/paths/{at}") };
    Some(patch(ingress, json!({ "op": "remove", "path": at })))
}

fn add_rule(ingress: &Value, host: Option<&str>, path: &Value) -> Value {
    let mut rule = json!({ "http": { "paths": [path] } });
    if let Some(host) = host {
        rule["host"] = json!(host);
    }
    match ingress["spec"]["rules"].is_array() {
        true => json!({ "op": "add", "path": "/spec/rules/-", "value": rule }),
        false => json!({ "op": "add", "path": "/spec/rules", "value": [rule] }),
    }
}

fn patch(ingress: &Value, operation: Value) -> Value {
    let version = &ingress["metadata"]["resourceVersion"];
    json!([{ "op": "replace", "path": "/metadata/resourceVersion", "value": version }, operation])
}

fn rules(ingress: &Value) -> &[Value] {
    ingress["spec"]["rules"].as_array().map_or(&[], Vec::as_slice)
}

fn paths(rule: &Value) -> &[Value] {
    rule["http"]["paths"].as_array().map_or(&[], Vec::as_slice)
}

fn of_host(rule: &Value, host: Option<&str>) -> bool {
    rule["host"].as_str().filter(|name| !name.is_empty()) == host
}

fn same(known: &Value, path: &Value) -> bool {
    ["path", "pathType", "backend"].iter().all(|field| known[field] == path[field])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn challenge() -> Challenge {
        Challenge { host: "example.com".to_owned(), token: "tok".to_owned(), key_authorization: String::new() }
    }

    fn path(service: &str) -> Value {
        json!({
            "path": "/.well-known/acme-challenge/tok",
            "pathType": "Exact",
            "backend": { "service": { "name": service, "port": { "number": 8089 } } },
        })
    }

    fn ingress(rules: Value) -> Value {
        json!({ "metadata": { "resourceVersion": "7" }, "spec": { "rules": rules } })
    }

    /// The operation beside the one that holds the version.
    fn operation(patch: Option<Value>) -> Value {
        let patch = patch.expect("there is something to change");
        assert_eq!(patch[0], json!({ "op": "replace", "path": "/metadata/resourceVersion", "value": "7" }));
        patch[1].clone()
    }

    #[test]
    fn adds_before_the_paths_of_the_same_host() {
        let app = json!({ "path": "/", "pathType": "Prefix", "backend": { "service": { "name": "app" } } });
        let before = ingress(json!([{ "host": "other.test" }, { "host": "example.com", "http": { "paths": [app] } }]));
        let added = operation(add(&before, &challenge(), &path("ours")));
        assert_eq!(added, json!({ "op": "add", "path": "/spec/rules/1/http/paths/0", "value": path("ours") }));

        let after = ingress(
            json!([{ "host": "other.test" }, { "host": "example.com", "http": { "paths": [path("ours"), app] } }]),
        );
        assert_eq!(add(&after, &challenge(), &path("ours")), None);
        let removed = operation(remove(&after, &challenge(), "ours"));
        assert_eq!(removed, json!({ "op": "remove", "path": "/spec/rules/1/http/paths/0" }));
        assert_eq!(remove(&before, &challenge(), "ours"), None);
    }

    #[test]
    fn adds_a_rule_where_the_host_has_none_and_removes_it_whole() {
        let rule = json!({ "host": "example.com", "http": { "paths": [path("ours")] } });
        let empty = json!({ "metadata": { "resourceVersion": "7" }, "spec": {} });
        let added = operation(add(&empty, &challenge(), &path("ours")));
        assert_eq!(added, json!({ "op": "add", "path": "/spec/rules", "value": [rule] }));
        let other = ingress(json!([{ "host": "example.com" }]));
        let added = operation(add(&other, &challenge(), &path("ours")));
        assert_eq!(added, json!({ "op": "add", "path": "/spec/rules/-", "value": rule }));

        let after = ingress(json!([{ "host": "example.com" }, rule]));
        let removed = operation(remove(&after, &challenge(), "ours"));
        assert_eq!(removed, json!({ "op": "remove", "path": "/spec/rules/1" }));
    }

    #[test]
    fn replaces_a_path_that_leads_elsewhere_and_leaves_it_at_the_end() {
        let theirs = ingress(json!([{ "host": "example.com", "http": { "paths": [path("theirs")] } }]));
        let replaced = operation(add(&theirs, &challenge(), &path("ours")));
        assert_eq!(replaced, json!({ "op": "replace", "path": "/spec/rules/0/http/paths/0", "value": path("ours") }));
        assert_eq!(remove(&theirs, &challenge(), "ours"), None);
    }
}
