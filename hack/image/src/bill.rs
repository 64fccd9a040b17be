//! The image's bill of materials, in CycloneDX: what we compiled with the crates in it, as cargo
//! resolves them, and what was copied from the machine with the package that it is of.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package, PackageId};
use cyclonedx_bom::models::component::{Classification, Component, Components};
use cyclonedx_bom::models::dependency::{Dependencies, Dependency};
use cyclonedx_bom::models::hash::{Hash, HashAlgorithm, HashValue, Hashes};
use cyclonedx_bom::models::license::{LicenseChoice, Licenses};
use cyclonedx_bom::models::metadata::Metadata as About;
use cyclonedx_bom::prelude::{Bom, Purl, Validate};
use sha2::{Digest, Sha256};
use signet_image::{Content, Image};

use crate::distribution;

const HOST: &str = "signet-controller";
/// The crate that the image's CA roots are from.
const CA_ROOTS: &str = "webpki-root-certs";

/// The bill as JSON, for an image of this repository's programs with this digest.
pub(crate) fn of(image: &Image, digest: &str, repository: &Path) -> Result<Vec<u8>> {
    let mut bill = Bill::default();
    let native = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    // The packages as make builds them.
    let host = Workspace::read(repository, &native, &["-p", HOST, "-p", "signet-cli"])?;
    let guests = Workspace::read(&repository.join("plugins"), "wasm32-wasip2", &["--workspace"])?;
    let mut parts = BTreeSet::from([bill.package(host.named(CA_ROOTS)?)?]);
    for (path, file) in &image.files {
        let Content::Source(source) = &file.content else { continue };
        let hash = hash(&std::fs::read(source)?);
        parts.insert(match path.strip_prefix("/plugins/").and_then(|name| name.strip_suffix(".wasm")) {
            Some(plugin) => bill.program(&guests, &format!("signet-plugin-{plugin}"), hash)?,
            None if is_compiled(image, path) => bill.program(&host, HOST, hash)?,
            None => bill.file(path, source, hash)?,
        });
    }
    let mut whole =
        Component::new(Classification::Container, "signet", env!("CARGO_PKG_VERSION"), Some("image".into()));
    whole.hashes = digest.strip_prefix("sha256:").map(|hex| sha256(hex.to_owned()));
    bill.dependencies.insert("image".into(), parts);
    bill.json(whole)
}

/// Whether a file is of our making: the program or a plugin, and no library of the machine.
pub(crate) fn is_compiled(image: &Image, path: &str) -> bool {
    path.ends_with(".wasm") || image.entrypoint.first().is_some_and(|program| program == path)
}

/// A workspace as cargo resolves it.
struct Workspace {
    metadata: Metadata,
    /// Name and version of what is linked. The metadata has more: it is resolved with the features of all
    /// members at once.
    linked: BTreeSet<(String, String)>,
}

impl Workspace {
    fn read(folder: &Path, target: &str, selection: &[&str]) -> Result<Self> {
        let manifest = folder.join("Cargo.toml");
        let options = ["--locked".to_owned(), format!("--filter-platform={target}")];
        let metadata = MetadataCommand::new().manifest_path(&manifest).other_options(options).exec()?;
        let mut tree = Command::new(std::env::var("CARGO").unwrap_or("cargo".into()));
        tree.args(["tree", "--locked", "--edges=normal,no-proc-macro", "--prefix=none", "--format={p}", "--target"]);
        let output = tree.arg(target).args(selection).arg("--manifest-path").arg(manifest).output()?;
        ensure!(output.status.success(), "cargo tree: {}", String::from_utf8_lossy(&output.stderr));
        let listed = String::from_utf8(output.stdout)?;
        let package = |line: &str| {
            let (name, rest) = line.split_once(" v")?;
            Some((name.to_owned(), rest.split(' ').next()?.to_owned()))
        };
        Ok(Self { metadata, linked: listed.lines().filter_map(package).collect() })
    }

    fn named(&self, name: &str) -> Result<&Package> {
        let found = self.metadata.packages.iter().find(|package| package.name == name);
        found.with_context(|| format!("cargo knows no package {name}; is that plugin one of this repository?"))
    }

    fn package(&self, id: &PackageId) -> Result<&Package> {
        self.metadata.packages.iter().find(|package| package.id == *id).context("what is resolved is a package")
    }

    /// The packages that one package is linked with.
    fn dependencies(&self, id: &PackageId) -> Result<Vec<&Package>> {
        let resolve = self.metadata.resolve.as_ref().context("cargo metadata has a resolve")?;
        let node = resolve.nodes.iter().find(|node| node.id == *id).context("every package is resolved")?;
        let normal =
            node.deps.iter().filter(|one| one.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal));
        let packages: Result<Vec<&Package>> = normal.map(|one| self.package(&one.pkg)).collect();
        let is_linked =
            |package: &&Package| self.linked.contains(&(package.name.to_string(), package.version.to_string()));
        Ok(packages?.into_iter().filter(is_linked).collect())
    }
}

#[derive(Default)]
struct Bill {
    components: BTreeMap<String, Component>,
    dependencies: BTreeMap<String, BTreeSet<String>>,
}

