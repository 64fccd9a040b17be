//! The image as the OCI image specification lays it out: blobs by digest, and an index that names them.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::{self, BufWriter, Read, Seek, Write};
use std::path::Path;
use std::str::FromStr;

use oci_spec::image::{
    ANNOTATION_REF_NAME, ANNOTATION_TITLE, Arch, Config, ConfigBuilder, Descriptor, ImageConfiguration,
    ImageConfigurationBuilder, ImageIndexBuilder, ImageManifestBuilder, MediaType, Os, PlatformBuilder, RootFsBuilder,
    SCHEMA_VERSION, Sha256Digest,
};
use serde::Serialize;
use sha2::{Digest, Sha256};
use tar::EntryType;

use crate::error::Error;
use crate::image::Image;
use crate::layer::{self, Layer};

/// The annotation by which containerd names what it imports.
const CONTAINERD_NAME: &str = "io.containerd.image.name";
const CREATED: &str = "1970-01-01T00:00:00Z";
const HEADER: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

/// An image, ready to be written.
#[derive(Debug)]
pub struct Layout {
    /// Everything but the layer, by SHA-256 in hex.
    documents: BTreeMap<String, Vec<u8>>,
    layer: Layer,
    /// The image first, then what is attached to it.
    index: Vec<Descriptor>,
    pulled_bytes: u64,
}

/// What an image is, in numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Size {
    /// The manifest's, by which a registry and a pod name the image: `sha256:…`.
    pub digest: String,
    /// What a node pulls: manifest, configuration and layer.
    pub pulled_bytes: u64,
    /// The layer without compression.
    pub unpacked_bytes: u64,
}

impl Layout {
    /// Reads every file of the image.
    ///
    /// # Errors
    /// A file cannot be read, or a destination is not an absolute path.
    pub fn new(image: &Image) -> Result<Self, Error> {
        let layer = Layer::new(&image.files, image.compression)?;
        let media_type = image.compression.map_or(MediaType::ImageLayer, |_| MediaType::ImageLayerZstd);
        let described = Descriptor::new(media_type, layer.bytes, sha256(&layer.digest)?);
        let mut layout = Self { documents: BTreeMap::new(), layer, index: Vec::new(), pulled_bytes: 0 };
        let configuration = layout.configuration(image)?;
        let configuration = layout.add(MediaType::ImageConfig, &configuration)?;
        let manifest = ImageManifestBuilder::default()
            .schema_version(SCHEMA_VERSION)
            .media_type(MediaType::ImageManifest)
            .config(configuration)
            .layers([described])
            .build()?;
        let pulled = manifest.config().size() + layout.layer.bytes;
        let mut manifest = layout.add(MediaType::ImageManifest, &manifest)?;
        layout.pulled_bytes = pulled + manifest.size();
        manifest.set_platform(Some(PlatformBuilder::default().architecture(Arch::default()).os(Os::Linux).build()?));
        let names = [CONTAINERD_NAME, ANNOTATION_REF_NAME].map(|key| (key.to_owned(), image.reference.clone()));
        manifest.set_annotations(Some(HashMap::from(names)));
        layout.index.push(manifest);
        Ok(layout)
    }

    fn configuration(&self, image: &Image) -> Result<ImageConfiguration, Error> {
        let rootfs = RootFsBuilder::default().diff_ids([format!("sha256:{}", self.layer.diff_id)]).build()?;
        Ok(ImageConfigurationBuilder::default()
            .created(CREATED)
            .architecture(Arch::default())
            .os(Os::Linux)
            .config(execution(image)?)
            .rootfs(rootfs)
            .build()?)
    }

    /// Keeps a document, and describes it.
    fn add(&mut self, media_type: MediaType, document: &impl Serialize) -> Result<Descriptor, Error> {
        // By way of a `Value`, whose keys are sorted.
        self.add_bytes(media_type, serde_json::to_vec(&serde_json::to_value(document)?)?)
    }

    fn add_bytes(&mut self, media_type: MediaType, bytes: Vec<u8>) -> Result<Descriptor, Error> {
        let digest = format!("{:x}", Sha256::digest(&bytes));
        let descriptor = Descriptor::new(media_type, bytes.len() as u64, sha256(&digest)?);
        self.documents.insert(digest, bytes);
        Ok(descriptor)
    }

