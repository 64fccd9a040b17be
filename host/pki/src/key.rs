//! Private keys: made, read, written as PEM, signing.

use std::fmt;

use aws_lc_rs::encoding::{AsDer, EcPrivateKeyRfc5915Der, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{self as lc, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, RsaKeyPair};
use signet_api::certificate::{KeyAlgorithm, KeyEncoding, SignatureAlgorithm};
use signet_core::pki::{KeyFacts, MAX_PRIVATE_KEY_SIZE, PublicKeyFacts};
use zeroize::Zeroizing;

use crate::{Error, der};

/// A private key. Its `Debug` tells the algorithm only; the memory that held it is wiped.
pub struct PrivateKey {
    inner: Inner,
}

enum Inner {
    Rsa(RsaKeyPair),
    Ecdsa(EcdsaKeyPair, Curve),
    Ed25519(Ed25519KeyPair),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Curve {
    P256,
    P384,
    P521,
}

impl Curve {
    const ALL: [Self; 3] = [Self::P256, Self::P384, Self::P521];

    fn signing(self) -> &'static EcdsaSigningAlgorithm {
        match self {
            Self::P256 => &lc::ECDSA_P256_SHA256_ASN1_SIGNING,
            Self::P384 => &lc::ECDSA_P384_SHA384_ASN1_SIGNING,
            Self::P521 => &lc::ECDSA_P521_SHA512_ASN1_SIGNING,
        }
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({:?}, redacted)", self.algorithm())
    }
}

/// Makes a key. `size` is in bits: 2048, 3072, 4096 or 8192 for RSA, 256, 384 or 521 for ECDSA,
/// and not looked at for Ed25519.
///
/// # Errors
/// When there is no such size, or the cryptographic library fails.
pub fn generate_key(algorithm: KeyAlgorithm, size: i64) -> Result<PrivateKey, Error> {
    let refused = |algorithm| Error::GenerateSize { algorithm, size };
    let rsa = |size| RsaKeyPair::generate(size).map(Inner::Rsa).map_err(|_| Error::Generate);
    let ecdsa = |curve: Curve| {
        EcdsaKeyPair::generate(curve.signing()).map(|key| Inner::Ecdsa(key, curve)).map_err(|_| Error::Generate)
    };
    let inner = match (algorithm, size) {
        (KeyAlgorithm::Rsa, 2048) => rsa(KeySize::Rsa2048),
        (KeyAlgorithm::Rsa, 3072) => rsa(KeySize::Rsa3072),
        (KeyAlgorithm::Rsa, 4096) => rsa(KeySize::Rsa4096),
        (KeyAlgorithm::Rsa, 8192) => rsa(KeySize::Rsa8192),
        (KeyAlgorithm::Rsa, _) => Err(refused("RSA")),
        (KeyAlgorithm::Ecdsa, 256) => ecdsa(Curve::P256),
        (KeyAlgorithm::Ecdsa, 384) => ecdsa(Curve::P384),
        (KeyAlgorithm::Ecdsa, 521) => ecdsa(Curve::P521),
        (KeyAlgorithm::Ecdsa, _) => Err(refused("ECDSA")),
        (KeyAlgorithm::Ed25519, _) => Ed25519KeyPair::generate().map(Inner::Ed25519).map_err(|_| Error::Generate),
    }?;
    Ok(PrivateKey { inner })
}

/// What is known of a private key in PEM, without its secret.
///
/// # Errors
/// When it can not be read.
pub fn key_facts(pem: &[u8]) -> Result<KeyFacts, Error> {
    let (key, encoding) = read(pem)?;
    let spki_der = key.spki_der()?;
    let public = PublicKeyFacts::from_der(&spki_der).ok_or(Error::ReadKey("its public key can not be written"))?;
    Ok(KeyFacts { size: public.size, algorithm: key.algorithm(), spki_der, encoding })
}

/// Reads `PRIVATE KEY`, `RSA PRIVATE KEY` or `EC PRIVATE KEY`, and says which kind of form it was.
fn read(pem: &[u8]) -> Result<(PrivateKey, KeyEncoding), Error> {
    if pem.len() > MAX_PRIVATE_KEY_SIZE {
        return Err(Error::ReadKey("it is larger than a private key can be"));
    }
    let blocks = pem::parse_many(pem).map_err(|_| Error::ReadKey("it is not PEM"))?;
    for block in blocks {
        let tag = block.tag().to_owned();
        let der = Zeroizing::new(block.into_contents());
        let (inner, encoding) = match tag.as_str() {
            "PRIVATE KEY" => (pkcs8(&der), KeyEncoding::Pkcs8),
            "RSA PRIVATE KEY" => (RsaKeyPair::from_der(&der).ok().map(Inner::Rsa), KeyEncoding::Pkcs1),
            "EC PRIVATE KEY" => (ecdsa(&der), KeyEncoding::Pkcs1),
            // EC PARAMETERS come before the key that openssl writes.
            _ => continue,
        };
        let inner =
            inner.ok_or(Error::ReadKey("it is damaged, or of an algorithm, curve or size that is not supported"))?;
        return Ok((PrivateKey { inner }, encoding));
    }
    Err(Error::ReadKey("there is no PEM block PRIVATE KEY, RSA PRIVATE KEY or EC PRIVATE KEY"))
}

fn pkcs8(der: &[u8]) -> Option<Inner> {
    let rsa = || RsaKeyPair::from_pkcs8(der).ok().map(Inner::Rsa);
    let ed25519 = || Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).ok().map(Inner::Ed25519);
    rsa().or_else(|| ecdsa(der)).or_else(ed25519)
}

