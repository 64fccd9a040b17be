//! What a plugin may do: what its manifest asks for and its operator granted, the intersection,
//! decided once, when the plugin is loaded.

use std::collections::BTreeSet;

use ipnet::IpNet;
use serde_json::Value;
use signet_package::{KindGrant, OperatorGrants, Verb};

use crate::authority::Target;
use crate::manifest::{Manifest, SecretRequest};
use crate::pattern::{self, Pattern, PatternError, Template};

/// What a plugin may do.
#[derive(Debug, Clone, Default)]
pub struct Grants {
    requested: Vec<Template>,
    granted: Option<Vec<Template>>,
    secrets: Vec<SecretRequest>,
    kubernetes: Vec<KindGrant>,
    networks: Vec<IpNet>,
}

/// The intersection of what `manifest` asks for and `operator` grants.
pub fn decide(manifest: &Manifest, operator: &OperatorGrants) -> Result<Grants, PatternError> {
    Ok(Grants {
        requested: pattern::check_all(&manifest.hosts)?,
        granted: operator.hosts.as_deref().map(pattern::check_all).transpose()?,
        secrets: manifest.secrets.clone(),
        kubernetes: match &operator.kubernetes {
            None => manifest.kubernetes.clone(),
            Some(granted) => intersect_kinds(&manifest.kubernetes, granted),
        },
        networks: operator.networks.clone(),
    })
}

fn intersect_kinds(requested: &[KindGrant], granted: &[KindGrant]) -> Vec<KindGrant> {
    let allowed = |want: &KindGrant| -> BTreeSet<Verb> {
        let same = |grant: &&KindGrant| grant.api_version == want.api_version && grant.kind == want.kind;
        granted.iter().filter(same).flat_map(|grant| grant.verbs.intersection(&want.verbs).copied()).collect()
    };
    let kinds = requested.iter().map(|want| KindGrant { verbs: allowed(want), ..want.clone() });
    kinds.filter(|kind| !kind.verbs.is_empty()).collect()
}

impl Grants {
    /// The kinds of objects that may be handled.
    pub fn kubernetes(&self) -> &[KindGrant] {
        &self.kubernetes
    }

    /// The host patterns in force, as written: a request must match one of each list.
    pub fn hosts(&self) -> Vec<String> {
        let list = |templates: &[Template]| templates.iter().map(|t| t.as_str().to_owned()).collect::<Vec<_>>();
        match &self.granted {
            Some(granted) if granted.is_empty() => vec![],
            _ => list(&self.requested),
        }
    }

    /// Networks that may be reached although their addresses are special.
    pub fn networks(&self) -> &[IpNet] {
        &self.networks
    }

    pub(crate) fn secrets(&self) -> &[SecretRequest] {
        &self.secrets
    }

    /// The hosts for one call.
    pub(crate) fn hosts_for(&self, config: &Value) -> HostScope {
        let resolve = |templates: &[Template]| templates.iter().flat_map(|t| t.resolve(config)).collect();
        let written = |templates: &[Template]| templates.iter().map(|t| t.as_str().to_owned()).collect();
        HostScope {
            requested: resolve(&self.requested),
            granted: self.granted.as_deref().map(resolve),
            shown_requested: written(&self.requested),
            shown_granted: self.granted.as_deref().map(written),
            networks: self.networks.clone(),
        }
    }
}

/// The hosts and networks that one call may reach.
#[derive(Debug, Clone)]
pub(crate) struct HostScope {
    requested: Vec<Pattern>,
    granted: Option<Vec<Pattern>>,
    shown_requested: Vec<String>,
    shown_granted: Option<Vec<String>>,
    pub(crate) networks: Vec<IpNet>,
}

impl HostScope {
    /// Says why `target` may not be reached, and what to write where.
    pub(crate) fn check(&self, target: &Target) -> Result<(), String> {
        let any = |patterns: &[Pattern]| patterns.iter().any(|pattern| pattern.matches(target));
        if !any(&self.requested) {
            let asked = shown(&self.shown_requested);
            return Err(format!("{target} is not among the hosts that its manifest asks for ({asked})"));
        }
        match (&self.granted, &self.shown_granted) {
            (Some(granted), Some(written)) if !any(granted) => {
                let written = shown(written);
                Err(format!("{target} is not granted: add \"{target}\" to hosts in its grants (now: {written})"))
            }
            _ => Ok(()),
        }
    }
}

fn shown(patterns: &[String]) -> String {
    if patterns.is_empty() { "none".to_owned() } else { patterns.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn grants(hosts: &[&str], operator: Value) -> Grants {
        let manifest = json!({ "name": "a", "version": "1", "wit": "signet:solver@0.1.0", "challenges": ["dns-01"], "hosts": hosts,
            "kubernetes": [{ "apiVersion": "v1", "kind": "Service", "verbs": ["apply", "get"] }] });
        let manifest = Manifest::parse(manifest.to_string().as_bytes()).unwrap();
        decide(&manifest, &serde_json::from_value(operator).unwrap()).unwrap()
    }

    #[test]
    fn hosts_need_both() {
        for (requested, operator, url, expected) in [
            ("https://*.test", json!({}), "https://a.test", true),
            ("https://*.test", json!({ "hosts": [] }), "https://a.test", false),
            ("https://*.test", json!({ "hosts": ["https://a.test"] }), "https://a.test", true),
            ("https://*.test", json!({ "hosts": ["https://a.test"] }), "https://b.test", false),
            ("https://a.test", json!({ "hosts": ["https://*.test"] }), "https://b.test", false),
            ("{config.server}", json!({ "hosts": ["https://*.test"] }), "https://own.test", true),
            ("{config.server}", json!({ "hosts": ["https://*.example"] }), "https://own.test", false),
            ("https://a.test", json!({ "hosts": ["https://b.test"] }), "https://b.test", false),
        ] {
            let scope = grants(&[requested], operator.clone()).hosts_for(&json!({ "server": "own.test" }));
            let verdict = scope.check(&Target::parse_url(url).unwrap());
            assert_eq!(verdict.is_ok(), expected, "{requested} {operator} {url}: {verdict:?}");
        }
    }

    #[test]
    fn a_refusal_says_what_to_write() {
        let scope = grants(&["https://*.test"], json!({ "hosts": ["https://a.test"] })).hosts_for(&json!({}));
        let message = scope.check(&Target::parse_url("https://b.test:8443").unwrap()).unwrap_err();
        assert!(message.contains("manifest asks for (https://*.test)"), "{message}");
        let message = scope.check(&Target::parse_url("https://b.test").unwrap()).unwrap_err();
        assert!(message.contains("add \"https://b.test\" to hosts"), "{message}");
    }

    #[test]
    fn kinds_need_both() {
        for (operator, expected) in [
            (json!({}), vec![Verb::Apply, Verb::Get]),
            (json!({ "kubernetes": [] }), vec![]),
            (
                json!({ "kubernetes": [{ "apiVersion": "v1", "kind": "Service", "verbs": ["get", "delete"] }] }),
                vec![Verb::Get],
            ),
            (json!({ "kubernetes": [{ "apiVersion": "v1", "kind": "Pod", "verbs": ["get"] }] }), vec![]),
            (json!({ "kubernetes": [{ "apiVersion": "v2", "kind": "Service", "verbs": ["get"] }] }), vec![]),
        ] {
            let grants = grants(&[], operator.clone());
            let verbs: Vec<Verb> = grants.kubernetes().iter().flat_map(|kind| kind.verbs.clone()).collect();
            assert_eq!(verbs, expected, "{operator}");
        }
    }
}
