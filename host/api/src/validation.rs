//! placeholder
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;
pub(crate) fn apply(_kind: &str, _root: &mut JSONSchemaProps) {}
