//! Distinguished names: as read from DER, and as a spec asks for them.

use std::fmt;

use signet_api::CertificateSpec;
use x509_parser::x509::X509Name;

use super::dns_name::requested_common_name;
use super::literal::parse_literal_subject;
use super::{PkiError, literal};

/// Object identifiers of the attributes that subjects are made of (RFC 4519).
pub mod oid {
    /// commonName.
    pub const COMMON_NAME: &str = "2.5.4.3";
    /// serialNumber.
    pub const SERIAL_NUMBER: &str = "2.5.4.5";
    /// countryName.
    pub const COUNTRY: &str = "2.5.4.6";
    /// localityName.
    pub const LOCALITY: &str = "2.5.4.7";
    /// stateOrProvinceName.
    pub const PROVINCE: &str = "2.5.4.8";
    /// streetAddress.
    pub const STREET_ADDRESS: &str = "2.5.4.9";
    /// organizationName.
    pub const ORGANIZATION: &str = "2.5.4.10";
    /// organizationalUnitName.
    pub const ORGANIZATIONAL_UNIT: &str = "2.5.4.11";
    /// postalCode.
    pub const POSTAL_CODE: &str = "2.5.4.17";
    /// domainComponent.
    pub const DOMAIN_COMPONENT: &str = "0.9.2342.19200300.100.1.25";
    /// userId.
    pub const USER_ID: &str = "0.9.2342.19200300.100.1.1";
    /// emailAddress (PKCS #9).
    pub const EMAIL_ADDRESS: &str = "1.2.840.113549.1.9.1";
}

/// One attribute of a distinguished name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attribute {
    /// Its type, an object identifier in dots.
    pub oid: String,
    /// Its value.
    pub value: String,
}

/// A distinguished name: relative names in the order in which DER holds them, each a set of
/// attributes, sorted here so that equal sets are equal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DistinguishedName(pub Vec<Vec<Attribute>>);

impl DistinguishedName {
    pub(super) fn of(name: &X509Name<'_>) -> Self {
        let rdns = name.iter_rdn().map(|rdn| {
            let mut attributes: Vec<_> = rdn
                .iter()
                .map(|attribute| Attribute {
                    oid: attribute.attr_type().to_id_string(),
                    value: match attribute.as_str() {
                        Ok(text) => text.to_owned(),
                        Err(_) => String::from_utf8_lossy(attribute.as_slice()).into_owned(),
                    },
                })
                .collect();
            attributes.sort();
            attributes
        });
        Self(rdns.collect())
    }

    /// The values of one type, in order.
    pub fn values(&self, oid: &str) -> Vec<&str> {
        self.0.iter().flatten().filter(|attribute| attribute.oid == oid).map(|a| a.value.as_str()).collect()
    }

    /// The last common name, which is the most specific one.
    pub fn common_name(&self) -> Option<&str> {
        self.values(oid::COMMON_NAME).last().copied().filter(|name| !name.is_empty())
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for DistinguishedName {
    /// Writes the form of RFC 4514, without its escapes: for messages only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, attribute) in self.0.iter().rev().flatten().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            write!(f, "{comma}{}={}", literal::short_name(&attribute.oid), attribute.value)?;
        }
        Ok(())
    }
}

/// The subject that a spec asks for: `literalSubject`, or `subject` and `commonName`.
///
/// # Errors
/// When `literalSubject` can not be read.
pub fn requested_subject(spec: &CertificateSpec) -> Result<DistinguishedName, PkiError> {
    match spec.literal_subject.as_deref().filter(|literal| !literal.is_empty()) {
        Some(literal) => parse_literal_subject(literal),
        None => Ok(structured_subject(spec)),
    }
}

fn structured_subject(spec: &CertificateSpec) -> DistinguishedName {
    let subject = spec.subject.clone().unwrap_or_default();
    let common_name: Vec<_> = requested_common_name(spec).into_iter().map(Into::into).collect();
    let serial_number: Vec<_> = subject.serial_number.iter().cloned().collect();
    // One relative name to a type, in the order that most issuers write.
    let rdns = [
        (oid::COUNTRY, &subject.countries),
        (oid::ORGANIZATION, &subject.organizations),
        (oid::ORGANIZATIONAL_UNIT, &subject.organizational_units),
        (oid::LOCALITY, &subject.localities),
        (oid::PROVINCE, &subject.provinces),
        (oid::STREET_ADDRESS, &subject.street_addresses),
        (oid::POSTAL_CODE, &subject.postal_codes),
        (oid::COMMON_NAME, &common_name),
        (oid::SERIAL_NUMBER, &serial_number),
    ]
    .map(|(oid, values)| {
        let named = values.iter().filter(|value| !value.is_empty());
        let mut rdn: Vec<_> = named.map(|value| Attribute { oid: oid.to_owned(), value: value.clone() }).collect();
        rdn.sort();
        rdn.dedup();
        rdn
    });
    DistinguishedName(rdns.into_iter().filter(|rdn| !rdn.is_empty()).collect())
}
