//! A certificate with the certificates of those who vouch for it.

use x509_parser::extensions::ParsedExtension;

use super::certificate::{CertificateFacts, decode};
use super::{MAX_CERTIFICATE_SIZE, MAX_CHAIN_SIZE, PkiError, blocks, to_pem};

/// A chain in order: the leaf first, each certificate issued by the one that follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// The certificate that the others vouch for.
    pub leaf: CertificateFacts,
    /// The same in DER.
    pub leaf_der: Vec<u8>,
    /// Leaf and intermediates in PEM: what a server presents. The root is not among them, unless
    /// it is the leaf itself.
    pub chain_pem: String,
    /// The self-issued certificate at the end, in PEM, when there is one.
    pub ca_pem: Option<String>,
}

/// One certificate of a chain: what it says, and what proves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// What it says.
    pub facts: CertificateFacts,
    /// The whole certificate in DER.
    pub der: Vec<u8>,
    /// Whom it is for, in DER: what stands as the issuer in what its key signs.
    pub subject_der: Vec<u8>,
    /// The identifier that it gives its key, if it does (RFC 5280, section 4.2.1.2).
    pub key_identifier: Option<Vec<u8>>,
    /// The part that is signed, in DER.
    pub signed: Vec<u8>,
    /// Algorithm of the signature, an object identifier in dots.
    pub signature_algorithm: String,
    /// The signature.
    pub signature: Vec<u8>,
}

impl Link {
    /// Reads PEM certificates as they stand. Blocks of other types and repetitions are passed over.
    ///
    /// # Errors
    /// When there is no certificate, or one can not be read.
    pub fn parse_all(pem: &[u8]) -> Result<Vec<Self>, PkiError> {
        let mut links: Vec<Self> = Vec::new();
        for der in blocks("certificate chain", pem, &["CERTIFICATE"], MAX_CHAIN_SIZE)? {
            if der.len() > MAX_CERTIFICATE_SIZE {
                return Err(PkiError::ExceedSize { what: "certificate", size: der.len(), limit: MAX_CERTIFICATE_SIZE });
            }
            if !links.iter().any(|link| link.der == der) {
                links.push(Self::from_der(&der)?);
            }
        }
        Ok(links)
    }

    /// Reads PEM certificates in any order, which must be one chain: the leaf comes first, and each
    /// certificate is issued by the one that follows.
    ///
    /// # Errors
    /// When there is no certificate, one can not be read, or they are not one chain.
    pub fn parse_chain(pem: &[u8]) -> Result<Vec<Self>, PkiError> {
        sort(Self::parse_all(pem)?)
    }

    fn from_der(der: &[u8]) -> Result<Self, PkiError> {
        let certificate = decode(der)?;
        let identifier = |extension: &ParsedExtension<'_>| match extension {
            ParsedExtension::SubjectKeyIdentifier(identifier) => Some(identifier.0.to_vec()),
            _ => None,
        };
        Ok(Self {
            facts: CertificateFacts::of(&certificate)?,
            subject_der: certificate.subject().as_raw().to_vec(),
            key_identifier: certificate.iter_extensions().find_map(|one| identifier(one.parsed_extension())),
            signed: certificate.tbs_certificate.as_ref().to_vec(),
            signature_algorithm: certificate.signature_algorithm.algorithm.to_id_string(),
            signature: certificate.signature_value.data.to_vec(),
            der: der.to_vec(),
        })
    }

    /// The certificate in PEM.
    pub fn pem(&self) -> String {
        to_pem("CERTIFICATE", &self.der)
    }
}

impl Chain {
    /// Reads PEM certificates as [`Link::parse_chain`] does.
    ///
    /// # Errors
    /// When there is no certificate, one can not be read, or they are not one chain.
    pub fn parse(pem: &[u8]) -> Result<Self, PkiError> {
        Ok(Self::of(Link::parse_chain(pem)?))
    }

    fn of(mut links: Vec<Link>) -> Self {
        let first = links.first().expect("a chain has a leaf");
        let (leaf, leaf_der) = (first.facts.clone(), first.der.clone());
        let ca_pem = links.last().filter(|last| last.facts.is_self_issued()).map(Link::pem);
        if ca_pem.is_some() && links.len() > 1 {
            links.pop();
        }
        Self { leaf, leaf_der, chain_pem: links.iter().map(Link::pem).collect(), ca_pem }
    }
}

/// Puts the leaf first and each issuer after what it issued.
fn sort(mut links: Vec<Link>) -> Result<Vec<Link>, PkiError> {
    let issued_another =
        |link: &Link| links.iter().any(|other| other.der != link.der && other.facts.issuer == link.facts.subject);
    let first = links.iter().position(|link| !issued_another(link)).unwrap_or(0);
    let mut sorted = vec![links.remove(first)];
    while let Some(at) = links.iter().position(|link| sorted.last().is_some_and(|last| issued(link, last))) {
        sorted.push(links.remove(at));
    }
    match links.first() {
        None => Ok(sorted),
        Some(stray) => Err(PkiError::JoinChain { subject: stray.facts.subject.to_string() }),
    }
}

fn issued(issuer: &Link, subject: &Link) -> bool {
    !subject.facts.is_self_issued() && subject.facts.issuer == issuer.facts.subject
}
