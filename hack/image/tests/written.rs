//! An image as others see it: read back from its archive, and run from its layer.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result};
use serde_json::Value;
use sha2::{Digest, Sha256};
use signet_image::{Content, Error, File, Image, Layout};
use tempfile::TempDir;

const REFERENCE: &str = "registry.example/some/program:1.2";

fn image() -> Result<Image> {
    let mut image = Image::new(REFERENCE);
    image.entrypoint = vec!["/bin/program".into()];
    image.args = vec!["--list".into()];
    image.env = BTreeMap::from([("B".into(), "2".into()), ("A".into(), "1".into())]);
    image.labels = ["one", "two", "three", "four", "five"].map(|key| (key.to_owned(), key.to_owned())).into();
    image.add_program(&std::env::current_exe()?, "/bin/program")?;
    image.add_bytes("deep", "/a/file/below/folders", 0o600);
    Ok(image)
}

/// The files of an archive, by their paths.
fn files(archive: impl Read) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut archive = tar::Archive::new(archive);
    let file = |entry: std::io::Result<tar::Entry<'_, _>>| {
        let mut entry = entry?;
        let mut content = Vec::new();
        entry.read_to_end(&mut content)?;
        Ok((entry.path()?.display().to_string(), content))
    };
    archive.entries()?.map(file).collect()
}

/// What an importer makes of an archive: the index, the manifest and the configuration.
struct Imported {
    index: Value,
    manifest: Value,
    configuration: Value,
    layer: Vec<u8>,
}

fn import(files: &BTreeMap<String, Vec<u8>>) -> Result<Imported> {
    let blob = |descriptor: &Value| {
        let digest = descriptor["digest"].as_str().and_then(|digest| digest.strip_prefix("sha256:"));
        let digest = digest.context("a descriptor has a digest")?;
        let bytes = files[&format!("blobs/sha256/{digest}")].clone();
        assert_eq!(descriptor["size"].as_u64(), Some(bytes.len() as u64));
        assert_eq!(format!("{:x}", Sha256::digest(&bytes)), digest);
        anyhow::Ok(bytes)
    };
    let json = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes);
    assert_eq!(json(&files["oci-layout"])?["imageLayoutVersion"], "1.0.0");
    let index = json(&files["index.json"])?;
    let manifest = json(&blob(&index["manifests"][0])?)?;
    let (configuration, layer) = (json(&blob(&manifest["config"])?)?, blob(&manifest["layers"][0])?);
    Ok(Imported { index, manifest, configuration, layer })
}

#[test]
fn an_archive_has_the_image_under_its_name() -> Result<()> {
    let folder = TempDir::new()?;
    let path = folder.path().join("image.tar");
    let size = image()?.write_archive(&path)?;
    let Imported { index, manifest, configuration, layer } = import(&files(fs::File::open(path)?)?)?;

    let described = &index["manifests"][0];
    assert_eq!(described["digest"], size.digest);
    assert_eq!(described["annotations"]["io.containerd.image.name"], REFERENCE);
    assert_eq!(described["annotations"]["org.opencontainers.image.ref.name"], REFERENCE);
    assert_eq!(described["platform"]["os"], "linux");
    assert_eq!(manifest["layers"][0]["mediaType"], "application/vnd.oci.image.layer.v1.tar");

    let config = &configuration["config"];
    assert_eq!(config["User"], "65532:65532");
    assert_eq!(config["Entrypoint"], serde_json::json!(["/bin/program"]));
    assert_eq!(config["Cmd"], serde_json::json!(["--list"]));
    assert_eq!(config["Env"], serde_json::json!(["A=1", "B=2"]));
    let diff_id = format!("sha256:{:x}", Sha256::digest(&layer));
    assert_eq!(configuration["rootfs"], serde_json::json!({"type": "layers", "diff_ids": [diff_id]}));
    assert_eq!(size.unpacked_bytes, layer.len() as u64);
    Ok(())
}

