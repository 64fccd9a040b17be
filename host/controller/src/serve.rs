//! What the process answers over HTTP: HTTP-01 challenges, lists of revoked certificates, health, metrics.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use signet_api::ChallengeType;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::crl;
use crate::issuers::AnyIssuer;
use crate::key::Key;
use crate::metrics::Metrics;
use crate::stores::{Stores, answers};
use crate::writer::Writer;

/// How long a request for a token waits for the Challenges to be listed: less than a CA waits.
const LISTING: Duration = Duration::from_secs(5);

/// How the answer to a token begins that nobody was given.
pub(crate) const NO_CHALLENGE: &str = "Signet has no HTTP-01 challenge";

/// A bound socket and what it serves.
pub(crate) struct Server {
    listener: TcpListener,
    router: Router,
}

impl Server {
    /// Binds now, so that a port that is taken is found out at the start.
    pub(crate) async fn bind(address: SocketAddr, router: Router) -> io::Result<Self> {
        Ok(Self { listener: TcpListener::bind(address).await?, router })
    }

    /// Serves until it is told to stop, and finishes what it has begun.
    pub(crate) fn run(self, stop: CancellationToken) -> impl Future<Output = io::Result<()>> + Send {
        let Self { listener, router } = self;
        async move { axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await }
    }
}

/// The HTTP-01 responder: answers from the Challenges that the process watches, so every replica
/// answers, through restarts.
pub(crate) fn responder(stores: Arc<Stores>) -> Router {
    Router::new().route("/.well-known/acme-challenge/{token}", get(answer)).with_state(stores)
}

async fn answer(State(stores): State<Arc<Stores>>, Path(token): Path<String>, headers: HeaderMap) -> impl IntoResponse {
    // A process that has just started knows no token yet; the CA would take a 404 for the answer.
    let _ = tokio::time::timeout(LISTING, stores.challenges.wait_synced()).await;
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let host = host_name(host);
    let challenges = stores.challenges.group(&answers(&token));
    let found = challenges.iter().find(|challenge| {
        challenge.spec.type_ == ChallengeType::Http01 && challenge.spec.dns_name.eq_ignore_ascii_case(host)
    });
    tracing::debug!(host, token, found = found.is_some(), "HTTP-01 request");
    match found {
        Some(challenge) => {
            (StatusCode::OK, [(header::CONTENT_TYPE, "application/octet-stream")], challenge.spec.key.clone())
        }
        None => (
            StatusCode::NOT_FOUND,
            [(header::CONTENT_TYPE, "text/plain")],
            format!("{NO_CHALLENGE} with this token for {host}\n"),
        ),
    }
}

/// The lists of revoked certificates of those issuers that have them served: `/crl/NAMESPACE/NAME.crl` for an
/// Issuer, `/crl/NAME.crl` for a ClusterIssuer, whose Secrets are in `cluster_namespace`.
pub(crate) fn lists(writer: Writer, cluster_namespace: String) -> Router {
    let of_issuers = {
        let writer = writer.clone();
        move |Path((namespace, file)): Path<(String, String)>| async move {
            let issuer = name_of(&file).and_then(|name| writer.stores().issuers.get(&Key::new(&*namespace, name)));
            list(&writer, issuer.map(AnyIssuer::Issuer), &namespace).await
        }
    };
    let of_cluster_issuers = move |Path(file): Path<String>| async move {
        let issuer = name_of(&file).and_then(|name| writer.stores().cluster_issuers.get(&Key::new("", name)));
        list(&writer, issuer.map(AnyIssuer::ClusterIssuer), &cluster_namespace).await
    };
    Router::new().route("/crl/{namespace}/{file}", get(of_issuers)).route("/crl/{file}", get(of_cluster_issuers))
}

fn name_of(file: &str) -> Option<&str> {
    file.strip_suffix(".crl")
}

async fn list(writer: &Writer, issuer: Option<AnyIssuer>, namespace: &str) -> impl IntoResponse + use<> {
    let found = match issuer {
        Some(issuer) => crl::served(writer, &issuer, namespace).await,
        None => None,
    };
    match found {
        Some(der) => (StatusCode::OK, [(header::CONTENT_TYPE, "application/pkix-crl")], der),
        None => {
            let text = "Signet serves no list of revoked certificates here\n";
            (StatusCode::NOT_FOUND, [(header::CONTENT_TYPE, "text/plain")], text.as_bytes().to_vec())
        }
    }
}

/// The host of a Host header, without port and brackets.
fn host_name(header: &str) -> &str {
    match header.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => header.split(':').next().unwrap_or(header),
    }
}

/// Liveness and readiness, on the paths that Kubernetes' own components have.
pub(crate) fn health(ready: Arc<AtomicBool>) -> Router {
    let is_ready = move || {
        let ready = ready.load(Ordering::Acquire);
        async move {
            if ready { (StatusCode::OK, "ok") } else { (StatusCode::SERVICE_UNAVAILABLE, "still reading the cluster") }
        }
    };
    Router::new()
        .route("/livez", get(|| async { "ok" }))
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(is_ready))
}

/// The metrics, in the text format that was asked for.
pub(crate) fn metrics(metrics: Arc<Metrics>) -> Router {
    let show = move || {
        let text = metrics.encode();
        async move { ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text) }
    };
    Router::new().route("/metrics", get(show))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_header_may_have_a_port() {
        for (header, host) in [
            ("example.com", "example.com"),
            ("example.com:8080", "example.com"),
            ("192.0.2.1:80", "192.0.2.1"),
            ("[2001:db8::1]:80", "2001:db8::1"),
            ("", ""),
        ] {
            assert_eq!(host_name(header), host);
        }
    }
}
