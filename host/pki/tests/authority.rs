//! What an authority signs, judged by the TLS library as a client judges it, and its extensions by
//! a parser of their own.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use signet_api::certificate::{KeyAlgorithm, KeyEncoding, NameConstraintItem, NameConstraints};
use signet_api::{CertificateSpec, KeyUsage};
use signet_core::pki::{CertificateFacts, Link};
use signet_pki::{Authority, Error, Issued, PrivateKey, Signing, ca_sign, create_csr, generate_key, self_sign};
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::{FromDer, X509Certificate};

const START: i64 = 1_800_000_000;
const NAME: &str = "www.example.com";

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(START + second).expect("a time in this century")
}

fn hours(hours: i64) -> Signing<'static> {
    Signing {
        not_before: at(0),
        duration: Some(SignedDuration::from_hours(hours)),
        is_ca: false,
        usages: &[],
        crl_distribution_points: &[],
        ocsp_servers: &[],
        issuing_certificate_urls: &[],
    }
}

fn key() -> PrivateKey {
    generate_key(KeyAlgorithm::Ecdsa, 256).expect("a curve that there is")
}

fn pem(key: &PrivateKey) -> String {
    key.to_pem(KeyEncoding::Pkcs8).expect("a key can be written").to_string()
}

fn request(key: &PrivateKey, name: &str) -> String {
    let spec = CertificateSpec { dns_names: vec![name.to_owned()], ..CertificateSpec::default() };
    create_csr(&spec, key).expect("a spec that can be requested")
}

fn authority_request(key: &PrivateKey, name: &str) -> String {
    let spec = CertificateSpec { common_name: Some(name.to_owned()), is_ca: true, ..CertificateSpec::default() };
    create_csr(&spec, key).expect("a spec that can be requested")
}

/// A root of this name, good for a year.
fn root(key: &PrivateKey, name: &str) -> String {
    let wanted = Signing { is_ca: true, ..hours(24 * 365) };
    self_sign(authority_request(key, name).as_bytes(), key, &wanted).expect("the request of this key")
}

fn authority(chain_pem: &str, key: &PrivateKey, above_pem: Option<&str>) -> Authority {
    let above_pem = above_pem.map(str::as_bytes);
    Authority::read(chain_pem.as_bytes(), pem(key).as_bytes(), above_pem).expect("an authority")
}

fn issue(authority: &Authority) -> Issued {
    ca_sign(request(&key(), NAME).as_bytes(), authority, &hours(1)).expect("a request that holds")
}

/// Whether a client that trusts `root_pem` and nobody else takes the certificate for [`NAME`].
fn accepts(root_pem: &str, chain_pem: &str) -> bool {
    let provider = Arc::new(default_provider());
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain_pem.as_bytes()).collect();
    let chain = chain.expect("certificates in PEM");
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(root_pem.as_bytes()).expect("a certificate in PEM")).expect("a root");
    let client = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().expect("a client");
    let name = ServerName::try_from(NAME).expect("a name");
    let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(START.unsigned_abs() + 60));
    client.verify_server_cert(&chain[0], &chain[1..], &name, &[], now).is_ok()
}

fn links(pem: &str) -> Vec<Link> {
    Link::parse_all(pem.as_bytes()).expect("certificates in PEM")
}

fn leaf(issued: &Issued) -> CertificateFacts {
    links(&issued.chain_pem).swap_remove(0).facts
}

#[test]
fn a_root_of_every_algorithm_signs_what_clients_take() {
    use KeyAlgorithm::{Ecdsa, Ed25519, Rsa};
    for (algorithm, size, oid) in [
        (Rsa, 2048, "1.2.840.113549.1.1.11"),
        (Rsa, 3072, "1.2.840.113549.1.1.11"),
        (Ecdsa, 256, "1.2.840.10045.4.3.2"),
        (Ecdsa, 384, "1.2.840.10045.4.3.3"),
        (Ecdsa, 521, "1.2.840.10045.4.3.4"),
        (Ed25519, 256, "1.3.101.112"),
    ] {
        let key = generate_key(algorithm, size).unwrap();
        let root_pem = root(&key, "Root");
        let issued = issue(&authority(&root_pem, &key, None));
        assert_eq!(issued.authority_pem, root_pem);
        let [link] = links(&issued.chain_pem).try_into().expect("no client needs to be sent the root");
        assert_eq!(link.signature_algorithm, oid);
        assert_eq!(link.facts.usages, [KeyUsage::DigitalSignature, KeyUsage::KeyEncipherment].into());
        assert!(!link.facts.is_ca && accepts(&root_pem, &issued.chain_pem), "{algorithm:?} {size}");
        assert!(!accepts(&root(&generate_key(algorithm, size).unwrap(), "Root"), &issued.chain_pem));
    }
}

