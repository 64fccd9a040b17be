//! Certificate: a key pair and a signed certificate, kept up to date in a Secret.

mod keystores;
mod parts;
mod private_key;

pub use keystores::{JksKeystore, Keystores, Pkcs12Keystore, Pkcs12Profile};
pub use parts::{
    AdditionalOutputFormat, NameConstraintItem, NameConstraints, OtherName, OutputFormatType, Renewal, RenewalPolicy,
    RenewalWindow, SecretTemplate, Subject,
};
pub use private_key::{CertificatePrivateKey, KeyAlgorithm, KeyEncoding, RotationPolicy, SignatureAlgorithm};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::duration::Duration;
use crate::meta::{Condition, IssuerRef, is_false};
use crate::usages::KeyUsage;

/// The certificate that is wanted, and where it goes.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "cert-manager.io",
    version = "v1",
    kind = "Certificate",
    namespaced,
    status = "CertificateStatus",
    derive = "PartialEq",
    derive = "Default",
    category = "cert-manager",
    shortname = "cert",
    shortname = "certs",
    doc = "A TLS certificate that is wanted: for which names, signed by which issuer, kept in which \
           Secret. It is issued, renewed before it expires, and issued again when this object or \
           the Secret changes so that they no longer agree.",
    selectable = ".spec.issuerRef.group",
    selectable = ".spec.issuerRef.kind",
    selectable = ".spec.issuerRef.name",
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type == "Ready")].status"#),
    printcolumn(name = "Secret", type_ = "string", json_path = ".spec.secretName"),
    printcolumn(name = "Issuer", type_ = "string", json_path = ".spec.issuerRef.name", priority = "1"),
    printcolumn(
        name = "Status",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type == "Ready")].message"#,
        priority = "1"
    ),
    printcolumn(name = "Expiration", type_ = "string", json_path = ".status.notAfter", priority = "1"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct CertificateSpec {
    /// Name of the Secret, in the same namespace, that the key (tls.key) and the certificate with
    /// its chain (tls.crt) are written to. It is made when there is none. No two Certificates may
    /// share one.
    pub secret_name: String,
    /// The issuer that signs.
    pub issuer_ref: IssuerRef,
    /// Common name of the subject, at most 64 bytes. Clients go by the names below; issuers of the
    /// ACME type want it to be one of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub common_name: Option<String>,
    /// DNS names that the certificate is for, www.example.com or *.example.com.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dns_names: Vec<String>,
    /// IP addresses that the certificate is for, IPv4 or IPv6.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ip_addresses: Vec<String>,
    /// URIs that the certificate is for, spiffe://cluster.local/ns/web/sa/api for example.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub uris: Vec<String>,
    /// Email addresses that the certificate is for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub email_addresses: Vec<String>,
    /// Names of other types that the certificate is for, each an object identifier with a value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_names: Vec<OtherName>,
    /// The subject as one string (RFC 4514), CN=web,OU=shop,O=Example, for what subject can not
    /// say. It takes the place of commonName and subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub literal_subject: Option<String>,
    /// The subject's attributes, beside the common name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Subject>,
    /// Lifetime to ask for, at least 1h; 2160h (90 days) when it is left out. The issuer may give
    /// another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<Duration>,
    /// How long before the end of the lifetime the certificate is renewed, at least 5m; a third of
    /// the lifetime when neither this nor renewBeforePercentage is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renew_before: Option<Duration>,
    /// The same as a percentage of the lifetime: 25 renews when a quarter of it is left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renew_before_percentage: Option<i32>,
    /// Whether, and in which hours, the certificate is renewed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renewal: Option<Renewal>,
    /// Whether the certificate may sign others. It adds the usage cert sign.
    #[serde(default, rename = "isCA", skip_serializing_if = "is_false")]
    pub is_ca: bool,
    /// What the key may be used for; digital signature and key encipherment when it is left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub usages: Vec<KeyUsage>,
    /// Whether the signing request carries the usages, true when it is left out. False is for
    /// issuers that refuse requests with them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encode_usages_in_request: Option<bool>,
    /// The private key: its algorithm, its size, how it is written down, and whether each issuance
    /// makes a new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_key: Option<CertificatePrivateKey>,
    /// Algorithm that signs the request. It must suit the key; left out, the key's usual one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature_algorithm: Option<SignatureAlgorithm>,
    /// Annotations and labels for the Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_template: Option<SecretTemplate>,
    /// Further forms of key and certificate to keep in the Secret.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub additional_output_formats: Vec<AdditionalOutputFormat>,
    /// Keystore files to keep in the Secret, for programs that do not read PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keystores: Option<Keystores>,
    /// Names that the certificate may, and may not, sign for. Only with isCA.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_constraints: Option<NameConstraints>,
    /// How many CertificateRequests of past issuances are kept, at least 1; 1 when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision_history_limit: Option<i32>,
}

/// How the certificate stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CertificateStatus {
    /// Ready: the Secret holds a certificate that is as this object wants it. Issuing: one is being
    /// issued, or the last attempt failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// Start of the lifetime of the certificate in the Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Time>,
    /// End of the lifetime of the certificate in the Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<Time>,
    /// When the certificate is going to be renewed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renewal_time: Option<Time>,
    /// How many times a certificate was issued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::integer")]
    pub revision: Option<i64>,
    /// Name of the Secret that holds the key of the issuance under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_private_key_secret_name: Option<String>,
    /// When the last attempt failed; gone after a success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failure_time: Option<Time>,
    /// How many attempts have failed since the last success. The wait before the next one doubles
    /// with each: 1h, 2h, 4h, up to 32h.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::integer")]
    pub failed_issuance_attempts: Option<i64>,
    /// What the ACME certificate authority says of the certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acme: Option<CertificateAcmeStatus>,
}

/// What the ACME certificate authority says of a certificate.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CertificateAcmeStatus {
    /// When the authority would like to see it renewed (RFC 9773).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ari: Option<RenewalInformation>,
}

/// The authority's renewal information (RFC 9773).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RenewalInformation {
    /// The time in which the authority would like to see the renewal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suggested_window: Option<SuggestedWindow>,
    /// A page that says why, where the authority gives one.
    #[serde(default, rename = "explanationURL", skip_serializing_if = "Option::is_none")]
    pub explanation_url: Option<String>,
    /// When the authority said so. That it says the same again is not written down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_checked: Option<Time>,
    /// When it is going to be asked again. Signet keeps that in memory and leaves this out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_check: Option<Time>,
    /// What it answered that is of no use, or that it has not answered for a day; gone once it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}

/// A span of time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SuggestedWindow {
    /// Its start.
    pub start: Time,
    /// Its end.
    pub end: Time,
}

/// Types of conditions.
pub mod condition {
    /// The Secret holds what is wanted.
    pub const READY: &str = "Ready";
    /// An issuance is under way, or the last one failed.
    pub const ISSUING: &str = "Issuing";
    /// The certificate that the message names was revoked, or is to be and is not.
    pub const REVOKED: &str = "Revoked";
}
