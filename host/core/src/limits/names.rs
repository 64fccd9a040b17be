//! What a CA counts names under.

use std::net::IpAddr;

use crate::acme::Identifier;

/// The domain that somebody has registered, by the public suffix list: `example.co.uk` for `*.shop.example.co.uk`.
/// A name that is a public suffix itself is its own.
pub fn registered_domain(name: &str) -> &str {
    let name = name.trim_start_matches("*.").trim_end_matches('.');
    psl::domain_str(name).unwrap_or(name)
}

/// What an identifier counts under: its registered domain, an IPv4 address, or the /64 of an IPv6 address.
pub(super) fn counted_under(identifier: &Identifier) -> String {
    match identifier {
        Identifier::Dns(name) => registered_domain(name).to_ascii_lowercase(),
        Identifier::Ip(IpAddr::V4(address)) => address.to_string(),
        Identifier::Ip(IpAddr::V6(address)) => {
            let network = u128::from(*address) & !u128::from(u64::MAX);
            format!("{}/64", std::net::Ipv6Addr::from(network))
        }
    }
}

/// What is proven of an identifier: a wildcard by the name below it.
pub(super) fn proven_as(identifier: &Identifier) -> String {
    match identifier {
        Identifier::Dns(name) => name.trim_start_matches("*.").to_ascii_lowercase(),
        Identifier::Ip(address) => address.to_string(),
    }
}
