//! Short names from long facts: the same fact always gives the same name, so that a step taken
//! twice finds what it made the first time.

use serde::Serialize;
use sha2::{Digest, Sha256};

/// The SHA-256 digest of `bytes` in lowercase hexadecimal.
pub fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The first 16 hexadecimal digits of the SHA-256 digest of `bytes`.
pub fn short_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes)[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A number from 0 up to but not 1 that looks drawn by lot, and is always the same for the same fact.
pub(crate) fn share(fact: &[u8]) -> f64 {
    let digest = Sha256::digest(fact);
    let bits = digest[..8].iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
    // As many bits as a float holds exactly.
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

/// A beginning, cut to 52 bytes, and a hash (32-bit FNV-1, in decimal) of the JSON of a fact: the
/// names that cert-manager gives to Orders and Challenges, which leave room to be used as labels.
pub(crate) fn hashed_name(head: &str, fact: &impl Serialize) -> String {
    let json = serde_json::to_vec(fact).expect("a spec is plain data");
    let hash = json.iter().fold(0x811c_9dc5_u32, |hash, byte| hash.wrapping_mul(0x0100_0193) ^ u32::from(*byte));
    let head = head.get(..52).unwrap_or(head).trim_end_matches(['-', '.']);
    format!("{head}-{hash}")
}
