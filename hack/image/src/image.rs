//! An image as its author describes it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::layout::{Layout, Size};
use crate::libraries::shared_libraries;
use crate::{NONROOT, base};

/// An image of one layer, for this machine's architecture.
#[derive(Debug, Clone)]
pub struct Image {
    /// The whole name that it is imported under: `registry.k8s.io/pause:3.10`.
    pub reference: String,
    pub entrypoint: Vec<String>,
    /// Follow the entrypoint, unless the pod says otherwise.
    pub args: Vec<String>,
    pub env: BTreeMap<String, String>,
    /// Numbers, `uid:gid`, so that a pod with `runAsNonRoot` takes it.
    pub user: String,
    pub labels: BTreeMap<String, String>,
    /// By absolute path. Folders above them need not be named.
    pub files: BTreeMap<String, File>,
    /// The level that the layer is compressed with by zstd (1 to 22); not at all when there is none.
    pub compression: Option<i32>,
}

/// A file of an image. Its owner is root.
#[derive(Debug, Clone)]
pub struct File {
    pub content: Content,
    /// As in chmod: `0o755`.
    pub mode: u32,
}

#[derive(Debug, Clone)]
pub enum Content {
    Bytes(Vec<u8>),
    /// A file of this machine, read when the image is written. Links are followed.
    Source(PathBuf),
    Folder,
}

impl Image {
    /// An image with users, CA roots and /tmp, that runs as [`NONROOT`], and has no program yet.
    #[must_use]
    pub fn new(reference: &str) -> Self {
        Self {
            reference: reference.to_owned(),
            entrypoint: Vec::new(),
            args: Vec::new(),
            env: BTreeMap::new(),
            user: format!("{NONROOT}:{NONROOT}"),
            labels: BTreeMap::new(),
            files: base::files(),
            compression: None,
        }
    }

    /// Adds a program with the shared libraries that it needs.
    ///
    /// # Errors
    /// It is not a 64-bit ELF file, or one of its libraries is not on this machine.
    pub fn add_program(&mut self, source: &Path, destination: &str) -> Result<(), Error> {
        for library in shared_libraries(source)? {
            self.add_file(&library.source, &library.destination, 0o755);
        }
        self.add_file(source, destination, 0o755);
        Ok(())
    }

    pub fn add_file(&mut self, source: &Path, destination: &str, mode: u32) {
        let content = Content::Source(source.to_owned());
        self.files.insert(destination.to_owned(), File { content, mode });
    }

    pub fn add_bytes(&mut self, bytes: impl Into<Vec<u8>>, destination: &str, mode: u32) {
        self.files.insert(destination.to_owned(), File { content: Content::Bytes(bytes.into()), mode });
    }

    /// Writes a tar archive that `ctr images import` takes.
    ///
    /// # Errors
    /// A file cannot be read or written, or a destination is not an absolute path.
    pub fn write_archive(&self, to: &Path) -> Result<Size, Error> {
        let layout = Layout::new(self)?;
        layout.write_archive(to)?;
        Ok(layout.size())
    }
}
