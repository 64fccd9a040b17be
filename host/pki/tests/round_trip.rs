//! What this crate writes, read back by `core::pki`: every algorithm, encoding and type of name.

use jiff::{SignedDuration, Timestamp};
use signet_api::certificate::{
    CertificatePrivateKey, KeyAlgorithm, KeyEncoding, NameConstraintItem, NameConstraints, OtherName,
    SignatureAlgorithm, Subject,
};
use signet_api::{CertificateSpec, KeyUsage};
use signet_core::pki::{
    Chain, Csr, key_violation, public_key_matches, requested_usages, secret_annotations, secret_mismatch, spec_errors,
    spec_mismatch,
};
use signet_pki::{Error, PrivateKey, Signing, create_csr, generate_key, key_facts, self_sign, verify_request};

const START: i64 = 1_800_000_000;

fn ecdsa() -> PrivateKey {
    generate_key(KeyAlgorithm::Ecdsa, 256).expect("a curve that there is")
}

fn spec() -> CertificateSpec {
    let strings = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
    CertificateSpec {
        common_name: Some("example.com".into()),
        dns_names: strings(&["example.com", "*.Example.com"]),
        ip_addresses: strings(&["10.0.0.1", "2001:db8:0::1"]),
        uris: strings(&["spiffe://cluster.local/ns/web"]),
        email_addresses: strings(&["hostmaster@example.com"]),
        other_names: vec![OtherName { oid: Some("1.3.6.1.4.1.311.20.2.3".into()), utf8_value: Some("upn@ä".into()) }],
        subject: Some(Subject {
            organizations: strings(&["One, Inc", "Zwei"]),
            countries: strings(&["CH"]),
            serial_number: Some("42".into()),
            ..Subject::default()
        }),
        usages: vec![KeyUsage::Signing, KeyUsage::ServerAuth, KeyUsage::DecipherOnly, KeyUsage::NetscapeSgc],
        private_key: Some(CertificatePrivateKey {
            algorithm: Some(KeyAlgorithm::Ecdsa),
            ..CertificatePrivateKey::default()
        }),
        ..CertificateSpec::default()
    }
}

fn signed(spec: &CertificateSpec, key: &PrivateKey) -> Chain {
    let request = create_csr(spec, key).expect("a spec that can be requested");
    let wanted = Signing {
        not_before: Timestamp::from_second(START).expect("a time in this century"),
        duration: spec.duration.as_ref().map(signet_api::Duration::get),
        is_ca: spec.is_ca,
        usages: &spec.usages,
        crl_distribution_points: &["http://crl.example.com/a".to_owned()],
        ocsp_servers: &[],
        issuing_certificate_urls: &[],
    };
    let pem = self_sign(request.as_bytes(), key, &wanted).expect("the request of this key");
    Chain::parse(pem.as_bytes()).expect("a chain of one")
}

#[test]
fn every_key_survives_both_encodings_and_signs() {
    use KeyAlgorithm::{Ecdsa, Ed25519, Rsa};
    use KeyEncoding::{Pkcs1, Pkcs8};
    let cases = [(Rsa, 2048), (Rsa, 3072), (Rsa, 4096), (Ecdsa, 256), (Ecdsa, 384), (Ecdsa, 521), (Ed25519, 256)];
    for (algorithm, size) in cases {
        let key = generate_key(algorithm, size).unwrap();
        for (encoding, tag) in [
            (Pkcs8, "PRIVATE KEY"),
            (
                Pkcs1,
                match algorithm {
                    Rsa => "RSA PRIVATE KEY",
                    Ecdsa => "EC PRIVATE KEY",
                    Ed25519 => "PRIVATE KEY",
                },
            ),
        ] {
            let pem = key.to_pem(encoding).unwrap();
            assert!(pem.starts_with(&format!("-----BEGIN {tag}-----\n")), "{algorithm:?} {encoding:?}");
            let facts = key_facts(pem.as_bytes()).unwrap();
            assert_eq!((facts.algorithm, facts.size), (algorithm, size));
            assert_eq!(facts.encoding == Pkcs8, tag == "PRIVATE KEY");
            assert_eq!(facts.spki_der, key.spki_der().unwrap());
            let wanted = CertificatePrivateKey {
                algorithm: Some(algorithm),
                size: Some(size),
                ..CertificatePrivateKey::default()
            };
            assert_eq!(key_violation(Some(&wanted), &facts), None);
        }
        let spec = CertificateSpec { private_key: None, ..spec() };
        let csr = Csr::parse(create_csr(&spec, &key).unwrap().as_bytes()).unwrap();
        verify_request(&csr).unwrap_or_else(|error| panic!("{algorithm:?} {size}: {error}"));
        assert!(public_key_matches(&signed(&spec, &key).leaf.public_key, &key.spki_der().unwrap()));
    }
}

