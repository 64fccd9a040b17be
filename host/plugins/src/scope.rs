//! What one call may touch: the plugin's grants, narrowed by the call's own config and challenge.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;
use signet_package::{KindGrant, Verb};

use crate::call::Challenge;
use crate::grants::{Grants, HostScope};
use crate::pattern;

/// What one call may touch.
pub(crate) struct Scope {
    pub(crate) hosts: Arc<HostScope>,
    secrets: BTreeSet<(String, String)>,
    service_accounts: BTreeSet<String>,
    kubernetes: Vec<KindGrant>,
    /// The host and token of an HTTP-01 challenge.
    responder: Option<(String, String)>,
    namespace: String,
}

impl Scope {
    pub(crate) fn new(grants: &Grants, config: &Value, challenge: &Challenge, label: &str) -> Scope {
        let mut secrets = BTreeSet::new();
        secret_refs(config, &mut secrets);
        for request in grants.secrets() {
            let names = pattern::values(config, &format!("{}.name", request.secret_ref));
            let keys = pattern::values(config, &request.key_from);
            secrets.extend(names.iter().flat_map(|name| keys.iter().map(|key| pair(name, key))));
        }
        let mut service_accounts = BTreeSet::new();
        service_account_refs(config, &mut service_accounts);
        Scope {
            hosts: Arc::new(grants.hosts_for(config)),
            secrets,
            service_accounts,
            kubernetes: grants.kubernetes().to_vec(),
            responder: challenge.http01().map(|(host, token)| pair(host, token)),
            namespace: label.split_once('/').map_or(String::new(), |(namespace, _)| namespace.to_owned()),
        }
    }

    /// Says why `key` of the Secret `name` may not be read, and what may.
    pub(crate) fn check_secret(&self, name: &str, key: &str) -> Result<(), String> {
        if self.secrets.contains(&pair(name, key)) {
            return Ok(());
        }
        let allowed: Vec<String> = self.secrets.iter().map(|(name, key)| format!("{name}/{key}")).collect();
        let allowed = if allowed.is_empty() { "none".to_owned() } else { allowed.join(", ") };
        Err(format!(
            "key {key:?} of Secret {name:?} is not named by a SecretRef field of the solver's config (allowed: {allowed})"
        ))
    }

    pub(crate) fn check_kind(&self, api_version: &str, kind: &str, verb: Verb) -> Result<(), String> {
        let same = |grant: &&KindGrant| grant.api_version == api_version && grant.kind == kind;
        if self.kubernetes.iter().filter(same).any(|grant| grant.verbs.contains(&verb)) {
            return Ok(());
        }
        let shown =
            |grant: &KindGrant| format!("{:?} {} of {}", grant.verbs, grant.kind, grant.api_version).to_lowercase();
        let allowed: Vec<String> = self.kubernetes.iter().map(shown).collect();
        let allowed = if allowed.is_empty() { "none".to_owned() } else { allowed.join("; ") };
        Err(format!("{verb:?} of {kind} ({api_version}) is not granted (allowed: {allowed})"))
    }

    /// A namespace may be written only when it is the Challenge's.
    pub(crate) fn check_namespace(&self, object: &Value) -> Result<(), String> {
        match object.pointer("/metadata/namespace").and_then(Value::as_str) {
            Some(namespace) if namespace != self.namespace => Err(format!(
                "metadata.namespace is {namespace:?}, and a solver handles objects in the Challenge's namespace {:?} only",
                self.namespace
            )),
            _ => Ok(()),
        }
    }

    pub(crate) fn check_service_account(&self, name: &str) -> Result<(), String> {
        if self.service_accounts.contains(name) {
            return Ok(());
        }
        Err(format!("ServiceAccount {name:?} is not the one that the solver's config gives under serviceAccountRef"))
    }

