//! TLS-ALPN-01: prove control of a name by a TLS handshake on its port 443 (RFC 8737).

use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bindings::tls_alpn01::exports::signet::solver::tls_alpn01 as wit;
use crate::bindings::types;
use crate::responder::Endpoint;
use crate::{Result, export, receipt};

/// One name whose port 443 is to lead to Signet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// The DNS name or IP address being validated.
    pub host: String,
    /// The name that the CA's handshake asks for (SNI), without a trailing dot: `host`, or for an
    /// address its name below in-addr.arpa or ip6.arpa.
    pub server_name: String,
    /// The CA's token: it tells this challenge from others for the same name.
    pub token: String,
}

/// A solver that makes TCP port 443 of a name lead to Signet, which answers the CA's handshake.
pub trait TlsAlpn01Solver {
    /// The solver's stanza in the Issuer.
    type Config: DeserializeOwned;
    /// What `cleanup` needs to know of `present`, at most 4096 bytes of JSON, kept in plain sight
    /// on the Challenge: never a credential. `()` for nothing.
    type Receipt: Serialize + DeserializeOwned;

    /// Makes port 443 of `challenge.host` lead to `endpoint`, or those connections to it whose
    /// handshake asks for `challenge.server_name`, without ending their TLS.
    ///
    /// It may run twice, concurrently, or again after a crash, and MUST end in the same state. It
    /// SHOULD return without waiting for traffic to flow; the host looks itself.
    ///
    /// # Errors
    /// Any [`Error`](crate::Error); its case says when the host tries again.
    fn present(config: Self::Config, challenge: &Challenge, endpoint: &Endpoint) -> Result<Self::Receipt>;

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

impl<S: TlsAlpn01Solver + 'static> wit::Guest for Export<S> {
    fn present(challenge: wit::Challenge, endpoint: Endpoint) -> Result<types::Receipt, types::Error> {
        export::report_panics();
        let (stanza, challenge) = split(challenge);
        let receipt = S::present(receipt::config(&stanza)?, &challenge, &endpoint)?;
        Ok(receipt::encode(&receipt)?)
    }

    fn cleanup(challenge: wit::Challenge, receipt: Option<types::Receipt>) -> Result<(), types::Error> {
        export::report_panics();
        let (stanza, challenge) = split(challenge);
        Ok(S::cleanup(receipt::config(&stanza)?, &challenge, receipt::decode(receipt))?)
    }
}

fn split(challenge: wit::Challenge) -> (String, Challenge) {
    let wit::Challenge { config, host, server_name, token } = challenge;
    (config, Challenge { host, server_name, token })
}
