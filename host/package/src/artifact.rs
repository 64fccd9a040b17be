//! A plugin that a registry holds, as an OCI artifact: one layer, which is the component (CNCF's layout of
//! WebAssembly artifacts). Pure functions: fetching it is the controller's work.

use std::collections::BTreeMap;
use std::fmt;

use base64::prelude::{BASE64_STANDARD, Engine};
use oci_spec::distribution::Reference;
use oci_spec::image::{Descriptor, ImageManifest};
use serde::Deserialize;

use crate::grants::OperatorGrants;
use crate::source::{MAX_COMPONENT, PluginSource, SourceError, check_digest, digest};

/// Types of a layer that is a component; the second is from before the layout was agreed on.
const COMPONENT_TYPES: [&str; 2] = ["application/wasm", "application/vnd.wasm.content.layer.v1+wasm"];
/// Docker Hub under the names that clients have for it in their files.
const DOCKER_HUB: [&str; 3] = ["docker.io", "index.docker.io", "registry-1.docker.io"];

/// Where a plugin is, which content it has there, and what its operator grants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// The ConfigMap, as messages name it.
    pub map: String,
    /// What to ask which registry for.
    pub reference: Reference,
    /// `sha256:` and the digest of the component; without it the reference has the manifest's.
    pub digest: Option<String>,
    /// The Secret with the registry's credentials, in the ConfigMap's namespace.
    pub pull_secret: Option<String>,
    /// What stands beside it.
    pub grants: Option<OperatorGrants>,
}

/// The layer that is the component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// Algorithm and digest.
    pub digest: String,
    /// In bytes.
    pub size: u64,
}

/// Credentials for a registry.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// Who asks.
    pub username: String,
    /// Never shown.
    pub password: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("username", &self.username).finish_non_exhaustive()
    }
}