/// An authority below a root: the key of each, and the certificate of each.
struct Pair {
    key: PrivateKey,
    pem: String,
    root_key: PrivateKey,
    root_pem: String,
}

fn below_a_root() -> Pair {
    let (key, root_key) = (key(), key());
    let root_pem = root(&root_key, "Root");
    let wanted = Signing { is_ca: true, usages: &[KeyUsage::CrlSign], ..hours(24) };
    let root = authority(&root_pem, &root_key, None);
    let issued = ca_sign(authority_request(&key, "Below").as_bytes(), &root, &wanted);
    Pair { key, pem: issued.expect("a request that holds").chain_pem, root_key, root_pem }
}

#[test]
fn an_authority_below_a_root_is_part_of_the_chain_wherever_the_root_is() {
    let Pair { key, pem, root_key: _, root_pem } = below_a_root();
    let same_name = root(&self::key(), "Root");
    for (chain, above) in [
        (pem.clone(), Some(root_pem.clone())),
        (pem.clone() + &root_pem, None),
        (pem.clone() + &root_pem, Some(same_name.clone())),
        (pem.clone(), Some(same_name.clone() + &root_pem)),
    ] {
        let issued = issue(&authority(&chain, &key, above.as_deref()));
        assert_eq!(links(&issued.chain_pem)[1..], links(&pem));
        assert_eq!(issued.authority_pem, root_pem);
        assert!(accepts(&root_pem, &issued.chain_pem));
    }
    // Without a root that has signed it, clients can only trust the authority itself.
    for above in [None, Some(same_name.as_str()), Some("no PEM"), Some(pem.as_str())] {
        let issued = issue(&authority(&pem, &key, above));
        assert_eq!(links(&issued.chain_pem)[1..], links(&pem));
        assert_eq!(issued.authority_pem, pem);
        assert!(accepts(&pem, &issued.chain_pem) && accepts(&root_pem, &issued.chain_pem));
    }
}

#[test]
fn authorities_that_have_signed_each_other_come_to_an_end() {
    let Pair { key, pem, root_key, root_pem } = below_a_root();
    let below = authority(&pem, &key, None);
    let wanted = Signing { is_ca: true, ..hours(24) };
    let other_way = ca_sign(authority_request(&root_key, "Root").as_bytes(), &below, &wanted).unwrap();
    let [other_way, _] = links(&other_way.chain_pem).try_into().unwrap();
    let issued = issue(&authority(&pem, &key, Some(&(other_way.pem() + &pem))));
    assert_eq!((links(&issued.chain_pem).len(), &issued.authority_pem), (3, &other_way.pem()));
    assert!(accepts(&root_pem, &issued.chain_pem));
}

#[test]
fn a_certificate_ends_with_its_authority_at_the_latest() {
    let Pair { key, pem, .. } = below_a_root();
    let authority = authority(&pem, &key, None);
    assert_eq!(authority.not_after(), at(24 * 3600));
    let end = |not_before, hours| {
        let wanted = Signing { not_before: at(not_before), ..self::hours(hours) };
        ca_sign(request(&self::key(), NAME).as_bytes(), &authority, &wanted).map(|issued| leaf(&issued).not_after)
    };
    assert_eq!(end(0, 1).unwrap(), at(3600));
    assert_eq!(end(0, 24).unwrap(), at(24 * 3600));
    assert_eq!(end(0, 90 * 24).unwrap(), at(24 * 3600));
    assert_eq!(end(24 * 3600 - 1, 1).unwrap(), at(24 * 3600));
    assert!(matches!(end(24 * 3600, 1), Err(Error::Outlive { .. })));
}

