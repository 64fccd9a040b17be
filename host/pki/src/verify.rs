//! Whether a signing request was signed by the key that it is for.

use aws_lc_rs::signature::{self as lc, ParsedPublicKey, VerificationAlgorithm};
use signet_api::certificate::KeyAlgorithm;
use signet_core::pki::Csr;

use crate::Error;

/// Checks a request's signature: proof that whoever made it holds the private key.
///
/// # Errors
/// When it does not hold, or key or algorithm are not ones that a Certificate can ask for.
pub fn verify_request(csr: &Csr) -> Result<(), Error> {
    let algorithm = algorithm(csr).ok_or(Error::Verify)?;
    let key = ParsedPublicKey::new(algorithm, &csr.public_key.spki_der).map_err(|_| Error::Verify)?;
    key.verify_sig(&csr.signed, &csr.signature).map_err(|_| Error::Verify)
}

fn algorithm(csr: &Csr) -> Option<&'static dyn VerificationAlgorithm> {
    let key = (csr.public_key.algorithm?, csr.public_key.size);
    Some(match (key, csr.signature_algorithm.as_str()) {
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
