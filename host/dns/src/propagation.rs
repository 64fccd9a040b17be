//! Whether a TXT record is in place: on every authoritative server of its zone, so that it does not matter
//! which of them the CA asks.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use futures::future::{join_all, try_join_all};
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{Name, RData, RecordType};
use tokio::net::UdpSocket;

use crate::recursive::{MAX_CNAMES, alias, parse, records, text};
use crate::{Dns, Error, Nameserver, exchange};

/// What the servers that were asked have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Propagation {
    /// Every server has the value.
    Everywhere,
    /// These have not; the others have.
    Missing(Vec<ServerAnswer>),
}

/// A server that does not have the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerAnswer {
    /// The name of the server in the zone's NS records; for a recursive server, empty.
    pub server: String,
    /// Its address, without a port when that is 53, or its URL; empty when it has none.
    pub address: String,
    /// What it did, as a phrase that follows the server: `answered SERVFAIL`.
    pub answer: String,
}

impl fmt::Display for ServerAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.server.as_str(), self.address.as_str()) {
            ("", address) => write!(f, "{address} {}", self.answer),
            (server, "") => write!(f, "{server} {}", self.answer),
            (server, address) => write!(f, "{server} ({address}) {}", self.answer),
        }
    }
}

/// Whether a TXT value is the one that is looked for.
pub type Judge<'a> = dyn Fn(&str) -> Result<(), Option<String>> + Sync + 'a;

struct Server {
    name: String,
    at: Nameserver,
}

/// What one server says of one name.
enum Seen {
    Value,
    Alias(Name),
    Not(ServerAnswer),
}

impl Dns {
    /// Asks for `value` in the TXT records at `fqdn`, following CNAMEs as the CA will. `zone` is the zone of
    /// `fqdn`. An error means that whom to ask could not be found out.
    pub async fn propagation(&self, fqdn: &str, zone: &str, value: &str) -> Result<Propagation, Error> {
        let is_it = |found: &str| if found == value { Ok(()) } else { Err(None) };
        self.propagation_of(fqdn, zone, &is_it).await
    }

    /// The same for a value that `judge` takes. It answers any other with nothing, or with a phrase that says
    /// why a value that is meant to be ours does not count.
    pub async fn propagation_of(&self, fqdn: &str, zone: &str, judge: &Judge<'_>) -> Result<Propagation, Error> {
        let start = parse(fqdn)?;
        let (mut name, mut zone) = (start.clone(), parse(zone)?);
        for _ in 0..=MAX_CNAMES {
            let (servers, mut missing) = self.servers(&zone).await?;
            let looks = servers.iter().map(|server| self.look(server, &name, &zone, judge));
            let mut target = None;
            for seen in join_all(looks).await {
                match seen {
                    Seen::Value => {}
                    Seen::Alias(next) => target = Some(next),
                    Seen::Not(answer) => missing.push(answer),
                }
            }
            match target {
                Some(next) if missing.is_empty() => {
                    zone = self.zone_of(&next).await?;
                    name = next;
                }
                _ if missing.is_empty() => return Ok(Propagation::Everywhere),
                _ => return Ok(Propagation::Missing(missing)),
            }
        }
        Err(Error::FollowCnames { name: start.to_ascii() })
    }

    /// Whom to ask, and those who cannot be asked.
    async fn servers(&self, zone: &Name) -> Result<(Vec<Server>, Vec<ServerAnswer>), Error> {
        if self.recursive_only {
            let servers = self.recursive.iter().map(|at| Server { name: String::new(), at: at.clone() });
            return Ok((servers.collect(), Vec::new()));
        }
        let message = self.ask(zone, RecordType::NS).await?;
        let mut names: Vec<Name> = records(&message, RecordType::NS)
            .filter_map(|data| match data {
                RData::NS(server) => Some(server.0.to_lowercase()),
                _ => None,
            })
            .collect();
        names.sort();
        names.dedup();
        if names.is_empty() {
            return Err(Error::FindServers { zone: zone.to_ascii() });
        }
        let found = try_join_all(names.iter().map(|name| self.addresses_of(name))).await?;
        let (mut servers, mut missing) = (Vec::new(), Vec::new());
        for (name, addresses) in names.iter().zip(found) {
            match reachable(addresses).await.as_slice() {
                [] => missing.push(ServerAnswer {
                    server: name.to_ascii(),
                    address: String::new(),
                    answer: "has no address that can be reached from here".into(),
                }),
                addresses => servers.extend(addresses.iter().map(|address| Server {
                    name: name.to_ascii(),
                    at: SocketAddr::new(*address, self.authoritative_port).into(),
                })),
            }
        }
        Ok((servers, missing))
    }

    async fn look(&self, server: &Server, name: &Name, zone: &Name, judge: &Judge<'_>) -> Seen {
        let answer = match server.at.ask(name, RecordType::TXT, self.recursive_only).await {
            Ok(message) if records(&message, RecordType::TXT).any(|data| judge(&text(data)).is_ok()) => {
                return Seen::Value;
            }
            Ok(message) => match alias(&message, name) {
                Some(next) if !self.recursive_only => return Seen::Alias(next.to_lowercase()),
                _ => self.describe(&message, name, zone, judge),
            },
            Err(phrase) => phrase,
        };
        Seen::Not(ServerAnswer { server: server.name.clone(), address: server.at.to_string(), answer })
    }

    fn describe(&self, message: &Message, name: &Name, zone: &Name, judge: &Judge<'_>) -> String {
        let faults = records(message, RecordType::TXT).filter_map(|data| judge(&text(data)).err().flatten());
        let faults: Vec<_> = faults.collect();
        if !faults.is_empty() {
            return format!("has records at {name} that do not count: {}", faults.join("; "));
        }
        let code = message.metadata.response_code;
        let lame = !self.recursive_only && !message.metadata.authoritative;
        match (code, records(message, RecordType::TXT).count()) {
            (ResponseCode::Refused, _) if lame => format!("refuses to answer for {zone}: it does not serve that zone"),
            (ResponseCode::NoError, 0) if lame => format!("is named in the NS records of {zone} but does not serve it"),
            (ResponseCode::NoError, 0) => format!("has no TXT record at {name}"),
            (ResponseCode::NoError, 1) => format!("has another TXT value at {name}, not ours yet"),
            (ResponseCode::NoError, n) => format!("has {n} other TXT values at {name}, not ours yet"),
            (code, _) => exchange::code_phrase(code),
        }
    }
}

/// The addresses that this host has a route to: one without IPv6 must not wait for a server's IPv6 address.
/// Connecting a datagram socket asks the routing table and sends nothing.
async fn reachable(addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    let mut reachable = Vec::new();
    for address in addresses {
        let from = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let Ok(socket) = UdpSocket::bind(from).await else { continue };
        if socket.connect((address, 53)).await.is_ok() {
            reachable.push(address);
        }
    }
    reachable
}

#[cfg(test)]
mod tests;
