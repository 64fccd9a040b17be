//! Solver components, from source to the form that a cluster takes them in.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use base64::prelude::{BASE64_STANDARD, Engine};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use sha2::{Digest, Sha256};
use signet_api::labels;
use signet_lab::{Lab, build_guests};

/// The namespace of Signet in every lab.
pub(crate) const NAMESPACE: &str = "cert-manager";

/// A component, and the digest that it is announced with.
#[derive(Clone)]
pub(crate) struct Plugin {
    pub(crate) wasm: Vec<u8>,
    pub(crate) digest: String,
}

impl Plugin {
    pub(crate) fn new(wasm: Vec<u8>) -> Self {
        let digest: String = Sha256::digest(&wasm).iter().map(|byte| format!("{byte:02x}")).collect();
        Self { digest: format!("sha256:{digest}"), wasm }
    }

    /// As it travels.
    pub(crate) fn packed(&self) -> std::io::Result<Vec<u8>> {
        zstd::encode_all(&self.wasm[..], 19)
    }

    /// Puts it into the cluster, in place of what was there under that name.
    pub(crate) async fn apply(&self, lab: &Lab, name: &str) -> Result<()> {
        self.apply_packed(lab, name, self.packed()?).await
    }

    /// The same with bytes that need not be what they should.
    pub(crate) async fn apply_packed(&self, lab: &Lab, name: &str, packed: Vec<u8>) -> Result<()> {
        let map = ConfigMap {
            metadata: ObjectMeta {
                name: Some(config_map(name)),
                labels: Some([(labels::PLUGIN.to_owned(), name.to_owned())].into()),
                annotations: Some([(labels::PLUGIN_DIGEST.to_owned(), self.digest.clone())].into()),
                ..ObjectMeta::default()
            },
            binary_data: Some([("plugin.wasm.zst".to_owned(), ByteString(packed))].into()),
            // The provider is on loopback, where no plugin may go unless its operator says so.
            data: Some(BTreeMap::from([("grants.yaml".to_owned(), "networks: [127.0.0.0/8]\n".to_owned())])),
            ..ConfigMap::default()
        };
        let api = Api::<ConfigMap>::namespaced(lab.client().await, NAMESPACE);
        api.patch(&config_map(name), &PatchParams::apply("test").force(), &Patch::Apply(&map)).await?;
        Ok(())
    }

    /// The file that the chart takes: zstd in base64.
    pub(crate) fn write_for_helm(&self, path: &Path) -> Result<()> {
        Ok(fs::write(path, BASE64_STANDARD.encode(self.packed()?))?)
    }
}

fn config_map(name: &str) -> String {
    format!("signet-plugin-{name}")
}

/// Takes a plugin out of the cluster.
pub(crate) async fn remove(lab: &Lab, name: &str) -> Result<()> {
    let api = Api::<ConfigMap>::namespaced(lab.client().await, NAMESPACE);
    api.delete(&config_map(name), &DeleteParams::background()).await?;
    Ok(())
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The guide's example of a solver.
pub(crate) fn hello() -> Result<Plugin> {
    let built = build_guests(&repository().join("examples/solver-hello"), "solver-hello")?;
    Ok(Plugin::new(fs::read(built.join("solver_hello.wasm"))?))
}

/// Its next version, which calls the provider under another path.
pub(crate) fn newer_hello() -> Result<Plugin> {
    let (example, copy) =
        (repository().join("examples/solver-hello"), repository().join("target/solver-hello-newer/crate"));
    fs::create_dir_all(copy.join("src"))?;
    let sdk = format!("path = \"{}\"", repository().join("sdk/rust").canonicalize()?.display());
    let changes = [
        ("Cargo.toml", "path = \"../../sdk/rust\"", sdk.as_str()),
        ("Cargo.toml", "version = \"0.1.0\"", "version = \"0.2.0\""),
        ("Cargo.lock", "\"solver-hello\"\nversion = \"0.1.0\"", "\"solver-hello\"\nversion = \"0.2.0\""),
        ("src/lib.rs", "/records\"", "/v2/records\""),
        ("src/lib.rs", "\n#[cfg(test)]\nmod tests;\n", ""),
        ("solver.json", "two calls.", "two calls and a version."),
    ];
    let mut texts = BTreeMap::new();
    for (file, old, new) in changes {
        let text = match texts.remove(file) {
            Some(text) => text,
            None => fs::read_to_string(example.join(file))?,
        };
        ensure!(text.contains(old), "{file} of the example no longer has {old:?}");
        texts.insert(file, text.replace(old, new));
    }
    for (file, text) in texts {
        fs::write(copy.join(file), text)?;
    }
    // By itself: cargo gives a component no name of its own for each version of its crate.
    let built = build_guests(&copy, "solver-hello-newer")?;
    Ok(Plugin::new(fs::read(built.join("solver_hello.wasm"))?))
}

/// A guest that does what a solver must not.
pub(crate) fn hostile(name: &str) -> Result<Plugin> {
    let built = build_guests(&repository().join("tests/hostile"), "hostile")?;
    Ok(Plugin::new(fs::read(built.join(format!("examples/{name}.wasm")))?))
}
