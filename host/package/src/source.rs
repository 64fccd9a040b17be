//! Where a plugin's bytes come from: a labelled ConfigMap, which holds them or says which registry does,
//! or a file. Pure functions over what the controller read.

use std::collections::BTreeMap;
use std::io::Read;

use sha2::{Digest, Sha256};

use crate::artifact::Artifact;
use crate::grants::OperatorGrants;

/// The label of a ConfigMap that holds a plugin; its value is not looked at.
pub const LABEL: &str = "signet.dev/plugin";
/// The annotation that holds `sha256:` and the digest of the uncompressed component.
pub const DIGEST: &str = "signet.dev/digest";
/// The key of `data` that holds the operator's grants.
pub const GRANTS: &str = "grants.yaml";
/// The key of `data` that names what a registry holds, where the ConfigMap has no component itself.
pub const REFERENCE: &str = "reference";
/// The key of `data` that names the Secret, of type kubernetes.io/dockerconfigjson, for that registry.
pub const PULL_SECRET: &str = "pullSecret";
/// In bytes; larger than any component that is of use.
pub const MAX_COMPONENT: u64 = 64 * 1024 * 1024;

/// A component's bytes and what its operator grants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginSource {
    /// The component, uncompressed.
    pub wasm: Vec<u8>,
    /// What stands beside it; none leaves it to the controller's configuration.
    pub grants: Option<OperatorGrants>,
}

/// What a ConfigMap has of its plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// The plugin.
    Held(PluginSource),
    /// Where it is.
    Elsewhere(Artifact),
}

/// Why a source holds no plugin.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The label is missing.
    #[error("read ConfigMap {0}: it has no label {LABEL}")]
    FindLabel(String),
    /// No key ends in `.wasm` or `.wasm.zst`, and none names a registry's artifact.
    #[error("read ConfigMap {0}: no key of binaryData ends in .wasm or .wasm.zst, and data has no {REFERENCE}")]
    FindComponent(String),
    /// Some keys end in `.wasm`, some in `.wasm.zst`.
    #[error("read ConfigMap {0}: binaryData mixes keys that end in .wasm and .wasm.zst")]
    Mix(String),
    /// There are both a component and a reference to one.
    #[error("read ConfigMap {0}: it holds a component, and its {REFERENCE} names another; leave one of them out")]
    Ambiguous(String),
    /// The reference is none.
    #[error(
        "parse {REFERENCE} of ConfigMap {0}: {1:?} is no reference to an OCI artifact (REGISTRY/NAME@sha256:DIGEST)"
    )]
    ParseReference(String, String, #[source] oci_spec::distribution::ParseError),
    /// Nothing says which content is meant.
    #[error(
        "check ConfigMap {0}: {REFERENCE} {1} may be another component tomorrow; end it with @sha256: and the digest of \
         the manifest, or give the annotation {DIGEST} with that of the component"
    )]
    Pin(String, String),
    /// The bytes are not zstd, or are cut.
    #[error("decompress the component of ConfigMap {0}")]
    Decompress(String, #[source] std::io::Error),
    /// Decompressed, it is too large.
    #[error("decompress the component of ConfigMap {0}: it is larger than 64 MiB")]
    Bound(String),
    /// The annotation is missing.
    #[error("check ConfigMap {name}: it has no annotation {DIGEST} (this component's is sha256:{found})")]
    FindDigest {
        /// The ConfigMap.
        name: String,
        /// The digest of what it holds.
        found: String,
    },
    /// The digest differs.
    #[error("check ConfigMap {name}: its annotation {DIGEST} says {expected}, and the component is sha256:{found}")]
    Compare {
        /// The ConfigMap.
        name: String,
        /// What the annotation says.
        expected: String,
        /// The digest of what it holds.
        found: String,
    },
    /// The grants do not parse.
    #[error("parse {GRANTS} of {0}")]
    ParseGrants(String, #[source] serde_yaml::Error),
}

impl SourceError {
    /// A word for a condition's reason or a metric's label.
    pub fn reason(&self) -> &'static str {
        match self {
            SourceError::FindLabel(_) | SourceError::FindComponent(_) | SourceError::Mix(_) => "NoComponent",
            SourceError::Ambiguous(_) | SourceError::ParseReference(..) => "InvalidReference",
            SourceError::Decompress(..) | SourceError::Bound(_) => "NotDecompressed",
            SourceError::Pin(..) | SourceError::FindDigest { .. } | SourceError::Compare { .. } => "DigestMismatch",
            SourceError::ParseGrants(..) => "InvalidGrants",
        }
    }
}

/// The plugin in a ConfigMap, or where it is. `binary_data` holds decoded bytes; several `.wasm.zst` (or
/// `.wasm`) keys are the parts of one file, in the order of their keys.
pub fn from_config_map(
    name: &str,
    labels: &BTreeMap<String, String>,
    annotations: &BTreeMap<String, String>,
    binary_data: &BTreeMap<String, Vec<u8>>,
    data: &BTreeMap<String, String>,
) -> Result<Content, SourceError> {
    if !labels.contains_key(LABEL) {
        return Err(SourceError::FindLabel(name.to_owned()));
    }
    let expected = annotations.get(DIGEST);
    let grants = data.get(GRANTS).map(|text| serde_yaml::from_str(text)).transpose();
    let grants = || grants.map_err(|error| SourceError::ParseGrants(name.to_owned(), error));
    let component = match (component(name, binary_data), data.get(REFERENCE)) {
        (Err(SourceError::FindComponent(_)), Some(reference)) => {
            let pull_secret = data.get(PULL_SECRET).filter(|secret| !secret.is_empty()).cloned();
            let artifact = Artifact::new(name, reference, expected, pull_secret)?;
            return Ok(Content::Elsewhere(Artifact { grants: grants()?, ..artifact }));
        }
        (Ok(_), Some(_)) => return Err(SourceError::Ambiguous(name.to_owned())),
        (component, _) => component?,
    };
    check_digest(name, expected, &digest(&component))?;
    Ok(Content::Held(PluginSource { wasm: component, grants: grants()? }))
}

