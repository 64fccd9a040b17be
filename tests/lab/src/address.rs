//! Claims a loopback address that no other lab on this machine uses.
//!
//! A claim is a locked file named after the address: the kernel drops the lock when its holder
//! dies, however it dies.

use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// An address that is this process's own until the claim is dropped.
#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) address: Ipv4Addr,
    path: PathBuf,
    _lock: File,
}

impl Claim {
    /// Takes the first free address, looking from one that differs from process to process.
    pub(crate) fn take(root: &Path) -> Result<Self> {
        let dir = root.join("claims");
        fs::create_dir_all(&dir).with_context(|| format!("could not create {}", dir.display()))?;
        let start = std::process::id();
        for step in 0..4096 {
            let address = candidate(start.wrapping_add(step));
            if let Some(claim) = Self::try_take(&dir, address)? {
                return Ok(claim);
            }
        }
        bail!("no loopback address is free: 4096 candidates in 127.64.0.0/10 have a DNS server on them")
    }

    fn try_take(dir: &Path, address: Ipv4Addr) -> Result<Option<Self>> {
        let path = dir.join(address.to_string());
        let lock = File::create(&path)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        if !names(&path, &lock) {
            return Ok(None);
        }
        let claim = Self { address, path, _lock: lock };
        Ok(port_53_is_free(address)?.then_some(claim))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // Removed while locked; a process that opened it meanwhile sees that the name is gone.
        let _ = fs::remove_file(&self.path);
    }
}

/// Whether `path` still names the file that was locked, and not a newer one.
fn names(path: &Path, file: &File) -> bool {
    match (fs::metadata(path), file.metadata()) {
        (Ok(named), Ok(held)) => named.ino() == held.ino(),
        _ => false,
    }
}

/// Spreads numbers over 127.64.0.0/10, far from 127.0.0.1 and its neighbours.
fn candidate(number: u32) -> Ipv4Addr {
    let spread = number.wrapping_mul(2_654_435_761);
    let [_, a, b, c] = spread.to_be_bytes();
    Ipv4Addr::new(127, 64 | (a & 63), b, 1 + c % 254)
}

fn port_53_is_free(address: Ipv4Addr) -> Result<bool> {
    match UdpSocket::bind((address, 53)) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::AddrInUse => Ok(false),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => bail!(
            "this user may not listen on port 53 of {address}, which the lab's DNS server needs \
             (and ports 80 and 443 for HTTP-01 and the cloud API): run as root, or allow it with \
             `sudo sysctl net.ipv4.ip_unprivileged_port_start=53`"
        ),
        Err(error) => Err(error).with_context(|| format!("could not listen on port 53 of {address}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_stay_in_their_network() {
        for number in 0..10_000 {
            let [a, b, _, d] = candidate(number).octets();
            assert_eq!((a, b & 0b1100_0000), (127, 64));
            assert!((1..255).contains(&d));
        }
    }

    #[test]
    fn a_claimed_address_is_not_given_twice() {
        let root = tempfile::tempdir().unwrap();
        let first = Claim::take(root.path()).unwrap();
        let second = Claim::take(root.path()).unwrap();
        assert_ne!(first.address, second.address);
    }

    #[test]
    fn a_dropped_claim_leaves_no_file() {
        let root = tempfile::tempdir().unwrap();
        drop(Claim::take(root.path()).unwrap());
        assert_eq!(fs::read_dir(root.path().join("claims")).unwrap().count(), 0);
    }
}
