//! The bytes that the host keeps between `present` and `cleanup`, to and from a solver's type.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Error, Result, log};

/// As JSON; nothing at all for `()`, so that a solver without a receipt leaves none.
pub(crate) fn encode<R: Serialize>(receipt: &R) -> Result<Vec<u8>> {
    match serde_json::to_vec(receipt) {
        Ok(bytes) if bytes == b"null" => Ok(Vec::new()),
        Ok(bytes) => Ok(bytes),
        Err(error) => Err(Error::permanent(format!("the solver's receipt can not be kept: {error}"))),
    }
}

/// None for a receipt that was lost, and for one that another version of the solver wrote and this
/// one can not read: `cleanup` then finds what to remove by its exact value.
pub(crate) fn decode<R: DeserializeOwned>(receipt: Option<Vec<u8>>) -> Option<R> {
    let bytes = receipt?;
    let bytes = if bytes.is_empty() { b"null".to_vec() } else { bytes };
    serde_json::from_slice(&bytes)
        .map_err(|error| log::warn(format_args!("passing over a receipt of another form: {error}")))
        .ok()
}

/// The stanza as the solver's type. The host has checked it against the manifest's schema, so a
/// failure here means that schema and type differ.
pub(crate) fn config<C: DeserializeOwned>(stanza: &str) -> Result<C> {
    serde_json::from_str(stanza).map_err(|error| Error::config(format!("the solver's stanza: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_stays_nothing() {
        assert_eq!(encode(&()), Ok(Vec::new()));
        assert_eq!(decode::<()>(Some(Vec::new())), Some(()));
        assert_eq!(decode::<()>(None), None);
    }

    #[test]
    fn a_value_comes_back() {
        let bytes = encode(&vec!["Z1", "record"]).unwrap();
        assert_eq!(decode::<Vec<String>>(Some(bytes)), Some(vec!["Z1".to_owned(), "record".to_owned()]));
    }
}