    pub(crate) fn check_responder(&self, host: &str, token: &str) -> Result<(), String> {
        match &self.responder {
            Some(own) if *own == pair(host, token) => Ok(()),
            Some((own, _)) => Err(format!("it may ask for answers to the current challenge of {own:?} only")),
            None => Err("only a solver of http-01 challenges may ask for answers".to_owned()),
        }
    }
}

fn pair(a: &str, b: &str) -> (String, String) {
    (a.to_owned(), b.to_owned())
}

/// Every `{name, key}` under a field whose name ends in `SecretRef`, at any depth.
fn secret_refs(value: &Value, found: &mut BTreeSet<(String, String)>) {
    each_field(value, &mut |field, inner| {
        if !field.ends_with("SecretRef") {
            return;
        }
        if let (Some(name), Some(key)) = (text(inner, "name"), text(inner, "key")) {
            found.insert(pair(name, key));
        }
    });
}

fn service_account_refs(value: &Value, found: &mut BTreeSet<String>) {
    each_field(value, &mut |field, inner| {
        if field == "serviceAccountRef" {
            found.extend(text(inner, "name").map(str::to_owned));
        }
    });
}

fn text<'a>(value: &'a Value, field: &str) -> Option<&'a str> {
    value.get(field).and_then(Value::as_str)
}

fn each_field(value: &Value, visit: &mut impl FnMut(&str, &Value)) {
    match value {
        Value::Object(fields) => {
            for (field, inner) in fields {
                visit(field, inner);
                each_field(inner, visit);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| each_field(item, visit)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Manifest;
    use serde_json::json;

    fn scope(config: Value) -> Scope {
        let manifest = json!({ "name": "a", "version": "1", "wit": "signet:solver@0.1.0", "challenges": ["dns-01"],
            "secrets": [{ "secretRef": "auth.keySecretRef", "keyFrom": "keyID" }],
            "kubernetes": [{ "apiVersion": "v1", "kind": "Service", "verbs": ["apply"] }] });
        let manifest = Manifest::parse(manifest.to_string().as_bytes()).unwrap();
        let grants = crate::grants::decide(&manifest, &Default::default()).unwrap();
        let challenge = Challenge::Http01 { host: "a.test".into(), token: "t".into(), key_authorization: "t.k".into() };
        Scope::new(&grants, &config, &challenge, "team/web-1")
    }

    #[test]
    fn secrets_are_those_that_the_config_names() {
        let scope = scope(json!({
            "auth": { "keySecretRef": { "name": "s", "key": "secret" } }, "keyID": "id",
            "list": [{ "tokenSecretRef": { "name": "t", "key": "token" } }],
            "notASecret": { "name": "x", "key": "y" },
        }));
        for (name, key, expected) in [
            ("s", "secret", true),
            ("s", "id", true),
            ("t", "token", true),
            ("t", "id", false),
            ("x", "y", false),
            ("s", "token", false),
        ] {
            assert_eq!(scope.check_secret(name, key).is_ok(), expected, "{name}/{key}");
        }
        let message = scope.check_secret("x", "y").unwrap_err();
        assert!(message.contains("allowed: s/id, s/secret, t/token"), "{message}");
    }

    #[test]
    fn everything_else_is_the_calls_own() {
        let scope = scope(json!({ "auth": { "serviceAccountRef": { "name": "sa" } } }));
        assert!(scope.check_service_account("sa").is_ok());
        assert!(scope.check_service_account("default").is_err());
        assert!(scope.check_responder("a.test", "t").is_ok());
        assert!(scope.check_responder("a.test", "other").is_err());
        assert!(scope.check_kind("v1", "Service", Verb::Apply).is_ok());
        assert!(scope.check_kind("v1", "Service", Verb::Patch).is_err());
        assert!(scope.check_kind("v1", "Secret", Verb::Apply).is_err());
        assert!(scope.check_namespace(&json!({ "metadata": { "namespace": "team" } })).is_ok());
        assert!(scope.check_namespace(&json!({ "metadata": {} })).is_ok());
        assert!(scope.check_namespace(&json!({ "metadata": { "namespace": "other" } })).is_err());
    }
}
