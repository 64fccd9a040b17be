//! What may be asked for and granted, as it is written: in a manifest, and by an operator.

use std::collections::BTreeSet;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// What may be done with a kind of object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    /// Create or update by server-side apply, owned by the Challenge.
    Apply,
    /// Read.
    Get,
    /// Change an object that the Challenge does not own.
    Patch,
    /// Delete an object that the Challenge owns.
    Delete,
}

/// A kind of object and what may be done with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KindGrant {
    /// `v1`, `networking.k8s.io/v1`.
    pub api_version: String,
    /// `Service`, `Ingress`.
    pub kind: String,
    /// What may be done.
    pub verbs: BTreeSet<Verb>,
}

/// What an operator grants: `grants.yaml` beside a plugin, or the controller's configuration.
///
/// An absent list grants what the manifest asks for; an empty one grants nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OperatorGrants {
    /// Host patterns, as in a manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hosts: Option<Vec<String>>,
    /// Kinds and verbs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubernetes: Option<Vec<KindGrant>>,
    /// Networks that may be reached although they are private, loopback or link-local.
    #[serde(default)]
    pub networks: Vec<IpNet>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_member_of_a_grant_is_refused() {
        assert!(serde_json::from_str::<OperatorGrants>(r#"{ "host": [] }"#).is_err());
    }
}
