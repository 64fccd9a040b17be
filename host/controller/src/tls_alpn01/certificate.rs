//! The certificate that answers a challenge (RFC 8737, section 3): for the one name, signed by itself, with
//! the digest of the key authorization in an extension that is critical.

use std::net::IpAddr;
use std::sync::Arc;

use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::sign::{CertifiedKey, SigningKey};
use sha2::{Digest, Sha256};
use x509_parser::oid_registry::{Oid, asn1_rs::oid};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// id-pe-acmeIdentifier.
const ACME_IDENTIFIER: Oid<'static> = oid!(1.3.6.1.5.5.7.1.31);

/// Makes certificates by one key, which is made with it and never leaves it.
pub(super) struct Maker {
    key: KeyPair,
    signing: Arc<dyn SigningKey>,
}

/// A key or a certificate could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MakeError {
    #[error("make the key for TLS-ALPN-01 certificates")]
    Key(#[source] rcgen::Error),
    #[error("use the key for TLS-ALPN-01 certificates")]
    Use(#[source] rustls::Error),
    #[error("make the TLS-ALPN-01 certificate for {0}")]
    Certificate(String, #[source] rcgen::Error),
}

impl Maker {
    pub(super) fn new() -> Result<Self, MakeError> {
        let key = KeyPair::generate().map_err(MakeError::Key)?;
        let der = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
        let signing = rustls::crypto::aws_lc_rs::sign::any_ecdsa_type(&der).map_err(MakeError::Use)?;
        Ok(Self { key, signing })
    }

    /// The answer for `host`, a DNS name or an address, with this key authorization.
    pub(super) fn make(&self, host: &str, key_authorization: &str) -> Result<CertifiedKey, MakeError> {
        let error = |error| MakeError::Certificate(host.to_owned(), error);
        let mut parameters = CertificateParams::new([host.to_owned()]).map_err(error)?;
        parameters.custom_extensions = vec![CustomExtension::new_acme_identifier(&digest(key_authorization))];
        let certificate = parameters.self_signed(&self.key).map_err(error)?;
        Ok(CertifiedKey::new(vec![certificate.der().clone()], self.signing.clone()))
    }
}

fn digest(key_authorization: &str) -> [u8; 32] {
    Sha256::digest(key_authorization).into()
}

/// Whether `certificate` answers the challenge; else what it is instead, as a phrase.
pub(super) fn judge(certificate: &CertificateDer<'_>, host: &str, key_authorization: &str) -> Result<(), String> {
    let Ok((_, read)) = X509Certificate::from_der(certificate) else {
        return Err("with a certificate that can not be read".to_owned());
    };
    let names = names(&read);
    if names.len() != 1 || !names[0].eq_ignore_ascii_case(host) {
        return Err(format!("with a certificate for {}, not for {host} alone", listed(&names)));
    }
    let held = read.extensions().iter().find(|extension| extension.oid == ACME_IDENTIFIER && extension.critical);
    // An OCTET STRING of 32 bytes.
    match held.map(|extension| extension.value) {
        Some([4, 32, held @ ..]) if held == digest(key_authorization) => Ok(()),
        Some(_) => Err("with the proof of another challenge".to_owned()),
        None => Err("with a certificate without the critical extension acmeIdentifier".to_owned()),
    }
}

/// What stands in a certificate that ought not to be there, for a person.
pub(super) fn described(certificate: &CertificateDer<'_>) -> String {
    match X509Certificate::from_der(certificate) {
        Ok((_, read)) => format!("a certificate for {}", listed(&names(&read))),
        Err(_) => "a certificate that can not be read".to_owned(),
    }
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let alternatives = certificate.subject_alternative_name().ok().flatten();
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => (*name).to_owned(),
        GeneralName::IPAddress(bytes) => {
            address(bytes).map_or_else(|| "an odd address".to_owned(), |ip| ip.to_string())
        }
        other => format!("{other}"),
    };
    alternatives.into_iter().flat_map(|extension| extension.value.general_names.iter().map(name)).collect()
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let four = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    four.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}

/// The first few of them: some certificates are for hundreds.
fn listed(names: &[String]) -> String {
    const SHOWN: usize = 3;
    match names {
        [] => "no name".to_owned(),
        _ if names.len() > SHOWN => format!("{} and {} more", names[..SHOWN].join(", "), names.len() - SHOWN),
        _ => names.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A certificate that somebody else made.
    fn other(names: &[&str], extension: Option<CustomExtension>) -> CertificateDer<'static> {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut parameters = CertificateParams::new(names).unwrap();
        parameters.custom_extensions = extension.into_iter().collect();
        parameters.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
    }

    #[test]
    fn what_is_made_is_what_is_looked_for() {
        let maker = Maker::new().unwrap();
        for host in ["a.test", "192.0.2.7", "2001:db8::1"] {
            let made = maker.make(host, "token.thumb").unwrap();
            let certificate = &made.cert[0];
            assert_eq!(judge(certificate, host, "token.thumb"), Ok(()), "{host}");
            let (_, read) = X509Certificate::from_der(certificate).unwrap();
            assert_eq!(read.subject(), read.issuer(), "it signs itself");
        }
        let certificate = &maker.make("a.test", "token.thumb").unwrap().cert[0];
        assert_eq!(judge(certificate, "A.test", "token.thumb"), Ok(()));
        assert!(judge(certificate, "a.test", "other.thumb").unwrap_err().contains("of another challenge"));
    }

    #[test]
    fn what_else_may_answer_is_named() {
        let identifier = || CustomExtension::new_acme_identifier(&digest("k"));
        let mut uncritical = identifier();
        uncritical.set_criticality(false);
        let short = CustomExtension::from_oid_content(&[1, 3, 6, 1, 5, 5, 7, 1, 31], vec![4, 1, 7]);
        for (names, extension, words) in [
            (vec!["a.test"], None, "without the critical extension acmeIdentifier"),
            (vec!["a.test"], Some(uncritical), "without the critical extension acmeIdentifier"),
            (vec!["a.test"], Some(short), "without the critical extension acmeIdentifier"),
            (vec!["b.test"], Some(identifier()), "for b.test, not for a.test alone"),
            (vec!["a.test", "b.test"], Some(identifier()), "for a.test, b.test, not for a.test alone"),
            (vec!["1.test", "2.test", "3.test", "4.test", "5.test"], None, "for 1.test, 2.test, 3.test and 2 more"),
            (vec![], Some(identifier()), "for no name"),
        ] {
            let told = judge(&other(&names, extension), "a.test", "k").unwrap_err();
            assert!(told.contains(words), "{told}");
        }
        assert!(judge(&CertificateDer::from(vec![1, 2]), "a.test", "k").unwrap_err().contains("can not be read"));
        assert_eq!(described(&other(&["a.test"], None)), "a certificate for a.test");
    }
}
