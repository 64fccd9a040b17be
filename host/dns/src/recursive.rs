//! Questions that a recursive server answers for us.

use std::net::IpAddr;
use std::sync::Arc;

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{Name, RData, RecordType};

use crate::zone::ZoneCache;
use crate::{DnsConfig, Error, Nameserver, config, exchange};

/// How many CNAMEs are followed from one name.
pub(crate) const MAX_CNAMES: usize = 10;

/// A client of DNS. Cheap to clone, usable from many tasks at once.
#[derive(Clone, Debug)]
pub struct Dns {
    pub(crate) recursive: Arc<[Nameserver]>,
    pub(crate) recursive_only: bool,
    /// The port of authoritative servers: 53, save in tests.
    pub(crate) authoritative_port: u16,
    pub(crate) zones: Arc<ZoneCache>,
}

impl Dns {
    /// Takes the servers of the configuration, or reads the system's.
    pub fn new(config: DnsConfig) -> Result<Self, Error> {
        let servers = match config.recursive_nameservers.is_empty() {
            true => config::system()?,
            false => config.recursive_nameservers,
        };
        Ok(Self {
            recursive: servers.into(),
            recursive_only: config.recursive_only,
            authoritative_port: 53,
            zones: Arc::default(),
        })
    }

    /// The same client asking `nameservers` alone, propagation included: a solver's own `dns01.nameservers`.
    /// None leaves it as it is.
    pub fn through(&self, nameservers: Vec<Nameserver>) -> Self {
        match nameservers.is_empty() {
            true => self.clone(),
            false => Self {
                recursive: nameservers.into(),
                recursive_only: true,
                authoritative_port: self.authoritative_port,
                zones: Arc::default(),
            },
        }
    }

    /// Every address of `host`, IPv4 first. Empty when the name has none or does not exist.
    pub async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, Error> {
        if let Ok(address) = host.trim_matches(['[', ']']).parse() {
            return Ok(vec![address]);
        }
        self.addresses_of(&parse(host)?).await
    }

    /// The records of one kind at `name`, CNAMEs followed, as text in the form of a zone file (TXT: the
    /// strings joined, without quotes). Empty when there are none.
    pub async fn lookup(&self, name: &str, kind: RecordType) -> Result<Vec<String>, Error> {
        let message = self.ask(&parse(name)?, kind).await?;
        Ok(records(&message, kind).map(text).collect())
    }

    pub(crate) async fn addresses_of(&self, name: &Name) -> Result<Vec<IpAddr>, Error> {
        let (v4, v6) = futures::join!(self.ask(name, RecordType::A), self.ask(name, RecordType::AAAA));
        let mut found = Vec::new();
        for message in [&v4, &v6].into_iter().flatten() {
            found.extend(message.answers.iter().filter_map(|record| match &record.data {
                RData::A(address) => Some(IpAddr::V4(address.0)),
                RData::AAAA(address) => Some(IpAddr::V6(address.0)),
                _ => None,
            }));
        }
        // One family that cannot be looked up is no trouble while the other gave addresses.
        match (found.is_empty(), v4, v6) {
            (true, Err(error), _) | (true, _, Err(error)) => Err(error),
            _ => Ok(found),
        }
    }

    /// The first response that is an answer (NOERROR or NXDOMAIN), trying the servers in their order.
    pub(crate) async fn ask(&self, name: &Name, kind: RecordType) -> Result<Message, Error> {
        let mut attempts = Vec::new();
        for server in self.recursive.iter() {
            match server.ask(name, kind, true).await {
                Ok(message) => match message.metadata.response_code {
                    ResponseCode::NoError | ResponseCode::NXDomain => return Ok(message),
                    code => attempts.push(format!("{server} {}", exchange::code_phrase(code))),
                },
                Err(phrase) => attempts.push(format!("{server} {phrase}")),
            }
        }
        Err(Error::Ask { name: name.to_ascii(), kind: kind.to_string(), attempts: attempts.join("; ") })
    }
}

/// A name as the root sees it: a missing last dot is no matter, and no search domain is tried.
pub(crate) fn parse(name: &str) -> Result<Name, Error> {
    let mut parsed = Name::from_utf8(name)
        .map_err(|error| Error::ReadName { name: name.chars().take(300).collect(), why: error.to_string() })?;
    parsed.set_fqdn(true);
    Ok(parsed.to_lowercase())
}

pub(crate) fn records(message: &Message, kind: RecordType) -> impl Iterator<Item = &RData> {
    message.answers.iter().map(|record| &record.data).filter(move |data| data.record_type() == kind)
}

/// Where `name` is an alias to, by the answers of a message.
pub(crate) fn alias<'a>(message: &'a Message, name: &Name) -> Option<&'a Name> {
    message.answers.iter().filter(|record| record.name == *name).find_map(|record| match &record.data {
        RData::CNAME(target) => Some(&target.0),
        _ => None,
    })
}

pub(crate) fn text(data: &RData) -> String {
    match data {
        RData::TXT(txt) => txt.txt_data.iter().map(|part| String::from_utf8_lossy(part)).collect(),
        other => other.to_string(),
    }
}