/// Why what a registry or a Secret holds is of no use.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    /// It is no manifest of one artifact.
    #[error("parse the manifest")]
    ParseManifest(#[source] oci_spec::OciSpecError),
    /// None of the layers, or several, may be the component.
    #[error("find the component: {0} of the layers ({1}) are of the type application/wasm, and one must be")]
    FindLayer(usize, String),
    /// It is larger than any plugin may be.
    #[error("find the component: it has {0} bytes, and a plugin at most 64 MiB")]
    Bound(u64),
    /// The Secret's content is not that of its type.
    #[error("parse its .dockerconfigjson")]
    ParseLogins(#[source] serde_json::Error),
    /// An entry of it is of no use.
    #[error("parse its .dockerconfigjson: auth of {0} is not USER:PASSWORD in base64")]
    ParseLogin(String),
    /// It is for other registries.
    #[error("find {0} in its .dockerconfigjson: it has {1}")]
    FindLogin(String, String),
}

impl Artifact {
    pub(crate) fn new(
        map: &str,
        reference: &str,
        digest: Option<&String>,
        pull_secret: Option<String>,
    ) -> Result<Self, SourceError> {
        let text = reference.trim();
        let text = text.strip_prefix("oci://").unwrap_or(text);
        let reference: Reference =
            text.parse().map_err(|error| SourceError::ParseReference(map.to_owned(), text.to_owned(), error))?;
        if digest.is_none() && reference.digest().is_none() {
            return Err(SourceError::Pin(map.to_owned(), text.to_owned()));
        }
        Ok(Self { map: map.to_owned(), reference, digest: digest.cloned(), pull_secret, grants: None })
    }

    /// The plugin, once its component is here.
    pub fn with_component(self, wasm: Vec<u8>) -> Result<PluginSource, SourceError> {
        if self.digest.is_some() {
            check_digest(&self.map, self.digest.as_ref(), &digest(&wasm))?;
        }
        Ok(PluginSource { wasm, grants: self.grants })
    }
}

impl Layer {
    /// The component among the layers of a manifest.
    pub fn of_manifest(manifest: &[u8]) -> Result<Self, ArtifactError> {
        let manifest = ImageManifest::from_reader(manifest).map_err(ArtifactError::ParseManifest)?;
        let is_component = |layer: &&Descriptor| COMPONENT_TYPES.contains(&layer.media_type().to_string().as_str());
        let components: Vec<_> = manifest.layers().iter().filter(is_component).collect();
        let [component] = components[..] else {
            let types: Vec<_> = manifest.layers().iter().map(|layer| layer.media_type().to_string()).collect();
            return Err(ArtifactError::FindLayer(components.len(), types.join(", ")));
        };
        if component.size() > MAX_COMPONENT {
            return Err(ArtifactError::Bound(component.size()));
        }
        Ok(Self { digest: component.digest().to_string(), size: component.size() })
    }
}

#[derive(Deserialize)]
struct DockerConfig {
    #[serde(default)]
    auths: BTreeMap<String, DockerLogin>,
}

#[derive(Deserialize)]
struct DockerLogin {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
}

impl Login {
    /// The credentials for a registry in the value of `.dockerconfigjson`.
    pub fn in_docker_config(config: &[u8], registry: &str) -> Result<Self, ArtifactError> {
        let config: DockerConfig = serde_json::from_slice(config).map_err(ArtifactError::ParseLogins)?;
        let found = config.auths.iter().find(|(server, _)| is_same(host(server), registry));
        let Some((server, login)) = found else {
            let servers: Vec<_> = config.auths.into_keys().collect();
            return Err(ArtifactError::FindLogin(registry.to_owned(), servers.join(", ")));
        };
        if let (Some(username), Some(password)) = (&login.username, &login.password) {
            return Ok(Self { username: username.clone(), password: password.clone() });
        }
        let decoded = login.auth.as_ref().and_then(|auth| BASE64_STANDARD.decode(auth.trim()).ok());
        let text = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
        let parts = text.as_deref().and_then(|text| text.split_once(':'));
        let (username, password) = parts.ok_or_else(|| ArtifactError::ParseLogin(server.clone()))?;
        Ok(Self { username: username.to_owned(), password: password.to_owned() })
    }
}

/// `https://host:port/v1/` as `host:port`.
fn host(server: &str) -> &str {
    let server = server.split_once("://").map_or(server, |(_, rest)| rest);
    server.split('/').next().unwrap_or(server)
}

fn is_same(host: &str, registry: &str) -> bool {
    host == registry || [host, registry].iter().all(|name| DOCKER_HUB.contains(name))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::source::{Content, DIGEST, GRANTS, LABEL, PULL_SECRET, REFERENCE, from_config_map};

    const PINNED: &str =
        "registry.test:5000/solvers/hello@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn read(digest: Option<&str>, data: &[(&str, &str)]) -> Result<Artifact, SourceError> {
        let labels = [(LABEL.to_owned(), "x".to_owned())].into();
        let annotations = digest.map(|digest| (DIGEST.to_owned(), digest.to_owned())).into_iter().collect();
        let data = data.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        match from_config_map("ns/a", &labels, &annotations, &BTreeMap::new(), &data)? {
            Content::Elsewhere(artifact) => Ok(artifact),
            Content::Held(source) => panic!("{source:?}"),
        }
    }

    #[test]
    fn a_config_map_may_name_what_a_registry_holds() {
        let artifact = read(None, &[(REFERENCE, PINNED), (PULL_SECRET, "login"), (GRANTS, "hosts: []")]).unwrap();
        assert_eq!(
            (artifact.reference.registry(), artifact.reference.repository()),
            ("registry.test:5000", "solvers/hello")
        );
        assert_eq!(artifact.pull_secret.as_deref(), Some("login"));
        assert_eq!(artifact.with_component(b"any".to_vec()).unwrap().grants.unwrap().hosts, Some(vec![]));

        let pinned = format!("sha256:{}", digest(b"component"));
        let artifact = read(Some(&pinned), &[(REFERENCE, "oci://registry.test/hello:1.2")]).unwrap();
        assert_eq!(artifact.reference.tag(), Some("1.2"));
        assert!(artifact.clone().with_component(b"component".to_vec()).is_ok());
        assert_eq!(artifact.with_component(b"other".to_vec()).unwrap_err().reason(), "DigestMismatch");
    }

    #[test]
    fn a_reference_that_says_too_little_is_refused() {
        let cases = [
            (read(None, &[(REFERENCE, "registry.test/hello:1.2")]), "DigestMismatch", "registry.test/hello:1.2"),
            (read(None, &[(REFERENCE, "Registry Test")]), "InvalidReference", "Registry Test"),
            (read(None, &[(REFERENCE, PINNED), (GRANTS, "host: []")]), "InvalidGrants", "grants.yaml"),
        ];
        for (result, reason, names) in cases {
            let error = result.unwrap_err();
            assert_eq!(error.reason(), reason, "{error}");
            let text = error.to_string();
            assert!(text.contains("ns/a") && text.contains(names), "{text}");
        }
    }

    fn manifest(layers: &[(&str, u64)]) -> Vec<u8> {
        let digest = format!("sha256:{}", digest(b"component"));
        let of = |(kind, size): &(&str, u64)| json!({ "mediaType": kind, "digest": digest, "size": size });
        let layers: Vec<Value> = layers.iter().map(of).collect();
        let config = of(&("application/vnd.wasm.config.v0+json", 2));
        json!({ "schemaVersion": 2, "config": config, "layers": layers }).to_string().into_bytes()
    }

    #[test]
    fn the_one_layer_that_is_a_component_is_found() {
        let layer = Layer::of_manifest(&manifest(&[("text/markdown", 9), ("application/wasm", 7)])).unwrap();
        assert_eq!((layer.size, layer.digest), (7, format!("sha256:{}", digest(b"component"))));
        let two = manifest(&[("application/wasm", 1), ("application/wasm", 1)]);
        let large = manifest(&[("application/wasm", MAX_COMPONENT + 1)]);
        for (bytes, says) in [
            (manifest(&[("application/vnd.oci.image.layer.v1.tar+gzip", 1)]), "0 of the layers"),
            (two, "2 of the layers"),
            (large, "at most 64 MiB"),
            (b"{}".to_vec(), "parse the manifest"),
        ] {
            let error = Layer::of_manifest(&bytes).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn credentials_are_found_however_a_client_wrote_them() {
        let auth = BASE64_STANDARD.encode("anna:se:cret");
        let config = json!({ "auths": {
            "https://registry.test:5000/v2/": { "auth": auth },
            "https://index.docker.io/v1/": { "username": "bert", "password": "x" },
            "broken.test": { "auth": "%" },
        }});
        let find = |registry| Login::in_docker_config(config.to_string().as_bytes(), registry);
        let login = find("registry.test:5000").unwrap();
        assert_eq!((login.username.as_str(), login.password.as_str()), ("anna", "se:cret"));
        assert!(!format!("{login:?}").contains("cret"));
        assert_eq!(find("docker.io").unwrap().username, "bert");
        for (registry, says) in [("registry.test", "it has"), ("broken.test", "auth of broken.test")] {
            let error = find(registry).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}
