//! What those whom a route attaches to say of it, in sentences for the person who reads the Challenge.

use serde::Deserialize;
use serde_json::Value;

use crate::config::ParentRef;
use crate::route::KIND;

/// As much of an HTTPRoute as is read.
#[derive(Deserialize)]
struct Route {
    metadata: Metadata,
    #[serde(default)]
    status: Status,
}

#[derive(Deserialize)]
struct Metadata {
    namespace: String,
    name: String,
    #[serde(default)]
    generation: i64,
}

#[derive(Default, Deserialize)]
struct Status {
    #[serde(default)]
    parents: Vec<Parent>,
}

/// What one controller says for one parent.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Parent {
    parent_ref: ParentRef,
    #[serde(default)]
    conditions: Vec<Condition>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Condition {
    #[serde(rename = "type")]
    kind: String,
    status: String,
    observed_generation: Option<i64>,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    message: String,
}

impl Condition {
    /// Whether it is about the route as it stands.
    fn is_current(&self, route: &Metadata) -> bool {
        self.observed_generation.is_none_or(|seen| seen >= route.generation)
    }
}

/// What is wrong for each of `wanted`, in the status of a route that was there for a while. `host` is
/// the name that the route is for.
pub(crate) fn complaints(route: &Value, wanted: &[ParentRef], host: &str) -> Vec<String> {
    let Ok(route) = Route::deserialize(route) else { return Vec::new() };
    let of = |(index, parent)| complaint(&route, index, parent, host);
    wanted.iter().enumerate().filter_map(of).collect()
}

fn complaint(route: &Route, index: usize, wanted: &ParentRef, host: &str) -> Option<String> {
    let Route { metadata, status } = route;
    let namespace = &metadata.namespace;
    let parent = format!("{} {}", wanted.kind(), wanted.place(namespace));
    let answers = || status.parents.iter().filter(|parent| parent.parent_ref.names_what(wanted, namespace));
    if answers().next().is_none() {
        return Some(format!(
            "no controller has answered {KIND} {namespace}/{} for parentRefs[{index}], {parent}: check that this \
             {} exists, that it is meant, and that the controller of its class runs",
            metadata.name,
            wanted.kind()
        ));
    }
    let refused = |parent: &&Parent| parent.conditions.iter().any(|condition| is_refusal(condition, metadata));
    // Of several controllers it is enough that one takes the route.
    let refusal = answers().all(|parent| refused(&parent)).then(|| answers().find(refused)).flatten()?;
    let condition = refusal.conditions.iter().find(|condition| is_refusal(condition, metadata))?;
    let Condition { kind, reason, message, .. } = condition;
    let message = message.trim_end_matches('.');
    let advice = advice(reason, index, namespace, host);
    Some(format!(
        "{parent} does not serve {KIND} {namespace}/{}: {kind} is False, {reason} ({message}){advice}",
        metadata.name
    ))
}

fn is_refusal(condition: &Condition, route: &Metadata) -> bool {
    let matters = matches!(condition.kind.as_str(), "Accepted" | "ResolvedRefs");
    matters && condition.status == "False" && condition.is_current(route)
}

/// What to do about a reason of the Gateway API; its own message says more, or less.
fn advice(reason: &str, index: usize, namespace: &str, host: &str) -> String {
    match reason {
        "NotAllowedByListeners" => {
            format!("; let a listener for HTTP allow routes of namespace {namespace} (spec.listeners[].allowedRoutes)")
        }
        "NoMatchingListenerHostname" => {
            format!("; let a listener for HTTP, on port 80, have the hostname {host}, a wildcard for it, or none")
        }
        "NoMatchingParent" => {
            format!(
                "; correct parentRefs[{index}].sectionName or parentRefs[{index}].port, which name no listener of it"
            )
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refs(refs: Value) -> Vec<ParentRef> {
        serde_json::from_value(refs).unwrap()
    }

    fn route(parents: Value) -> Value {
        let metadata = json!({ "namespace": "shop", "name": "r", "generation": 2 });
        json!({ "metadata": metadata, "status": { "parents": parents } })
    }

    fn parent(name: &str, kind: &str, status: &str, reason: &str, generation: i64) -> Value {
        json!({
            "parentRef": { "group": "gateway.networking.k8s.io", "kind": "Gateway", "namespace": "infra", "name": name },
            "controllerName": "example.com/c",
            "conditions": [
                { "type": kind, "status": status, "reason": reason, "message": "so it is.",
                  "observedGeneration": generation },
            ],
        })
    }

    fn told(parents: Value) -> String {
        let wanted = refs(json!([{ "namespace": "infra", "name": "web" }]));
        complaints(&route(parents), &wanted, "example.com").join(" | ")
    }

    #[test]
    fn a_parent_that_takes_the_route_is_no_complaint() {
        assert_eq!(told(json!([parent("web", "Accepted", "True", "Accepted", 2)])), "");
        let both = [parent("web", "Accepted", "False", "Invalid", 2), parent("web", "Accepted", "True", "Accepted", 2)];
        assert_eq!(told(json!(both)), "", "another controller takes it");
        assert_eq!(told(json!([parent("web", "Accepted", "False", "Invalid", 1)])), "", "that was the route before");
    }

    #[test]
    fn a_parent_that_nobody_answers_for_may_not_exist() {
        let nobody = "no controller has answered HTTPRoute shop/r for parentRefs[0], Gateway infra/web: check that \
                      this Gateway exists, that it is meant, and that the controller of its class runs";
        assert_eq!(told(json!([])), nobody);
        assert_eq!(told(json!([parent("other", "Accepted", "True", "Accepted", 2)])), nobody);
        let untold = json!({ "metadata": { "namespace": "shop", "name": "r" } });
        let here = refs(json!([{ "name": "web", "kind": "Hub", "group": "x.io" }]));
        assert!(complaints(&untold, &here, "example.com")[0].contains("Hub shop/web: check that this Hub exists"));
    }

    #[test]
    fn a_refusal_says_what_to_change() {
        for (kind, reason, advice) in [
            ("Accepted", "NotAllowedByListeners", "allow routes of namespace shop (spec.listeners[].allowedRoutes)"),
            ("Accepted", "NoMatchingListenerHostname", "have the hostname example.com, a wildcard for it, or none"),
            ("Accepted", "NoMatchingParent", "correct parentRefs[0].sectionName or parentRefs[0].port"),
            ("ResolvedRefs", "BackendNotFound", "Gateway infra/web does not serve HTTPRoute shop/r"),
        ] {
            let told = told(json!([parent("web", kind, "False", reason, 2)]));
            assert!(told.contains(&format!("{kind} is False, {reason} (so it is)")) && told.contains(advice), "{told}");
        }
    }

    #[test]
    fn each_parent_is_judged_by_itself() {
        let wanted = refs(json!([{ "namespace": "infra", "name": "web" }, { "namespace": "infra", "name": "edge" }]));
        let parents = json!([parent("web", "Accepted", "True", "Accepted", 2)]);
        let told = complaints(&route(parents), &wanted, "example.com");
        assert_eq!(told.len(), 1);
        assert!(told[0].contains("parentRefs[1], Gateway infra/edge"), "{told:?}");
    }
}
