//! From a name to addresses: through the system's resolver, or the servers that were configured.

use std::net::{IpAddr, SocketAddr};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;

use super::EgressError;

pub(crate) enum Resolver {
    System,
    Configured(Box<TokioResolver>),
}

impl Resolver {
    pub(crate) fn new(nameservers: &[SocketAddr]) -> Result<Resolver, EgressError> {
        if nameservers.is_empty() {
            return Ok(Resolver::System);
        }
        let servers = nameservers.iter().map(|server| name_server(*server)).collect();
        let config = ResolverConfig::from_parts(None, vec![], servers);
        let builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        builder.build().map(Box::new).map(Resolver::Configured).map_err(EgressError::SetUpResolver)
    }

    /// The addresses of `host`; at least one.
    pub(crate) async fn addresses(&self, host: &str, literal: Option<IpAddr>) -> Result<Vec<IpAddr>, EgressError> {
        let failed = |message: String| EgressError::Resolve { host: host.to_owned(), message };
        let found: Vec<IpAddr> = match (literal, self) {
            (Some(ip), _) => vec![ip],
            (None, Resolver::System) => {
                let found = tokio::net::lookup_host((host, 0)).await.map_err(|error| failed(error.to_string()))?;
                found.map(|address| address.ip()).collect()
            }
            (None, Resolver::Configured(resolver)) => {
                let found = resolver.lookup_ip(format!("{host}.")).await.map_err(|error| failed(error.to_string()))?;
                found.iter().collect()
            }
        };
        if found.is_empty() { Err(failed("it has no address".to_owned())) } else { Ok(found) }
    }
}

fn name_server(server: SocketAddr) -> NameServerConfig {
    let on_port = |mut connection: ConnectionConfig| {
        connection.port = server.port();
        connection
    };
    let connections = vec![on_port(ConnectionConfig::udp()), on_port(ConnectionConfig::tcp())];
    NameServerConfig::new(server.ip(), true, connections)
}
