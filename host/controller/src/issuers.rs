//! Which issuer a reference means, and what Issuers and ClusterIssuers have in common.

use std::collections::BTreeSet;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt;
use serde_json::Value;
use signet_api::issuer::AcmeIssuer;
use signet_api::issuer::condition::{ACCOUNT_CHANGE, READY};
use signet_api::meta::{condition, has_condition};
use signet_api::{ClusterIssuer, Condition, ConditionStatus, Issuer, IssuerRef, IssuerSpec, IssuerStatus};

use crate::context::Settings;
use crate::key::Key;
use crate::scope::Scope;
use crate::stores::Stores;

/// An Issuer or a ClusterIssuer.
#[derive(Clone, Debug)]
pub(crate) enum AnyIssuer {
    Issuer(Arc<Issuer>),
    ClusterIssuer(Arc<ClusterIssuer>),
}

impl AnyIssuer {
    /// The issuer that `reference`, made in `namespace`, means. Without a kind: the Issuer of that
    /// name in the namespace if there is one, else the ClusterIssuer. The error is a sentence.
    pub(crate) fn find(stores: &Stores, namespace: &str, reference: &IssuerRef) -> Result<Self, String> {
        let name = &reference.name;
        let issuer = || stores.issuers.get(&Key::new(namespace, name)).map(Self::Issuer);
        let cluster_issuer = || stores.cluster_issuers.get(&Key::new("", name)).map(Self::ClusterIssuer);
        let found = match reference.kind_if_set() {
            Some("Issuer") => issuer(),
            Some("ClusterIssuer") => cluster_issuer(),
            Some(_) => None,
            None => issuer().or_else(cluster_issuer),
        };
        found.ok_or_else(|| not_found(&stores.scope, namespace, reference))
    }

    /// Whether both are the same object.
    pub(crate) fn is(&self, other: &Self) -> bool {
        let uid = |issuer: &Self| match issuer {
            Self::Issuer(issuer) => issuer.uid(),
            Self::ClusterIssuer(issuer) => issuer.uid(),
        };
        uid(self) == uid(other)
    }

    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Issuer(_) => "Issuer",
            Self::ClusterIssuer(_) => "ClusterIssuer",
        }
    }

    pub(crate) fn name(&self) -> String {
        match self {
            Self::Issuer(issuer) => issuer.name_any(),
            Self::ClusterIssuer(issuer) => issuer.name_any(),
        }
    }

    pub(crate) fn metadata(&self) -> &ObjectMeta {
        match self {
            Self::Issuer(issuer) => &issuer.metadata,
            Self::ClusterIssuer(issuer) => &issuer.metadata,
        }
    }

    pub(crate) fn spec(&self) -> &IssuerSpec {
        match self {
            Self::Issuer(issuer) => &issuer.spec,
            Self::ClusterIssuer(issuer) => &issuer.spec,
        }
    }

    pub(crate) fn status(&self) -> Option<&IssuerStatus> {
        match self {
            Self::Issuer(issuer) => issuer.status.as_ref(),
            Self::ClusterIssuer(issuer) => issuer.status.as_ref(),
        }
    }

    pub(crate) fn acme(&self) -> Option<&AcmeIssuer> {
        self.spec().acme.as_ref()
    }

    /// Where the Secrets are that it names.
    pub(crate) fn secrets_in(&self, settings: &Settings) -> String {
        match self {
            Self::Issuer(issuer) => issuer.namespace().unwrap_or_default(),
            Self::ClusterIssuer(_) => settings.cluster_resource_namespace.clone(),
        }
    }

    /// Whether its solvers may use credentials of Signet's own environment.
    pub(crate) fn may_use_ambient(&self, settings: &Settings) -> bool {
        match self {
            Self::Issuer(_) => settings.issuer_ambient,
            Self::ClusterIssuer(_) => settings.cluster_issuer_ambient,
        }
    }

    /// Whether somebody has asked for a change of the account, and it is not yet made.
    pub(crate) fn is_account_to_change(&self) -> bool {
        has_condition(self.conditions(), ACCOUNT_CHANGE, ConditionStatus::True)
    }

    fn conditions(&self) -> &[Condition] {
        self.status().map(|status| status.conditions.as_slice()).unwrap_or_default()
    }

    /// Why nothing new can be asked of it now, as a sentence: while its account changes, what the one key has
    /// signed must not reach a CA that has taken the other.
    pub(crate) fn takes_more(&self) -> Result<(), String> {
        self.ready()?;
        if !self.is_account_to_change() {
            return Ok(());
        }
        let (kind, name) = (self.kind(), self.name());
        let change = condition(self.conditions(), ACCOUNT_CHANGE).and_then(|change| change.message.as_deref());
        Err(format!("the account of {kind} {name} is to change: {}", change.unwrap_or("it was asked for")))
    }

    /// Why it can not sign now, as a sentence.
    pub(crate) fn ready(&self) -> Result<(), String> {
        let (kind, name) = (self.kind(), self.name());
        let conditions = self.conditions();
        match condition(conditions, READY) {
            Some(ready) if ready.is_true() => Ok(()),
            Some(ready) => {
                let why = ready.message.as_deref().unwrap_or("it does not say why");
                Err(format!("{kind} {name} is not ready: {why}"))
            }
            None => Err(format!("{kind} {name} has not been checked yet")),
        }
    }
}

fn not_found(scope: &Scope, namespace: &str, reference: &IssuerRef) -> String {
    let name = &reference.name;
    let advice = scope.without_cluster_issuers(namespace);
    match reference.kind_if_set() {
        Some("Issuer") => format!("There is no Issuer {name} in namespace {namespace}"),
        Some("ClusterIssuer") if advice.is_empty() => format!("There is no ClusterIssuer {name}"),
        Some("ClusterIssuer") => format!("ClusterIssuer {name} can not be used{advice}"),
        Some(kind) => format!("{kind} is not a kind of issuer; Issuer and ClusterIssuer are"),
        None if advice.is_empty() => {
            format!("There is neither an Issuer {name} in namespace {namespace} nor a ClusterIssuer {name}")
        }
        None => format!("There is no Issuer {name} in namespace {namespace}{advice}"),
    }
}

/// Every Secret that an issuer names, whatever for: fields whose name ends in `SecretRef` (or that
/// say `secretName`) anywhere in its spec.
pub(crate) fn named_secrets(spec: &IssuerSpec) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    collect_names(&serde_json::to_value(spec).expect("a spec is plain data"), &mut names);
    names
}

fn collect_names(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(field, inner)| {
            let name = match field.as_str() {
                "secretName" => inner.as_str(),
                field if field.ends_with("ecretRef") => inner.get("name").and_then(Value::as_str),
                _ => None,
            };
            names.extend(name.map(str::to_owned));
            collect_names(inner, names);
        }),
        Value::Array(items) => items.iter().for_each(|item| collect_names(item, names)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_found_wherever_an_issuer_names_them() {
        let acme = json!({ "server": "https://ca.test", "privateKeySecretRef": { "name": "account" },
            "externalAccountBinding": { "keyID": "id", "keySecretRef": { "name": "eab" } },
            "solvers": [{ "dns01": { "nimbus": { "apiTokenSecretRef": { "name": "token", "key": "secretName" } } } }] });
        for (spec, names) in [
            (json!({ "acme": acme }), vec!["account", "eab", "token"]),
            (json!({ "ca": { "secretName": "root" } }), vec!["root"]),
            (json!({ "selfSigned": {} }), vec![]),
        ] {
            let found = named_secrets(&serde_json::from_value(spec).unwrap());
            assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), names);
        }
    }
}
