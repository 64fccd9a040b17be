//! The stanza `http01.ingress` of an Issuer. The manifest's JSON Schema has checked it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// The stanza. At most one of `class`, `ingress_class_name` and `name` is given.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Config {
    class: Option<String>,
    ingress_class_name: Option<String>,
    name: Option<String>,
    service_type: Option<String>,
    pub(crate) pod_template: Option<Value>,
    #[serde(default)]
    ingress_template: Template,
}

/// What to add to the Ingress.
#[derive(Debug, Default, Deserialize)]
struct Template {
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Metadata {
    #[serde(default)]
    pub(crate) labels: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) annotations: BTreeMap<String, String>,
}

impl Config {
    /// The Ingress to change instead of making one.
    pub(crate) fn existing(&self) -> Option<&str> {
        given(&self.name)
    }

    pub(crate) fn class(&self) -> Option<&str> {
        given(&self.class)
    }

    pub(crate) fn ingress_class_name(&self) -> Option<&str> {
        given(&self.ingress_class_name)
    }

    /// ClusterIP unless given: an ingress controller reaches the endpoints or the cluster's
    /// address, and a port on every node would be open for nothing.
    pub(crate) fn service_type(&self) -> &str {
        given(&self.service_type).unwrap_or("ClusterIP")
    }

    pub(crate) fn metadata(&self) -> &Metadata {
        &self.ingress_template.metadata
    }
}

/// An empty string is how some templates say nothing.
fn given(field: &Option<String>) -> Option<&str> {
    field.as_deref().filter(|text| !text.is_empty())
}
