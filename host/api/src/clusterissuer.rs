//! ClusterIssuer: an Issuer for every namespace.

use std::ops::{Deref, DerefMut};

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::issuer::{IssuerSpec, IssuerStatus};

/// How to sign: the same as for an [`Issuer`](crate::Issuer).
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "cert-manager.io",
    version = "v1",
    kind = "ClusterIssuer",
    status = "IssuerStatus",
    derive = "PartialEq",
    derive = "Default",
    category = "cert-manager",
    shortname = "ciss",
    doc = "Says how certificates are signed, for Certificates of every namespace. Secrets that it \
           names are read in the cluster resource namespace, which is the one that the controller \
           runs in unless it was told another.",
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type == "Ready")].status"#),
    printcolumn(
        name = "Status",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type == "Ready")].message"#,
        priority = "1"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
pub struct ClusterIssuerSpec(pub IssuerSpec);

impl Deref for ClusterIssuerSpec {
    type Target = IssuerSpec;

    fn deref(&self) -> &IssuerSpec {
        &self.0
    }
}

impl DerefMut for ClusterIssuerSpec {
    fn deref_mut(&mut self) -> &mut IssuerSpec {
        &mut self.0
    }
}
