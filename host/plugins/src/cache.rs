//! Compiled code of components, kept between starts in a directory that only this process's user
//! can write to. A file is named by the digest of the component and by what the compiler's
//! version and settings hash to, and holds a checksum of itself.
//!
//! Compiled code is trusted: whoever writes here runs code as the controller. So the directory is
//! refused when anyone else may write to it, and nothing that a user supplies is ever put here.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

/// The length of the checksum at the start of a file.
const CHECKSUM: usize = 32;

/// Why the directory is not used.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// It can not be made.
    #[error("create {0}")]
    Create(String, #[source] std::io::Error),
    /// It can not be opened.
    #[error("open {0}")]
    Open(String, #[source] std::io::Error),
    /// Others may write to it.
    #[error("trust {0}: others than this process's user may write to it (chmod 700, and own it)")]
    Trust(String),
}

pub(crate) struct Cache {
    dir: Dir,
    compiler: u64,
}

impl Cache {
    pub(crate) fn open(path: &Path, engine: &Engine) -> Result<Cache, CacheError> {
        let name = || path.display().to_string();
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.map_err(|error| CacheError::Create(name(), error))?;
        let dir = Dir::open_ambient_dir(path, ambient_authority()).map_err(|error| CacheError::Open(name(), error))?;
        let about = std::fs::symlink_metadata(path).map_err(|error| CacheError::Open(name(), error))?;
        let me = std::fs::metadata("/proc/self").map(|process| process.uid());
        if !about.is_dir() || about.mode() & 0o022 != 0 || me.is_ok_and(|me| about.uid() != me) {
            return Err(CacheError::Trust(name()));
        }
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        Ok(Cache { dir, compiler: hasher.finish() })
    }

    fn file(&self, digest: &str) -> String {
        format!("{digest}-{:016x}.cwasm", self.compiler)
    }

    /// The compiled component, when this engine compiled it before and the file is whole.
    pub(crate) fn load(&self, engine: &Engine, digest: &str) -> Option<Component> {
        let bytes = self.dir.read(self.file(digest)).ok()?;
        let (checksum, code) = bytes.split_at_checked(CHECKSUM)?;
        if Sha256::digest(code).as_slice() != checksum {
            tracing::warn!(digest, "discarding a damaged file of compiled code");
            return None;
        }
        deserialize(engine, code)
    }

    /// Keeps the compiled component; a failure costs only time at the next start.
    pub(crate) fn store(&self, component: &Component, digest: &str) {
        let written = component.serialize().map_err(|error| error.to_string()).and_then(|code| {
            let bytes = [Sha256::digest(&code).as_slice(), &code].concat();
            let (file, partial) = (self.file(digest), format!("{digest}.{}.partial", std::process::id()));
            let written = self.dir.write(&partial, bytes).and_then(|()| self.dir.rename(&partial, &self.dir, &file));
            written.map_err(|error| error.to_string())
        });
        if let Err(error) = written {
            tracing::warn!(digest, error, "keeping no compiled code");
        }
    }
}

#[allow(unsafe_code, reason = "the one exception: compiled code that this process's user alone could have written")]
fn deserialize(engine: &Engine, code: &[u8]) -> Option<Component> {
    // SAFETY: `deserialize` runs whatever code it is given. The bytes come from a directory that
    // `open` found writable by this process's user only, where `store` alone puts files, and their
    // checksum shows that the file is whole. The engine checks version and settings itself.
    match unsafe { Component::deserialize(engine, code) } {
        Ok(component) => Some(component),
        Err(error) => {
            tracing::debug!(%error, "compiling again what is in the cache");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn keeps_what_it_compiled_and_discards_what_is_damaged() {
        let engine = Engine::default();
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("cache");
        let cache = Cache::open(&path, &engine).unwrap();
        let component = Component::new(&engine, b"\0asm\x0d\0\x01\0").unwrap();
        assert!(cache.load(&engine, "d1").is_none());
        cache.store(&component, "d1");
        assert!(cache.load(&engine, "d1").is_some());
        let file = path.join(cache.file("d1"));
        let mut bytes = std::fs::read(&file).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&file, bytes).unwrap();
        assert!(cache.load(&engine, "d1").is_none());
    }

    #[test]
    fn refuses_a_directory_that_others_may_write_to() {
        let root = tempfile::tempdir().unwrap();
        std::fs::set_permissions(root.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
        assert!(matches!(Cache::open(root.path(), &Engine::default()), Err(CacheError::Trust(_))));
    }
}
