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

#[cfg(test)]
mod tests {
    use super::*;

    /// The key of RFC 8037, appendix A.1.
    pub(crate) fn rfc8037() -> AccountKey {
        let mut der = vec![0x30, 0x2e, 0x02, 0x01, 0, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
        der.extend(BASE64_URL_SAFE_NO_PAD.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").expect("base64url"));
        AccountKey::from_pem(&pem::encode(&pem::Pem::new("PRIVATE KEY", der))).expect("an Ed25519 key")
    }

    #[derive(Serialize)]
    struct OnlyAlgorithm {
        alg: &'static str,
    }

    #[test]
    fn signs_as_rfc_8037_does() {
        let key = rfc8037();
        assert_eq!(key.thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        let jws = seal(&OnlyAlgorithm { alg: key.algorithm() }, "Example of Ed25519 signing", |m| key.sign(m))
            .expect("a signature");
        assert_eq!(jws.protected, "eyJhbGciOiJFZERTQSJ9");
        assert_eq!(jws.payload, "RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc");
        assert_eq!(
            jws.signature,
            "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
        );
    }

    /// A CA refuses a request that names its key in both ways, or in none (RFC 8555, section 6.2).
    #[test]
    fn names_the_signer_in_one_way() {
        let key = rfc8037();
        let header = |signer| {
            let jws = sign(signer, "n", "https://ca.example/x", "").expect("a signature");
            assert_eq!(jws.payload, "");
            String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(jws.protected).expect("base64url")).expect("JSON")
        };
        assert_eq!(
            header(Signer::Account(&key, "https://ca.example/1")),
            r#"{"alg":"EdDSA","kid":"https://ca.example/1","nonce":"n","url":"https://ca.example/x"}"#
        );
        assert_eq!(
            header(Signer::Key(&key)),
            concat!(
                r#"{"alg":"EdDSA","jwk":{"crv":"Ed25519","kty":"OKP","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},"#,
                r#""nonce":"n","url":"https://ca.example/x"}"#
            )
        );
    }
}
