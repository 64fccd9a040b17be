//! The stanza `http01.gatewayHTTPRoute` of an Issuer. The manifest's JSON Schema has checked it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The stanza.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Config {
    pub(crate) parent_refs: Vec<ParentRef>,
    #[serde(default)]
    pub(crate) labels: BTreeMap<String, String>,
    service_type: Option<String>,
    pub(crate) pod_template: Option<Value>,
}

/// What the route attaches to. It is copied to the route as it stands.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ParentRef {
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    section_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
}

impl Config {
    /// ClusterIP unless given: a gateway reaches the endpoints or the cluster's address, and a port
    /// on every node would be open for nothing.
    pub(crate) fn service_type(&self) -> &str {
        self.service_type.as_deref().filter(|text| !text.is_empty()).unwrap_or("ClusterIP")
    }
}

impl ParentRef {
    pub(crate) fn kind(&self) -> &str {
        self.kind.as_deref().unwrap_or("Gateway")
    }

    /// `namespace/name`, for a route in `namespace`.
    pub(crate) fn place(&self, namespace: &str) -> String {
        format!("{}/{}", self.namespace.as_deref().unwrap_or(namespace), self.name)
    }

    /// Whether both name the same, for routes in `namespace`: what is left out has the API's default.
    pub(crate) fn names_what(&self, other: &Self, namespace: &str) -> bool {
        let Self { group, kind: _, namespace: _, name: _, section_name, port } = self;
        let group_of = |group: &Option<String>| group.as_deref().unwrap_or(GROUP).to_owned();
        group_of(group) == group_of(&other.group)
            && self.kind() == other.kind()
            && self.place(namespace) == other.place(namespace)
            && *section_name == other.section_name
            && *port == other.port
    }
}

const GROUP: &str = "gateway.networking.k8s.io";
