//! DNS over HTTPS in front of the lab's DNS: for a solver that sees the world through no other server.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::serve::Listener;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use signet_lab::Lab;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// A running server; it ends when it is dropped.
pub struct Doh {
    address: SocketAddr,
    state: Arc<Forward>,
    task: JoinHandle<()>,
}

struct Forward {
    to: SocketAddr,
    asked: AtomicUsize,
}

impl Doh {
    /// A server with a certificate that Signet in the lab trusts.
    ///
    /// # Errors
    /// There is no port for it, or the lab has no certificate.
    pub async fn start(lab: &Lab) -> Result<Self> {
        let chain = CertificateDer::pem_file_iter(lab.site().path("pki/world/acme.crt"))?.collect::<Result<_, _>>()?;
        let key = PrivateKeyDer::from_pem_file(lab.site().path("pki/world/acme.key"))?;
        let config = ServerConfig::builder_with_provider(rustls::crypto::aws_lc_rs::default_provider().into())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        let listener = TcpListener::bind((lab.site().address, 0)).await?;
        let address = listener.local_addr()?;
        let state = Arc::new(Forward { to: lab.dns_address().into(), asked: AtomicUsize::new(0) });
        let router = Router::new().route("/dns-query", post(forward)).with_state(state.clone());
        let listener = Tls { listener, acceptor: TlsAcceptor::from(Arc::new(config)) };
        let task = tokio::spawn(async move { drop(axum::serve(listener, router).await) });
        Ok(Self { address, state, task })
    }

    /// The server as a solver names it.
    pub fn url(&self) -> String {
        format!("https://{}/dns-query", self.address)
    }

    /// How many questions it was asked.
    pub fn asked(&self) -> usize {
        self.state.asked.load(Ordering::SeqCst)
    }
}

impl Drop for Doh {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn forward(State(state): State<Arc<Forward>>, question: Bytes) -> Response {
    state.asked.fetch_add(1, Ordering::SeqCst);
    match over_tcp(state.to, &question).await {
        Ok(answer) => ([(header::CONTENT_TYPE, "application/dns-message")], answer).into_response(),
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    }
}

async fn over_tcp(to: SocketAddr, question: &[u8]) -> Result<Vec<u8>> {
    let mut stream = TcpStream::connect(to).await?;
    stream.write_u16(u16::try_from(question.len())?).await?;
    stream.write_all(question).await?;
    let mut answer = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}

struct Tls {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl Listener for Tls {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            // Whoever breaks off the handshake is not served.
            if let Ok((stream, from)) = self.listener.accept().await
                && let Ok(stream) = self.acceptor.accept(stream).await
            {
                return (stream, from);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}
