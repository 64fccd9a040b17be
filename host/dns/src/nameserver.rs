//! A server and the way to it.

use std::fmt;
use std::net::SocketAddr;

use hickory_proto::op::Message;
use hickory_proto::rr::{Name, RecordType};
use http::Uri;

use crate::{exchange, https};

/// A server that can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Nameserver {
    /// Over UDP and TCP.
    Plain(SocketAddr),
    /// Over HTTPS (RFC 8484), at this address.
    Https(Uri),
}

impl Nameserver {
    /// Any response is an answer, whatever its code; an error is a phrase that follows the server.
    pub(crate) async fn ask(&self, name: &Name, kind: RecordType, recurse: bool) -> Result<Message, String> {
        match self {
            Self::Plain(address) => exchange::ask(*address, name, kind, recurse).await.map_err(str::to_owned),
            Self::Https(url) => https::ask(url, name, kind).await,
        }
    }
}

impl fmt::Display for Nameserver {
    /// The port only where it is another than usual.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(address) if address.port() == 53 => write!(f, "{}", address.ip()),
            Self::Plain(address) => write!(f, "{address}"),
            Self::Https(url) => write!(f, "{url}"),
        }
    }
}

impl From<SocketAddr> for Nameserver {
    fn from(address: SocketAddr) -> Self {
        Self::Plain(address)
    }
}
