//! Account keys of every kind that a Secret may hold: RSA (what cert-manager makes), ECDSA on P-256 (what
//! we make), P-384 and P-521, and Ed25519.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};

use crate::Error;

/// A public key as JSON (RFC 7517). Its keys are sorted, so its JSON is also what a thumbprint is made
/// from (RFC 7638).
pub(crate) type Jwk = BTreeMap<&'static str, String>;

/// The key of an ACME account. Cheap to clone; never shown.
#[derive(Clone)]
pub struct AccountKey(Arc<Inner>);

struct Inner {
    pair: Pair,
    jwk: Jwk,
    thumbprint: String,
}

enum Pair {
    Ecdsa(EcdsaKeyPair, &'static Curve),
    Rsa(RsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

struct Curve {
    name: &'static str,
    jws: &'static str,
    algorithm: &'static EcdsaSigningAlgorithm,
}

static CURVES: [Curve; 3] = [
    Curve { name: "P-256", jws: "ES256", algorithm: &ECDSA_P256_SHA256_FIXED_SIGNING },
    Curve { name: "P-384", jws: "ES384", algorithm: &ECDSA_P384_SHA384_FIXED_SIGNING },
    Curve { name: "P-521", jws: "ES512", algorithm: &ECDSA_P521_SHA512_FIXED_SIGNING },
];

impl AccountKey {
    /// Makes an ECDSA P-256 key; returns it and its PEM (PKCS #8) for the Secret.
    pub fn generate() -> Result<(Self, String), Error> {
        let curve = &CURVES[0];
        let pair = EcdsaKeyPair::generate(curve.algorithm).map_err(|_| Error::GenerateAccountKey)?;
        let document = pair.to_pkcs8v1().map_err(|_| Error::GenerateAccountKey)?;
        let block = pem::Pem::new("PRIVATE KEY", document.as_ref());
        let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
        Ok((Self::new(Pair::Ecdsa(pair, curve)), pem::encode_config(&block, config)))
    }

    /// Reads the first private key in `text`: PKCS #8, SEC 1 or PKCS #1, by its PEM label.
    pub fn from_pem(text: &str) -> Result<Self, Error> {
        let blocks = pem::parse_many(text).map_err(|_| Error::ReadAccountKey { why: "it is not PEM" })?;
        let block = blocks
            .iter()
            .find(|block| block.tag().ends_with("PRIVATE KEY"))
            .ok_or(Error::ReadAccountKey { why: "it holds no PEM block with a private key" })?;
        let der = block.contents();
        let pair = match block.tag() {
            "PRIVATE KEY" => from_pkcs8(der),
            "EC PRIVATE KEY" => from_sec1(der),
            "RSA PRIVATE KEY" => RsaKeyPair::from_der(der).ok().map(Pair::Rsa),
            "ENCRYPTED PRIVATE KEY" => return Err(Error::ReadAccountKey { why: "it is encrypted with a password" }),
            _ => None,
        };
        let why = "it is none of RSA (2048 to 8192 bits), ECDSA (P-256, P-384, P-521) or Ed25519";
        pair.map(Self::new).ok_or(Error::ReadAccountKey { why })
    }

    /// The thumbprint of the public key (RFC 7638, SHA-256, base64url).
    pub fn thumbprint(&self) -> &str {
        &self.0.thumbprint
    }

    pub(crate) fn jwk(&self) -> &Jwk {
        &self.0.jwk
    }

    /// The JWS name of the signature that [`Self::sign`] makes.
    pub(crate) fn algorithm(&self) -> &'static str {
        match &self.0.pair {
            Pair::Ecdsa(_, curve) => curve.jws,
            Pair::Rsa(_) => "RS256",
            Pair::Ed25519(_) => "EdDSA",
        }
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let random = SystemRandom::new();
        match &self.0.pair {
            Pair::Ecdsa(pair, _) => {
                pair.sign(&random, message).map(|signature| signature.as_ref().to_vec()).map_err(|_| Error::Sign)
            }
            Pair::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).map_err(|_| Error::Sign)?;
                Ok(signature)
            }
        }
    }

    fn new(pair: Pair) -> Self {
        let jwk = public_jwk(&pair);
        let json = serde_json::to_vec(&jwk).expect("a map of strings is always JSON");
        let thumbprint = BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, &json));
        Self(Arc::new(Inner { pair, jwk, thumbprint }))
    }
}

impl fmt::Debug for AccountKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccountKey({} {})", self.algorithm(), self.thumbprint())
    }
}

fn from_pkcs8(der: &[u8]) -> Option<Pair> {
    CURVES
        .iter()
        .find_map(|curve| Some(Pair::Ecdsa(EcdsaKeyPair::from_pkcs8(curve.algorithm, der).ok()?, curve)))
        .or_else(|| RsaKeyPair::from_pkcs8(der).ok().map(Pair::Rsa))
        .or_else(|| Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).ok().map(Pair::Ed25519))
}

