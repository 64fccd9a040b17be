//! What the CA says, as plain data: the vocabulary that the ACME edge answers in and that the
//! decisions for Order and Challenge are made from (RFC 8555, section 7.1).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The state of an order at the CA (RFC 8555, section 7.1.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OrderStatus {
    Pending,
    Ready,
    Processing,
    Valid,
    Invalid,
}

/// The state of an authorization at the CA (RFC 8555, section 7.1.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuthorizationStatus {
    Pending,
    Valid,
    Invalid,
    Deactivated,
    Expired,
    Revoked,
}

/// What an order proves: a DNS name or an IP address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "type", content = "value", rename_all = "lowercase")]
pub enum Identifier {
    Dns(String),
    Ip(std::net::IpAddr),
}

/// An order as the CA shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderAtCa {
    pub url: String,
    pub finalize_url: String,
    pub status: OrderStatus,
    /// URLs of the authorizations, in the CA's order.
    pub authorization_urls: Vec<String>,
    /// URL of the certificate, once the order is valid.
    pub certificate_url: Option<String>,
    /// What the CA has against the order, as a sentence with a part for each name.
    pub problem: Option<String>,
    /// How long the CA asks to wait before the next look.
    pub retry_after: Option<std::time::Duration>,
}

/// An authorization as the CA shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorizationAtCa {
    pub url: String,
    pub identifier: Identifier,
    pub wildcard: bool,
    pub status: AuthorizationStatus,
    pub expires: Option<Timestamp>,
    pub challenges: Vec<ChallengeAtCa>,
    pub retry_after: Option<std::time::Duration>,
}

/// A challenge that the CA offers for an authorization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChallengeAtCa {
    /// The CA's own word: `http-01`, `dns-01`, `tls-alpn-01`, `dns-account-01`, `dns-persist-01` or another.
    pub kind: String,
    pub url: String,
    pub token: String,
    /// `pending`, `processing`, `valid` or `invalid`.
    pub status: String,
    /// Why validation failed, as a sentence.
    pub problem: Option<String>,
    /// What the CA calls itself in a record of dns-persist-01.
    pub issuer_domain_names: Vec<String>,
}

/// When the CA would like to see a certificate renewed (RFC 9773, section 4.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenewalAtCa {
    /// The window begins before it ends.
    pub start: Timestamp,
    pub end: Timestamp,
    /// A page that says why, where the CA gives one.
    pub explanation_url: Option<String>,
    /// How long the CA asks to wait before the next question.
    pub retry_after: Option<std::time::Duration>,
}