    /// Adds a document about the image, as an artifact that refers to it (image specification 1.1,
    /// "Guidelines for Artifact Usage"): a registry that the layout is copied to lists it with the image.
    ///
    /// # Errors
    /// None that a caller could cause.
    pub fn attach(&mut self, artifact_type: &str, title: &str, content: &[u8]) -> Result<(), Error> {
        let artifact_type = MediaType::from(artifact_type);
        let mut described = self.add_bytes(artifact_type.clone(), content.to_owned())?;
        described.set_annotations(Some(HashMap::from([(ANNOTATION_TITLE.to_owned(), title.to_owned())])));
        let image = &self.index[0];
        let subject = Descriptor::new(image.media_type().clone(), image.size(), sha256(image.digest().digest())?);
        let empty = self.add_bytes(MediaType::EmptyJSON, b"{}".to_vec())?;
        let manifest = ImageManifestBuilder::default()
            .schema_version(SCHEMA_VERSION)
            .media_type(MediaType::ImageManifest)
            .artifact_type(artifact_type.clone())
            .config(empty)
            .layers([described])
            .subject(subject)
            .build()?;
        let mut manifest = self.add(MediaType::ImageManifest, &manifest)?;
        manifest.set_artifact_type(Some(artifact_type));
        self.index.push(manifest);
        Ok(())
    }

    /// What the image is, in numbers.
    #[must_use]
    pub fn size(&self) -> Size {
        Size {
            digest: self.index[0].digest().to_string(),
            pulled_bytes: self.pulled_bytes,
            unpacked_bytes: self.layer.unpacked_bytes,
        }
    }

    /// Writes the layout as one tar archive.
    ///
    /// # Errors
    /// The archive cannot be written.
    pub fn write_archive(&self, to: &Path) -> Result<(), Error> {
        let write = || {
            let mut tar = tar::Builder::new(BufWriter::new(fs::File::create(to)?));
            for folder in ["blobs", "blobs/sha256"] {
                layer::append(&mut tar, folder, EntryType::Directory, 0o755, 0, io::empty())?;
            }
            self.each_file(|path, size, content| {
                layer::append(&mut tar, path, EntryType::Regular, 0o644, size, content)
            })?;
            tar.into_inner()?.flush()
        };
        write().map_err(Error::write(to))
    }

    /// Writes the layout as a folder, which replaces the one that is there.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn write_folder(&self, to: &Path) -> Result<(), Error> {
        let write = || {
            if to.exists() {
                fs::remove_dir_all(to)?;
            }
            fs::create_dir_all(to.join("blobs/sha256"))?;
            self.each_file(|path, _, content| io::copy(content, &mut fs::File::create(to.join(path))?).map(drop))
        };
        write().map_err(Error::write(to))
    }

    fn each_file(&self, mut each: impl FnMut(&str, u64, &mut dyn Read) -> io::Result<()>) -> io::Result<()> {
        let mut layer = &self.layer.file;
        layer.rewind()?;
        each(&format!("blobs/sha256/{}", self.layer.digest), self.layer.bytes, &mut layer)?;
        for (digest, bytes) in &self.documents {
            each(&format!("blobs/sha256/{digest}"), bytes.len() as u64, &mut bytes.as_slice())?;
        }
        let index = self.index().map_err(io::Error::other)?;
        each("index.json", index.len() as u64, &mut index.as_slice())?;
        each("oci-layout", HEADER.len() as u64, &mut &*HEADER)
    }

    fn index(&self) -> Result<Vec<u8>, Error> {
        let index = ImageIndexBuilder::default()
            .schema_version(SCHEMA_VERSION)
            .media_type(MediaType::ImageIndex)
            .manifests(self.index.clone())
            .build()?;
        Ok(serde_json::to_vec(&serde_json::to_value(index)?)?)
    }
}

fn execution(image: &Image) -> Result<Config, Error> {
    let mut config = ConfigBuilder::default().user(&image.user).working_dir("/");
    let env = image.env.iter().map(|(name, value)| format!("{name}={value}"));
    config = config.env(env.collect::<Vec<_>>()).entrypoint(image.entrypoint.clone()).cmd(image.args.clone());
    config = config.labels(HashMap::from_iter(image.labels.clone()));
    Ok(config.build()?)
}

fn sha256(hex: &str) -> Result<Sha256Digest, Error> {
    Ok(Sha256Digest::from_str(hex)?)
}
