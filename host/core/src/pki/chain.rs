//! A certificate with the certificates of those who vouch for it.

use super::certificate::CertificateFacts;
use super::{MAX_CERTIFICATE_SIZE, MAX_CHAIN_SIZE, PkiError, blocks, to_pem};

/// A chain in order: the leaf first, each certificate issued by the one that follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// The certificate that the others vouch for.
    pub leaf: CertificateFacts,
    /// Leaf and intermediates in PEM: what a server presents. The root is not among them, unless
    /// it is the leaf itself.
    pub chain_pem: String,
    /// The self-issued certificate at the end, in PEM, when there is one.
    pub ca_pem: Option<String>,
}

struct Link {
    der: Vec<u8>,
    facts: CertificateFacts,
}

impl Chain {
    /// Reads PEM certificates in any order. Blocks of other types and repetitions are passed over.
    ///
    /// # Errors
    /// When there is no certificate, one can not be read, or they are not one chain.
    pub fn parse(pem: &[u8]) -> Result<Self, PkiError> {
        let mut links = Vec::new();
        for der in blocks("certificate chain", pem, &["CERTIFICATE"], MAX_CHAIN_SIZE)? {
            if der.len() > MAX_CERTIFICATE_SIZE {
                return Err(PkiError::ExceedSize { what: "certificate", size: der.len(), limit: MAX_CERTIFICATE_SIZE });
            }
            let facts = CertificateFacts::from_der(&der)?;
            if !links.iter().any(|link: &Link| link.der == der) {
                links.push(Link { der, facts });
            }
        }
        Ok(Self::of(sort(links)?))
    }

    fn of(mut links: Vec<Link>) -> Self {
        let leaf = links.first().expect("a chain has a leaf").facts.clone();
        let ca_pem =
            links.last().filter(|last| last.facts.is_self_issued()).map(|last| to_pem("CERTIFICATE", &last.der));
        if ca_pem.is_some() && links.len() > 1 {
            links.pop();
        }
        let chain_pem = links.iter().map(|link| to_pem("CERTIFICATE", &link.der)).collect();
        Self { leaf, chain_pem, ca_pem }
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