#[test]
fn extensions_say_where_to_look_and_whose_key_it_is() {
    let Pair { key, pem, .. } = below_a_root();
    let urls = |urls: &[&str]| urls.iter().map(|url| format!("http://pki.example.com/{url}")).collect::<Vec<_>>();
    let (crls, ocsp, issuers) = (urls(&["a.crl", "b.crl"]), urls(&["ocsp"]), urls(&["ca.der", "ca2.der"]));
    let wanted = Signing {
        crl_distribution_points: &crls,
        ocsp_servers: &ocsp,
        issuing_certificate_urls: &issuers,
        usages: &[KeyUsage::ServerAuth],
        ..hours(1)
    };
    let issued = ca_sign(request(&self::key(), NAME).as_bytes(), &authority(&pem, &key, None), &wanted).unwrap();
    let [leaf, above] = links(&issued.chain_pem).try_into().unwrap();
    assert_eq!(leaf.facts.usages, [KeyUsage::ServerAuth].into());
    let (_, certificate) = X509Certificate::from_der(&leaf.der).unwrap();
    let (mut seen, mut known) = (Vec::new(), 0);
    let mut see = |what: &str, name: &GeneralName<'_>| {
        let GeneralName::URI(uri) = name else { panic!("{name:?}") };
        seen.push(format!("{what} {uri}"));
    };
    for extension in certificate.iter_extensions() {
        known += 1;
        match extension.parsed_extension() {
            ParsedExtension::CRLDistributionPoints(points) => {
                for point in points.iter() {
                    let Some(x509_parser::extensions::DistributionPointName::FullName(names)) =
                        &point.distribution_point
                    else {
                        panic!("{point:?}")
                    };
                    names.iter().for_each(|name| see("crl", name));
                }
            }
            ParsedExtension::AuthorityInfoAccess(access) => {
                access.iter().for_each(|one| see(&one.access_method.to_id_string(), &one.access_location));
            }
            ParsedExtension::AuthorityKeyIdentifier(identifier) => {
                assert_eq!(identifier.key_identifier.as_ref().map(|id| id.0.to_vec()), above.key_identifier);
                assert!(above.key_identifier.is_some() && above.key_identifier != leaf.key_identifier);
            }
            ParsedExtension::BasicConstraints(constraints) => assert!(extension.critical && !constraints.ca),
            ParsedExtension::SubjectKeyIdentifier(_)
            | ParsedExtension::SubjectAlternativeName(_)
            | ParsedExtension::ExtendedKeyUsage(_) => {}
            other => panic!("{other:?}"),
        }
    }
    let expected = [
        "crl http://pki.example.com/a.crl",
        "crl http://pki.example.com/b.crl",
        "1.3.6.1.5.5.7.48.1 http://pki.example.com/ocsp",
        "1.3.6.1.5.5.7.48.2 http://pki.example.com/ca.der",
        "1.3.6.1.5.5.7.48.2 http://pki.example.com/ca2.der",
    ];
    assert_eq!((seen, known), (expected.map(str::to_owned).to_vec(), 7));
    let ocsp_servers = &["http://ä.example.com".to_owned()];
    let refused = ca_sign(
        request(&self::key(), NAME).as_bytes(),
        &authority(&pem, &key, None),
        &Signing { ocsp_servers, ..hours(1) },
    );
    assert!(matches!(refused, Err(Error::Encode { field: "ocspServers", .. })));
}

#[test]
fn an_authority_signs_for_no_other_names_than_its_request_allows_it() {
    let (root_key, key) = (self::key(), self::key());
    let root_pem = root(&root_key, "Root");
    let root = authority(&root_pem, &root_key, None);
    for (domain, is_ca) in [("example.com", true), ("example.org", true), ("example.org", false)] {
        let permitted = NameConstraintItem { dns_domains: vec![domain.to_owned()], ..NameConstraintItem::default() };
        let spec = CertificateSpec {
            common_name: Some("Below".into()),
            is_ca: true,
            name_constraints: Some(NameConstraints { critical: true, permitted: Some(permitted), excluded: None }),
            ..CertificateSpec::default()
        };
        let request = create_csr(&spec, &key).unwrap();
        let below = ca_sign(request.as_bytes(), &root, &Signing { is_ca, ..hours(24) }).unwrap();
        if is_ca {
            let issued = issue(&authority(&below.chain_pem, &key, Some(&root_pem)));
            assert_eq!(accepts(&root_pem, &issued.chain_pem), NAME.ends_with(domain), "{domain}");
        }
        let [link] = links(&below.chain_pem).try_into().unwrap();
        let (_, certificate) = X509Certificate::from_der(&link.der).unwrap();
        assert_eq!(certificate.name_constraints().unwrap().is_some(), is_ca);
    }
}

