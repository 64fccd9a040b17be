//! What the API server refuses: the rules of cert-manager's webhook, in CEL.
//!
//! The rules stand here, kind by kind, rather than on the types, so that they can be read as the
//! list that they are. What CEL can not say (PEM, CSRs, distinguished names, cron, time zones, the
//! stanzas of unknown plugins) the controller reports on the object. The API server reckons the
//! cost of a rule beforehand and wants lists and texts below it bounded; the bounds are far above
//! what can be meant.

mod acme;
mod certificate;
mod certificaterequest;
mod issuer;
mod solver;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{JSONSchemaProps, ValidationRule};

use crate::duration;
use crate::schema::at;

/// No list of names or solvers is longer.
const MANY: i64 = 10_000;

/// Adds the rules of a kind to its schema.
pub(crate) fn apply(kind: &str, root: &mut JSONSchemaProps) {
    let mut rules = Rules { root };
    match kind {
        "Certificate" => certificate::rules(&mut rules),
        "CertificateRequest" => certificaterequest::rules(&mut rules),
        "Issuer" | "ClusterIssuer" => issuer::rules(&mut rules),
        "Order" => acme::order(&mut rules),
        "Challenge" => acme::challenge(&mut rules),
        _ => unreachable!("every kind has its rules"),
    }
}

/// A schema under work. Paths are those of [`crate::schema::at`].
struct Rules<'a> {
    root: &'a mut JSONSchemaProps,
}

impl Rules<'_> {
    fn at(&mut self, path: &str) -> &mut JSONSchemaProps {
        at(self.root, path)
    }

    /// What must hold of the value at a path, in CEL, and what is said when it does not.
    fn rule(&mut self, path: &str, rule: impl Into<String>, message: &str) -> &mut Self {
        let added = ValidationRule { rule: rule.into(), message: Some(message.to_owned()), ..Default::default() };
        self.at(path).x_kubernetes_validations.get_or_insert_default().push(added);
        self
    }

    fn max_items(&mut self, path: &str, count: i64) -> &mut Self {
        self.at(path).max_items = Some(count);
        self
    }

    fn max_properties(&mut self, path: &str, count: i64) -> &mut Self {
        self.at(path).max_properties = Some(count);
        self
    }

    fn max_length(&mut self, path: &str, length: i64) -> &mut Self {
        self.at(path).max_length = Some(length);
        self
    }

    fn min_length(&mut self, path: &str, length: i64) -> &mut Self {
        self.at(path).min_length = Some(length);
        self
    }

    fn pattern(&mut self, path: &str, pattern: &str) -> &mut Self {
        self.at(path).pattern = Some(pattern.to_owned());
        self
    }

    /// A list that is merged by the type of its items.
    fn by_type(&mut self, path: &str) -> &mut Self {
        let list = self.at(path);
        list.x_kubernetes_list_type = Some("map".to_owned());
        list.x_kubernetes_list_map_keys = Some(vec!["type".to_owned()]);
        self
    }

    fn not_empty(&mut self, path: &str) -> &mut Self {
        self.rule(path, "self != ''", "must not be empty")
    }

    /// A duration in Go's syntax.
    fn duration(&mut self, path: &str) -> &mut Self {
        self.max_length(path, 64).rule(
            path,
            is_duration("self"),
            "must be a duration of hours, minutes and seconds, such as 2160h or 1h30m; \
             write a day as 24h",
        )
    }

    /// A duration in Go's syntax that is not shorter than another.
    fn duration_from(&mut self, path: &str, shortest: &str) -> &mut Self {
        let long_enough = format!("duration(self) >= duration('{shortest}')");
        self.duration(path).rule(
            path,
            format!("!{} || {long_enough}", is_duration("self")),
            &format!("must be at least {shortest}"),
        )
    }

    /// Which issuer may be named, on a reference that a user writes.
    fn issuer_ref(&mut self, path: &str) -> &mut Self {
        self.not_empty(&format!("{path}.name")).rule(
            path,
            "(has(self.group) && !(self.group in ['', 'cert-manager.io'])) || !has(self.kind) || \
             self.kind in ['', 'Issuer', 'ClusterIssuer']",
            "kind must be Issuer or ClusterIssuer; \
             for an issuer of another controller, name its group as well",
        )
    }

    /// A reference to a key of a Secret that has no usual key.
    fn secret_key(&mut self, path: &str) -> &mut Self {
        self.rule(
            path,
            "self.name != '' && has(self.key) && self.key != ''",
            "must have a name and a key: the Secret and the key in it",
        )
    }
}

/// CEL: the text at a place is a duration in Go's syntax, without a sign.
fn is_duration(place: &str) -> String {
    format!("{place}.matches(r'{}')", duration::PATTERN)
}

/// CEL: how many of these fields are set.
fn count_set(fields: &[&str]) -> String {
    fields.iter().map(|field| format!("(has(self.{field}) ? 1 : 0)")).collect::<Vec<_>>().join(" + ")
}
