//! The edge that makes keys and signatures: private keys, signing requests, and certificates that are
//! signed with their own key or with an authority's.
//!
//! Reading and comparing are `signet_core::pki`; here is what needs randomness or a cryptographic
//! library (aws-lc-rs). DER is written by [`der`], since names with several values of one type,
//! P-521 and other names are all part of the API. Private keys never leave this crate except as
//! PEM that the caller asked for.

#![warn(missing_docs)]

mod authority;
mod der;
mod extensions;
mod key;
mod list;
mod request;
mod sign;
mod verify;

pub use authority::Authority;
pub use key::{PrivateKey, generate_key, key_facts};
pub use list::sign_list;
pub use request::create_csr;
pub use sign::{Issued, Signing, ca_sign, self_sign};
pub use verify::verify_request;

use jiff::Timestamp;
use signet_core::pki::PkiError;

/// What went wrong with a key, a request or a certificate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No key of such a size can be made.
    #[error("generate key: {algorithm} keys of {size} bits are not supported")]
    GenerateSize {
        /// The algorithm that was asked for.
        algorithm: &'static str,
        /// The size that was asked for, in bits.
        size: i64,
    },
    /// The cryptographic library failed.
    #[error("generate key: the cryptographic library failed")]
    Generate,
    /// A private key is not PEM of a type that is known, is too large, or is not a key.
    #[error("read private key: {0}")]
    ReadKey(&'static str),
    /// The signature algorithm does not suit the key.
    #[error("sign: {0} does not suit the key")]
    MatchAlgorithm(&'static str),
    /// The cryptographic library failed.
    #[error("sign: the cryptographic library failed")]
    Sign,
    /// A value can not be written in DER.
    #[error("encode {field}: {reason}")]
    Encode {
        /// The field of the spec.
        field: &'static str,
        /// Why not.
        reason: String,
    },
    /// The signature of a request does not belong to its key, or is of no known algorithm.
    #[error("verify the request: its signature does not hold")]
    Verify,
    /// A request is for another key than the one that is to sign it.
    #[error("sign: the request is for another key")]
    MatchKey,
    /// A certificate may not sign others.
    #[error("sign: the certificate of {subject} may not sign others")]
    Authorize {
        /// Whom it is for.
        subject: String,
    },
    /// A private key is not the one of the certificate beside it.
    #[error("sign: key and certificate do not belong together")]
    MatchPair,
    /// The certificate of the authority ends before the one that it is to sign begins.
    #[error("sign: the lifetime would be over at {end}, before it begins")]
    Outlive {
        /// The end of what it may sign.
        end: Timestamp,
    },
    /// A request or a name can not be read.
    #[error(transparent)]
    Read(#[from] PkiError),
}
