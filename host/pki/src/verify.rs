//! Whether a request or a certificate was signed by the key that is said to have signed it.

use aws_lc_rs::signature::{self as lc, ParsedPublicKey, VerificationAlgorithm};
use signet_api::certificate::KeyAlgorithm;
use signet_core::pki::{Csr, Link, PublicKeyFacts};

use crate::Error;

/// Checks a request's signature: proof that whoever made it holds the private key.
///
/// # Errors
/// When it does not hold, or key or algorithm are not ones that a Certificate can ask for.
pub fn verify_request(csr: &Csr) -> Result<(), Error> {
    let Csr { public_key, signature_algorithm, signed, signature, .. } = csr;
    if holds(public_key, signature_algorithm, signed, signature) { Ok(()) } else { Err(Error::Verify) }
}

/// Whether `issuer` signed `link`. False, too, when the algorithm is none of those known here.
pub(crate) fn issued(issuer: &Link, link: &Link) -> bool {
    let Link { signature_algorithm, signed, signature, .. } = link;
    issuer.facts.subject == link.facts.issuer && holds(&issuer.facts.public_key, signature_algorithm, signed, signature)
}

fn holds(key: &PublicKeyFacts, signature_algorithm: &str, signed: &[u8], signature: &[u8]) -> bool {
    algorithm(key, signature_algorithm)
        .and_then(|algorithm| ParsedPublicKey::new(algorithm, &key.spki_der).ok())
        .is_some_and(|key| key.verify_sig(signed, signature).is_ok())
}

fn algorithm(key: &PublicKeyFacts, signature: &str) -> Option<&'static dyn VerificationAlgorithm> {
    Some(match ((key.algorithm?, key.size), signature) {
        ((KeyAlgorithm::Rsa, _), "1.2.840.113549.1.1.11") => &lc::RSA_PKCS1_2048_8192_SHA256,
        ((KeyAlgorithm::Rsa, _), "1.2.840.113549.1.1.12") => &lc::RSA_PKCS1_2048_8192_SHA384,
        ((KeyAlgorithm::Rsa, _), "1.2.840.113549.1.1.13") => &lc::RSA_PKCS1_2048_8192_SHA512,
        ((KeyAlgorithm::Ecdsa, 256), "1.2.840.10045.4.3.2") => &lc::ECDSA_P256_SHA256_ASN1,
        ((KeyAlgorithm::Ecdsa, 256), "1.2.840.10045.4.3.3") => &lc::ECDSA_P256_SHA384_ASN1,
        ((KeyAlgorithm::Ecdsa, 256), "1.2.840.10045.4.3.4") => &lc::ECDSA_P256_SHA512_ASN1,
        ((KeyAlgorithm::Ecdsa, 384), "1.2.840.10045.4.3.2") => &lc::ECDSA_P384_SHA256_ASN1,
        ((KeyAlgorithm::Ecdsa, 384), "1.2.840.10045.4.3.3") => &lc::ECDSA_P384_SHA384_ASN1,
        ((KeyAlgorithm::Ecdsa, 384), "1.2.840.10045.4.3.4") => &lc::ECDSA_P384_SHA512_ASN1,
        ((KeyAlgorithm::Ecdsa, 521), "1.2.840.10045.4.3.2") => &lc::ECDSA_P521_SHA256_ASN1,
        ((KeyAlgorithm::Ecdsa, 521), "1.2.840.10045.4.3.3") => &lc::ECDSA_P521_SHA384_ASN1,
        ((KeyAlgorithm::Ecdsa, 521), "1.2.840.10045.4.3.4") => &lc::ECDSA_P521_SHA512_ASN1,
        ((KeyAlgorithm::Ed25519, _), "1.3.101.112") => &lc::ED25519,
        _ => return None,
    })
}
