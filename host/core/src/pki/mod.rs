//! Reading and comparing certificates, signing requests and specs: pure, and total on any input.
//!
//! PEM comes in, plain facts come out ([`Chain`], [`Csr`], [`KeyFacts`]); the rest of the module
//! compares such facts with a `CertificateSpec`. Making keys and signatures, and checking them,
//! needs a cryptographic library and is left to the edge (`signet-pki`).

mod annotations;
mod certificate;
mod chain;
mod compare;
mod csr;
mod dns_name;
mod key;
mod literal;
mod names;
mod renewal;
mod subject;
mod usages;
mod validate;

pub use annotations::secret_annotations;
pub use certificate::CertificateFacts;
pub use chain::{Chain, Link};
pub use compare::{public_key_matches, request_mismatch, secret_mismatch, spec_mismatch};
pub use csr::Csr;
pub(crate) use dns_name::ascii_or_same;
pub use dns_name::{ascii_name, name_fault};
pub use key::{KeyFacts, PublicKeyFacts, key_violation};
pub use literal::parse_literal_subject;
pub use names::Names;
pub use renewal::renewal_time;
pub use subject::{Attribute, DistinguishedName, oid, requested_subject};
pub use usages::{UsageCode, canonical_usages, requested_usages, usage_code};
pub use validate::{FieldError, spec_errors};

/// The most bytes of PEM that one certificate or signing request may have.
pub const MAX_CERTIFICATE_SIZE: usize = 36_500;
/// The most bytes of PEM that a private key may have.
pub const MAX_PRIVATE_KEY_SIZE: usize = 13_000;
/// The most bytes of PEM that a chain may have.
pub const MAX_CHAIN_SIZE: usize = 95_000;

/// Why something is not the certificate, chain or request that it is taken for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PkiError {
    /// It is larger than a sane one can be.
    #[error("{what} has {size} bytes, more than the {limit} that are read")]
    ExceedSize { what: &'static str, size: usize, limit: usize },
    /// It is not PEM.
    #[error("read PEM of {what}: {reason}")]
    ReadPem { what: &'static str, reason: String },
    /// There is no PEM block of the type that is wanted.
    #[error("find {what}: there is no PEM block of that type")]
    FindBlock { what: &'static str },
    /// The PEM holds something else.
    #[error("decode {what}: {reason}")]
    Decode { what: &'static str, reason: String },
    /// The certificates are not one chain.
    #[error("join the chain: certificate {subject} did not issue any of the others and was not issued by them")]
    JoinChain { subject: String },
    /// A subject is not an RFC 4514 string.
    #[error("read subject: {0}")]
    ReadSubject(String),
}

/// The DER of each PEM block whose type is one of `tags`.
fn blocks(what: &'static str, pem: &[u8], tags: &[&str], limit: usize) -> Result<Vec<Vec<u8>>, PkiError> {
    if pem.len() > limit {
        return Err(PkiError::ExceedSize { what, size: pem.len(), limit });
    }
    let found = pem::parse_many(pem).map_err(|error| PkiError::ReadPem { what, reason: error.to_string() })?;
    let der: Vec<_> =
        found.into_iter().filter(|block| tags.contains(&block.tag())).map(pem::Pem::into_contents).collect();
    if der.is_empty() { Err(PkiError::FindBlock { what }) } else { Ok(der) }
}

/// A PEM block with lines ended by a single newline.
fn to_pem(tag: &str, der: &[u8]) -> String {
    let block = pem::Pem::new(tag, der);
    pem::encode_config(&block, pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF))
}
