//! Signet's own HTTP endpoint for HTTP-01: no pod is needed to answer a challenge. What a TLS-ALPN-01
//! solver leads traffic to it is handed, as an [`Endpoint`] too.

use crate::bindings::responder;
use crate::http01::Challenge;
use crate::{Error, Result};

pub use responder::Endpoint;

/// Asks the endpoint to answer `challenge`, the one that the solver was called with. It goes on
/// answering, on every replica and through restarts, until the Challenge is done. Returns where
/// the endpoint listens, for the solver to lead traffic to.
///
/// # Errors
/// [`Error::Auth`] for another challenge's host or token.
pub fn answer(challenge: &Challenge) -> Result<Endpoint> {
    responder::answer(&challenge.host, &challenge.token, &challenge.key_authorization).map_err(Error::from)
}
