//! Makes the derived schemas into what the CRDs should say: no nulls, explicit list types, no
//! formats that the API server does not know, and the rules of [`crate::validation`].

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use schemars::{Schema, SchemaGenerator, json_schema};

use crate::validation;

/// Formats that the reference has; schemars knows more, one for each of Rust's types.
const FORMATS: [&str; 4] = ["byte", "date-time", "int32", "int64"];

/// Schema of a number that stands without a format.
pub(crate) fn integer(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "integer" })
}

/// Schema of bytes, which JSON holds in base64.
pub(crate) fn bytes(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "format": "byte" })
}

/// Schema of any JSON at all.
pub(crate) fn any(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "x-kubernetes-preserve-unknown-fields": true })
}

/// Removes what a type says of itself, where kube would show it in place of what the field says.
pub(crate) fn undescribed(schema: &mut Schema) {
    schema.remove("description");
}

/// The CRD as it is published.
pub(crate) fn finish(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    let kind = crd.spec.names.kind.clone();
    for version in &mut crd.spec.versions {
        let validation = version.schema.get_or_insert_default();
        let root = validation.open_api_v3_schema.get_or_insert_default();
        tidy(root);
        validation::apply(&kind, root);
    }
    crd
}

fn tidy(schema: &mut JSONSchemaProps) {
    schema.nullable = None;
    if let Some(values) = &mut schema.enum_ {
        values.retain(|value| !value.0.is_null());
    }
    schema.description = schema.description.take().map(|text| one_line(&text));
    if !schema.format.as_deref().is_some_and(|format| FORMATS.contains(&format)) {
        schema.format = None;
    }
    list_type(schema);
    children(schema).into_iter().for_each(tidy);
}

/// Doc comments are wrapped; `kubectl explain` wraps for itself.
fn one_line(text: &str) -> String {
    text.split("\n\n").map(|part| part.replace('\n', " ")).collect::<Vec<_>>().join("\n\n")
}

/// Conditions are merged by their type, everything else is replaced as a whole.
fn list_type(schema: &mut JSONSchemaProps) {
    if schema.type_.as_deref() != Some("array") {
        return;
    }
    if schema.x_kubernetes_list_type.is_none() {
        schema.x_kubernetes_list_type = Some("atomic".to_owned());
    }
}

/// Every schema directly below this one.
fn children(schema: &mut JSONSchemaProps) -> Vec<&mut JSONSchemaProps> {
    let mut found: Vec<&mut JSONSchemaProps> = Vec::new();
    found.extend(schema.properties.iter_mut().flat_map(|properties| properties.values_mut()));
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut schema.items {
        found.push(items);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &mut schema.additional_properties {
        found.push(values);
    }
    found
}

/// The schema at a path: `.` before a property, `[]` for items, `{}` for the values of a map.
pub(crate) fn at<'a>(root: &'a mut JSONSchemaProps, path: &str) -> &'a mut JSONSchemaProps {
    path.split('.').filter(|step| !step.is_empty()).fold(root, |schema, step| {
        let name = step.trim_end_matches("[]").trim_end_matches("{}");
        let mut below = schema
            .properties
            .as_mut()
            .and_then(|properties| properties.get_mut(name))
            .expect("the path names a property of the schema");
        for kind in step.as_bytes()[name.len()..].chunks(2) {
            below = inner(below, kind);
        }
        below
    })
}

fn inner<'a>(schema: &'a mut JSONSchemaProps, kind: &[u8]) -> &'a mut JSONSchemaProps {
    match (kind, &mut schema.items, &mut schema.additional_properties) {
        (b"[]", Some(JSONSchemaPropsOrArray::Schema(items)), _) => items,
        (b"{}", _, Some(JSONSchemaPropsOrBool::Schema(values))) => values,
        _ => unreachable!("the path asks for items or values where the schema has them"),
    }
}
