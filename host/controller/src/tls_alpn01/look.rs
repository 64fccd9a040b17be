//! Shakes hands as the CA will: with port 443 of the name, for `acme-tls/1` alone.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{AlertDescription, ClientConfig, DigitallySignedStruct, SignatureScheme};
use signet_dns::Dns;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::certificate::{described, judge};
use super::{PROTOCOL, server_name};
use crate::error::sentence;

const PORT: u16 = 443;
/// How long one address may take, to connect and then to shake hands.
const PATIENCE: Duration = Duration::from_secs(5);
/// What to look at when something else answers.
const ADVICE: &str = "another server has the name, or ends TLS before Signet; port 443 must lead there as it is";

/// Looks at what the CA will see.
pub(crate) struct Look {
    dns: Option<Dns>,
    connector: TlsConnector,
}

impl Look {
    /// `dns` resolves the names; the system does when there is none.
    pub(crate) fn new(dns: Option<Dns>) -> Self {
        let builder = ClientConfig::builder();
        let provider = builder.crypto_provider().clone();
        let verifier = Arc::new(Anybody(provider));
        let mut config = builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        config.resumption = rustls::client::Resumption::disabled();
        Self { dns, connector: TlsConnector::from(Arc::new(config)) }
    }

    /// Whether port 443 of `host` answers with this key authorization; else what happened, as a phrase. The CA
    /// takes any of the addresses, so each must answer so; but one that can not be reached from here may be
    /// reached from there.
    pub(crate) async fn look(&self, host: &str, key_authorization: &str) -> Result<(), String> {
        let addresses = self.addresses(host).await.map_err(|why| format!("{host} can not be looked up: {why}"))?;
        let mut outcome = Err(format!("{host} has no address"));
        for address in addresses {
            match self.connect(address).await {
                Ok(stream) => outcome = Ok(self.shake_hands(host, address, stream, key_authorization).await?),
                Err(error) if outcome.is_err() => {
                    let at = place(host, address);
                    outcome = Err(format!(
                        "connecting to {at}: {error}; does the name lead to Signet, and port {PORT} with it?"
                    ));
                }
                Err(_) => {}
            }
        }
        outcome
    }

    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, String> {
        if let Ok(address) = host.parse() {
            return Ok(vec![address]);
        }
        match &self.dns {
            Some(dns) => dns.addresses(host).await.map_err(|error| sentence(&error)),
            None => {
                let found = tokio::net::lookup_host((host, PORT)).await.map_err(|error| error.to_string())?;
                Ok(found.map(|address| address.ip()).collect())
            }
        }
    }

    async fn connect(&self, address: IpAddr) -> io::Result<TcpStream> {
        timeout(PATIENCE, TcpStream::connect(SocketAddr::new(address, PORT))).await.unwrap_or_else(|_| Err(late()))
    }

    async fn shake_hands(&self, host: &str, address: IpAddr, stream: TcpStream, key: &str) -> Result<(), String> {
        let at = place(host, address);
        let name = ServerName::try_from(server_name(host)).map_err(|error| format!("{host}: {error}"))?;
        let shaken = timeout(PATIENCE, self.connector.connect(name, stream)).await.unwrap_or_else(|_| Err(late()));
        let shaken = shaken.map_err(|error| refusal(&at, &error))?;
        let (_, session) = shaken.get_ref();
        let certificate = session.peer_certificates().and_then(<[_]>::first);
        let Some(certificate) = certificate else { return Err(format!("{at} answers without a certificate")) };
        if session.alpn_protocol() != Some(PROTOCOL) {
            return Err(format!("{at} answers TLS without acme-tls/1, with {}: {ADVICE}", described(certificate)));
        }
        let judged = judge(certificate, host, key);
        hang_up(shaken).await;
        judged.map_err(|what| format!("{at} answers acme-tls/1 {what}: another ACME client has the name"))
    }
}

/// `example.com:443 (192.0.2.1)`.
fn place(host: &str, address: IpAddr) -> String {
    match host.parse::<IpAddr>() {
        Ok(_) => SocketAddr::new(address, PORT).to_string(),
        Err(_) => format!("{host}:{PORT} ({address})"),
    }
}

fn late() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {PATIENCE:?}"))
}

fn refusal(at: &str, error: &io::Error) -> String {
    let alert = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match alert {
        // What Signet's own responder answers for a name that it has no Challenge for, and what others do.
        Some(rustls::Error::AlertReceived(AlertDescription::AccessDenied)) => {
            format!("{at} refuses the handshake: a Signet answers there, which does not know this Challenge")
        }
        Some(rustls::Error::AlertReceived(alert)) => {
            format!("{at} refuses a handshake for acme-tls/1 ({alert:?}): {ADVICE}")
        }
        _ => format!("shaking hands with {at} for acme-tls/1: {error}; {ADVICE}"),
    }
}

async fn hang_up(mut stream: TlsStream<TcpStream>) {
    // The other side does the same; who is first does not matter.
    let _ = timeout(PATIENCE, tokio::io::AsyncWriteExt::shutdown(&mut stream)).await;
}

/// Lets everybody answer: who does is what is to be found out.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
