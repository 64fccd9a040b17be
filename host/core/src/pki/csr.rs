//! A certificate signing request (RFC 2986).

use std::collections::BTreeSet;

use signet_api::KeyUsage;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::cri_attributes::ParsedCriAttribute;
use x509_parser::extensions::X509Extension;
use x509_parser::oid_registry::OID_X509_EXT_NAME_CONSTRAINTS;
use x509_parser::prelude::FromDer;

use super::certificate::Extensions;
use super::key::PublicKeyFacts;
use super::names::Names;
use super::subject::DistinguishedName;
use super::{MAX_CERTIFICATE_SIZE, PkiError, blocks};

/// What a signing request says. Whether its signature holds is for `signet_pki::verify_request`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Csr {
    /// Whom the certificate is to be for.
    pub subject: DistinguishedName,
    /// The same in DER.
    pub subject_der: Vec<u8>,
    /// Subject alternative names.
    pub names: Names,
    /// The key to certify.
    pub public_key: PublicKeyFacts,
    /// What basicConstraints say; none when they are not there.
    pub is_ca: Option<bool>,
    /// What the key is to be used for; empty when the request leaves that open.
    pub usages: BTreeSet<KeyUsage>,
    /// The names that it may sign for, for one that may sign others: whether that is critical, and the
    /// value of nameConstraints in DER (RFC 5280, section 4.2.1.10).
    pub name_constraints: Option<(bool, Vec<u8>)>,
    /// The part that is signed, in DER.
    pub signed: Vec<u8>,
    /// Algorithm of the signature, an object identifier in dots.
    pub signature_algorithm: String,
    /// The signature.
    pub signature: Vec<u8>,
    /// The whole request in DER, as an ACME authority takes it.
    pub der: Vec<u8>,
}

impl Csr {
    /// Reads the first request in a PEM text.
    ///
    /// # Errors
    /// When there is none, or it can not be read.
    pub fn parse(pem: &[u8]) -> Result<Self, PkiError> {
        let tags = ["CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"];
        let mut found = blocks("certificate signing request", pem, &tags, MAX_CERTIFICATE_SIZE)?;
        Self::from_der(found.swap_remove(0))
    }

    fn from_der(der: Vec<u8>) -> Result<Self, PkiError> {
        let failed = |reason| PkiError::Decode { what: "certificate signing request", reason };
        let (rest, request) = X509CertificationRequest::from_der(&der).map_err(|error| failed(error.to_string()))?;
        if !rest.is_empty() {
            return Err(failed(format!("{} bytes follow it", rest.len())));
        }
        let info = &request.certification_request_info;
        let asked = info.iter_attributes().find_map(|attribute| match attribute.parsed_attribute() {
            ParsedCriAttribute::ExtensionRequest(asked) => Some(asked.extensions.as_slice()),
            _ => None,
        });
        let asked = asked.unwrap_or_default();
        let extensions = Extensions::of(asked.iter().map(X509Extension::parsed_extension));
        let constraints = asked.iter().find(|extension| extension.oid == OID_X509_EXT_NAME_CONSTRAINTS);
        Ok(Self {
            subject: DistinguishedName::of(&info.subject),
            subject_der: info.subject.as_raw().to_vec(),
            names: extensions.names,
            public_key: PublicKeyFacts::of(&info.subject_pki),
            is_ca: extensions.is_ca,
            usages: extensions.usages,
            name_constraints: constraints.map(|extension| (extension.critical, extension.value.to_vec())),
            signed: info.raw.to_vec(),
            signature_algorithm: request.signature_algorithm.algorithm.to_id_string(),
            signature: request.signature_value.data.to_vec(),
            der: der.clone(),
        })
    }

    /// The common name of the subject.
    pub fn common_name(&self) -> Option<&str> {
        self.subject.common_name()
    }
}
