//! JSON Web Signatures in the flattened form that ACME takes (RFC 7515; RFC 8555, section 6.2).

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use serde::Serialize;

use crate::gaps::key::Jwk;
use crate::{AccountKey, Error};

/// Who signs: by its public key when the CA does not know it yet, else by the URL of the account.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Signer<'a> {
    Key(&'a AccountKey),
    Account(&'a AccountKey, &'a str),
}

#[derive(Serialize)]
pub(crate) struct Jws {
    protected: String,
    payload: String,
    signature: String,
}

#[derive(Serialize)]
struct Header<'a> {
    alg: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    jwk: Option<&'a Jwk>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<&'a str>,
    nonce: &'a str,
    url: &'a str,
}

/// The body of a POST. An empty `payload` is a POST-as-GET (RFC 8555, section 6.3).
pub(crate) fn sign(signer: Signer<'_>, nonce: &str, url: &str, payload: &str) -> Result<Jws, Error> {
    let (key, jwk, kid) = match signer {
        Signer::Key(key) => (key, Some(key.jwk()), None),
        Signer::Account(key, uri) => (key, None, Some(uri)),
    };
    seal(&Header { alg: key.algorithm(), jwk, kid, nonce, url }, payload, |message| key.sign(message))
}

/// Encodes header and payload, and signs both.
pub(crate) fn seal(
    header: &impl Serialize,
    payload: &str,
    sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, Error>,
) -> Result<Jws, Error> {
    let header = serde_json::to_vec(header).expect("a header of strings is always JSON");
    let protected = BASE64_URL_SAFE_NO_PAD.encode(header);
    let payload = BASE64_URL_SAFE_NO_PAD.encode(payload);
    let signature = BASE64_URL_SAFE_NO_PAD.encode(sign(format!("{protected}.{payload}").as_bytes())?);
    Ok(Jws { protected, payload, signature })
}