#[test]
fn a_compressed_layer_is_the_same_one() -> Result<()> {
    let folder = TempDir::new()?;
    let (plain, small) = (folder.path().join("plain.tar"), folder.path().join("small.tar"));
    let unpacked = image()?.write_archive(&plain)?;
    let packed = Image { compression: Some(3), ..image()? }.write_archive(&small)?;
    let read = |path| import(&files(fs::File::open(path)?)?);
    let (plain, small) = (read(plain)?, read(small)?);

    assert_eq!(small.manifest["layers"][0]["mediaType"], "application/vnd.oci.image.layer.v1.tar+zstd");
    assert_eq!(zstd::decode_all(small.layer.as_slice())?, plain.layer);
    assert_eq!(small.configuration, plain.configuration);
    assert_eq!(packed.unpacked_bytes, unpacked.unpacked_bytes);
    assert!(packed.pulled_bytes < unpacked.pulled_bytes);
    Ok(())
}

#[test]
fn the_same_image_has_the_same_bytes() -> Result<()> {
    let folder = TempDir::new()?;
    let write = |name: &str| {
        let path = folder.path().join(name);
        Image { compression: Some(1), ..image()? }.write_archive(&path)?;
        anyhow::Ok(fs::read(path)?)
    };
    let first = write("first.tar")?;
    // Times and owners of what an image is made of are none of its business.
    let copy = folder.path().join("copy");
    fs::copy(std::env::current_exe()?, &copy)?;
    let mut later = Image { compression: Some(1), ..image()? };
    later.add_file(&copy, "/bin/program", 0o755);
    later.write_archive(&folder.path().join("later.tar"))?;
    assert!(first == write("second.tar")?, "written twice, and different");
    assert!(first == fs::read(folder.path().join("later.tar"))?, "a copy of the program makes a difference");
    Ok(())
}

#[test]
fn a_folder_has_what_an_archive_has() -> Result<()> {
    let folder = TempDir::new()?;
    let layout = Layout::new(&image()?)?;
    layout.write_archive(&folder.path().join("image.tar"))?;
    // Whatever was there before is gone.
    fs::create_dir_all(folder.path().join("layout/blobs/sha256/old"))?;
    layout.write_folder(&folder.path().join("layout"))?;
    let mut archive = files(fs::File::open(folder.path().join("image.tar"))?)?;
    archive.retain(|path, _| !path.ends_with('/'));
    let blobs = fs::read_dir(folder.path().join("layout/blobs/sha256"))?;
    assert_eq!(blobs.count() + 2, archive.len());
    for (path, content) in archive {
        assert!(fs::read(folder.path().join("layout").join(&path))? == content, "{path}");
    }
    Ok(())
}

#[test]
fn a_document_is_attached_to_the_image_and_changes_nothing_of_it() -> Result<()> {
    let folder = TempDir::new()?;
    let mut layout = Layout::new(&image()?)?;
    let before = layout.size();
    layout.attach("application/vnd.cyclonedx+json", "bom.json", b"{\"a\": 1}")?;
    assert_eq!(layout.size(), before);
    layout.write_archive(&folder.path().join("image.tar"))?;
    let files = files(fs::File::open(folder.path().join("image.tar"))?)?;
    let index = import(&files)?.index;
    let (image, artifact) = (&index["manifests"][0], &index["manifests"][1]);
    assert_eq!(artifact["artifactType"], "application/vnd.cyclonedx+json");
    assert_eq!(artifact["annotations"], Value::Null, "a name would make it an image to import");

    let blob = |descriptor: &Value| {
        let digest = descriptor["digest"].as_str().and_then(|digest| digest.strip_prefix("sha256:"));
        files.get(&format!("blobs/sha256/{}", digest.unwrap_or_default())).context("the blob is there")
    };
    let manifest: Value = serde_json::from_slice(blob(artifact)?)?;
    assert_eq!(manifest["subject"]["digest"], image["digest"]);
    assert_eq!(manifest["artifactType"], artifact["artifactType"]);
    assert_eq!(manifest["layers"][0]["annotations"]["org.opencontainers.image.title"], "bom.json");
    assert_eq!(blob(&manifest["layers"][0])?, b"{\"a\": 1}");
    assert_eq!(blob(&manifest["config"])?, b"{}");
    Ok(())
}

