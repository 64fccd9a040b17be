//! Issuer: who signs the certificates of a namespace, and how to ask them.

mod acme;
mod vault;
mod venafi;

pub use acme::{AcmeIssuer, EabKeyAlgorithm, ExternalAccountBinding, RenewalInformationSource};
pub use vault::{VaultAppRole, VaultAuth, VaultAws, VaultClientCertificate, VaultIssuer, VaultKubernetes};
pub use venafi::{VenafiCloud, VenafiIssuer, VenafiNgts, VenafiTpp};

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::meta::Condition;

/// How to sign: exactly one of acme, ca, vault, selfSigned and venafi.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "cert-manager.io",
    version = "v1",
    kind = "Issuer",
    namespaced,
    status = "IssuerStatus",
    derive = "PartialEq",
    derive = "Default",
    category = "cert-manager",
    shortname = "iss",
    doc = "Says how certificates are signed, for Certificates of the same namespace. Secrets that \
           it names are read in that namespace.",
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type == "Ready")].status"#),
    printcolumn(
        name = "Status",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type == "Ready")].message"#,
        priority = "1"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct IssuerSpec {
    /// An authority that speaks ACME (RFC 8555), Let's Encrypt for example: it signs once solvers
    /// have proven that the names are yours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acme: Option<AcmeIssuer>,
    /// An authority whose key pair is in a Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<CaIssuer>,
    /// The PKI secrets engine of a HashiCorp Vault or OpenBao server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vault: Option<VaultIssuer>,
    /// No authority: each certificate is signed by its own key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub self_signed: Option<SelfSignedIssuer>,
    /// CyberArk Certificate Manager, formerly Venafi.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub venafi: Option<VenafiIssuer>,
}

/// Whether the issuer can sign.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct IssuerStatus {
    /// Ready: Certificates can be signed. Its message says what is wrong when they can not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// The account at the ACME authority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acme: Option<AcmeStatus>,
}

/// The account at an ACME authority.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AcmeStatus {
    /// Address of the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// The email address that the authority was last told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_registered_email: Option<String>,
    /// Digest of the account's private key when it was last checked, to notice another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_private_key_hash: Option<String>,
}

/// An authority whose key pair is in a Secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CaIssuer {
    /// Name of the Secret that holds the authority's certificate (tls.crt) and key (tls.key).
    pub secret_name: String,
    /// Addresses of the revocation list, to be written into each certificate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub crl_distribution_points: Vec<String>,
    /// Addresses of OCSP responders, to be written into each certificate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ocsp_servers: Vec<String>,
    /// Addresses of the authority's own certificate, to be written into each certificate.
    #[serde(default, rename = "issuingCertificateURLs", skip_serializing_if = "Vec::is_empty")]
    pub issuing_certificate_urls: Vec<String>,
}

/// No authority.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SelfSignedIssuer {
    /// Addresses of the revocation list, to be written into each certificate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub crl_distribution_points: Vec<String>,
}

/// Types of conditions.
pub mod condition {
    /// Certificates can be signed.
    pub const READY: &str = "Ready";
    /// Of an ACME issuer: True while the account is to change, as `kubectl signet account` asks for by setting
    /// it; else, what came of it.
    pub const ACCOUNT_CHANGE: &str = "AccountChange";

    /// Reasons of the condition AccountChange.
    pub mod change {
        /// The account is to get another key.
        pub const ROLLOVER_REQUESTED: &str = "RolloverRequested";
        /// It has got one.
        pub const ROLLED_OVER: &str = "RolledOver";
        /// It keeps the one that it has.
        pub const ROLLOVER_REFUSED: &str = "RolloverRefused";
        /// The account is to end.
        pub const DEACTIVATION_REQUESTED: &str = "DeactivationRequested";
        /// It has ended.
        pub const DEACTIVATED: &str = "Deactivated";
        /// It goes on.
        pub const DEACTIVATION_REFUSED: &str = "DeactivationRefused";
    }
}
