//! Lists of revoked certificates, judged by the TLS library as a client judges them and read by a parser of
//! their own.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, ServerName, UnixTime};
use rustls::{CertificateError, Error as TlsError, RootCertStore};
use signet_api::certificate::{KeyAlgorithm, KeyEncoding};
use signet_api::{CertificateSpec, KeyUsage};
use signet_core::issuer::crl::{Entry, List};
use signet_core::pki::Link;
use signet_core::revocation::Reason;
use signet_pki::{Authority, Error, PrivateKey, Signing, ca_sign, create_csr, generate_key, self_sign, sign_list};
use x509_parser::prelude::{CertificateRevocationList, FromDer};

const START: i64 = 1_800_000_000;
const NAME: &str = "www.example.com";

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(START + second).expect("a time in this century")
}

fn signing(usages: &[KeyUsage]) -> Signing<'_> {
    Signing {
        not_before: at(0),
        duration: Some(SignedDuration::from_hours(24)),
        is_ca: usages.contains(&KeyUsage::CertSign),
        usages,
        crl_distribution_points: &[],
        ocsp_servers: &[],
        issuing_certificate_urls: &[],
    }
}

fn request(spec: &CertificateSpec, key: &PrivateKey) -> String {
    create_csr(spec, key).expect("a spec that can be requested")
}

/// An authority with a key of this kind, and its certificate.
fn authority(algorithm: KeyAlgorithm, size: i64, usages: &[KeyUsage]) -> (Authority, String) {
    let key = generate_key(algorithm, size).expect("a size that there is");
    let spec = CertificateSpec { common_name: Some("Root".into()), is_ca: true, ..CertificateSpec::default() };
    let root = self_sign(request(&spec, &key).as_bytes(), &key, &signing(usages)).expect("the request of this key");
    let pem = key.to_pem(KeyEncoding::Pkcs8).expect("a key can be written");
    (Authority::read(root.as_bytes(), pem.as_bytes(), None).expect("an authority"), root)
}

fn leaf(authority: &Authority) -> (String, Link) {
    let key = generate_key(KeyAlgorithm::Ecdsa, 256).expect("a curve that there is");
    let spec = CertificateSpec { dns_names: vec![NAME.into()], ..CertificateSpec::default() };
    let issued = ca_sign(request(&spec, &key).as_bytes(), authority, &signing(&[])).expect("a request that holds");
    let link = Link::parse_all(issued.chain_pem.as_bytes()).expect("certificates in PEM").swap_remove(0);
    (issued.chain_pem, link)
}

fn list(revoked: Vec<Entry>) -> List {
    List { number: 300, this_update: Time(at(0)), next_update: Time(at(3600)), authority: String::new(), revoked }
}

fn entry(serial: &str, reason: Reason) -> Entry {
    Entry { serial: serial.into(), at: Time(at(-60)), reason, not_after: Time(at(24 * 3600)) }
}

/// What a client says that trusts `root`, has `list`, and looks at this second.
fn judge(root: &str, list: &str, certificate: &str, second: i64) -> Result<(), TlsError> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(root.as_bytes()).expect("a certificate in PEM")).expect("a root");
    let list = CertificateRevocationListDer::from_pem_slice(list.as_bytes()).expect("a list in PEM");
    let builder = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::new(default_provider()));
    let client = builder.with_crls([list]).enforce_revocation_expiration().build().expect("a client");
    let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs((START + second).unsigned_abs()));
    let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).expect("a certificate in PEM");
    client.verify_server_cert(&certificate, &[], &ServerName::try_from(NAME).expect("a name"), &[], now).map(drop)
}

#[test]
fn clients_refuse_what_is_listed_and_take_what_is_not() {
    let usages = [KeyUsage::CertSign, KeyUsage::CrlSign];
    use KeyAlgorithm::{Ecdsa, Ed25519, Rsa};
    for (algorithm, size) in [(Rsa, 2048), (Ecdsa, 256), (Ecdsa, 384), (Ed25519, 256)] {
        let (authority, root) = authority(algorithm, size, &usages);
        let ((good, _), (bad, link)) = (leaf(&authority), leaf(&authority));
        assert!(authority.may_sign_lists() && authority.has_signed(&link));
        let empty = sign_list(&authority, &list(Vec::new())).unwrap();
        assert_eq!(judge(&root, &empty, &bad, 60), Ok(()));
        let signed = sign_list(&authority, &list(vec![entry(&link.facts.serial, Reason::KeyCompromise)])).unwrap();
        assert_eq!(judge(&root, &signed, &good, 60), Ok(()));
        assert_eq!(judge(&root, &signed, &bad, 60), Err(TlsError::InvalidCertificate(CertificateError::Revoked)));
        assert!(judge(&root, &signed, &good, 3601).is_err(), "the list has ended");
        let (other, _) = self::authority(algorithm, size, &usages);
        let strange = sign_list(&other, &list(Vec::new())).unwrap();
        assert!(judge(&root, &strange, &good, 60).is_err(), "another key of the same name signed the list");
        assert!(!other.has_signed(&link));
    }
}

#[test]
fn a_list_reads_as_it_was_meant() {
    let (authority, _) = authority(KeyAlgorithm::Ecdsa, 256, &[KeyUsage::CertSign, KeyUsage::CrlSign]);
    let revoked =
        vec![entry("0f", Reason::Unspecified), entry("00ff01", Reason::Superseded), entry("abc", Reason::AaCompromise)];
    let pem = sign_list(&authority, &list(revoked)).unwrap();
    assert!(pem.starts_with("-----BEGIN X509 CRL-----\n"));
    let der = CertificateRevocationListDer::from_pem_slice(pem.as_bytes()).unwrap();
    let (rest, read) = CertificateRevocationList::from_der(&der).unwrap();
    assert_eq!((rest.len(), read.issuer().to_string()), (0, "CN=Root".to_owned()));
    assert_eq!(read.crl_number().unwrap().to_string(), "300");
    assert_eq!((read.last_update().timestamp(), read.next_update().unwrap().timestamp()), (START, START + 3600));
    let entries: Vec<_> = read
        .iter_revoked_certificates()
        .map(|one| {
            (one.raw_serial().to_vec(), one.reason_code().map(|(_, code)| code.0), one.revocation_date.timestamp())
        })
        .collect();
    let time = START - 60;
    assert_eq!(
        entries,
        [(vec![0x0f], None, time), (vec![0, 0xff, 1], Some(4), time), (vec![0x0a, 0xbc], Some(10), time)]
    );
    let broken = sign_list(&authority, &list(vec![entry("no", Reason::Superseded)]));
    assert!(matches!(broken, Err(Error::Encode { field: "serial number", .. })), "{broken:?}");
}

#[test]
fn an_authority_whose_usages_say_nothing_of_lists_signs_none() {
    assert!(!authority(KeyAlgorithm::Ecdsa, 256, &[KeyUsage::CertSign]).0.may_sign_lists());
}
