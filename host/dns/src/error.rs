//! What can go wrong between us and DNS.

use hickory_resolver::net::NetError;

/// An error of the DNS edge.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "could not read the DNS servers of this system from /etc/resolv.conf; name servers with --dns01-recursive-nameservers"
    )]
    ReadSystemConfig { source: NetError },
    #[error("found no DNS server in /etc/resolv.conf; name servers with --dns01-recursive-nameservers")]
    FindSystemServers,
    #[error("could not read the nameserver {entry:?}: {why}")]
    ReadNameserver { entry: String, why: String },
    #[error("could not read the DNS name {name:?}: {why}")]
    ReadName { name: String, why: String },
    #[error("could not look up {kind} {name}: {attempts}")]
    Ask { name: String, kind: String, attempts: String },
    #[error("could not find the zone of {name}: no name above it has a SOA record")]
    FindZone { name: String },
    #[error("could not find the servers of zone {zone}: it has no NS records")]
    FindServers { zone: String },
    #[error("gave up following CNAMEs from {name}: they form a loop or are more than 10")]
    FollowCnames { name: String },
}

impl Error {
    /// A word for conditions, events and metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::ReadSystemConfig { .. } | Self::FindSystemServers | Self::ReadNameserver { .. } => "InvalidDNSConfig",
            Self::ReadName { .. } => "InvalidDNSName",
            Self::Ask { .. } => "DNSLookupFailed",
            Self::FindZone { .. } | Self::FindServers { .. } => "DNSZoneNotFound",
            Self::FollowCnames { .. } => "DNSCNAMELoop",
        }
    }

    /// Whether asking again later can help without anyone changing a flag or a manifest.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Ask { .. } | Self::FindZone { .. } | Self::FindServers { .. } | Self::FollowCnames { .. } => true,
            Self::ReadSystemConfig { .. }
            | Self::FindSystemServers
            | Self::ReadNameserver { .. }
            | Self::ReadName { .. } => false,
        }
    }
}