#[test]
fn a_request_says_what_its_spec_says() {
    let (spec, key) = (spec(), ecdsa());
    assert_eq!(spec_errors(&spec), []);
    let csr = Csr::parse(create_csr(&spec, &key).unwrap().as_bytes()).unwrap();
    assert_eq!(spec_mismatch(&spec, &csr), [""; 0]);
    assert_eq!(csr.names.dns, ["example.com", "*.Example.com"]);
    assert_eq!(csr.names.others, [("1.3.6.1.4.1.311.20.2.3".to_owned(), "upn@ä".to_owned())]);
    assert_eq!(csr.usages, requested_usages(&spec.usages, false));
    assert_eq!(csr.is_ca, None);
}

type Change = fn(&mut CertificateSpec);

#[test]
fn each_change_of_a_spec_is_named() {
    let key = ecdsa();
    let csr = Csr::parse(create_csr(&spec(), &key).unwrap().as_bytes()).unwrap();
    let certificate = signed(&spec(), &key).leaf;
    // The last column: whether a certificate without a request is looked at so closely too.
    let changes: &[(Change, &[&str], bool)] = &[
        (|s| s.dns_names.reverse(), &[], false),
        (|s| s.dns_names = vec!["EXAMPLE.com".into(), "*.example.com".into()], &[], false),
        (|s| s.ip_addresses = vec!["2001:db8::1".into(), "10.0.0.1".into()], &[], false),
        (|s| s.dns_names = vec!["*.example.com".into()], &[], false),
        (|s| s.common_name = Some("other.example.com".into()), &["spec.commonName"], true),
        (|s| s.dns_names.push("www.example.com".into()), &["spec.dnsNames"], true),
        (|s| s.ip_addresses.clear(), &["spec.ipAddresses"], true),
        (|s| s.uris.clear(), &["spec.uris"], true),
        (|s| s.email_addresses.push("a@example.com".into()), &["spec.emailAddresses"], true),
        (|s| s.other_names.clear(), &["spec.otherNames"], true),
        (
            |s| s.subject = None,
            &["spec.subject.organizations", "spec.subject.countries", "spec.subject.serialNumber"],
            false,
        ),
        (|s| s.usages = vec![KeyUsage::ClientAuth], &["spec.usages"], false),
        (|s| s.encode_usages_in_request = Some(false), &[], false),
    ];
    for (index, (change, fields, in_secret)) in changes.iter().enumerate() {
        let mut spec = spec();
        change(&mut spec);
        assert_eq!(spec_mismatch(&spec, &csr), *fields, "change {index}");
        assert_eq!(!secret_mismatch(&spec, &certificate).is_empty(), *in_secret, "change {index}");
    }
}

#[test]
fn the_common_name_is_among_the_names_of_a_leaf() {
    for (common_name, is_ca, dns, ips) in [
        ("www.example.com", false, 1, 0),
        ("*.example.com", false, 1, 0),
        ("192.0.2.1", false, 0, 1),
        ("My Server", false, 0, 0),
        ("www.example.com", true, 0, 0),
    ] {
        let spec = CertificateSpec { common_name: Some(common_name.into()), is_ca, ..CertificateSpec::default() };
        let csr = Csr::parse(create_csr(&spec, &ecdsa()).unwrap().as_bytes()).unwrap();
        assert_eq!((csr.names.dns.len(), csr.names.ips.len()), (dns, ips), "{common_name}");
        assert_eq!(spec_mismatch(&spec, &csr), [""; 0], "{common_name}");
    }
}

#[test]
fn a_certificate_authority_signs_itself() {
    let constraints = NameConstraints {
        critical: true,
        permitted: Some(NameConstraintItem {
            dns_domains: vec!["example.com".into()],
            ip_ranges: vec!["10.1.2.3/12".into(), "2001:db8::/33".into()],
            ..NameConstraintItem::default()
        }),
        excluded: None,
    };
    let spec = CertificateSpec {
        literal_subject: Some(r"CN=Root\, One,O=Example,DC=example".into()),
        is_ca: true,
        name_constraints: Some(constraints),
        duration: Some(signet_api::Duration::from_hours(24 * 365 * 30)),
        ..CertificateSpec::default()
    };
    let key = ecdsa();
    let csr = Csr::parse(create_csr(&spec, &key).unwrap().as_bytes()).unwrap();
    assert_eq!((csr.is_ca, spec_mismatch(&spec, &csr)), (Some(true), vec![]));
    let chain = signed(&spec, &key);
    assert!(chain.leaf.is_ca && chain.leaf.is_self_issued());
    assert_eq!(chain.ca_pem.as_deref(), Some(chain.chain_pem.as_str()));
    assert!(chain.leaf.usages.contains(&KeyUsage::CertSign));
    assert_eq!(chain.leaf.subject.to_string(), "CN=Root, One,O=Example,DC=example");
    // Past 2049, where the form of the time changes.
    assert_eq!(chain.leaf.not_after.duration_since(chain.leaf.not_before), SignedDuration::from_hours(24 * 365 * 30));
}

