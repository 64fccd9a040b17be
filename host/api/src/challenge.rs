//! Challenge: one proof that one name is under our control.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::meta::{IssuerRef, State, is_false};
use crate::solver::Solver;

/// What to prove, and how.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "acme.cert-manager.io",
    version = "v1",
    kind = "Challenge",
    namespaced,
    status = "ChallengeStatus",
    derive = "PartialEq",
    derive = "Default",
    category = "cert-manager",
    category = "cert-manager-acme",
    doc = "A proof, for an ACME certificate authority, that one name is under the control of this \
           cluster. It is made from an Order and goes with it. People look at it to see why a name \
           is not proven; they do not write it.",
    selectable = ".spec.issuerRef.group",
    selectable = ".spec.issuerRef.kind",
    selectable = ".spec.issuerRef.name",
    printcolumn(name = "State", type_ = "string", json_path = ".status.state"),
    printcolumn(name = "Domain", type_ = "string", json_path = ".spec.dnsName"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.reason", priority = "1"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct ChallengeSpec {
    /// Address of the challenge at the CA.
    pub url: String,
    /// Address of the authorization, at the CA, that the challenge belongs to.
    #[serde(rename = "authorizationURL")]
    pub authorization_url: String,
    /// The name to prove, without a wildcard label; an IP address stands here as it is written.
    pub dns_name: String,
    /// Whether the certificate is for `*.` of the name.
    #[serde(default, skip_serializing_if = "is_false")]
    pub wildcard: bool,
    /// The way of proving: HTTP-01 (a file on a web server), DNS-01 (a TXT record), TLS-ALPN-01 (a TLS
    /// handshake), DNS-ACCOUNT-01 (a TXT record of the account's own) or DNS-PERSIST-01 (a TXT record that
    /// stays).
    #[serde(rename = "type")]
    pub type_: ChallengeType,
    /// The CA's token.
    pub token: String,
    /// What to show: the value of the TXT record for the ways of the DNS, else the key authorization.
    pub key: String,
    /// The labels before the name that the TXT record stands at, where they are not _acme-challenge. (An
    /// addition of Signet.)
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record_prefix: Option<String>,
    /// The solver that shows it, as it stood on the issuer when the Challenge was made.
    pub solver: Solver,
    /// The ACME issuer that the order is for.
    pub issuer_ref: IssuerRef,
}

/// A way of proving a name (RFC 8555, section 8).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = crate::schema::undescribed)]
pub enum ChallengeType {
    /// A file on the name's web server (section 8.3).
    #[default]
    #[serde(rename = "HTTP-01")]
    Http01,
    /// A TXT record below the name (section 8.4).
    #[serde(rename = "DNS-01")]
    Dns01,
    /// A certificate that the name's port 443 answers the CA's handshake with (RFC 8737).
    #[serde(rename = "TLS-ALPN-01")]
    TlsAlpn01,
    /// A TXT record below the name, at a label of the account's own (draft-ietf-acme-dns-account-label).
    #[serde(rename = "DNS-ACCOUNT-01")]
    DnsAccount01,
    /// A TXT record below the name that stays there (draft-ietf-acme-dns-persist).
    #[serde(rename = "DNS-PERSIST-01")]
    DnsPersist01,
}

impl ChallengeSpec {
    /// The labels before the name that its TXT record stands at.
    pub fn record_prefix_or_default(&self) -> &str {
        self.record_prefix.as_deref().unwrap_or("_acme-challenge")
    }
}

impl ChallengeType {
    /// The CA's word for it.
    pub fn acme_name(self) -> &'static str {
        match self {
            Self::Http01 => "http-01",
            Self::Dns01 => "dns-01",
            Self::TlsAlpn01 => "tls-alpn-01",
            Self::DnsAccount01 => "dns-account-01",
            Self::DnsPersist01 => "dns-persist-01",
        }
    }

    /// Whether a record in the DNS is the proof.
    pub fn is_in_dns(self) -> bool {
        match self {
            Self::Dns01 | Self::DnsAccount01 | Self::DnsPersist01 => true,
            Self::Http01 | Self::TlsAlpn01 => false,
        }
    }
}

/// How far the proof is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChallengeStatus {
    /// Whether the Challenge is being worked on: it has been admitted under the limit on
    /// concurrent ones.
    #[serde(default, skip_serializing_if = "is_false")]
    pub processing: bool,
    /// Whether the solver shows the proof now, so that it must clean up.
    #[serde(default, skip_serializing_if = "is_false")]
    pub presented: bool,
    /// When the solver first showed the proof.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub presented_at: Option<Time>,
    /// What the solver asked to be reminded of when it cleans up, in base64. It holds no
    /// credential. (An addition of Signet.)
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
    /// Where the challenge stands. Valid, invalid, expired and errored are final.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// Why it stands there, as a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
