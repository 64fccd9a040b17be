//! Facts about keys, and whether a key is what a spec asks for.

use signet_api::certificate::{CertificatePrivateKey, KeyAlgorithm, KeyEncoding};
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

/// What is known of a public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKeyFacts {
    /// SubjectPublicKeyInfo in DER.
    pub spki_der: Vec<u8>,
    /// Its algorithm; none when it is not one that a Certificate can ask for.
    pub algorithm: Option<KeyAlgorithm>,
    /// Its size in bits: of an RSA modulus or of an elliptic curve.
    pub size: i64,
}

impl PublicKeyFacts {
    pub(super) fn of(spki: &SubjectPublicKeyInfo<'_>) -> Self {
        let curve = || spki.algorithm.parameters.as_ref()?.as_oid().ok().map(|oid| oid.to_id_string());
        let algorithm = spki.algorithm.algorithm.to_id_string();
        let (algorithm, size) = match algorithm.as_str() {
            "1.2.840.113549.1.1.1" => (Some(KeyAlgorithm::Rsa), modulus_bits(spki)),
            "1.2.840.10045.2.1" => match curve().as_deref() {
                Some("1.2.840.10045.3.1.7") => (Some(KeyAlgorithm::Ecdsa), 256),
                Some("1.3.132.0.34") => (Some(KeyAlgorithm::Ecdsa), 384),
                Some("1.3.132.0.35") => (Some(KeyAlgorithm::Ecdsa), 521),
                _ => (None, 0),
            },
            "1.3.101.112" => (Some(KeyAlgorithm::Ed25519), 256),
            _ => (None, 0),
        };
        Self { spki_der: spki.raw.to_vec(), algorithm, size }
    }

    /// Reads a SubjectPublicKeyInfo in DER; none when it is not one.
    pub fn from_der(spki_der: &[u8]) -> Option<Self> {
        use x509_parser::prelude::FromDer;
        SubjectPublicKeyInfo::from_der(spki_der)
            .ok()
            .filter(|(rest, _)| rest.is_empty())
            .map(|(_, spki)| Self::of(&spki))
    }
}

fn modulus_bits(spki: &SubjectPublicKeyInfo<'_>) -> i64 {
    let Ok(PublicKey::RSA(key)) = spki.parsed() else { return 0 };
    let digits: Vec<_> = key.modulus.iter().skip_while(|byte| **byte == 0).collect();
    let unused = digits.first().map_or(0, |first| i64::from(first.leading_zeros()));
    i64::try_from(digits.len()).map_or(i64::MAX, |bytes| bytes * 8 - unused)
}

/// What is known of a private key. It holds nothing secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFacts {
    /// The public key that belongs to it: SubjectPublicKeyInfo in DER.
    pub spki_der: Vec<u8>,
    /// Its algorithm.
    pub algorithm: KeyAlgorithm,
    /// Its size in bits.
    pub size: i64,
    /// How it is written down.
    pub encoding: KeyEncoding,
}

/// How a key breaks `spec.privateKey`, as a sentence that names the field; none when it keeps to
/// it. The encoding is not looked at: a key in another one is written down anew, not made anew.
pub fn key_violation(wanted: Option<&CertificatePrivateKey>, key: &KeyFacts) -> Option<String> {
    let wanted = wanted.cloned().unwrap_or_default();
    let algorithm = wanted.algorithm_or_default();
    if key.algorithm != algorithm {
        return Some(format!(
            "spec.privateKey.algorithm asks for {}, the key is {}",
            algorithm_name(algorithm),
            algorithm_name(key.algorithm)
        ));
    }
    let size = wanted.size_or_default().filter(|size| *size != key.size)?;
    Some(format!("spec.privateKey.size asks for {size} bits, the key has {}", key.size))
}

pub(super) fn algorithm_name(algorithm: KeyAlgorithm) -> &'static str {
    match algorithm {
        KeyAlgorithm::Rsa => "RSA",
        KeyAlgorithm::Ecdsa => "ECDSA",
        KeyAlgorithm::Ed25519 => "Ed25519",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_must_be_what_the_spec_asks_for() {
        use KeyAlgorithm::{Ecdsa, Ed25519, Rsa};
        for (wanted, actual, broken) in [
            (None, (Rsa, 2048), None),
            (None, (Rsa, 4096), Some("size asks for 2048")),
            (None, (Ecdsa, 256), Some("algorithm asks for RSA, the key is ECDSA")),
            (Some((Rsa, Some(3072))), (Rsa, 3072), None),
            (Some((Rsa, Some(0))), (Rsa, 2048), None),
            (Some((Ecdsa, None)), (Ecdsa, 256), None),
            (Some((Ecdsa, Some(521))), (Ecdsa, 384), Some("size asks for 521 bits, the key has 384")),
            (Some((Ed25519, Some(4096))), (Ed25519, 256), None),
        ] {
            let wanted = wanted.map(|(algorithm, size)| CertificatePrivateKey {
                algorithm: Some(algorithm),
                size,
                ..CertificatePrivateKey::default()
            });
            let (algorithm, size) = actual;
            let key = KeyFacts { spki_der: vec![], algorithm, size, encoding: KeyEncoding::Pkcs8 };
            let violation = key_violation(wanted.as_ref(), &key);
            assert_eq!(violation.is_some(), broken.is_some(), "{violation:?}");
            assert!(violation.unwrap_or_default().contains(broken.unwrap_or_default()));
        }
    }
}
