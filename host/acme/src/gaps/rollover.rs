//! Another key for an account (RFC 8555, section 7.3.5): a request signed with the old key, in which the new
//! one signs that it takes over.

use serde::Serialize;

use crate::gaps::jws::{self, Jws};
use crate::gaps::key::Jwk;
use crate::{AccountKey, Error};

#[derive(Serialize)]
struct Header<'a> {
    alg: &'static str,
    jwk: &'a Jwk,
    url: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct KeyChange<'a> {
    account: &'a str,
    old_key: &'a Jwk,
}

/// What the new key signs: it takes the place of `old` in the account at `uri`.
pub(crate) fn take_over(new: &AccountKey, old: &AccountKey, uri: &str, url: &str) -> Result<Jws, Error> {
    let change = KeyChange { account: uri, old_key: old.jwk() };
    let payload = serde_json::to_string(&change).expect("strings are always JSON");
    let header = Header { alg: new.algorithm(), jwk: new.jwk(), url };
    jws::seal(&header, &payload, |message| new.sign(message))
}

#[cfg(test)]
mod tests {
    use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
    use serde_json::{Value, json};

    use super::*;

    /// The inner signature has no nonce, and names its key in full.
    #[test]
    fn the_new_key_signs_for_the_account_and_against_the_old_key() {
        let ((old, _), (new, _)) = (AccountKey::generate().expect("a key"), AccountKey::generate().expect("a key"));
        let (uri, url) = ("https://ca.example/account/1", "https://ca.example/key-change");
        let jws = serde_json::to_value(take_over(&new, &old, uri, url).expect("a signature")).expect("JSON");
        let part = |name: &str| -> Value {
            let text = jws[name].as_str().expect("a JWS has it");
            serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(text).expect("base64url")).expect("JSON")
        };
        assert_eq!(part("protected"), json!({ "alg": "ES256", "jwk": new.jwk(), "url": url }));
        assert_eq!(part("payload"), json!({ "account": uri, "oldKey": old.jwk() }));
    }
}
