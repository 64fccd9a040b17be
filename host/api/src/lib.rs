//! The API that Signet serves: cert-manager's own kinds, as Rust types, and the CRDs made from them.
//!
//! Each kind has a file. What is said on a field here is what `kubectl explain` prints. Types hold
//! what the API server stores; defaults that cert-manager applies at run time are applied by
//! accessors, never by the schema, because a default in the schema would change stored objects
//! and so re-issue certificates.
//!
//! [`crds`] turns the types into CustomResourceDefinitions: kube's derive makes the bare schemas,
//! [`schema`] makes them structural and tidy, [`validation`] adds the bounds and the CEL rules
//! that replace an admission webhook.

#![warn(missing_docs)]
#![expect(clippy::duplicated_attributes, reason = "printer columns of kube's derive share words")]

pub mod certificate;
pub mod certificaterequest;
pub mod challenge;
pub mod clusterissuer;
pub mod duration;
pub mod issuer;
#[expect(dead_code, reason = "read by schemars alone")]
mod known_solvers;
pub mod labels;
pub mod meta;
pub mod order;
#[expect(dead_code, reason = "read by schemars alone")]
mod pod_template;
mod schema;
pub mod solver;
pub mod usages;
mod validation;

pub use certificate::{Certificate, CertificateSpec, CertificateStatus};
pub use certificaterequest::{CertificateRequest, CertificateRequestSpec, CertificateRequestStatus};
pub use challenge::{Challenge, ChallengeSpec, ChallengeStatus, ChallengeType};
pub use clusterissuer::{ClusterIssuer, ClusterIssuerSpec};
pub use duration::{Duration, DurationError};
pub use issuer::{Issuer, IssuerSpec, IssuerStatus};
pub use meta::{Condition, ConditionStatus, IssuerRef, SecretRef, State};
pub use order::{Order, OrderSpec, OrderStatus};
pub use solver::{Dns01, Http01, Solver, TlsAlpn01};
pub use usages::KeyUsage;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

/// The group of Certificate, CertificateRequest, Issuer and ClusterIssuer.
pub const GROUP: &str = "cert-manager.io";
/// The group of Order and Challenge.
pub const ACME_GROUP: &str = "acme.cert-manager.io";

/// The six CustomResourceDefinitions, ready to apply, always in the same order.
pub fn crds() -> Vec<CustomResourceDefinition> {
    [CertificateRequest::crd(), Certificate::crd(), Challenge::crd(), ClusterIssuer::crd(), Issuer::crd(), Order::crd()]
        .into_iter()
        .map(schema::finish)
        .collect()
}

/// The same as YAML documents separated by `---`. The text is the same for the same code.
pub fn crds_yaml() -> String {
    crds()
        .iter()
        .map(|crd| {
            let yaml = serde_yaml::to_string(crd).expect("a CRD is plain data");
            format!("---\n{yaml}")
        })
        .collect()
}
