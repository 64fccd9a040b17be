//! Which certificates a provider's server may have: the platform's roots, the web's where the
//! platform has none (a container without ca-certificates), and an operator's own.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use super::EgressError;

/// The TLS settings for every provider.
pub(crate) fn client_config(extra: Option<&[u8]>) -> Result<ClientConfig, EgressError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    for certificate in CertificateDer::pem_slice_iter(extra.unwrap_or_default()) {
        let certificate = certificate.map_err(EgressError::ReadRoots)?;
        roots.add(certificate).map_err(EgressError::SetUpTls)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(EgressError::SetUpTls)?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}
