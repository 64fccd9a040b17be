//! Short names from long facts: the same fact always gives the same name, so that a step taken
//! twice finds what it made the first time.

use sha2::{Digest, Sha256};

/// The first 16 hexadecimal digits of the SHA-256 digest of `bytes`.
pub fn short_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes)[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}
