//! External account binding: proof to the CA that the new account belongs to a customer that it knows
//! (RFC 8555, section 7.3.4).

use std::fmt;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Serialize;

use crate::gaps::jws::{self, Jws};
use crate::{AccountKey, Error};

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);

/// The MAC of a binding. CAs take HS256 unless they say otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MacAlgorithm {
    #[default]
    Hs256,
    Hs384,
    Hs512,
}

impl MacAlgorithm {
    fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
        }
    }

    fn hmac(self) -> hmac::Algorithm {
        match self {
            Self::Hs256 => hmac::HMAC_SHA256,
            Self::Hs384 => hmac::HMAC_SHA384,
            Self::Hs512 => hmac::HMAC_SHA512,
        }
    }
}

/// The key identifier and the MAC key that a CA gave to its customer.
#[derive(Clone)]
pub struct Eab {
    key_id: String,
    mac_key: Vec<u8>,
    algorithm: MacAlgorithm,
}

impl Eab {
    /// `secret` is the value in the Secret: the MAC key in base64url or base64, with or without padding.
    pub fn new(key_id: &str, secret: &[u8], algorithm: MacAlgorithm) -> Result<Self, Error> {
        let text = secret.trim_ascii();
        let mac_key = URL_SAFE
            .decode(text)
            .or_else(|_| STANDARD.decode(text))
            .map_err(|_| Error::ReadBindingKey { why: "it is not base64url" })?;
        if mac_key.is_empty() {
            return Err(Error::ReadBindingKey { why: "it is empty" });
        }
        Ok(Self { key_id: key_id.into(), mac_key, algorithm })
    }

    /// The account's public key, signed with the MAC key.
    pub(crate) fn bind(&self, account: &AccountKey, new_account_url: &str) -> Result<Jws, Error> {
        let header = Header { alg: self.algorithm.name(), kid: &self.key_id, url: new_account_url };
        let payload = serde_json::to_string(account.jwk()).expect("a map of strings is always JSON");
        let key = hmac::Key::new(self.algorithm.hmac(), &self.mac_key);
        jws::seal(&header, &payload, |message| Ok(hmac::sign(&key, message).as_ref().to_vec()))
    }
}

impl fmt::Debug for Eab {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Eab").field("key_id", &self.key_id).field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

#[derive(Serialize)]
struct Header<'a> {
    alg: &'static str,
    kid: &'a str,
    url: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_secret_as_people_store_it() {
        let key = [0xfb, 0xff, 0x00, 0x10];
        for text in ["-_8AEA", "-_8AEA==", "+/8AEA==", " -_8AEA\n"] {
            let eab = Eab::new("id", text.as_bytes(), MacAlgorithm::Hs256).expect(text);
            assert_eq!(eab.mac_key, key, "{text:?}");
        }
        for (text, why) in [("", "it is empty"), ("a b", "it is not base64url")] {
            let error = Eab::new("id", text.as_bytes(), MacAlgorithm::Hs256).expect_err(why);
            assert!(error.to_string().ends_with(why), "{error}");
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let eab = Eab::new("id", b"-_8AEA", MacAlgorithm::Hs384).expect("a binding");
        assert_eq!(format!("{eab:?}"), r#"Eab { key_id: "id", algorithm: Hs384, .. }"#);
    }
}
