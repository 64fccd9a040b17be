//! What a component says of itself: the JSON in its custom section `signet-solver-manifest`.
//!
//! It is read without running or compiling any code, so that a component is refused before it
//! costs anything. What the component then exports is compared with it in `linker`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::grants::KindGrant;
use crate::section::{self, SectionError};

/// The contracts that this host speaks.
pub const SUPPORTED_WIT: &[&str] = &["signet:solver@0.1.0", "signet:solver@0.1.1"];

/// The name of the custom section.
pub const SECTION: &str = "signet-solver-manifest";

/// A type of ACME challenge, in the words of RFC 8555, section 9.7.8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ChallengeKind {
    /// Proof through a TXT record.
    #[serde(rename = "dns-01")]
    Dns01,
    /// Proof through a resource under `/.well-known/acme-challenge/`.
    #[serde(rename = "http-01")]
    Http01,
    /// Proof through a TLS handshake on port 443 (RFC 8737).
    #[serde(rename = "tls-alpn-01")]
    TlsAlpn01,
}

impl ChallengeKind {
    /// `dns-01`, `http-01` or `tls-alpn-01`.
    pub fn as_str(self) -> &'static str {
        match self {
            ChallengeKind::Dns01 => "dns-01",
            ChallengeKind::Http01 => "http-01",
            ChallengeKind::TlsAlpn01 => "tls-alpn-01",
        }
    }

    /// The interface of the contract that solves it: `dns01`, `http01` or `tls-alpn01`.
    pub fn interface(self) -> &'static str {
        match self {
            ChallengeKind::Dns01 => "dns01",
            ChallengeKind::Http01 => "http01",
            ChallengeKind::TlsAlpn01 => "tls-alpn01",
        }
    }
}

/// A key of a Secret that the component reads beside the `*SecretRef` fields of its config.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretRequest {
    /// Path in the config of the SecretRef that names the Secret, dots between fields.
    pub secret_ref: String,
    /// Path in the config of the value that names the key.
    pub key_from: String,
}

/// What a component says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// The stanza of an Issuer's solver that calls it: letters, digits and `-`, at most 63.
    pub name: String,
    /// Its own version, free text.
    pub version: String,
    /// The contract it was built against, `signet:solver@0.1.1`.
    pub wit: String,
    /// The challenges that it solves.
    pub challenges: Vec<ChallengeKind>,
    /// The JSON Schema of its stanza.
    #[serde(default = "any_config")]
    pub config: Value,
    /// The hosts that it asks to reach: `scheme://host[:port]`.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// The Secret keys that it asks to read, beside the `*SecretRef` fields.
    #[serde(default)]
    pub secrets: Vec<SecretRequest>,
    /// The kinds of objects that it asks to handle.
    #[serde(default)]
    pub kubernetes: Vec<KindGrant>,
    /// Where its documentation is.
    #[serde(default)]
    pub homepage: Option<String>,
    /// One sentence.
    #[serde(default)]
    pub description: Option<String>,
}

fn any_config() -> Value {
    serde_json::json!({ "type": "object" })
}

/// Why a component's manifest is refused.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The file has no such section.
    #[error("find no manifest: the component has no custom section {SECTION:?} (the SDK's export macro adds it)")]
    FindSection,
    /// The file is not a component, or is malformed.
    #[error("read the component")]
    ReadComponent(#[source] SectionError),
    /// The section is not the JSON of a manifest.
    #[error("parse the manifest")]
    Parse(#[source] serde_json::Error),
    /// The name can not be a stanza.
    #[error(
        "accept the manifest: name {0:?} must start with a letter, hold letters, digits and -, and be at most 63 long"
    )]
    AcceptName(String),
    /// The contract is one that this host does not speak.
    #[error("accept the manifest: it was built against {found:?}, and this host speaks {}", SUPPORTED_WIT.join(", "))]
    AcceptWit {
        /// What it says.
        found: String,
    },
    /// It solves nothing.
    #[error(
        "accept the manifest: challenges is empty; it must list dns-01, http-01 or tls-alpn-01, or several of them"
    )]
    AcceptChallenges,
    /// A host pattern does not parse.
    #[error("accept the manifest: hosts")]
    AcceptHost(#[source] crate::pattern::PatternError),
    /// The config schema is not a JSON Schema.
    #[error("accept the manifest: config is not a JSON Schema: {0}")]
    AcceptSchema(String),
}

