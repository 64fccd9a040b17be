//! Schema of the pod template that cert-manager's HTTP-01 solvers have. Signet makes no pod; the
//! fields are there so that existing manifests apply as they stand.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1 as core;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::known_solvers::TemplateMetadata;

/// What is read of a pod template.
#[derive(JsonSchema)]
pub(crate) struct PodTemplate {
    /// Metadata for the pod.
    metadata: Option<TemplateMetadata>,
    /// Spec for the pod.
    spec: Option<PodTemplateSpec>,
}

/// The part of a pod's spec that may be set; as in a Pod.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
struct PodTemplateSpec {
    /// As in a Pod.
    #[schemars(schema_with = "bare::<core::Affinity>")]
    #[serde(default)]
    affinity: Option<core::Affinity>,
    /// As in a Pod.
    #[schemars(schema_with = "image_pull_secrets")]
    #[serde(default)]
    image_pull_secrets: Option<Vec<core::LocalObjectReference>>,
    /// As in a Pod.
    node_selector: Option<BTreeMap<String, String>>,
    /// As in a Pod.
    priority_class_name: Option<String>,
    /// As in a Pod.
    resources: Option<Resources>,
    /// As in a Pod.
    #[schemars(schema_with = "security_context")]
    #[serde(default)]
    security_context: Option<core::PodSecurityContext>,
    /// As in a Pod.
    service_account_name: Option<String>,
    /// As in a Pod.
    #[schemars(schema_with = "bare::<Vec<core::Toleration>>")]
    #[serde(default)]
    tolerations: Option<Vec<core::Toleration>>,
}

/// As in a container.
#[derive(JsonSchema)]
struct Resources {
    /// As in a container.
    #[schemars(schema_with = "quantities")]
    #[serde(default)]
    limits: Option<BTreeMap<String, String>>,
    /// As in a container.
    #[schemars(schema_with = "quantities")]
    #[serde(default)]
    requests: Option<BTreeMap<String, String>>,
}

/// Fields of a pod's security context that are newer than the kinds, or for Windows.
const LATER_SECURITY_FIELDS: [&str; 4] =
    ["appArmorProfile", "seLinuxChangePolicy", "supplementalGroupsPolicy", "windowsOptions"];

/// The schema of a Kubernetes type without its descriptions, which `kubectl explain pod` has.
fn bare<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = T::json_schema(generator);
    strip_descriptions(schema.ensure_object());
    schema
}

/// Removes descriptions, without taking a property of that name for one.
fn strip_descriptions(schema: &mut serde_json::Map<String, serde_json::Value>) {
    schema.remove("description");
    for key in ["items", "additionalProperties"] {
        if let Some(inner) = schema.get_mut(key).and_then(|inner| inner.as_object_mut()) {
            strip_descriptions(inner);
        }
    }
    let properties = schema.get_mut("properties").and_then(|inner| inner.as_object_mut());
    for inner in properties.into_iter().flat_map(|map| map.values_mut()) {
        if let Some(inner) = inner.as_object_mut() {
            strip_descriptions(inner);
        }
    }
}

fn security_context(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = bare::<core::PodSecurityContext>(generator);
    if let Some(properties) = schema.get_mut("properties").and_then(|inner| inner.as_object_mut()) {
        properties.retain(|name, _| !LATER_SECURITY_FIELDS.contains(&name.as_str()));
    }
    schema
}

fn image_pull_secrets(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "items": {
            "type": "object",
            "properties": { "name": { "type": "string", "default": "" } },
        },
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
    })
}

fn quantities(_: &mut SchemaGenerator) -> Schema {
    let number = r"(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))";
    let pattern = format!(r"^(\+|-)?{number}(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?{number}))?$");
    json_schema!({
        "type": "object",
        "additionalProperties": {
            "anyOf": [{ "type": "integer" }, { "type": "string" }],
            "pattern": pattern,
            "x-kubernetes-int-or-string": true,
        },
    })
}
