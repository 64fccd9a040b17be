//! The edge to DNS: where a DNS-01 record belongs, and whether the world can see it.
//!
//! Recursive servers (the system's, or those that the operator named) answer where a name leads and which
//! zone holds it. Whether a record is in place is asked of every authoritative server of that zone, without
//! a cache in between. Each question goes over UDP, then TCP, or over HTTPS where a recursive server is named so; each failure names the server that failed.

mod caa;
mod config;
mod error;
mod exchange;
mod https;
mod nameserver;
mod propagation;
mod recursive;
#[cfg(test)]
mod stub;
mod zone;

pub use caa::{CaaRecord, CaaRecords};
pub use config::{DnsConfig, addresses, nameservers};
pub use error::Error;
pub use hickory_proto::rr::RecordType;
pub use nameserver::Nameserver;
pub use propagation::{Judge, Propagation, ServerAnswer};
pub use recursive::Dns;
pub use zone::ChallengeRecord;
