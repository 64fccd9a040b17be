//! The way out: one client for every plugin, which connects only to addresses that were checked.
//!
//! A request passes two checks. `imports::http` compares its scheme, host and port with the
//! grants. Then the name is resolved here, each address is judged, and the connection goes to
//! exactly an address that was judged, so a name that changes its mind reaches nothing new.

mod address;
mod body;
mod client;
mod resolve;
mod roots;

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use ipnet::IpNet;

use crate::authority::Target;

/// How plugins reach the network.
#[derive(Debug, Clone)]
pub struct EgressConfig {
    /// DNS servers to ask instead of the system's resolver.
    pub nameservers: Vec<SocketAddr>,
    /// PEM certificates to trust beside the platform's.
    pub extra_roots: Option<Vec<u8>>,
    /// Longest response body in bytes.
    pub max_body: u64,
    /// Longest time to connect, TLS included.
    pub connect_timeout: Duration,
    /// Longest time from the request to the head of the response, and between parts of its body.
    pub response_timeout: Duration,
    /// `http://host:port` of a proxy for every https request. The proxy then resolves the names;
    /// a literal address is still judged here.
    pub proxy: Option<http::Uri>,
}

impl Default for EgressConfig {
    fn default() -> EgressConfig {
        EgressConfig {
            nameservers: vec![],
            extra_roots: None,
            max_body: 8 * 1024 * 1024,
            connect_timeout: Duration::from_secs(10),
            response_timeout: Duration::from_secs(30),
            proxy: None,
        }
    }
}

/// Why a request did not reach its host.
#[derive(Debug, thiserror::Error)]
pub enum EgressError {
    /// A certificate bundle can not be read.
    #[error("read the extra CA certificates")]
    ReadRoots(#[source] rustls::pki_types::pem::Error),
    /// No TLS client can be set up.
    #[error("set up TLS")]
    SetUpTls(#[source] rustls::Error),
    /// The resolver can not be set up.
    #[error("set up the resolver")]
    SetUpResolver(#[source] hickory_resolver::net::NetError),
    /// The proxy's address makes no sense.
    #[error("read the proxy {0:?}: it must be http://host:port")]
    ReadProxy(String),
    /// The name has no address.
    #[error("resolve {host}: {message}")]
    Resolve {
        /// The name.
        host: String,
        /// What the resolver said.
        message: String,
    },
    /// Every address of the name is one that plugins may not reach.
    #[error("{}", refused(host, addresses))]
    Refuse {
        /// The name.
        host: String,
        /// Each address, and what kind it is.
        addresses: Vec<(std::net::IpAddr, &'static str)>,
    },
    /// No connection, or it broke.
    #[error("reach {host}: {message}")]
    Reach {
        /// The name.
        host: String,
        /// What happened.
        message: String,
    },
    /// It took too long.
    #[error("reach {host}: no answer within {limit:?}")]
    Wait {
        /// The name.
        host: String,
        /// The limit.
        limit: Duration,
    },
}

fn refused(host: &str, addresses: &[(std::net::IpAddr, &'static str)]) -> String {
    let list: Vec<String> = addresses.iter().map(|(ip, kind)| format!("{ip}, {kind}")).collect();
    let (list, first) = (list.join("; "), addresses.first().map(|(ip, _)| IpNet::from(*ip).to_string()));
    let first = first.unwrap_or_default();
    format!(
        "{host} is at an address that plugins may not reach ({list}): add \"{first}\" to networks in its grants if it should"
    )
}

/// The body of a request or a response.
pub(crate) type Body = UnsyncBoxBody<Bytes, wasmtime_wasi_http::Error>;

/// The one client of all plugins.
pub struct Egress {
    config: EgressConfig,
    resolver: resolve::Resolver,
    pool: client::Pool,
}

impl Egress {
    /// Sets up TLS, the resolver and an empty pool. Reads the platform's certificates.
    pub fn new(config: EgressConfig) -> Result<Egress, EgressError> {
        let tls = roots::client_config(config.extra_roots.as_deref())?;
        let resolver = resolve::Resolver::new(&config.nameservers)?;
        let pool = client::Pool::new(tls, config.proxy.as_ref(), config.connect_timeout)?;
        Ok(Egress { config, resolver, pool })
    }

    /// Sends a request to `target`, whose name was checked, at an address that is checked here.
    pub(crate) async fn send(
        &self,
        target: &Target,
        networks: &[IpNet],
        request: Request<Body>,
    ) -> Result<Response<Body>, EgressError> {
        let route = self.route(target, networks).await?;
        let limit = self.config.response_timeout;
        let response = tokio::time::timeout(limit, self.pool.send(target, &route, request))
            .await
            .map_err(|_| EgressError::Wait { host: target.to_string(), limit })??;
        Ok(response.map(|incoming| body::capped(incoming, self.config.max_body, limit)))
    }

    async fn route(&self, target: &Target, networks: &[IpNet]) -> Result<client::Route, EgressError> {
        if self.pool.proxies(target) && target.ip().is_none() {
            return Ok(client::Route::Proxy);
        }
        let found = self.resolver.addresses(&target.host, target.ip()).await?;
        let (good, bad): (Vec<_>, Vec<_>) = found.into_iter().partition(|ip| address::judge(*ip, networks).is_ok());
        if good.is_empty() {
            let kind = |ip| (ip, address::judge(ip, networks).err().unwrap_or("special"));
            return Err(EgressError::Refuse {
                host: target.host.clone(),
                addresses: bad.into_iter().map(kind).collect(),
            });
        }
        match self.pool.proxies(target) {
            true => Ok(client::Route::Proxy),
            false => Ok(client::Route::Direct(good)),
        }
    }
}
