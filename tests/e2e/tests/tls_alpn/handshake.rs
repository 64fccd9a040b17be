//! TLS handshakes as a CA makes them and as others do, and servers that answer them otherwise than Signet.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, ServerConfig, SignatureScheme};
use sha2::{Digest, Sha256};
use signet_api::Challenge;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// The protocol of TLS-ALPN-01.
pub(crate) const ACME: &[u8] = b"acme-tls/1";
/// How long an answer may take.
const BOUND: Duration = Duration::from_secs(30);

/// What answered a handshake.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) protocol: Option<Vec<u8>>,
    certificate: CertificateDer<'static>,
}

impl Answer {
    /// Whether the certificate holds the proof of this challenge.
    pub(crate) fn proves(&self, challenge: &Challenge) -> bool {
        let digest = Sha256::digest(&challenge.spec.key);
        self.certificate.windows(digest.len()).any(|bytes| *bytes == *digest)
    }
}

/// Shakes hands, and believes whoever answers. An IP address as the name is a handshake without a name.
pub(crate) async fn shake_hands(at: SocketAddrV4, name: &str, protocols: &[&[u8]]) -> Result<Answer> {
    let builder = ClientConfig::builder();
    let verifier = Arc::new(Anybody(builder.crypto_provider().clone()));
    let mut config = builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    let stream = TcpStream::connect(at).await?;
    let name = ServerName::try_from(name.to_owned())?;
    let stream = tokio::time::timeout(BOUND, TlsConnector::from(Arc::new(config)).connect(name, stream)).await??;
    let (_, session) = stream.get_ref();
    let certificate = session.peer_certificates().and_then(<[_]>::first).context("a certificate answers")?;
    Ok(Answer { protocol: session.alpn_protocol().map(<[_]>::to_vec), certificate: certificate.clone().into_owned() })
}

/// A TLS server on port 443 of a loopback address of its own.
pub(crate) struct Other(pub(crate) Ipv4Addr);

impl Other {
    /// Starts the server of this number, which speaks `protocol` and shows a certificate for `name` with an
    /// extension.
    pub(crate) async fn start(
        number: u8,
        protocol: Option<&[u8]>,
        name: &str,
        extension: Option<rcgen::CustomExtension>,
    ) -> Result<Self> {
        let key = rcgen::KeyPair::generate()?;
        let mut params = rcgen::CertificateParams::new([name.to_owned()])?;
        params.custom_extensions.extend(extension);
        let chain = vec![params.self_signed(&key)?.der().clone()];
        let key = Arc::new(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let signing = rustls::crypto::aws_lc_rs::sign::any_ecdsa_type(&key.clone_key().into())?;
        // rustls itself does not take a certificate whose critical extension it does not know.
        let shown = Shown(Arc::new(rustls::sign::CertifiedKey::new(chain, signing)));
        let mut config = ServerConfig::builder().with_no_client_auth().with_cert_resolver(Arc::new(shown));
        config.alpn_protocols = protocol.into_iter().map(<[_]>::to_vec).collect();
        let [_, _, high, low] = std::process::id().to_be_bytes();
        let address = Ipv4Addr::new(127, 192 + number, high, low);
        let listener = TcpListener::bind((address, 443)).await?;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move { acceptor.accept(stream).await.map(drop) });
            }
        });
        Ok(Self(address))
    }
}

#[derive(Debug)]
struct Shown(Arc<rustls::sign::CertifiedKey>);

impl rustls::server::ResolvesServerCert for Shown {
    fn resolve(&self, _: rustls::server::ClientHello<'_>) -> Option<Arc<rustls::sign::CertifiedKey>> {
        Some(self.0.clone())
    }
}

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