fn from_sec1(der: &[u8]) -> Option<Pair> {
    CURVES
        .iter()
        .find_map(|curve| Some(Pair::Ecdsa(EcdsaKeyPair::from_private_key_der(curve.algorithm, der).ok()?, curve)))
}

fn public_jwk(pair: &Pair) -> Jwk {
    let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    match pair {
        Pair::Ecdsa(pair, curve) => {
            // An uncompressed point: 0x04, then X and Y of equal length (SEC 1, section 2.3.3).
            let point = &pair.public_key().as_ref()[1..];
            let (x, y) = point.split_at(point.len() / 2);
            [("crv", curve.name.into()), ("kty", "EC".into()), ("x", encode(x)), ("y", encode(y))].into()
        }
        Pair::Rsa(pair) => {
            let exponent = encode(pair.public_key().exponent().big_endian_without_leading_zero());
            let modulus = encode(pair.public_key().modulus().big_endian_without_leading_zero());
            [("e", exponent), ("kty", "RSA".into()), ("n", modulus)].into()
        }
        Pair::Ed25519(pair) => {
            [("crv", "Ed25519".into()), ("kty", "OKP".into()), ("x", encode(pair.public_key().as_ref()))].into()
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, RSA_PKCS1_2048_8192_SHA256,
        UnparsedPublicKey, VerificationAlgorithm,
    };

    use super::*;

    const RSA: &str = "lLB-SWg-J7yYbVFOfXT4qBC9vO3Mpn8EtAhbz8_262A";
    const P256: &str = "gWB5XuVLJ0KHykT6jatXF3pmnMVLSAmHp0cuAPvGY5A";
    const P384: &str = "fy49dSfSeiwRZiz_6ibYVKQ64JBZ-Gqxx4E4sXSpmJM";
    const P521: &str = "kbJAS83hWuySNAZeGDIEDxyYOcYYuZzRGiDLBxhgdNU";

    fn public_key(key: &AccountKey) -> &[u8] {
        match &key.0.pair {
            Pair::Ecdsa(pair, _) => pair.public_key().as_ref(),
            Pair::Rsa(pair) => pair.public_key().as_ref(),
            Pair::Ed25519(pair) => pair.public_key().as_ref(),
        }
    }

    /// The thumbprints were computed by other programs from the same files.
    #[test]
    fn reads_every_form_and_signs_as_it_says() {
        let table: [(&str, &str, &str, &dyn VerificationAlgorithm); 6] = [
            (include_str!("keys/rsa-pkcs1.pem"), RSA, "RS256", &RSA_PKCS1_2048_8192_SHA256),
            (include_str!("keys/rsa-pkcs8.pem"), RSA, "RS256", &RSA_PKCS1_2048_8192_SHA256),
            (include_str!("keys/p256-sec1.pem"), P256, "ES256", &ECDSA_P256_SHA256_FIXED),
            (include_str!("keys/p256-pkcs8.pem"), P256, "ES256", &ECDSA_P256_SHA256_FIXED),
            (include_str!("keys/p384-sec1.pem"), P384, "ES384", &ECDSA_P384_SHA384_FIXED),
            (include_str!("keys/p521-sec1.pem"), P521, "ES512", &ECDSA_P521_SHA512_FIXED),
        ];
        for (text, thumbprint, algorithm, verify) in table {
            let key = AccountKey::from_pem(text).expect(algorithm);
            assert_eq!((key.thumbprint(), key.algorithm()), (thumbprint, algorithm));
            let signature = key.sign(b"message").expect(algorithm);
            UnparsedPublicKey::new(verify, public_key(&key)).verify(b"message", &signature).expect(algorithm);
        }
    }

    #[test]
    fn what_it_makes_it_can_read() {
        let (made, text) = AccountKey::generate().expect("a key");
        let read = AccountKey::from_pem(&text).expect("the key again");
        assert_eq!((read.thumbprint(), read.algorithm()), (made.thumbprint(), "ES256"));
    }

    #[test]
    fn says_why_a_key_will_not_do() {
        let kinds = "it is none of RSA (2048 to 8192 bits), ECDSA (P-256, P-384, P-521) or Ed25519";
        let table = [
            ("", "it holds no PEM block with a private key"),
            (
                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
                "it holds no PEM block with a private key",
            ),
            ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", kinds),
            (include_str!("keys/rsa-1024.pem"), kinds),
        ];
        for (text, why) in table {
            let error = AccountKey::from_pem(text).expect_err(why);
            assert_eq!(error.to_string(), format!("could not read the account key: {why}"));
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let key = AccountKey::from_pem(include_str!("keys/p256-sec1.pem")).expect("a key");
        assert_eq!(format!("{key:?}"), format!("AccountKey(ES256 {P256})"));
    }
}
