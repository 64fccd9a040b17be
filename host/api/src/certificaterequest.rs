//! CertificateRequest: one certificate signing request, for an issuer to sign once.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::duration::Duration;
use crate::meta::{Condition, IssuerRef, is_false};
use crate::usages::KeyUsage;

/// What to sign. It can not be changed.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "cert-manager.io",
    version = "v1",
    kind = "CertificateRequest",
    namespaced,
    status = "CertificateRequestStatus",
    derive = "PartialEq",
    derive = "Default",
    category = "cert-manager",
    shortname = "cr",
    shortname = "crs",
    doc = "Asks an issuer to sign one certificate signing request, once. A Certificate makes one \
           for each issuance; programs that keep their own keys make them directly. It must be \
           approved before the issuer signs.",
    selectable = ".spec.issuerRef.group",
    selectable = ".spec.issuerRef.kind",
    selectable = ".spec.issuerRef.name",
    printcolumn(
        name = "Approved",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type == "Approved")].status"#
    ),
    printcolumn(name = "Denied", type_ = "string", json_path = r#".status.conditions[?(@.type == "Denied")].status"#),
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type == "Ready")].status"#),
    printcolumn(name = "Issuer", type_ = "string", json_path = ".spec.issuerRef.name"),
    printcolumn(name = "Requester", type_ = "string", json_path = ".spec.username"),
    printcolumn(
        name = "Status",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type == "Ready")].message"#,
        priority = "1"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct CertificateRequestSpec {
    /// The certificate signing request, in PEM, signed by the key that the certificate is for.
    #[schemars(schema_with = "crate::schema::bytes")]
    pub request: ByteString,
    /// The issuer that signs.
    pub issuer_ref: IssuerRef,
    /// Lifetime to ask for. The issuer may give another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<Duration>,
    /// Whether the certificate may sign others.
    #[serde(default, rename = "isCA", skip_serializing_if = "is_false")]
    pub is_ca: bool,
    /// What the key may be used for; digital signature and key encipherment when it is left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub usages: Vec<KeyUsage>,
    /// Name of the user who made this request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Unique identifier of the user who made this request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// Groups of the user who made this request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// What else the API server knew of the user who made this request.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub extra: BTreeMap<String, Vec<String>>,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CertificateRequestStatus {
    /// Approved or Denied: the approver's word, which can not be taken back. Ready: whether the
    /// certificate is signed. InvalidRequest: the request can never be signed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// The certificate with its intermediates, in PEM, leaf first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::bytes")]
    pub certificate: Option<ByteString>,
    /// Certificate of the authority that signed, in PEM, where the issuer knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::bytes")]
    pub ca: Option<ByteString>,
    /// When the request failed, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_time: Option<Time>,
}

/// Types of conditions.
pub mod condition {
    /// Whether the certificate is signed.
    pub const READY: &str = "Ready";
    /// An approver let the request through.
    pub const APPROVED: &str = "Approved";
    /// An approver refused the request.
    pub const DENIED: &str = "Denied";
    /// The request can never be signed as it is.
    pub const INVALID_REQUEST: &str = "InvalidRequest";
}

/// Reasons of the Ready condition.
pub mod reason {
    /// Being worked on, or waiting.
    pub const PENDING: &str = "Pending";
    /// It failed for good.
    pub const FAILED: &str = "Failed";
    /// The certificate is there.
    pub const ISSUED: &str = "Issued";
    /// An approver refused it.
    pub const DENIED: &str = "Denied";
}
