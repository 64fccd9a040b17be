//! The layer: a tar archive of the files, which the same files always give byte by byte.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufWriter, Read, Seek, Write};

use sha2::{Digest, Sha256};
use tar::{EntryType, Header};

use crate::error::Error;
use crate::image::{Content, File};

/// A layer in an unnamed file of the system's temporary folder.
#[derive(Debug)]
pub(crate) struct Layer {
    pub(crate) file: fs::File,
    pub(crate) bytes: u64,
    /// SHA-256 of the file, and of the tar archive in it, in hex.
    pub(crate) digest: String,
    pub(crate) diff_id: String,
    pub(crate) unpacked_bytes: u64,
}

impl Layer {
    pub(crate) fn new(files: &BTreeMap<String, File>, compression: Option<i32>) -> Result<Self, Error> {
        let entries = entries(files)?;
        let failed = |source| Error::Layer { source };
        let stored = Hashed::new(BufWriter::new(tempfile::tempfile().map_err(failed)?));
        let (stored, diff_id, unpacked_bytes) = match compression {
            None => {
                let tar = write_tar(stored, &entries)?;
                let (digest, bytes) = (tar.digest(), tar.bytes);
                (tar, digest, bytes)
            }
            Some(level) => {
                let encoder = zstd::Encoder::new(stored, level).map_err(failed)?;
                let tar = write_tar(Hashed::new(encoder), &entries)?;
                let (digest, bytes) = (tar.digest(), tar.bytes);
                (tar.inner.finish().map_err(failed)?, digest, bytes)
            }
        };
        let (digest, bytes) = (stored.digest(), stored.bytes);
        let mut file = stored.inner.into_inner().map_err(|error| failed(error.into_error()))?;
        file.rewind().map_err(failed)?;
        Ok(Self { file, bytes, digest, diff_id, unpacked_bytes })
    }
}

/// The files by their relative paths, with the folders above them.
fn entries(files: &BTreeMap<String, File>) -> Result<BTreeMap<&str, Option<&File>>, Error> {
    let mut entries = BTreeMap::new();
    for (path, file) in files {
        let relative = path.strip_prefix('/').filter(|relative| is_plain(relative));
        let relative = relative.ok_or_else(|| Error::Destination { path: path.clone() })?;
        for (end, _) in relative.match_indices('/') {
            entries.entry(&relative[..end]).or_insert(None);
        }
        entries.insert(relative, Some(file));
    }
    Ok(entries)
}

fn is_plain(relative: &str) -> bool {
    relative.split('/').all(|part| !["", ".", ".."].contains(&part))
}

fn write_tar<W: Write>(to: W, entries: &BTreeMap<&str, Option<&File>>) -> Result<W, Error> {
    let mut tar = tar::Builder::new(to);
    for (path, file) in entries {
        match file {
            None => append(&mut tar, path, EntryType::Directory, 0o755, 0, io::empty()),
            Some(File { content: Content::Folder, mode }) => {
                append(&mut tar, path, EntryType::Directory, *mode, 0, io::empty())
            }
            Some(File { content: Content::Bytes(bytes), mode }) => {
                append(&mut tar, path, EntryType::Regular, *mode, bytes.len() as u64, bytes.as_slice())
            }
            Some(File { content: Content::Source(source), mode }) => {
                let file = fs::File::open(source).map_err(Error::read(source))?;
                let size = file.metadata().map_err(Error::read(source))?.len();
                // Not a byte more than the header says, should somebody write to it meanwhile.
                append(&mut tar, path, EntryType::Regular, *mode, size, file.take(size))
            }
        }
        .map_err(|source| Error::Layer { source })?;
    }
    tar.into_inner().map_err(|source| Error::Layer { source })
}

pub(crate) fn append<W: Write>(
    tar: &mut tar::Builder<W>,
    path: &str,
    kind: EntryType,
    mode: u32,
    size: u64,
    content: impl Read,
) -> io::Result<()> {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    // A folder's name ends with a slash, or some readers take it for a file.
    let path = if kind.is_dir() { format!("{path}/") } else { path.to_owned() };
    tar.append_data(&mut header, path, content)
}

/// Counts and hashes what goes through it.
struct Hashed<W> {
    inner: W,
    hash: Sha256,
    bytes: u64,
}

impl<W> Hashed<W> {
    fn new(inner: W) -> Self {
        Self { inner, hash: Sha256::new(), bytes: 0 }
    }

    fn digest(&self) -> String {
        format!("{:x}", self.hash.clone().finalize())
    }
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(buffer)?;
        self.hash.update(&buffer[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
