//! The Gateway API's HTTPRoute, as far as tests look at it.

use std::borrow::Cow;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An HTTPRoute of gateway.networking.k8s.io/v1. A lab has the kind after `Lab::install_gateway_api`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HttpRoute {
    /// Its metadata.
    pub metadata: ObjectMeta,
    /// As it is written.
    pub spec: Value,
    /// What controllers of Gateways say of it.
    #[serde(default)]
    pub status: Value,
}

impl Resource for HttpRoute {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        "HTTPRoute".into()
    }

    fn group((): &()) -> Cow<'_, str> {
        "gateway.networking.k8s.io".into()
    }

    fn version((): &()) -> Cow<'_, str> {
        "v1".into()
    }

    fn plural((): &()) -> Cow<'_, str> {
        "httproutes".into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}
