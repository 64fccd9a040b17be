//! Answers handshakes for `acme-tls/1`. Whoever asks for another protocol, for a name that has no Challenge or
//! for none gets an alert, and nobody more than a handshake.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::certificate::{MakeError, Maker};
use super::{PROTOCOL, in_turn};
use crate::error::sentence;
use crate::stores::Stores;

/// How many connections are served at once; who comes then waits until one has ended.
const CONNECTIONS: usize = 256;
/// How long a handshake may take, with the wait for the Challenges: less than a CA waits.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long it is waited when the system has no connection to give.
const PAUSE: Duration = Duration::from_secs(1);

/// A bound socket and what answers there.
pub(crate) struct Responder {
    listener: TcpListener,
    stores: Arc<Stores>,
    acceptor: TlsAcceptor,
}

/// There is no responder.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BindError {
    #[error(transparent)]
    Make(MakeError),
    #[error(transparent)]
    Bind(io::Error),
}

impl Responder {
    /// Binds now, so that a port that is taken is found out at the start.
    pub(crate) async fn bind(address: SocketAddr, stores: Arc<Stores>) -> Result<Self, BindError> {
        let maker = Maker::new().map_err(BindError::Make)?;
        let answers = Answers { stores: stores.clone(), maker };
        let mut config = ServerConfig::builder().with_no_client_auth().with_cert_resolver(Arc::new(answers));
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        // Nobody comes back for a second handshake.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        let listener = TcpListener::bind(address).await.map_err(BindError::Bind)?;
        Ok(Self { listener, stores, acceptor: TlsAcceptor::from(Arc::new(config)) })
    }

    /// Answers until it is told to stop, and finishes what it has begun.
    pub(crate) async fn run(self, stop: CancellationToken) -> io::Result<()> {
        let (permits, handshakes) = (Arc::new(Semaphore::new(CONNECTIONS)), TaskTracker::new());
        while let Some((permit, stream)) = stop.run_until_cancelled(self.next(&permits)).await {
            let (acceptor, stores) = (self.acceptor.clone(), self.stores.clone());
            handshakes.spawn(async move {
                let _permit = permit;
                let shaken = tokio::time::timeout(PATIENCE, shake_hands(&acceptor, &stores, stream)).await;
                if let Ok(Err(error)) = shaken {
                    tracing::debug!(error = sentence(&error), "a TLS handshake came to nothing");
                }
            });
        }
        handshakes.close();
        handshakes.wait().await;
        Ok(())
    }

    async fn next(&self, permits: &Arc<Semaphore>) -> (tokio::sync::OwnedSemaphorePermit, TcpStream) {
        let permit = permits.clone().acquire_owned().await.expect("nobody closes it");
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => return (permit, stream),
                Err(error) => {
                    tracing::warn!(%error, "could not take a TLS-ALPN-01 connection");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}

async fn shake_hands(acceptor: &TlsAcceptor, stores: &Stores, stream: TcpStream) -> io::Result<()> {
    // A process that has just started knows no Challenge yet; the CA would take an alert for the answer.
    stores.challenges.wait_synced().await;
    acceptor.accept(stream).await?.shutdown().await
}

/// Finds the certificate for a handshake.
struct Answers {
    stores: Arc<Stores>,
    maker: Maker,
}

impl std::fmt::Debug for Answers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Answers")
    }
}

impl ResolvesServerCert for Answers {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let server_name = hello.server_name()?.to_ascii_lowercase();
        // The CA offers this protocol alone (section 3); without one, rustls would go on.
        let alone = hello.alpn().is_some_and(|offered| offered.eq([PROTOCOL]));
        let found = in_turn(&self.stores.challenges, &server_name).filter(|_| alone);
        tracing::debug!(server_name, found = found.is_some(), "TLS-ALPN-01 handshake");
        let spec = &found?.spec;
        let made = self.maker.make(&spec.dns_name, &spec.key);
        made.inspect_err(|error| tracing::warn!(error = sentence(error), "could not answer a handshake"))
            .ok()
            .map(Arc::new)
    }
}
