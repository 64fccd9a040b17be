//! HTTP-01: prove control of a name by a resource under `/.well-known/acme-challenge/` (RFC 8555,
//! section 8.3).

use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bindings::http01::exports::signet::solver::http01 as wit;
use crate::bindings::types;
use crate::{Result, export, receipt};

/// One resource to serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// The DNS name or IP address being validated.
    pub host: String,
    /// The last segment of the path.
    pub token: String,
    /// The body to answer with.
    pub key_authorization: String,
}

impl Challenge {
    /// The path that the CA asks for.
    pub fn path(&self) -> String {
        format!("/.well-known/acme-challenge/{}", self.token)
    }
}

/// A solver that makes `http://HOST/.well-known/acme-challenge/TOKEN` answer.
pub trait Http01Solver {
    /// The solver's stanza in the Issuer.
    type Config: DeserializeOwned;
    /// What `cleanup` needs to know of `present`, at most 4096 bytes of JSON, kept in plain sight
    /// on the Challenge: never a credential. `()` for nothing.
    type Receipt: Serialize + DeserializeOwned;

    /// Makes the resource reachable.
    ///
    /// It may run twice, concurrently, or again after a crash, and MUST end in the same state. It
    /// SHOULD return without waiting for traffic to flow; the host fetches the resource itself.
    ///
    /// # Errors
    /// Any [`Error`](crate::Error); its case says when the host tries again.
    fn present(config: Self::Config, challenge: &Challenge) -> Result<Self::Receipt>;

    /// Removes what `present` made, and only that. It MUST succeed when that is gone already.
    ///
    /// # Errors
    /// Any [`Error`](crate::Error); its case says when the host tries again.
    fn cleanup(config: Self::Config, challenge: &Challenge, receipt: Option<Self::Receipt>) -> Result<()>;
}

/// A solver in the form of the contract: what `export!` exports.
#[doc(hidden)]
#[derive(Debug)]
pub struct Export<S>(PhantomData<S>);

impl<S: Http01Solver + 'static> wit::Guest for Export<S> {
    fn present(challenge: wit::Challenge) -> Result<types::Receipt, types::Error> {
        export::report_panics();
        let (stanza, challenge) = split(challenge);
        let receipt = S::present(receipt::config(&stanza)?, &challenge)?;
        Ok(receipt::encode(&receipt)?)
    }

    fn cleanup(challenge: wit::Challenge, receipt: Option<types::Receipt>) -> Result<(), types::Error> {
        export::report_panics();
        let (stanza, challenge) = split(challenge);
        Ok(S::cleanup(receipt::config(&stanza)?, &challenge, receipt::decode(receipt))?)
    }
}

fn split(challenge: wit::Challenge) -> (String, Challenge) {
    let wit::Challenge { config, host, token, key_authorization } = challenge;
    (config, Challenge { host, token, key_authorization })
}
