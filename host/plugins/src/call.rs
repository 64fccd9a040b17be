//! One call of a solver: what it is asked, and what is lent to it.

use std::sync::Arc;

use serde_json::Value;

use crate::backend::Backend;
use crate::bindings::{dns01, http01, tls_alpn01};
use crate::manifest::ChallengeKind;

/// What a solver is asked to prove.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Challenge {
    /// Through a TXT record.
    Dns01 {
        /// The name being validated, without `*.` and trailing dot.
        dns_name: String,
        /// The record's name, with a trailing dot.
        fqdn: String,
        /// The zone that holds it, with a trailing dot.
        zone: String,
        /// The record's value.
        value: String,
        /// Whether credentials of the host's environment may stand in.
        ambient_credentials: bool,
    },
    /// Through a resource under `/.well-known/acme-challenge/`.
    Http01 {
        /// The name or address being validated.
        host: String,
        /// The last segment of the path.
        token: String,
        /// The body to answer with.
        key_authorization: String,
    },
    /// Through a TLS handshake on port 443.
    TlsAlpn01 {
        /// The name or address being validated.
        host: String,
        /// The name that the handshake asks for.
        server_name: String,
        /// The CA's token.
        token: String,
    },
}

impl Challenge {
    /// The type of the challenge.
    pub fn kind(&self) -> ChallengeKind {
        match self {
            Challenge::Dns01 { .. } => ChallengeKind::Dns01,
            Challenge::Http01 { .. } => ChallengeKind::Http01,
            Challenge::TlsAlpn01 { .. } => ChallengeKind::TlsAlpn01,
        }
    }

    pub(crate) fn http01(&self) -> Option<(&str, &str)> {
        match self {
            Challenge::Dns01 { .. } | Challenge::TlsAlpn01 { .. } => None,
            Challenge::Http01 { host, token, .. } => Some((host, token)),
        }
    }

    pub(crate) fn into_wit(self, config: &Value) -> WitChallenge {
        let config = config.to_string();
        match self {
            Challenge::Dns01 { dns_name, fqdn, zone, value, ambient_credentials } => {
                WitChallenge::Dns01(dns01::Challenge { config, dns_name, fqdn, zone, value, ambient_credentials })
            }
            Challenge::Http01 { host, token, key_authorization } => {
                WitChallenge::Http01(http01::Challenge { config, host, token, key_authorization })
            }
            Challenge::TlsAlpn01 { host, server_name, token } => {
                WitChallenge::TlsAlpn01(tls_alpn01::Challenge { config, host, server_name, token })
            }
        }
    }
}

pub(crate) enum WitChallenge {
    Dns01(dns01::Challenge),
    Http01(http01::Challenge),
    TlsAlpn01(tls_alpn01::Challenge),
}

/// One call of a solver.
#[derive(Clone)]
pub struct Call {
    /// The solver's stanza.
    pub config: Value,
    /// What to prove.
    pub challenge: Challenge,
    /// What the controller lends to the call.
    pub backend: Arc<dyn Backend>,
    /// `namespace/name` of the Challenge, for logs.
    pub label: String,
}