/// A root that another program has made.
fn foreign(change: impl FnOnce(&mut rcgen::CertificateParams)) -> (String, String) {
    let key = rcgen::KeyPair::generate().expect("a key");
    let mut parameters = rcgen::CertificateParams::default();
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Constrained(0));
    change(&mut parameters);
    (parameters.self_signed(&key).expect("a certificate").pem(), key.serialize_pem())
}

#[test]
fn name_and_key_identifier_of_a_foreign_root_are_taken_as_they_are() {
    let (root_pem, key_pem) = foreign(|parameters| {
        parameters.key_identifier_method = rcgen::KeyIdMethod::PreSpecified(vec![1, 2, 3]);
        let organization = rcgen::DnValue::BmpString("Zwölf".try_into().unwrap());
        parameters.distinguished_name.push(rcgen::DnType::OrganizationName, organization);
    });
    let issued = issue(&Authority::read(root_pem.as_bytes(), key_pem.as_bytes(), None).unwrap());
    let ([leaf], [root]) = (links(&issued.chain_pem).try_into().unwrap(), links(&root_pem).try_into().unwrap());
    let (_, certificate) = X509Certificate::from_der(&leaf.der).unwrap();
    assert_eq!(certificate.issuer().as_raw(), root.subject_der);
    assert_eq!(root.key_identifier, Some(vec![1, 2, 3]));
    let identifier = certificate.iter_extensions().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::AuthorityKeyIdentifier(identifier) => identifier.key_identifier.clone(),
        _ => None,
    });
    assert_eq!(identifier.unwrap().0, [1, 2, 3]);
    assert!(accepts(&root_pem, &issued.chain_pem));
}

#[test]
fn what_is_no_authority_does_not_sign() {
    let Pair { key, pem: below, root_pem, .. } = below_a_root();
    let read = |chain: &str, key: &str| Authority::read(chain.as_bytes(), key.as_bytes(), None).unwrap_err();
    assert!(matches!(read(&below, &pem(&self::key())), Error::MatchPair));
    assert!(matches!(read(&root_pem, &pem(&key)), Error::MatchPair));
    assert!(matches!(read(&below, &below), Error::ReadKey(_)));
    assert!(matches!(read(&pem(&key), &pem(&key)), Error::Read(_)));
    assert!(matches!(read(&(below.clone() + &root(&self::key(), "Stranger")), &pem(&key)), Error::Read(_)));
    let leaf_key = self::key();
    let leaf = self_sign(request(&leaf_key, NAME).as_bytes(), &leaf_key, &hours(1)).unwrap();
    assert!(matches!(read(&leaf, &pem(&leaf_key)), Error::Authorize { .. }));
    // A key usage that does not say so takes back what basicConstraints say.
    let (certificate, key) = foreign(|parameters| parameters.key_usages = vec![rcgen::KeyUsagePurpose::CrlSign]);
    assert!(matches!(read(&certificate, &key), Error::Authorize { .. }));
    let (certificate, key) = foreign(|parameters| parameters.key_usages.clear());
    assert!(Authority::read(certificate.as_bytes(), key.as_bytes(), None).is_ok());
}

#[test]
fn nothing_is_signed_for_a_broken_request_and_no_key_is_told() {
    let key = key();
    let authority = authority(&root(&key, "Root"), &key, None);
    let mut damaged = request(&self::key(), NAME);
    let middle = damaged.len() / 2;
    let other = if damaged[middle..].starts_with('A') { "B" } else { "A" };
    damaged.replace_range(middle..=middle, other);
    let refused = ca_sign(damaged.as_bytes(), &authority, &hours(1));
    assert!(matches!(refused, Err(Error::Verify | Error::Read(_))), "{refused:?}");
    let told = format!("{authority:?}");
    assert!(told.contains("redacted") && told.len() < 120, "{told}");
}
