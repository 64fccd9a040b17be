//! One certificate, read from DER.

use std::collections::BTreeSet;

use jiff::Timestamp;
use signet_api::KeyUsage;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::FromDer;

use super::key::PublicKeyFacts;
use super::names::Names;
use super::subject::DistinguishedName;
use super::{PkiError, usages};

/// What a certificate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFacts {
    /// Whom it is for.
    pub subject: DistinguishedName,
    /// Who signed it.
    pub issuer: DistinguishedName,
    /// Serial number, lowercase hexadecimal without separators.
    pub serial: String,
    /// Start of its lifetime.
    pub not_before: Timestamp,
    /// End of its lifetime.
    pub not_after: Timestamp,
    /// Subject alternative names.
    pub names: Names,
    /// The key that it certifies.
    pub public_key: PublicKeyFacts,
    /// Whether it may sign others.
    pub is_ca: bool,
    /// What its key may be used for.
    pub usages: BTreeSet<KeyUsage>,
}

/// What the extensions of a certificate or a request say.
#[derive(Default)]
pub(super) struct Extensions {
    pub(super) names: Names,
    pub(super) is_ca: Option<bool>,
    pub(super) usages: BTreeSet<KeyUsage>,
}

impl Extensions {
    pub(super) fn of<'a>(parsed: impl IntoIterator<Item = &'a ParsedExtension<'a>>) -> Self {
        let mut facts = Self::default();
        for extension in parsed {
            match extension {
                ParsedExtension::SubjectAlternativeName(san) => facts.names = Names::of(&san.general_names),
                ParsedExtension::BasicConstraints(constraints) => facts.is_ca = Some(constraints.ca),
                ParsedExtension::KeyUsage(bits) => facts.usages.extend(usages::from_bits(bits)),
                ParsedExtension::ExtendedKeyUsage(extended) => facts.usages.extend(usages::from_extended(extended)),
                _ => {}
            }
        }
        facts
    }
}

impl CertificateFacts {
    /// Reads a certificate in DER.
    ///
    /// # Errors
    /// When it is not one, or something follows it.
    pub fn from_der(der: &[u8]) -> Result<Self, PkiError> {
        Self::of(&decode(der)?)
    }

    pub(super) fn of(certificate: &X509Certificate<'_>) -> Result<Self, PkiError> {
        let time = |seconds| Timestamp::from_second(seconds).map_err(|error| undecoded(error.to_string()));
        let Extensions { names, is_ca, usages } =
            Extensions::of(certificate.iter_extensions().map(|extension| extension.parsed_extension()));
        let validity = certificate.validity();
        Ok(Self {
            subject: DistinguishedName::of(certificate.subject()),
            issuer: DistinguishedName::of(certificate.issuer()),
            serial: hex(certificate.raw_serial()),
            not_before: time(validity.not_before.timestamp())?,
            not_after: time(validity.not_after.timestamp())?,
            names,
            public_key: PublicKeyFacts::of(certificate.public_key()),
            is_ca: is_ca.unwrap_or(false),
            usages,
        })
    }

    /// Whether it names itself as its issuer, as the root of a chain does.
    pub fn is_self_issued(&self) -> bool {
        self.subject == self.issuer
    }

    /// Whether clients take what its key has signed for a certificate (RFC 5280, section 6.1.4): it
    /// is an authority's, and its key usage, if it has one, says so.
    pub fn may_sign_others(&self) -> bool {
        self.is_ca && (self.usages.contains(&KeyUsage::CertSign) || !self.usages.iter().any(is_bit))
    }

    /// Whether clients take a list of revoked certificates that its key has signed (RFC 5280, section
    /// 6.3.3): its key usage, if it has one, says so.
    pub fn may_sign_lists(&self) -> bool {
        self.usages.contains(&KeyUsage::CrlSign) || !self.usages.iter().any(is_bit)
    }
}

pub(super) fn decode(der: &[u8]) -> Result<X509Certificate<'_>, PkiError> {
    let (rest, certificate) = X509Certificate::from_der(der).map_err(|error| undecoded(error.to_string()))?;
    match rest.len() {
        0 => Ok(certificate),
        left => Err(undecoded(format!("{left} bytes follow it"))),
    }
}

fn is_bit(usage: &KeyUsage) -> bool {
    matches!(usages::usage_code(*usage), usages::UsageCode::Bit(_))
}

fn undecoded(reason: String) -> PkiError {
    PkiError::Decode { what: "certificate", reason }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
