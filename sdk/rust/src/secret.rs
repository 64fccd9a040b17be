//! Credentials: where the Issuer says they are, and their values, which never show in `Debug`.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::bindings::secrets;
use crate::{Error, Result};

/// A key of a Kubernetes Secret, as an Issuer's stanza names it: `{name, key}`.
///
/// The host grants the pairs that stand in the solver's own stanza under a field whose name ends
/// in `SecretRef`; so a field `token_secret_ref: SecretRef` with serde's camelCase is enough.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretRef {
    /// The Secret, in the Issuer's namespace (for a ClusterIssuer, in Signet's own).
    pub name: String,
    /// The key of its `data`; empty when the stanza gives none.
    #[serde(default)]
    pub key: String,
}

impl SecretRef {
    /// The value.
    ///
    /// # Errors
    /// [`Error::Config`] without a key, [`Error::NotFound`] when there is no such Secret or key,
    /// [`Error::Auth`] when this pair is not granted.
    pub fn read(&self) -> Result<Secret> {
        if self.key.is_empty() {
            let name = &self.name;
            return Err(Error::config(format!("the reference to Secret {name:?} names no key: add `key`")));
        }
        secrets::read(&self.name, &self.key).map(Secret::from).map_err(Error::from)
    }
}

/// A credential. Its `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// The bytes, as they stand in the Secret.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The value as text, without white space around it: an `echo` into a file leaves a line's end
    /// that no provider wants in a token.
    ///
    /// # Errors
    /// [`Error::Auth`] when it is not UTF-8.
    pub fn text(&self) -> Result<&str> {
        match std::str::from_utf8(&self.0) {
            Ok(text) => Ok(text.trim()),
            Err(_) => Err(Error::auth("the credential is not text: check how the Secret was made")),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl From<Vec<u8>> for Secret {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text.into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_nothing_and_trims() {
        let secret = Secret::from("hunter2\n".to_owned());
        assert_eq!(format!("{secret:?}"), "Secret(…)");
        assert_eq!(secret.text(), Ok("hunter2"));
        assert!(matches!(Secret::from(vec![0xff]).text(), Err(Error::Auth(_))));
    }

    #[test]
    fn wants_a_key() {
        let reference: SecretRef = serde_json::from_str(r#"{"name":"token"}"#).unwrap();
        assert!(matches!(reference.read(), Err(Error::Config(message)) if message.contains("\"token\"")));
    }
}
