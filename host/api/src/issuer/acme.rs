//! The ACME part of an issuer.

use k8s_openapi::ByteString;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::meta::{SecretRef, is_false};
use crate::solver::Solver;

/// An authority that speaks ACME, and the account there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AcmeIssuer {
    /// Address of the authority's directory,
    /// https://acme-v02.api.letsencrypt.org/directory for example.
    pub server: String,
    /// Name of the Secret that holds the account's private key, in tls.key unless a key is named.
    /// It is made when there is none. Whoever has it can act for the account.
    pub private_key_secret_ref: SecretRef,
    /// Address to which the authority may write about the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// How names are proven. For each name, the solver whose selector fits most closely is taken;
    /// one without a selector fits every name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub solvers: Vec<Solver>,
    /// Certificate profile to ask for, one of those that the authority announces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Common name of a root: when the authority offers several chains, one that leads to this
    /// root is taken, and its usual one when none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preferred_chain: Option<String>,
    /// Certificates, in PEM, to trust when talking to the authority, in place of the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::bytes")]
    pub ca_bundle: Option<ByteString>,
    /// Whether to talk to the authority without checking its certificate. Only for trying things
    /// out; caBundle is the safe way.
    #[serde(default, rename = "skipTLSVerify", skip_serializing_if = "is_false")]
    pub skip_tls_verify: bool,
    /// Whether to wait for the account's private key rather than make it, because it is shared or
    /// restored from elsewhere.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disable_account_key_generation: bool,
    /// Whether to ask the authority for a Certificate's own duration. Many refuse orders that do.
    #[serde(default, skip_serializing_if = "is_false")]
    pub enable_duration_feature: bool,
    /// Where the time of renewal comes from: ARI asks the authority (RFC 9773), None goes by the
    /// Certificate alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "ARI"))]
    pub renewal_information_source: Option<RenewalInformationSource>,
    /// An account outside ACME to bind the ACME account to, where the authority wants one
    /// (RFC 8555, section 7.3.4).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_account_binding: Option<ExternalAccountBinding>,
}

/// Where the time of renewal comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = crate::schema::undescribed)]
pub enum RenewalInformationSource {
    /// The authority.
    #[default]
    #[serde(rename = "ARI")]
    Ari,
    /// The Certificate alone.
    None,
}

/// An account outside ACME.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExternalAccountBinding {
    /// Identifier of the key that the authority gave you.
    #[serde(rename = "keyID")]
    pub key_id: String,
    /// The Secret that holds the key: the text that the authority gave you, in base64url.
    pub key_secret_ref: SecretRef,
    /// Algorithm that signs the binding; HS256, which every authority takes, when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_algorithm: Option<EabKeyAlgorithm>,
}

/// An algorithm of a binding's signature (RFC 7518, section 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[expect(missing_docs, reason = "the names say it")]
#[schemars(transform = crate::schema::undescribed)]
pub enum EabKeyAlgorithm {
    HS256,
    HS384,
    HS512,
}

impl AcmeIssuer {
    /// Where the time of renewal comes from, with its default.
    pub fn renewal_information_source_or_default(&self) -> RenewalInformationSource {
        self.renewal_information_source.unwrap_or_default()
    }
}