#[test]
fn the_secret_says_what_the_certificate_is_for() {
    let annotations = secret_annotations(&signed(&spec(), &ecdsa()).leaf);
    let text: Vec<_> = annotations
        .iter()
        .map(|(key, value)| format!("{}={value}", key.trim_start_matches("cert-manager.io/")))
        .collect();
    assert_eq!(
        text,
        [
            "alt-names=example.com,*.Example.com",
            "common-name=example.com",
            "email-sans=hostmaster@example.com",
            "ip-sans=10.0.0.1,2001:db8::1",
            "subject-countries=CH",
            "subject-organizations=\"One, Inc\",Zwei",
            "subject-serialnumber=42",
            "uri-sans=spiffe://cluster.local/ns/web",
        ]
    );
}

#[test]
fn signature_algorithms_suit_their_keys() {
    use KeyAlgorithm::{Ecdsa, Ed25519, Rsa};
    use SignatureAlgorithm as S;
    for (algorithm, size, signature, oid) in [
        (Rsa, 2048, S::Sha256WithRsa, Some("1.2.840.113549.1.1.11")),
        (Rsa, 2048, S::Sha384WithRsa, Some("1.2.840.113549.1.1.12")),
        (Rsa, 2048, S::Sha512WithRsa, Some("1.2.840.113549.1.1.13")),
        (Rsa, 2048, S::EcdsaWithSha256, None),
        (Ecdsa, 256, S::EcdsaWithSha256, Some("1.2.840.10045.4.3.2")),
        (Ecdsa, 256, S::EcdsaWithSha384, None),
        (Ecdsa, 384, S::EcdsaWithSha384, Some("1.2.840.10045.4.3.3")),
        (Ecdsa, 384, S::PureEd25519, None),
        (Ecdsa, 521, S::EcdsaWithSha256, Some("1.2.840.10045.4.3.2")),
        (Ecdsa, 521, S::EcdsaWithSha384, Some("1.2.840.10045.4.3.3")),
        (Ecdsa, 521, S::EcdsaWithSha512, Some("1.2.840.10045.4.3.4")),
        (Ed25519, 256, S::PureEd25519, Some("1.3.101.112")),
        (Ed25519, 256, S::Sha256WithRsa, None),
    ] {
        let spec = CertificateSpec {
            private_key: Some(CertificatePrivateKey {
                algorithm: Some(algorithm),
                size: Some(size),
                ..CertificatePrivateKey::default()
            }),
            signature_algorithm: Some(signature),
            ..spec()
        };
        let request = create_csr(&spec, &generate_key(algorithm, size).unwrap());
        // What can not be signed so is also said on the object beforehand.
        assert_eq!(request.is_err(), !spec_errors(&spec).is_empty(), "{signature:?} {size}");
        let actual = request.ok().map(|pem| Csr::parse(pem.as_bytes()).unwrap());
        assert_eq!(actual.as_ref().map(|csr| csr.signature_algorithm.as_str()), oid, "{signature:?} {size}");
        actual.iter().for_each(|csr| verify_request(csr).unwrap());
    }
}

#[test]
fn nothing_is_signed_for_another_key_or_a_broken_request() {
    let request = create_csr(&spec(), &ecdsa()).unwrap();
    let wanted = Signing {
        not_before: Timestamp::UNIX_EPOCH,
        duration: None,
        is_ca: false,
        usages: &[],
        crl_distribution_points: &[],
        ocsp_servers: &[],
        issuing_certificate_urls: &[],
    };
    assert!(matches!(self_sign(request.as_bytes(), &ecdsa(), &wanted), Err(Error::MatchKey)));
    let mut csr = Csr::parse(request.as_bytes()).unwrap();
    csr.signed[20] ^= 1;
    assert!(matches!(verify_request(&csr), Err(Error::Verify)));
}

#[test]
fn damaged_input_is_an_error_and_no_panic() {
    let key = ecdsa();
    let chain = signed(&spec(), &key).chain_pem;
    let request = create_csr(&spec(), &key).unwrap();
    let private = key.to_pem(KeyEncoding::Pkcs1).unwrap();
    // A newline at the end is no part of the last block.
    for at in 0..chain.trim_end().len() {
        let damage = |text: &str| {
            let mut bytes = text.as_bytes().to_vec();
            if let Some(byte) = bytes.get_mut(at) {
                *byte = if *byte == b'A' { b'/' } else { b'A' };
            }
            bytes
        };
        let _ = Chain::parse(&damage(&chain));
        let _ = Csr::parse(&damage(&request));
        let _ = key_facts(&damage(&private));
        assert!(Chain::parse(&chain.as_bytes()[..at]).is_err());
    }
    for text in ["", "tls", "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"] {
        assert!(
            Chain::parse(text.as_bytes()).is_err()
                && Csr::parse(text.as_bytes()).is_err()
                && key_facts(text.as_bytes()).is_err()
        );
    }
    assert!(Chain::parse(&vec![b'a'; 95_001]).unwrap_err().to_string().contains("95000"));
}
