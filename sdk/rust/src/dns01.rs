//! DNS-01: prove control of a name by a TXT record (RFC 8555, section 8.4).

use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bindings::dns01::exports::signet::solver::dns01 as wit;
use crate::bindings::types;
use crate::{Result, export, receipt};

/// One record to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// The name being validated, without a trailing dot and without a `*.` label.
    pub dns_name: String,
    /// The name of the TXT record, fully qualified with a trailing dot.
    pub fqdn: String,
    /// The zone that holds `fqdn`, fully qualified with a trailing dot, as the host found it.
    pub zone: String,
    /// The value that the record must hold, without quotes.
    pub value: String,
    /// Whether credentials of the host's own environment may stand in for missing ones.
    pub ambient_credentials: bool,
}

impl Challenge {
    /// The record's name relative to its zone: `_acme-challenge.www` for
    /// `_acme-challenge.www.example.com.` in `example.com.`, and `@` at the zone's own name.
    pub fn record_name(&self) -> &str {
        if self.fqdn == self.zone {
            return "@";
        }
        self.fqdn.strip_suffix(&self.zone).and_then(|name| name.strip_suffix('.')).unwrap_or(&self.fqdn)
    }
}

/// A solver that publishes a TXT record.
pub trait Dns01Solver {
    /// The solver's stanza in the Issuer.
    type Config: DeserializeOwned;
    /// What `cleanup` needs to know of `present`, at most 4096 bytes of JSON, kept in plain sight
    /// on the Challenge: never a credential. `()` for nothing.
    type Receipt: Serialize + DeserializeOwned;

    /// Publishes `challenge.value` at `challenge.fqdn`, beside whatever values that name has.
    ///
    /// It may run twice, concurrently for another value at the same name, or again after a crash:
    /// it MUST end in the same state, and MUST NOT remove a value that it did not add. It SHOULD
    /// return once the provider has accepted the change; the host waits for the DNS.
    ///
    /// # Errors
    /// Any [`Error`](crate::Error); its case says when the host tries again.
    fn present(config: Self::Config, challenge: &Challenge) -> Result<Self::Receipt>;

    /// Removes `challenge.value` from `challenge.fqdn`, and only that.
    ///
    /// It MUST succeed when the value is gone already. Without a receipt (the host crashed between
    /// the two) it MUST find what to remove by the exact value.
    ///
    /// # Errors
    /// Any [`Error`](crate::Error); its case says when the host tries again.
    fn cleanup(config: Self::Config, challenge: &Challenge, receipt: Option<Self::Receipt>) -> Result<()>;
}

/// A solver in the form of the contract: what `export!` exports.
#[doc(hidden)]
#[derive(Debug)]
pub struct Export<S>(PhantomData<S>);

impl<S: Dns01Solver + 'static> wit::Guest for Export<S> {
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
    let wit::Challenge { config, dns_name, fqdn, zone, value, ambient_credentials } = challenge;
    (config, Challenge { dns_name, fqdn, zone, value, ambient_credentials })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_relative_to_the_zone() {
        let at = |fqdn: &str| Challenge {
            dns_name: "www.example.com".to_owned(),
            fqdn: fqdn.to_owned(),
            zone: "example.com.".to_owned(),
            value: "v".to_owned(),
            ambient_credentials: false,
        };
        assert_eq!(at("_acme-challenge.www.example.com.").record_name(), "_acme-challenge.www");
        assert_eq!(at("example.com.").record_name(), "@");
        assert_eq!(at("elsewhere.test.").record_name(), "elsewhere.test.");
    }
}