impl Manifest {
    /// Reads the manifest out of a component's bytes, and checks all that can be checked of it alone.
    pub fn of_component(wasm: &[u8]) -> Result<Manifest, ManifestError> {
        let bytes = section::find(wasm, SECTION).map_err(ManifestError::ReadComponent)?;
        Manifest::parse(bytes.ok_or(ManifestError::FindSection)?)
    }

    /// Parses and checks the JSON of a manifest.
    pub fn parse(json: &[u8]) -> Result<Manifest, ManifestError> {
        let manifest: Manifest = serde_json::from_slice(json).map_err(ManifestError::Parse)?;
        manifest.check()?;
        Ok(manifest)
    }

    fn check(&self) -> Result<(), ManifestError> {
        if !is_stanza_name(&self.name) {
            return Err(ManifestError::AcceptName(self.name.clone()));
        }
        if !SUPPORTED_WIT.contains(&self.wit.as_str()) {
            return Err(ManifestError::AcceptWit { found: self.wit.clone() });
        }
        if self.challenges.is_empty() {
            return Err(ManifestError::AcceptChallenges);
        }
        for host in &self.hosts {
            crate::pattern::Template::parse(host).map_err(ManifestError::AcceptHost)?;
        }
        jsonschema::validator_for(&self.config).map_err(|error| ManifestError::AcceptSchema(error.to_string()))?;
        Ok(())
    }
}

fn is_stanza_name(name: &str) -> bool {
    name.len() <= 63
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(member: &str, value: Value) -> Result<Manifest, ManifestError> {
        let mut manifest = serde_json::json!({
            "name": "hello", "version": "1", "wit": "signet:solver@0.1.0", "challenges": ["dns-01"],
        });
        manifest[member] = value;
        Manifest::parse(manifest.to_string().as_bytes())
    }

    #[test]
    fn a_name_is_what_can_stand_in_an_issuer() {
        for good in ["hello", "azureDNS", "gatewayHTTPRoute", "a-1"] {
            assert_eq!(with("name", good.into()).unwrap().name, good);
        }
        for bad in ["", "1a", "a.b", "a_b", "-a", &"a".repeat(64)] {
            assert!(matches!(with("name", bad.into()), Err(ManifestError::AcceptName(_))), "{bad}");
        }
    }

    #[test]
    fn an_unknown_contract_is_named_beside_the_known_ones() {
        let message = with("wit", "signet:solver@9.0.0".into()).unwrap_err().to_string();
        assert!(message.contains("signet:solver@9.0.0") && message.contains("signet:solver@0.1.0"), "{message}");
    }

    #[test]
    fn what_can_not_work_is_refused() {
        assert!(matches!(with("challenges", serde_json::json!([])), Err(ManifestError::AcceptChallenges)));
        assert!(matches!(with("challenges", serde_json::json!(["dns-02"])), Err(ManifestError::Parse(_))));
        assert!(matches!(with("hosts", serde_json::json!(["*"])), Err(ManifestError::AcceptHost(_))));
        assert!(matches!(
            with("config", serde_json::json!({ "type": "nonsense" })),
            Err(ManifestError::AcceptSchema(_))
        ));
    }

    #[test]
    fn a_file_that_is_no_component_is_refused() {
        assert!(matches!(Manifest::of_component(b"hello"), Err(ManifestError::ReadComponent(_))));
    }
}