fn component(name: &str, binary_data: &BTreeMap<String, Vec<u8>>) -> Result<Vec<u8>, SourceError> {
    let ending = |end: &str| -> Vec<&[u8]> {
        binary_data.iter().filter(|(key, _)| key.ends_with(end)).map(|(_, part)| part.as_slice()).collect()
    };
    match (ending(".wasm"), ending(".wasm.zst")) {
        (plain, packed) if plain.is_empty() && packed.is_empty() => Err(SourceError::FindComponent(name.to_owned())),
        (plain, packed) if packed.is_empty() => Ok(plain.concat()),
        (plain, packed) if plain.is_empty() => decompress(name, &packed.concat()),
        _ => Err(SourceError::Mix(name.to_owned())),
    }
}

fn decompress(name: &str, packed: &[u8]) -> Result<Vec<u8>, SourceError> {
    let failed = |error| SourceError::Decompress(name.to_owned(), error);
    let mut wasm = vec![];
    let decoder = zstd::Decoder::with_buffer(packed).map_err(failed)?;
    decoder.take(MAX_COMPONENT + 1).read_to_end(&mut wasm).map_err(failed)?;
    if wasm.len() as u64 > MAX_COMPONENT {
        return Err(SourceError::Bound(name.to_owned()));
    }
    Ok(wasm)
}

pub(crate) fn check_digest(name: &str, expected: Option<&String>, found: &str) -> Result<(), SourceError> {
    let (name, found) = (name.to_owned(), found.to_owned());
    match expected {
        None => Err(SourceError::FindDigest { name, found }),
        Some(expected) if expected.strip_prefix("sha256:") == Some(found.as_str()) => Ok(()),
        Some(expected) => Err(SourceError::Compare { name, expected: expected.clone(), found }),
    }
}

/// SHA-256 in lower-case hexadecimal.
pub fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map<V: Clone>(entries: &[(&str, V)]) -> BTreeMap<String, V> {
        entries.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect()
    }

    fn read(binary: &[(&str, Vec<u8>)], digest: &str, data: &[(&str, String)]) -> Result<Content, SourceError> {
        let labels = map(&[(LABEL, "x".to_owned())]);
        from_config_map("ns/a", &labels, &map(&[(DIGEST, digest.to_owned())]), &map(binary), &map(data))
    }

    fn held(binary: &[(&str, Vec<u8>)], digest: &str, data: &[(&str, String)]) -> PluginSource {
        match read(binary, digest, data).unwrap() {
            Content::Held(source) => source,
            Content::Elsewhere(artifact) => panic!("{artifact:?}"),
        }
    }

    #[test]
    fn reads_plain_packed_and_split() {
        let wasm = b"hello component".to_vec();
        let packed = zstd::encode_all(&wasm[..], 3).unwrap();
        let (first, second) = packed.split_at(7);
        let sum = format!("sha256:{}", digest(&wasm));
        for binary in [
            vec![("a.wasm", wasm.clone())],
            vec![("a.wasm.zst", packed.clone())],
            vec![("a-1.wasm.zst", second.to_vec()), ("a-0.wasm.zst", first.to_vec()), ("readme", vec![1])],
        ] {
            assert_eq!(held(&binary, &sum, &[]), PluginSource { wasm: wasm.clone(), grants: None });
        }
        let grants = [("grants.yaml", "hosts: [\"https://a.test\"]\nnetworks: [10.0.0.0/8]\n".to_owned())];
        let source = held(&[("a.wasm", wasm)], &sum, &grants);
        assert_eq!(source.grants.unwrap().hosts.unwrap(), ["https://a.test"]);
    }

    #[test]
    fn says_what_is_wrong() {
        let wasm = b"hello".to_vec();
        let sum = format!("sha256:{}", digest(&wasm));
        let plain = [("a.wasm", wasm.clone())];
        let cases = [
            (read(&[("a.txt", wasm.clone())], &sum, &[]), "NoComponent"),
            (read(&[("a.wasm", wasm.clone()), ("b.wasm.zst", wasm.clone())], &sum, &[]), "NoComponent"),
            (read(&[("a.wasm.zst", wasm.clone())], &sum, &[]), "NotDecompressed"),
            (read(&plain, &sum, &[(REFERENCE, "registry.test/a".to_owned())]), "InvalidReference"),
            (read(&plain, "sha256:00", &[]), "DigestMismatch"),
            (read(&plain, &digest(&wasm), &[]), "DigestMismatch"),
            (read(&plain, &sum, &[("grants.yaml", "host: []".to_owned())]), "InvalidGrants"),
            (from_config_map("ns/a", &map(&[]), &map(&[]), &map(&plain), &map(&[])), "NoComponent"),
        ];
        for (result, reason) in cases {
            let error = result.unwrap_err();
            assert_eq!(error.reason(), reason, "{error}");
            assert!(error.to_string().contains("ns/a"), "{error}");
        }
    }

    #[test]
    fn a_bomb_is_not_unpacked() {
        let bomb = zstd::encode_all(std::io::repeat(0).take(MAX_COMPONENT + 10), 3).unwrap();
        assert!(bomb.len() < 1 << 20);
        assert!(matches!(read(&[("a.wasm.zst", bomb)], "sha256:00", &[]), Err(SourceError::Bound(_))));
    }
}
