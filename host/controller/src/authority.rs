//! CA issuers: the key pair out of its Secret, which stays inside `signet_pki`.

use signet_api::issuer::CaIssuer;
use signet_core::issuer::BadKeyPair;
use signet_pki::{Authority, Error as PkiError};

use crate::context::Context;
use crate::error::Error;
use crate::key::Key;
use crate::secrets::{self, CA_CRT, TLS_CRT, TLS_KEY};

/// Reads the authority of a CA issuer, whose Secrets are in `namespace`; else says what is wrong
/// with its key pair.
pub(crate) async fn read(cx: &Context, namespace: &str, ca: &CaIssuer) -> Result<Result<Authority, BadKeyPair>, Error> {
    let Some(secret) = secrets::read(cx, &Key::new(namespace, &ca.secret_name)).await? else {
        return Ok(Err(BadKeyPair::NoSecret));
    };
    let (Some(chain), Some(key)) = (secrets::value(&secret, TLS_CRT), secrets::value(&secret, TLS_KEY)) else {
        let lacks = [TLS_CRT, TLS_KEY].into_iter().filter(|key| secrets::value(&secret, key).is_none());
        return Ok(Err(BadKeyPair::Lacks(lacks.collect())));
    };
    Ok(Authority::read(chain, key, secrets::value(&secret, CA_CRT)).map_err(refused))
}

/// What a decision is told of a key pair that can not be read.
fn refused(error: PkiError) -> BadKeyPair {
    match error {
        PkiError::Authorize { .. } => BadKeyPair::NotAuthority,
        PkiError::MatchPair => BadKeyPair::Mismatch,
        PkiError::ReadKey(_) => BadKeyPair::Invalid { key: TLS_KEY, why: error.to_string() },
        other => BadKeyPair::Invalid { key: TLS_CRT, why: other.to_string() },
    }
}
