//! The HTTP client of one endpoint: pooled connections, HTTP/1 and 2, a bound on time and on the
//! size of an answer, and an observer that hears of every request.
//!
//! Reads (GET and HEAD) are sent again when the connection failed. A POST is not: whether the CA saw
//! it is unknown, so the caller decides again from what the CA says then.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, USER_AGENT};
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::observer::{Observer, RequestMade, Resource};
use crate::{Endpoint, Error, tls};

const AGENT: &str = concat!("signet/", env!("CARGO_PKG_VERSION"));
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
const MAX_BODY: usize = 1024 * 1024;
const READ_ATTEMPTS: usize = 3;

/// What to send.
pub(crate) struct Call<'a> {
    pub(crate) resource: Resource,
    pub(crate) method: Method,
    pub(crate) url: &'a str,
    /// The body of a POST, already signed.
    pub(crate) body: Option<String>,
    pub(crate) accept: Option<&'static str>,
}

impl<'a> Call<'a> {
    pub(crate) fn read(resource: Resource, method: Method, url: &'a str) -> Self {
        Self { resource, method, url, body: None, accept: None }
    }
}

/// A whole answer, whatever its status.
pub(crate) struct Reply {
    pub(crate) host: String,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

pub(crate) struct HttpClient {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    observer: Arc<dyn Observer>,
}

impl HttpClient {
    pub(crate) fn new(endpoint: &Endpoint, observer: Arc<dyn Observer>) -> Result<Self, Error> {
        let tls = tls::client_config(endpoint.ca_bundle.as_deref(), endpoint.skip_tls_verify)?;
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .enable_http2()
            .wrap_connector(tcp);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .build(connector);
        Ok(Self { client, observer })
    }

    /// Sends, and reads the whole answer.
    pub(crate) async fn send(&self, call: Call<'_>) -> Result<Reply, Error> {
        let uri: Uri = call
            .url
            .parse()
            .map_err(|source| Error::ParseUrl { url: crate::problem::shorten(call.url, 200), source })?;
        let repeatable = call.method == Method::GET || call.method == Method::HEAD;
        let attempts = if repeatable { READ_ATTEMPTS } else { 1 };
        let mut attempt = 1;
        loop {
            match self.observed(&call, &uri).await {
                Err(Error::Reach { host, source }) if attempt < attempts => {
                    tracing::debug!(%host, error = %source, attempt, "connection to the CA failed, sending again");
                    attempt += 1;
                }
                result => return result,
            }
        }
    }

    async fn observed(&self, call: &Call<'_>, uri: &Uri) -> Result<Reply, Error> {
        let host = uri.authority().map(|authority| authority.to_string()).unwrap_or_default();
        let start = Instant::now();
        let result = match tokio::time::timeout(REQUEST_TIMEOUT, self.once(call, uri, &host)).await {
            Ok(result) => result,
            Err(_) => Err(Error::AwaitReply { host: host.clone(), after: REQUEST_TIMEOUT }),
        };
        self.observer.request_made(&RequestMade {
            scheme: uri.scheme_str().unwrap_or_default(),
            host: &host,
            method: call.method.as_str(),
            resource: call.resource,
            status: result.as_ref().ok().map(|reply| reply.status.as_u16()),
            duration: start.elapsed(),
        });
        result
    }

    async fn once(&self, call: &Call<'_>, uri: &Uri, host: &str) -> Result<Reply, Error> {
        let mut request = Request::builder().method(&call.method).uri(uri).header(USER_AGENT, AGENT);
        if call.body.is_some() {
            request = request.header(CONTENT_TYPE, "application/jose+json");
        }
        if let Some(accept) = call.accept {
            request = request.header(ACCEPT, accept);
        }
        let body = Full::from(call.body.clone().unwrap_or_default());
        let request = request.body(body).map_err(|source| Error::BuildRequest { host: host.into(), source })?;
        let response =
            self.client.request(request).await.map_err(|source| Error::Reach { host: host.into(), source })?;
        let (parts, body) = response.into_parts();
        let body =
            Limited::new(body, MAX_BODY).collect().await.map_err(|source| match source.is::<LengthLimitError>() {
                true => Error::ExceedSize { host: host.into(), limit: MAX_BODY },
                false => Error::ReadReply { host: host.into(), source },
            });
        let body = body?.to_bytes();
        Ok(Reply { host: host.into(), status: parts.status, headers: parts.headers, body })
    }
}
