//! The pool: a hyper client for each target and set of checked addresses, HTTP/2 where the server
//! offers it, whose connector can reach nothing but those addresses.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Response, Uri};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tower_service::Service;

use super::{Body, EgressError};
use crate::authority::Target;

/// How long a connection without work is kept.
const IDLE: Duration = Duration::from_secs(60);
/// More targets than a cluster's plugins talk to at once.
const MAX_CLIENTS: usize = 256;

/// How a target is reached.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Route {
    /// At one of these addresses.
    Direct(Vec<IpAddr>),
    /// Through the proxy, which resolves the name.
    Proxy,
}

#[derive(Clone)]
enum Sender {
    Direct(Client<HttpsConnector<Pinned>, Body>),
    Proxy(Client<HttpsConnector<Tunnel<Pinned>>, Body>),
}

/// Clients by target and route: a connection is never shared between two sets of addresses.
pub(crate) struct Pool {
    tls: ClientConfig,
    proxy: Option<(Uri, SocketAddrs)>,
    connect_timeout: Duration,
    clients: Mutex<HashMap<(Target, Route), (Sender, Instant)>>,
}

impl Pool {
    pub(crate) fn new(tls: ClientConfig, proxy: Option<&Uri>, connect_timeout: Duration) -> Result<Pool, EgressError> {
        let proxy = proxy.map(|uri| Ok((uri.clone(), SocketAddrs::Name(proxy_authority(uri)?)))).transpose()?;
        Ok(Pool { tls, proxy, connect_timeout, clients: Mutex::default() })
    }

    /// Whether requests to `target` go through the proxy.
    pub(crate) fn proxies(&self, target: &Target) -> bool {
        self.proxy.is_some() && target.https
    }

    pub(crate) async fn send(
        &self,
        target: &Target,
        route: &Route,
        mut request: Request<Body>,
    ) -> Result<Response<Incoming>, EgressError> {
        *request.uri_mut() = canonical_uri(target, request.uri());
        // hyper writes the header that the protocol version calls for, from the checked target.
        request.headers_mut().remove(http::header::HOST);
        let sent = match self.sender(target, route) {
            Sender::Direct(client) => client.request(request).await,
            Sender::Proxy(client) => client.request(request).await,
        };
        sent.map_err(|error| EgressError::Reach { host: target.to_string(), message: chain(&error) })
    }

    fn sender(&self, target: &Target, route: &Route) -> Sender {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if clients.len() >= MAX_CLIENTS {
            clients.retain(|_, (_, used)| now.duration_since(*used) < IDLE);
        }
        if clients.len() >= MAX_CLIENTS {
            clients.clear();
        }
        let entry = clients.entry((target.clone(), route.clone())).or_insert_with(|| (self.make(target, route), now));
        entry.1 = now;
        entry.0.clone()
    }

    fn make(&self, target: &Target, route: &Route) -> Sender {
        let pinned = |addresses| Pinned { addresses, timeout: self.connect_timeout };
        let mut builder = Client::builder(TokioExecutor::new());
        builder.pool_idle_timeout(IDLE).pool_max_idle_per_host(8).pool_timer(TokioTimer::new());
        match (route, &self.proxy) {
            (Route::Proxy, Some((uri, addresses))) => {
                let tunnel = Tunnel::new(uri.clone(), pinned(addresses.clone()));
                Sender::Proxy(builder.build(self.with_tls(tunnel)))
            }
            (Route::Direct(ips), _) => {
                let addresses = ips.iter().map(|ip| SocketAddr::new(*ip, target.port)).collect();
                Sender::Direct(builder.build(self.with_tls(pinned(SocketAddrs::Checked(addresses)))))
            }
            // Routes are made by the same configuration; without a proxy there is nowhere to go.
            (Route::Proxy, None) => {
                Sender::Direct(builder.build(self.with_tls(pinned(SocketAddrs::Checked(Arc::default())))))
            }
        }
    }

    fn with_tls<C>(&self, connector: C) -> HttpsConnector<C> {
        HttpsConnectorBuilder::new()
            .with_tls_config(self.tls.clone())
            .https_or_http()
            .enable_all_versions()
            .wrap_connector(connector)
    }
}

fn proxy_authority(uri: &Uri) -> Result<Arc<str>, EgressError> {
    let wrong = || EgressError::ReadProxy(uri.to_string());
    let authority = uri.authority().filter(|_| uri.scheme() == Some(&Scheme::HTTP)).ok_or_else(wrong)?;
    let target = Target::parse("http", authority.as_str()).map_err(|_| wrong())?;
    Ok(target.authority().into())
}

/// The request's path at the target that was checked, however the guest spelled it.
fn canonical_uri(target: &Target, uri: &Uri) -> Uri {
    let shown = target.to_string();
    let authority = shown.split_once("://").map_or(shown.as_str(), |(_, authority)| authority);
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(if target.https { Scheme::HTTPS } else { Scheme::HTTP });
    parts.authority = Some(Authority::try_from(authority).expect("a target's host and port are an authority"));
    parts.path_and_query = Some(uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/")));
    Uri::from_parts(parts).expect("scheme, authority and path are all given")
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text = format!("{text}: {source}");
        next = source.source();
    }
    text
}

#[derive(Clone)]
enum SocketAddrs {
    Checked(Arc<[SocketAddr]>),
    /// The proxy's own address, which an operator configured.
    Name(Arc<str>),
}

/// Connects to the addresses that it holds, whatever the URI says.
#[derive(Clone)]
struct Pinned {
    addresses: SocketAddrs,
    timeout: Duration,
}

impl Service<Uri> for Pinned {
    type Response = TokioIo<TcpStream>;
    type Error = std::io::Error;
    type Future = Pin<Box<dyn Future<Output = std::io::Result<TokioIo<TcpStream>>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let Pinned { addresses, timeout } = self.clone();
        Box::pin(async move {
            let connect = async {
                match &addresses {
                    SocketAddrs::Checked(addresses) => TcpStream::connect(&addresses[..]).await,
                    SocketAddrs::Name(name) => TcpStream::connect(&**name).await,
                }
            };
            let late = || std::io::Error::new(std::io::ErrorKind::TimedOut, "no connection in time");
            let stream = tokio::time::timeout(timeout, connect).await.map_err(|_| late())??;
            stream.set_nodelay(true)?;
            Ok(TokioIo::new(stream))
        })
    }
}
