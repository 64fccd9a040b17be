//! The directory of a lab: made, held by a lock, and removed when dropped.
//!
//! What a killed supervisor could not remove is removed by the next lab that starts.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::config::Level;
use crate::site::Site;

/// Owns the lab's directory.
pub(crate) struct Folder {
    site: Site,
    _lock: File,
}

impl Folder {
    pub(crate) fn create(site: &Site) -> Result<Self> {
        let name = &site.name;
        sweep(&Site::root());
        match fs::create_dir_all(Site::root()).and_then(|()| fs::create_dir(&site.dir)) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                bail!("a lab named {name:?} is up already: take it down with `signet-lab down --name {name}`")
            }
            made => made.with_context(|| format!("could not create {}", site.dir.display()))?,
        }
        let lock = File::create(site.path("lock"))?;
        lock.lock()?;
        for part in ["logs", "pki"] {
            fs::create_dir(site.path(part))?;
        }
        Ok(Self { site: site.clone(), _lock: lock })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A node's goes after the last process that has something mounted beneath it.
        if self.site.level == Level::ControlPlane {
            remove(&self.site.name);
        }
    }
}

/// Removes the directory of the lab of that name.
pub(crate) fn remove(name: &str) {
    let _ = fs::remove_dir_all(Site::root().join(name));
    // These go only when this was the last lab.
    let _ = fs::remove_dir(Site::root().join("claims"));
    let _ = fs::remove_dir(Site::root());
}

/// Removes every lab's directory whose lock nobody holds. One without a lock is being made.
fn sweep(root: &Path) {
    for entry in fs::read_dir(root).into_iter().flatten().flatten() {
        let abandoned = File::open(entry.path().join("lock")).is_ok_and(|lock| lock.try_lock().is_ok());
        if abandoned {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_abandoned_labs_are_swept() {
        let root = tempfile::tempdir().unwrap();
        let lab = |name: &str| {
            fs::create_dir(root.path().join(name)).unwrap();
            File::create(root.path().join(name).join("lock")).unwrap()
        };
        drop(lab("abandoned"));
        let held = lab("held");
        held.lock().unwrap();
        fs::create_dir(root.path().join("being-made")).unwrap();
        sweep(root.path());
        let mut left: Vec<_> = fs::read_dir(root.path()).unwrap().flatten().map(|entry| entry.file_name()).collect();
        left.sort();
        assert_eq!(left, ["being-made", "held"]);
    }
}
