//! The smaller parts of a Certificate's spec.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::duration::Duration;
use crate::meta::is_false;

/// Attributes of an X.509 subject, beside the common name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Subject {
    /// Organizations (O).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub organizations: Vec<String>,
    /// Organizational units (OU).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub organizational_units: Vec<String>,
    /// Countries (C), each a code of two letters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub countries: Vec<String>,
    /// States or provinces (ST).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub provinces: Vec<String>,
    /// Cities (L).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub localities: Vec<String>,
    /// Street addresses (STREET).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub street_addresses: Vec<String>,
    /// Postal codes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub postal_codes: Vec<String>,
    /// Serial number of the subject, which is not that of the certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial_number: Option<String>,
}

/// A name of a type of its own (RFC 5280, section 4.2.1.6, otherName).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OtherName {
    /// Object identifier of the type, in dots: 1.3.6.1.4.1.311.20.2.3 is a user principal name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oid: Option<String>,
    /// The name itself.
    #[serde(default, rename = "utf8Value", skip_serializing_if = "Option::is_none")]
    pub utf8_value: Option<String>,
}

/// Whether and when to renew.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Renewal {
    /// RenewBefore, the way when it is left out, renews by renewBefore or renewBeforePercentage.
    /// Disabled lets the certificate expire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<RenewalPolicy>,
    /// Times in which a renewal may happen. One that falls outside waits for the next, as long as
    /// the certificate does not expire meanwhile.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<RenewalWindow>,
}

/// Whether to renew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = crate::schema::undescribed)]
pub enum RenewalPolicy {
    /// Renew before the end of the lifetime.
    #[default]
    RenewBefore,
    /// Never renew.
    Disabled,
}

/// A recurring span of time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RenewalWindow {
    /// When the window opens, as five cron fields: 0 2 * * 6 is Saturdays at 02:00.
    pub cron: String,
    /// How long it stays open, 4h for example.
    pub window_duration: Duration,
    /// Time zone that cron is read in, by its IANA name, Europe/Zurich; UTC when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
}

/// Annotations and labels for the Secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SecretTemplate {
    /// Annotations to set. Those of cert-manager.io are not for users, save
    /// cert-manager.io/allow-direct-injection.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Labels to set.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// A further form of key and certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AdditionalOutputFormat {
    /// DER keeps the key, in binary, as key.der. CombinedPEM keeps key and chain in one file,
    /// tls-combined.pem.
    #[serde(rename = "type")]
    pub type_: OutputFormatType,
}

/// A form of key and certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = crate::schema::undescribed)]
pub enum OutputFormatType {
    /// The key, in binary.
    #[serde(rename = "DER")]
    Der,
    /// Key and chain in one PEM file.
    #[serde(rename = "CombinedPEM")]
    CombinedPem,
}

/// Which names a signing certificate is good for (RFC 5280, section 4.2.1.10).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NameConstraints {
    /// Whether a client that does not know name constraints must refuse the certificate.
    #[serde(default, skip_serializing_if = "is_false")]
    pub critical: bool,
    /// Names that may be signed for; for each type that stands here, no others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permitted: Option<NameConstraintItem>,
    /// Names that may not be signed for, even when permitted has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excluded: Option<NameConstraintItem>,
}

/// Names by type.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NameConstraintItem {
    /// DNS domains with everything below them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dns_domains: Vec<String>,
    /// Ranges of IP addresses in CIDR notation, 10.0.0.0/8.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ip_ranges: Vec<String>,
    /// Email addresses, or the hosts that hold them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub email_addresses: Vec<String>,
    /// Hosts of URIs; a leading dot means everything below.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub uri_domains: Vec<String>,
}
