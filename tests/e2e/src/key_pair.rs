//! What a Secret of a Certificate holds, judged by the TLS library and not by Signet's own reading.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use signet_core::pki::CertificateFacts;

/// A key and its certificate, out of a Secret.
#[derive(Clone, Debug)]
pub struct KeyPair {
    /// `tls.key`.
    pub key_pem: String,
    /// `tls.crt`.
    pub chain_pem: String,
    /// `ca.crt`.
    pub authority_pem: Option<String>,
    /// The certificate itself.
    pub leaf: CertificateFacts,
    chain: Vec<CertificateDer<'static>>,
}

impl KeyPair {
    /// Reads a Secret. The key must belong to the certificate.
    ///
    /// # Errors
    /// Something is missing, is not what it should be, or does not belong together.
    pub fn read(secret: &Secret) -> Result<Self> {
        let data = secret.data.clone().unwrap_or_default();
        let text = |key: &str| data.get(key).map(|bytes| String::from_utf8(bytes.0.clone())).transpose();
        let key_pem = text("tls.key")?.context("the Secret has no tls.key")?;
        let chain_pem = text("tls.crt")?.context("the Secret has no tls.crt")?;
        let chain = CertificateDer::pem_slice_iter(chain_pem.as_bytes()).collect::<Result<Vec<_>, _>>()?;
        let leaf = CertificateFacts::from_der(chain.first().context("tls.crt has no certificate")?)?;
        let key = PrivateKeyDer::from_pem_slice(key_pem.as_bytes())?;
        let both = CertifiedKey::from_der(chain.clone(), key, &default_provider());
        both.context("tls.key and tls.crt do not belong together")?.keys_match()?;
        Ok(Self { key_pem, chain_pem, authority_pem: text("ca.crt")?, leaf, chain })
    }

    /// Checks as a client does who trusts `root_pem` and nobody else: the chain, the lifetime, and
    /// that the certificate is for exactly these DNS names, in whatever case.
    ///
    /// # Errors
    /// A client would not go on.
    pub fn verify(&self, root_pem: &str, names: &[&str]) -> Result<()> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(root_pem.as_bytes())?)?;
        let provider = Arc::new(default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build()?;
        let (leaf, rest) = self.chain.split_first().context("a chain has a leaf")?;
        for name in names {
            // A wildcard is for every name that takes its place.
            let server = ServerName::try_from(name.replace('*', "any"))?;
            let verified = verifier.verify_server_cert(leaf, rest, &server, &[], UnixTime::now());
            verified.with_context(|| format!("a client does not take the certificate for {name}"))?;
        }
        let held: BTreeSet<_> = self.leaf.names.dns.iter().map(|name| name.to_ascii_lowercase()).collect();
        let wanted: BTreeSet<_> = names.iter().map(|name| name.to_ascii_lowercase()).collect();
        ensure!(held == wanted, "the certificate is for {held:?}, not for {wanted:?}");
        Ok(())
    }

    /// How long the certificate is good for, in seconds.
    pub fn lifetime(&self) -> i64 {
        self.leaf.not_after.duration_since(self.leaf.not_before).as_secs()
    }

    /// Whether it is good now.
    pub fn is_current(&self) -> bool {
        (self.leaf.not_before..self.leaf.not_after).contains(&Timestamp::now())
    }
}