fn ecdsa(der: &[u8]) -> Option<Inner> {
    Curve::ALL.into_iter().find_map(|curve| {
        EcdsaKeyPair::from_private_key_der(curve.signing(), der).ok().map(|key| Inner::Ecdsa(key, curve))
    })
}

impl PrivateKey {
    /// Reads a key in any of the forms that [`Self::to_pem`] writes.
    ///
    /// # Errors
    /// When it is not one.
    pub fn from_pem(pem: &[u8]) -> Result<Self, Error> {
        read(pem).map(|(key, _)| key)
    }

    /// Writes the key. Ed25519 has no form of its own, so it is always PKCS #8.
    ///
    /// # Errors
    /// When the cryptographic library fails.
    pub fn to_pem(&self, encoding: KeyEncoding) -> Result<Zeroizing<String>, Error> {
        let failed = |_| Error::ReadKey("the cryptographic library can not write it");
        let (tag, der) = match (&self.inner, encoding) {
            (Inner::Rsa(_), KeyEncoding::Pkcs1) => ("RSA PRIVATE KEY", inner_key(&self.pkcs8_der()?)?),
            (Inner::Ecdsa(key, _), KeyEncoding::Pkcs1) => {
                let der: EcPrivateKeyRfc5915Der<'_> = key.private_key().as_der().map_err(failed)?;
                ("EC PRIVATE KEY", Zeroizing::new(der.as_ref().to_vec()))
            }
            (Inner::Rsa(_) | Inner::Ecdsa(..), KeyEncoding::Pkcs8) | (Inner::Ed25519(_), _) => {
                ("PRIVATE KEY", self.pkcs8_der()?)
            }
        };
        let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
        Ok(Zeroizing::new(pem::encode_config(&pem::Pem::new(tag, der.as_slice()), config)))
    }

    fn pkcs8_der(&self) -> Result<Zeroizing<Vec<u8>>, Error> {
        let failed = |_| Error::ReadKey("the cryptographic library can not write it");
        let der: Vec<u8> = match &self.inner {
            Inner::Rsa(key) => AsDer::<Pkcs8V1Der<'_>>::as_der(key).map_err(failed)?.as_ref().to_vec(),
            Inner::Ecdsa(key, _) => key.to_pkcs8v1().map_err(failed)?.as_ref().to_vec(),
            Inner::Ed25519(key) => AsDer::<Pkcs8V1Der<'_>>::as_der(key).map_err(failed)?.as_ref().to_vec(),
        };
        Ok(Zeroizing::new(der))
    }

    /// The algorithm.
    pub fn algorithm(&self) -> KeyAlgorithm {
        match self.inner {
            Inner::Rsa(_) => KeyAlgorithm::Rsa,
            Inner::Ecdsa(..) => KeyAlgorithm::Ecdsa,
            Inner::Ed25519(_) => KeyAlgorithm::Ed25519,
        }
    }

