//! Keystore files in the Secret of a Certificate.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::meta::SecretRef;

/// Keystore files to keep in the Secret.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Keystores {
    /// Java keystores: keystore.jks with key and certificate, and truststore.jks with the
    /// authority's certificate when the issuer gives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jks: Option<JksKeystore>,
    /// PKCS#12 files: keystore.p12 with key and certificate, and truststore.p12 with the
    /// authority's certificate when the issuer gives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pkcs12: Option<Pkcs12Keystore>,
}

/// Java keystores.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JksKeystore {
    /// Whether to keep them.
    pub create: bool,
    /// Name of the entry in the keystore; certificate when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// The password, in the open. Either this or passwordSecretRef.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// The Secret, in the same namespace, that holds the password. Either this or password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_secret_ref: Option<SecretRef>,
}

/// PKCS#12 files.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Pkcs12Keystore {
    /// Whether to keep them.
    pub create: bool,
    /// Which algorithms protect the file: newer ones are stronger, older ones are read by more
    /// programs. LegacyRC2 when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Pkcs12Profile>,
    /// The password, in the open. Either this or passwordSecretRef.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// The Secret, in the same namespace, that holds the password. Either this or password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_secret_ref: Option<SecretRef>,
}

/// A set of algorithms that protect a PKCS#12 file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = crate::schema::undescribed)]
pub enum Pkcs12Profile {
    /// RC2 and SHA-1.
    #[default]
    LegacyRC2,
    /// Triple DES and SHA-1.
    LegacyDES,
    /// AES-256 and SHA-256, as OpenSSL 3 and Java 20 write them.
    Modern2023,
    /// AES-256 with PBMAC1 (RFC 9579).
    Modern2026,
}