impl Bill {
    /// A program with every crate that is linked into it.
    fn program(&mut self, workspace: &Workspace, name: &str, hash: Hashes) -> Result<String> {
        let root = workspace.named(name)?;
        let mut due = vec![root];
        let mut seen = BTreeSet::new();
        while let Some(package) = due.pop() {
            if !seen.insert(&package.id) {
                continue;
            }
            let reference = self.package(package)?;
            for dependency in workspace.dependencies(&package.id)? {
                let on = self.package(dependency)?;
                self.dependencies.entry(reference.clone()).or_default().insert(on);
                due.push(dependency);
            }
        }
        let reference = self.package(root)?;
        let component = self.components.get_mut(&reference).context("it was added just now")?;
        component.component_type = Classification::Application;
        component.hashes = Some(hash);
        Ok(reference)
    }

    fn package(&mut self, package: &Package) -> Result<String> {
        let version = package.version.to_string();
        let purl = Purl::new("cargo", &package.name, &version)?;
        let reference = purl.to_string();
        let mut component = Component::new(Classification::Library, &package.name, &version, Some(reference.clone()));
        // Names of licences, not Cargo's old way to write one of several.
        let license = package.license.as_ref().map(|text| LicenseChoice::expression(&text.replace('/', " OR ")));
        component.licenses = license.map(|license| Licenses(vec![license]));
        // Paths of ours are nothing that anybody could download.
        component.purl = package.source.is_some().then_some(purl);
        self.components.entry(reference.clone()).or_insert(component);
        Ok(reference)
    }

    /// A file of the machine.
    fn file(&mut self, path: &str, source: &Path, hash: Hashes) -> Result<String> {
        let mut component = Component::new(Classification::File, path, "", Some(path.to_owned()));
        component.version = None;
        component.hashes = Some(hash);
        self.components.insert(path.to_owned(), component);
        let mut parts = BTreeSet::new();
        if let Some(package) = distribution::package_of(source) {
            let reference = package.purl.clone();
            let mut component =
                Component::new(Classification::Library, &package.name, &package.version, Some(reference.clone()));
            component.purl = Some(package.purl.parse().ok().context("it was built as a package URL")?);
            self.components.insert(reference.clone(), component);
            parts.insert(reference);
        }
        self.dependencies.insert(path.to_owned(), parts);
        Ok(path.to_owned())
    }

    fn json(self, whole: Component) -> Result<Vec<u8>> {
        let dependency = |(dependency_ref, on): (String, BTreeSet<String>)| Dependency {
            dependency_ref,
            dependencies: on.into_iter().collect(),
        };
        let bom = Bom {
            metadata: Some(About { component: Some(whole), ..About::default() }),
            components: Some(Components(self.components.into_values().collect())),
            dependencies: Some(Dependencies(self.dependencies.into_iter().map(dependency).collect())),
            serial_number: None,
            ..Bom::default()
        };
        let result = bom.validate();
        ensure!(result.passed(), "the bill is not valid CycloneDX: {result:?}");
        let mut json = Vec::new();
        bom.output_as_json_v1_5(&mut json)?;
        Ok(json)
    }
}

fn hash(bytes: &[u8]) -> Hashes {
    sha256(format!("{:x}", Sha256::digest(bytes)))
}

fn sha256(hex: String) -> Hashes {
    Hashes(vec![Hash { alg: HashAlgorithm::SHA_256, content: HashValue(hex) }])
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// The bill of an image with a test for its program, and an empty file for a plugin of ours.
    fn bill() -> Value {
        let repository = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
        let plugins = tempfile::TempDir::new().unwrap();
        std::fs::write(plugins.path().join("ingress.wasm"), "").unwrap();
        let image = Image::signet("example/signet:1", &std::env::current_exe().unwrap(), plugins.path()).unwrap();
        let digest = format!("sha256:{}", "0".repeat(64));
        let json = of(&image, &digest, repository).unwrap();
        assert!(json == of(&image, &digest, repository).unwrap(), "written twice, and different");
        serde_json::from_slice(&json).unwrap()
    }

    #[test]
    fn a_bill_names_what_is_in_the_image() {
        let bill = bill();
        let find = |name: &str| {
            let components = bill["components"].as_array().into_iter().flatten();
            components.into_iter().find(|component| component["name"] == name)
        };
        let depends = |on: &str| {
            let dependencies = bill["dependencies"].as_array().into_iter().flatten();
            let mut found = dependencies.into_iter().find(|one| one["ref"] == on);
            found.take().map(|one| one["dependsOn"].to_string()).unwrap_or_default()
        };
        assert_eq!(bill["bomFormat"], "CycloneDX");
        assert_eq!(bill["metadata"]["component"]["hashes"][0]["content"], "0".repeat(64));

        let host = find(HOST).unwrap();
        assert_eq!((&host["type"], &host["hashes"][0]["alg"]), (&"application".into(), &"SHA-256".into()));
        let kube = find("kube").unwrap();
        assert_eq!(kube["licenses"][0]["expression"], "Apache-2.0");
        assert!(kube["purl"].as_str().unwrap().starts_with("pkg:cargo/kube@"), "{kube}");
        let reference = kube["bom-ref"].as_str().unwrap();
        assert!(depends(host["bom-ref"].as_str().unwrap()).contains(reference));

        let plugin = find("signet-plugin-ingress").unwrap();
        assert_eq!(plugin["type"], "application");
        assert!(depends("image").contains(plugin["bom-ref"].as_str().unwrap()));
        assert!(depends("image").contains("libc.so.6"), "{}", depends("image"));
        assert!(find(CA_ROOTS).is_some());
        assert!(find("expect-test").is_none(), "what only tests need is not in the image");
        assert!(find("serde_derive").is_none(), "nor is what only the compiler runs");
        assert!(find("ring").is_none(), "nor is what nothing asks for");
    }
}
