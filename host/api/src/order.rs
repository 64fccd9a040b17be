//! Order: one order at an ACME CA, for the names of one CertificateRequest.

use k8s_openapi::ByteString;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::duration::Duration;
use crate::meta::{IssuerRef, State};

/// What to order.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "acme.cert-manager.io",
    version = "v1",
    kind = "Order",
    namespaced,
    status = "OrderStatus",
    derive = "PartialEq",
    derive = "Default",
    category = "cert-manager",
    category = "cert-manager-acme",
    doc = "An order at an ACME certificate authority. It is made from a CertificateRequest, and \
           makes a Challenge for each name that is still to be proven. People look at it to see \
           how far an order is; they do not write it.",
    selectable = ".spec.issuerRef.group",
    selectable = ".spec.issuerRef.kind",
    selectable = ".spec.issuerRef.name",
    printcolumn(name = "State", type_ = "string", json_path = ".status.state"),
    printcolumn(name = "Issuer", type_ = "string", json_path = ".spec.issuerRef.name", priority = "1"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.reason", priority = "1"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct OrderSpec {
    /// The certificate signing request, in PEM, that finalizes the order. It can not be changed.
    #[schemars(schema_with = "crate::schema::bytes")]
    pub request: ByteString,
    /// The ACME issuer to order from.
    pub issuer_ref: IssuerRef,
    /// Common name of the request, if it has one. It must be among the DNS names or IP addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub common_name: Option<String>,
    /// DNS names to order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dns_names: Vec<String>,
    /// IP addresses to order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ip_addresses: Vec<String>,
    /// Lifetime to ask for, where the CA lets its clients choose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<Duration>,
    /// Certificate profile to ask for, one of those that the CA announces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Identifier of the certificate that this order replaces (RFC 9773, section 5).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
}

/// How far the order is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderStatus {
    /// Address of the order at the CA. Once set, it stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Address that takes the certificate signing request. Once set, it stays.
    #[serde(default, rename = "finalizeURL", skip_serializing_if = "Option::is_none")]
    pub finalize_url: Option<String>,
    /// When the CA had made the order. Once set, it stays. What was spent of the CA's limits is read from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_time: Option<Time>,
    /// What the CA wants to have proven, in its order. Once set, it stays.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub authorizations: Vec<Authorization>,
    /// Where the order stands. Valid, invalid, expired and errored are final.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// Why it stands there, as a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When the order failed, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_time: Option<Time>,
    /// The certificate with its chain, in PEM, leaf first. Once set, it stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::bytes")]
    pub certificate: Option<ByteString>,
}

/// A name that the CA wants to have proven.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Authorization {
    /// Address of the authorization at the CA.
    pub url: String,
    /// The DNS name or IP address, without a wildcard label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identifier: Option<String>,
    /// Whether the order is for `*.` of the identifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wildcard: Option<bool>,
    /// How the authorization stood when the order was made. A valid one needs no Challenge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial_state: Option<State>,
    /// The ways to prove it that the CA offers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub challenges: Vec<OfferedChallenge>,
}

/// One way to prove a name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OfferedChallenge {
    /// Address of the challenge at the CA.
    pub url: String,
    /// The CA's token for it.
    pub token: String,
    /// The CA's word for the way: http-01, dns-01 or another.
    #[serde(rename = "type")]
    pub type_: String,
    /// What the CA calls itself in a record of dns-persist-01. (An addition of Signet.)
    #[serde(default, rename = "issuerDomainNames", skip_serializing_if = "Vec::is_empty")]
    pub issuer_domain_names: Vec<String>,
}