    /// The public key that belongs to it: SubjectPublicKeyInfo in DER.
    ///
    /// # Errors
    /// When the cryptographic library fails.
    pub fn spki_der(&self) -> Result<Vec<u8>, Error> {
        let der: Result<PublicKeyX509Der<'_>, _> = match &self.inner {
            Inner::Rsa(key) => key.public_key().as_der(),
            Inner::Ecdsa(key, _) => key.public_key().as_der(),
            Inner::Ed25519(key) => key.public_key().as_der(),
        };
        Ok(der.map_err(|_| Error::ReadKey("its public key can not be written"))?.as_ref().to_vec())
    }

    /// Signs, and returns the AlgorithmIdentifier in DER with the signature. Without a wish, the
    /// key's usual algorithm.
    pub(crate) fn sign(&self, message: &[u8], wish: Option<SignatureAlgorithm>) -> Result<(Vec<u8>, Vec<u8>), Error> {
        match &self.inner {
            Inner::Rsa(key) => sign_rsa(key, message, wish.unwrap_or(SignatureAlgorithm::Sha256WithRsa)),
            Inner::Ecdsa(key, curve) => self.sign_ecdsa(key, *curve, message, wish),
            Inner::Ed25519(key) => match wish {
                None | Some(SignatureAlgorithm::PureEd25519) => {
                    let signature = key.try_sign(message).map_err(|_| Error::Sign)?;
                    Ok((der::sequence(&[der::known_oid("1.3.101.112")]), signature.as_ref().to_vec()))
                }
                Some(_) => Err(Error::MatchAlgorithm("spec.signatureAlgorithm")),
            },
        }
    }

    fn sign_ecdsa(
        &self,
        key: &EcdsaKeyPair,
        curve: Curve,
        message: &[u8],
        wish: Option<SignatureAlgorithm>,
    ) -> Result<(Vec<u8>, Vec<u8>), Error> {
        use SignatureAlgorithm as S;
        let (oid, other) = match (curve, wish) {
            (Curve::P256, None | Some(S::EcdsaWithSha256)) => ("1.2.840.10045.4.3.2", None),
            (Curve::P384, None | Some(S::EcdsaWithSha384)) => ("1.2.840.10045.4.3.3", None),
            (Curve::P521, None | Some(S::EcdsaWithSha512)) => ("1.2.840.10045.4.3.4", None),
            (Curve::P521, Some(S::EcdsaWithSha256)) => {
                ("1.2.840.10045.4.3.2", Some(&lc::ECDSA_P521_SHA256_ASN1_SIGNING))
            }
            (Curve::P521, Some(S::EcdsaWithSha384)) => {
                ("1.2.840.10045.4.3.3", Some(&lc::ECDSA_P521_SHA384_ASN1_SIGNING))
            }
            _ => return Err(Error::MatchAlgorithm("spec.signatureAlgorithm")),
        };
        let random = SystemRandom::new();
        let signature = match other {
            None => key.sign(&random, message),
            // The library ties a key to one digest; another needs the key to be read anew.
            Some(algorithm) => {
                EcdsaKeyPair::from_pkcs8(algorithm, &self.pkcs8_der()?).map_err(|_| Error::Sign)?.sign(&random, message)
            }
        };
        let signature = signature.map_err(|_| Error::Sign)?;
        Ok((der::sequence(&[der::known_oid(oid)]), signature.as_ref().to_vec()))
    }
}

fn sign_rsa(key: &RsaKeyPair, message: &[u8], wish: SignatureAlgorithm) -> Result<(Vec<u8>, Vec<u8>), Error> {
    let (oid, padding) = match wish {
        SignatureAlgorithm::Sha256WithRsa => ("1.2.840.113549.1.1.11", &lc::RSA_PKCS1_SHA256),
        SignatureAlgorithm::Sha384WithRsa => ("1.2.840.113549.1.1.12", &lc::RSA_PKCS1_SHA384),
        SignatureAlgorithm::Sha512WithRsa => ("1.2.840.113549.1.1.13", &lc::RSA_PKCS1_SHA512),
        _ => return Err(Error::MatchAlgorithm("spec.signatureAlgorithm")),
    };
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(padding, &SystemRandom::new(), message, &mut signature).map_err(|_| Error::Sign)?;
    Ok((der::sequence(&[der::known_oid(oid), der::null()]), signature))
}

/// The algorithm's own key inside PKCS #8: version, algorithm, then the key in an OCTET STRING.
fn inner_key(pkcs8: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
    let inner = || {
        let (body, _) = der::open(0x30, pkcs8)?;
        let (_, after_version) = der::open(0x02, body)?;
        let (_, after_algorithm) = der::open(0x30, after_version)?;
        der::open(0x04, after_algorithm).map(|(key, _)| key.to_vec())
    };
    inner().map(Zeroizing::new).ok_or(Error::ReadKey("the cryptographic library wrote no PKCS #8"))
}