#[test]
fn a_destination_is_an_absolute_path() -> Result<()> {
    for path in ["relative", "/", "/a/../b", "/a//b", "/a/"] {
        let mut image = Image::new(REFERENCE);
        image.add_bytes("", path, 0o644);
        assert!(matches!(Layout::new(&image), Err(Error::Destination { .. })), "{path}");
    }
    Ok(())
}

#[test]
fn a_program_runs_from_nothing_but_its_layer() -> Result<()> {
    let folder = TempDir::new()?;
    let root = unpacked(&image()?, folder.path())?;
    let output = run(&root, "/bin/program", &["--list"])?;
    let listed = String::from_utf8_lossy(&output.stdout);
    assert!(listed.contains("a_program_runs_from_nothing_but_its_layer: test"), "{output:?}");
    Ok(())
}

/// The program that cargo built beside this test, with the plugins that `make plugins` built.
#[test]
fn signet_runs_from_its_image() -> Result<()> {
    let beside = std::env::current_exe()?.ancestors().nth(2).context("cargo's folder")?.join("signet");
    let program = std::env::var_os("SIGNET_BIN").map_or(beside, PathBuf::from);
    let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/plugins");
    let image = Image::signet(REFERENCE, &program, &plugins);
    let image = image.context("run `cargo build --workspace --bins` and `make plugins` first")?;
    assert!(image.files.contains_key("/plugins/ingress.wasm") && image.files.contains_key("/plugins/route53.wasm"));
    let entrypoint = image.entrypoint[0].clone();
    let folder = TempDir::new()?;
    let root = unpacked(&image, folder.path())?;
    let version = run(&root, &entrypoint, &["--version"])?;
    assert!(version.stdout.starts_with(b"signet "), "{version:?}");
    let crds = run(&root, &entrypoint, &["crds"])?;
    assert!(String::from_utf8_lossy(&crds.stdout).contains("name: certificates.cert-manager.io"), "{crds:?}");
    Ok(())
}

#[test]
fn every_file_belongs_to_root_and_is_of_1970() -> Result<()> {
    let folder = TempDir::new()?;
    let path = folder.path().join("image.tar");
    let mut image = image()?;
    image.files.insert("/var/cache".into(), File { content: Content::Folder, mode: 0o700 });
    image.write_archive(&path)?;
    let layer = import(&files(fs::File::open(path)?)?)?.layer;
    let mut modes = BTreeMap::new();
    for entry in tar::Archive::new(layer.as_slice()).entries()? {
        let header = entry?.header().clone();
        assert_eq!((header.uid()?, header.gid()?, header.mtime()?), (0, 0, 0));
        modes.insert(header.path()?.display().to_string(), header.mode()?);
    }
    for (path, mode) in [
        ("tmp/", 0o1777),
        ("etc/", 0o755),
        ("etc/passwd", 0o644),
        ("etc/ssl/certs/ca-certificates.crt", 0o644),
        ("bin/program", 0o755),
        ("a/file/below/", 0o755),
        ("a/file/below/folders", 0o600),
        ("var/cache/", 0o700),
    ] {
        assert_eq!(modes.get(path), Some(&mode), "{path}");
    }
    Ok(())
}

/// The image's layer in a folder of `parent`.
fn unpacked(image: &Image, parent: &Path) -> Result<PathBuf> {
    let archive = parent.join("image.tar");
    image.write_archive(&archive)?;
    let layer = import(&files(fs::File::open(archive)?)?)?.layer;
    let root = parent.join("root");
    tar::Archive::new(layer.as_slice()).unpack(&root)?;
    Ok(root)
}

/// Runs a program with `root` as its whole file system: as the image's user when we are root, else in a
/// user namespace, where we may be nobody but root.
fn run(root: &Path, program: &str, args: &[&str]) -> Result<Output> {
    let is_root = rustix::process::geteuid().is_root();
    let mut command = Command::new(if is_root { "chroot" } else { "unshare" });
    if is_root {
        command.arg("--userspec=65532:65532");
    } else {
        command.args(["--map-root-user", "chroot"]);
    }
    let output = command.arg(root).arg(program).args(args).env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    let output = output.output().context("chroot and unshare are on every Linux machine")?;
    assert!(
        output.status.success(),
        "{program} does not run in {}, or this machine lets nobody but root make a user namespace: {output:?}",
        root.display()
    );
    Ok(output)
}
