//! The manifest of a component: `solver.json` with the version of its crate and of the contract,
//! put together while the crate compiles.

/// The contract that this crate speaks.
pub const WIT: &str = "signet:solver@0.1.1";

const BEFORE_VERSION: &str = "{\"version\":\"";
const BEFORE_WIT: &str = "\",\"wit\":\"";
const AFTER_WIT: &str = "\",";

/// The length of what [`complete`] makes.
pub const fn length(file: &str, version: &str) -> usize {
    BEFORE_VERSION.len() + version.len() + BEFORE_WIT.len() + WIT.len() + AFTER_WIT.len() + file.len()
        - body_start(file)
}

/// `file`, a JSON object, with `version` and `wit` as its first members.
pub const fn complete<const N: usize>(file: &str, version: &str) -> [u8; N] {
    let mut out = [0; N];
    let mut at = put(&mut out, 0, BEFORE_VERSION.as_bytes(), 0);
    at = put(&mut out, at, version.as_bytes(), 0);
    at = put(&mut out, at, BEFORE_WIT.as_bytes(), 0);
    at = put(&mut out, at, WIT.as_bytes(), 0);
    at = put(&mut out, at, AFTER_WIT.as_bytes(), 0);
    at = put(&mut out, at, file.as_bytes(), body_start(file));
    assert!(at == N, "length and complete agree");
    out
}

const fn put(out: &mut [u8], mut at: usize, from: &[u8], mut next: usize) -> usize {
    while next < from.len() {
        out[at] = from[next];
        at += 1;
        next += 1;
    }
    at
}

/// Where the members of the JSON object begin.
const fn body_start(file: &str) -> usize {
    let bytes = file.as_bytes();
    let mut at = 0;
    while at < bytes.len() && bytes[at].is_ascii_whitespace() {
        at += 1;
    }
    assert!(at < bytes.len() && bytes[at] == b'{', "solver.json must hold a JSON object");
    at + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adds_version_and_contract() {
        const FILE: &str = "\n{ \"name\": \"hello\", \"challenges\": [\"dns-01\"] }\n";
        const LENGTH: usize = length(FILE, "1.2.3");
        let bytes: [u8; LENGTH] = complete(FILE, "1.2.3");
        let manifest: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        let expected = serde_json::json!({
            "name": "hello", "version": "1.2.3", "wit": WIT, "challenges": ["dns-01"],
        });
        assert_eq!(manifest, expected);
    }

    #[test]
    fn the_copy_of_the_contract_is_the_contract() {
        let copy = include_str!("../wit/solver.wit");
        let contract = std::fs::read_to_string("../../wit/solver-0.1.1/solver.wit");
        // Outside Signet's own repository there is nothing to compare with but the version.
        if let Ok(contract) = contract {
            assert_eq!(copy, contract, "copy wit/solver-0.1.1/solver.wit to sdk/rust/wit/");
        }
        assert!(copy.contains("package signet:solver@0.1.1;"));
    }
}
