//! TLS-ALPN-01 (RFC 8737): the CA shakes hands for a name under the protocol `acme-tls/1` and looks for
//! its challenge in the certificate that answers.
//!
//! [`responder`] answers from the Challenges that the process watches, so every replica answers, through
//! restarts; [`certificate`] makes what it answers with, by a key that is made with the process. [`look`]
//! shakes hands as the CA will. A handshake tells a name and nothing else, so of several Challenges for
//! one name one is shown at a time: [`in_turn`] says which, to every replica the same.

mod certificate;
mod look;
mod responder;

use std::net::IpAddr;
use std::sync::Arc;

use kube::ResourceExt;
use signet_api::{Challenge, ChallengeStatus, ChallengeType, State};

use crate::cache::Cache;

pub(crate) use look::Look;
pub(crate) use responder::Responder;

/// The one protocol that is spoken (section 6.2).
const PROTOCOL: &[u8] = b"acme-tls/1";

/// The name that a handshake for `host` asks for: an address has one below in-addr.arpa or ip6.arpa
/// (RFC 8738, section 6).
pub(crate) fn server_name(host: &str) -> String {
    match host.parse() {
        Ok(IpAddr::V4(address)) => {
            let [a, b, c, d] = address.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        Ok(IpAddr::V6(address)) => {
            let nibbles = address.octets().into_iter().rev().flat_map(|octet| [octet & 15, octet >> 4]);
            nibbles.map(|nibble| format!("{nibble:x}.")).collect::<String>() + "ip6.arpa"
        }
        Err(_) => host.to_ascii_lowercase(),
    }
}

/// The group of Challenges that a handshake for one name may be about, if it is of this kind.
pub(crate) fn group(challenge: &Challenge) -> Option<String> {
    let of_this_kind = challenge.spec.type_ == ChallengeType::TlsAlpn01;
    of_this_kind.then(|| group_of(&server_name(&challenge.spec.dns_name)))
}

fn group_of(server_name: &str) -> String {
    format!("handshake {server_name}")
}

/// The Challenge that a handshake for `server_name` is answered for: the oldest that the CA has not decided,
/// and of those made within one second the first that came. One whose solver could not show anything lets
/// the others go first; it is not shown before its turn comes, so whoever has the turn keeps it.
pub(crate) fn in_turn(challenges: &Cache<Challenge>, server_name: &str) -> Option<Arc<Challenge>> {
    let mut all = challenges.group(&group_of(server_name));
    all.retain(|challenge| !is_over(challenge));
    all.into_iter().min_by_key(|challenge| (was_refused(challenge), challenge.creation_timestamp()))
}

fn is_over(challenge: &Challenge) -> bool {
    let state = challenge.status.as_ref().and_then(|status| status.state);
    state.is_some_and(State::is_final) || challenge.metadata.deletion_timestamp.is_some()
}

fn was_refused(challenge: &Challenge) -> bool {
    let told = |status: &ChallengeStatus| status.processing && !status.presented && status.reason.is_some();
    challenge.status.as_ref().is_some_and(told)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::scope::Part;

    #[test]
    fn an_address_has_a_name_of_its_own() {
        for (host, expected) in [
            ("WWW.example.com", "www.example.com"),
            ("192.0.2.7", "7.2.0.192.in-addr.arpa"),
            ("2001:db8::1", "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"),
        ] {
            assert_eq!(server_name(host), expected);
        }
    }

    /// Puts a Challenge for a.test into the cache, made at `second` and as of `version`.
    fn put(cache: &Cache<Challenge>, name: &str, second: u8, version: u8, status: Value) {
        let challenge = json!({
            "metadata": {
                "namespace": "ns", "name": name, "uid": name, "resourceVersion": version.to_string(),
                "creationTimestamp": format!("2026-01-01T00:00:0{second}Z"),
            },
            "spec": {
                "url": "", "authorizationURL": "", "dnsName": "a.test", "type": "TLS-ALPN-01", "token": name,
                "key": "", "solver": {}, "issuerRef": { "name": "ca" },
            },
            "status": status,
        });
        cache.put(serde_json::from_value::<Challenge>(challenge).unwrap());
    }

    #[test]
    fn one_challenge_at_a_time_is_shown_until_it_is_over() {
        let cache = Cache::new([Part::Cluster].into(), |challenge| group(challenge).into_iter().collect());
        let now = || in_turn(&cache, "a.test").map(|challenge| challenge.name_any()).unwrap_or_default();
        assert_eq!(now(), "");
        put(&cache, "b", 1, 10, json!({}));
        put(&cache, "a", 1, 11, json!({}));
        put(&cache, "early", 0, 12, json!({ "state": "valid" }));
        assert_eq!(now(), "b", "of the same second, and it came first");
        put(&cache, "b", 1, 13, json!({ "processing": true, "presented": true, "reason": "404" }));
        assert_eq!(now(), "b", "it is shown, whether or not it can be seen");
        put(&cache, "a", 1, 14, json!({ "reason": "b was first" }));
        put(&cache, "b", 1, 15, json!({ "processing": true, "reason": "no such Gateway" }));
        assert_eq!(now(), "a", "b could not be shown");
        put(&cache, "a", 1, 16, json!({ "state": "invalid" }));
        assert_eq!(now(), "b");
        assert!(in_turn(&cache, "b.test").is_none());
    }
}
