//! What can keep an image from being written.

use std::io;
use std::path::{Path, PathBuf};

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error("read {}", path.display())]
    Read { path: PathBuf, source: io::Error },

    #[error("write {}", path.display())]
    Write { path: PathBuf, source: io::Error },

    #[error("write the image's layer")]
    Layer { source: io::Error },

    #[error("put {path:?} into the image: a destination begins with / and has no . or .. in it")]
    Destination { path: String },

    #[error("{}: not a 64-bit ELF program: {reason}", path.display())]
    Program { path: PathBuf, reason: String },

    #[error("{}: its loader {interpreter} does not list its libraries: {reason}", path.display())]
    Loader { path: PathBuf, interpreter: String, reason: String },

    #[error("{}: needs {library}, which is not on this machine", path.display())]
    Library { path: PathBuf, library: String },

    #[error("describe the image")]
    Describe { source: Box<dyn std::error::Error + Send + Sync> },
}

impl Error {
    pub(crate) fn read(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Read { path, source }
    }

    pub(crate) fn write(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Write { path, source }
    }
}

impl From<oci_spec::OciSpecError> for Error {
    fn from(error: oci_spec::OciSpecError) -> Self {
        Self::Describe { source: Box::new(error) }
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::Describe { source: Box::new(error) }
    }
}
