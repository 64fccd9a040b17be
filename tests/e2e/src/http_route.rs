//! The Gateway API's routes, as far as tests look at them. A lab has the kinds after `Lab::install_gateway_api`.

use std::borrow::Cow;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::{Deserialize, Serialize};
use serde_json::Value;

macro_rules! route {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $version:literal, $plural:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Serialize, Deserialize)]
        pub struct $name {
            /// Its metadata.
            pub metadata: ObjectMeta,
            /// As it is written.
            pub spec: Value,
            /// What controllers of Gateways say of it.
            #[serde(default)]
            pub status: Value,
        }

        impl Resource for $name {
            type DynamicType = ();
            type Scope = NamespaceResourceScope;

            fn kind((): &()) -> Cow<'_, str> {
                $kind.into()
            }

            fn group((): &()) -> Cow<'_, str> {
                "gateway.networking.k8s.io".into()
            }

            fn version((): &()) -> Cow<'_, str> {
                $version.into()
            }

            fn plural((): &()) -> Cow<'_, str> {
                $plural.into()
            }

            fn meta(&self) -> &ObjectMeta {
                &self.metadata
            }

            fn meta_mut(&mut self) -> &mut ObjectMeta {
                &mut self.metadata
            }
        }
    };
}

route!(
    /// Leads HTTP requests.
    HttpRoute,
    "HTTPRoute",
    "v1",
    "httproutes"
);
route!(
    /// Leads TLS connections, as they are.
    TlsRoute,
    "TLSRoute",
    "v1alpha2",
    "tlsroutes"
);
