//! The private key of a Certificate, and how it signs the request.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the private key is made and kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CertificatePrivateKey {
    /// Algorithm of the key; RSA when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<KeyAlgorithm>,
    /// How the key is written down in the Secret; PKCS1 when it is left out. Ed25519 is always
    /// PKCS8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<KeyEncoding>,
    /// Bits of the key. RSA: 2048 to 8192, 2048 when it is left out. ECDSA: 256, 384 or 521, 256
    /// when it is left out. Ed25519 has one size; what stands here is not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::integer")]
    pub size: Option<i64>,
    /// Whether each issuance makes a new key. Always, the way when it is left out, does. Never
    /// keeps the one that is in the Secret; when that one no longer fits this object, issuing
    /// stops until someone removes it or this field changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation_policy: Option<RotationPolicy>,
}

/// Algorithm of a private key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[expect(missing_docs, reason = "the names say it")]
#[schemars(transform = crate::schema::undescribed)]
pub enum KeyAlgorithm {
    #[default]
    #[serde(rename = "RSA")]
    Rsa,
    #[serde(rename = "ECDSA")]
    Ecdsa,
    Ed25519,
}

/// How a private key is written down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = crate::schema::undescribed)]
pub enum KeyEncoding {
    /// The algorithm's own form: RSA PRIVATE KEY (RFC 8017) or EC PRIVATE KEY (RFC 5915).
    #[default]
    #[serde(rename = "PKCS1")]
    Pkcs1,
    /// The form for every algorithm: PRIVATE KEY (RFC 5958).
    #[serde(rename = "PKCS8")]
    Pkcs8,
}

/// Whether each issuance makes a new key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = crate::schema::undescribed)]
pub enum RotationPolicy {
    /// Keep the key that is there.
    Never,
    /// Make a new key.
    #[default]
    Always,
}

/// Algorithm that signs a certificate signing request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[expect(missing_docs, reason = "the names say it")]
#[schemars(transform = crate::schema::undescribed)]
pub enum SignatureAlgorithm {
    #[serde(rename = "SHA256WithRSA")]
    Sha256WithRsa,
    #[serde(rename = "SHA384WithRSA")]
    Sha384WithRsa,
    #[serde(rename = "SHA512WithRSA")]
    Sha512WithRsa,
    #[serde(rename = "ECDSAWithSHA256")]
    EcdsaWithSha256,
    #[serde(rename = "ECDSAWithSHA384")]
    EcdsaWithSha384,
    #[serde(rename = "ECDSAWithSHA512")]
    EcdsaWithSha512,
    PureEd25519,
}

impl CertificatePrivateKey {
    /// The algorithm, with its default.
    pub fn algorithm_or_default(&self) -> KeyAlgorithm {
        self.algorithm.unwrap_or_default()
    }

    /// The form on paper, with its default.
    pub fn encoding_or_default(&self) -> KeyEncoding {
        self.encoding.unwrap_or_default()
    }

    /// Whether to make a new key, with its default.
    pub fn rotation_policy_or_default(&self) -> RotationPolicy {
        self.rotation_policy.unwrap_or_default()
    }

    /// Bits of the key, with the algorithm's default for an absent or zero size; none for Ed25519.
    pub fn size_or_default(&self) -> Option<i64> {
        let default = match self.algorithm_or_default() {
            KeyAlgorithm::Rsa => 2048,
            KeyAlgorithm::Ecdsa => 256,
            KeyAlgorithm::Ed25519 => return None,
        };
        Some(self.size.filter(|size| *size != 0).unwrap_or(default))
    }
}
