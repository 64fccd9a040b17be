//! What is read from signing requests: what they contradict, and what is ordered for them.

use std::net::IpAddr;

use k8s_openapi::ByteString;
use signet_api::issuer::AcmeIssuer;
use signet_api::{CertificateRequestSpec, Duration, IssuerRef, KeyUsage, OrderSpec};

use crate::pki::{Csr, DistinguishedName};
use crate::request::{invalid, order_name, order_spec};

/// For CN=a.test; B.test, a.test, b.test, 192.0.2.1; CA:FALSE; digital signature, key
/// encipherment, server auth. Made by openssl, as are the others.
const LEAF: &str = "\
-----BEGIN CERTIFICATE REQUEST-----
MIH4MIGrAgEAMBExDzANBgNVBAMMBmEudGVzdDAqMAUGAytlcAMhAOLs3kVPO5Tl
/I9R6jutBrApnNolnUoktGasBK0qlz1GoGcwZQYJKoZIhvcNAQkOMVgwVjAnBgNV
HREEIDAeggZCLnRlc3SCBmEudGVzdIIGYi50ZXN0hwTAAAIBMAsGA1UdDwQEAwIF
oDATBgNVHSUEDDAKBggrBgEFBQcDATAJBgNVHRMEAjAAMAUGAytlcANBAHUkXd0o
8n5Jprd39pSEg1Mf6KlPnDy7FO9qMKhxs9NSWVMbe2Se7o8fyMeIgeJ/nOj5HbQ5
DdprLwJocMyXxQo=
-----END CERTIFICATE REQUEST-----
";

/// For a certificate that signs others: CA:TRUE; cert sign, crl sign.
const AUTHORITY: &str = "\
-----BEGIN CERTIFICATE REQUEST-----
MIG/MHMCAQAwETEPMA0GA1UEAwwGYS50ZXN0MCowBQYDK2VwAyEA4uzeRU87lOX8
j1HqO60GsCmc2iWdSiS0ZqwErSqXPUagLzAtBgkqhkiG9w0BCQ4xIDAeMA8GA1Ud
EwEB/wQFMAMBAf8wCwYDVR0PBAQDAgEGMAUGAytlcANBAPRS2Rt079EwxPkCdy2U
TvEyefpCMKzWDMEJT7ZtH+kuIv59JZRxdfGDnkxeprYtOMF1wWvstG9Gc0FyXrbN
Dgc=
-----END CERTIFICATE REQUEST-----
";

/// For CN=a.test, and no word on anything else.
const BARE: &str = "\
-----BEGIN CERTIFICATE REQUEST-----
MIGQMEQCAQAwETEPMA0GA1UEAwwGYS50ZXN0MCowBQYDK2VwAyEA4uzeRU87lOX8
j1HqO60GsCmc2iWdSiS0ZqwErSqXPUagADAFBgMrZXADQQCvSARLRlO1L+ZqOaEA
xWPzmujIExB2/cARtm7sUvzCuHiUaCKW4QeO+vObTz2apQ8JmTjSZfgRrXWkT7Lf
cT0L
-----END CERTIFICATE REQUEST-----
";

fn spec(pem: &str, is_ca: bool, usages: &[KeyUsage]) -> CertificateRequestSpec {
    let request = ByteString(pem.as_bytes().to_vec());
    CertificateRequestSpec { request, is_ca, usages: usages.to_vec(), ..CertificateRequestSpec::default() }
}

#[test]
fn a_signing_request_must_not_contradict_its_spec() {
    use KeyUsage::{CertSign, CrlSign, DigitalSignature, KeyEncipherment, ServerAuth, Signing};
    let leaf = [ServerAuth, Signing, KeyEncipherment];
    for (pem, is_ca, usages, field) in [
        (LEAF, false, leaf.as_slice(), None),
        (LEAF, false, &[], None),
        (LEAF, false, &[DigitalSignature, KeyEncipherment], Some("spec.usages")),
        (LEAF, true, &[], Some("spec.isCA")),
        (AUTHORITY, true, &[CertSign, CrlSign], None),
        (AUTHORITY, true, &[CrlSign], None),
        (AUTHORITY, true, &[], None),
        (AUTHORITY, true, &[CertSign], Some("spec.usages")),
        (AUTHORITY, false, &[CertSign, CrlSign], Some("spec.isCA")),
        (BARE, false, &[], None),
        (BARE, true, &[CertSign], None),
        ("", false, &[], Some("spec.request")),
        ("web", false, &[], Some("spec.request")),
        (&LEAF[..200], false, &[], Some("spec.request")),
    ] {
        let why = invalid(&spec(pem, is_ca, usages));
        let named = why.as_ref().and_then(|why| why.split_once(": ")).map(|(field, _)| field);
        assert_eq!(named, field, "{is_ca} {usages:?}: {why:?}");
    }
}

fn ordered(acme: &AcmeIssuer, change: impl FnOnce(&mut Csr)) -> Result<OrderSpec, String> {
    let mut csr = Csr::parse(LEAF.as_bytes()).unwrap();
    change(&mut csr);
    let request = CertificateRequestSpec { duration: Some(Duration::from_hours(24)), ..spec(LEAF, false, &[]) };
    order_spec(&request, &csr, acme, IssuerRef { name: "ca".into(), ..IssuerRef::default() })
}

#[test]
fn what_is_ordered_is_what_the_signing_request_names() {
    let usual = ordered(&AcmeIssuer::default(), |_| {}).unwrap();
    let expected = OrderSpec {
        request: ByteString(LEAF.as_bytes().to_vec()),
        issuer_ref: IssuerRef { name: "ca".into(), ..IssuerRef::default() },
        common_name: Some("a.test".into()),
        dns_names: vec!["a.test".into(), "b.test".into()],
        ip_addresses: vec!["192.0.2.1".into()],
        duration: None,
        profile: None,
        replaces: None,
    };
    assert_eq!(usual, expected);
    let acme = AcmeIssuer { enable_duration_feature: true, profile: Some("short".into()), ..AcmeIssuer::default() };
    let all = ordered(&acme, |_| {}).unwrap();
    assert_eq!((all.duration, all.profile.as_deref()), (Some(Duration::from_hours(24)), Some("short")));
    let empty = AcmeIssuer { profile: Some(String::new()), ..AcmeIssuer::default() };
    assert_eq!(ordered(&empty, |_| {}).unwrap(), expected);
    let upper = ordered(&AcmeIssuer::default(), |csr| csr.names.dns = vec!["A.TEST".into()]).unwrap();
    assert_eq!(upper.dns_names, ["a.test"]);
    let by_ip = ordered(&AcmeIssuer::default(), |csr| {
        csr.names.dns.clear();
        csr.subject.0[0][0].value = "192.0.2.1".into();
    });
    assert_eq!(by_ip.unwrap().common_name.as_deref(), Some("192.0.2.1"));
    let unnamed = ordered(&AcmeIssuer::default(), |csr| csr.subject = DistinguishedName::default());
    assert_eq!(unnamed.unwrap().common_name, None);
}

#[test]
fn what_no_acme_authority_signs_is_not_ordered() {
    type Change = fn(&mut Csr);
    let table: &[(Change, &str)] = &[
        (|csr| csr.names.emails = vec!["me@a.test".into()], "email addresses"),
        (|csr| csr.names.uris = vec!["spiffe://a.test/web".into()], "URIs"),
        (|csr| csr.names.others = vec![("1.2.3".into(), "x".into())], "other types"),
        (|csr| csr.names = Default::default(), "has none"),
        (|csr| csr.names.dns = vec!["b.test".into()], "a.test is not"),
        (|csr| csr.subject.0[0][0].value = IpAddr::from([192, 0, 2, 9]).to_string(), "192.0.2.9 is not"),
    ];
    for (change, word) in table {
        let why = ordered(&AcmeIssuer::default(), change).unwrap_err();
        assert!(why.contains(word), "{why}");
    }
}

#[test]
fn an_order_is_named_by_its_request_and_by_what_it_orders() {
    let spec = |name: &str| OrderSpec { dns_names: vec![name.into()], ..OrderSpec::default() };
    let name = order_name("web-1", &spec("a.test"));
    assert!(name.starts_with("web-1-"), "{name}");
    let with_request = OrderSpec { request: ByteString(b"PEM".to_vec()), ..spec("a.test") };
    assert_eq!(name, order_name("web-1", &with_request), "another key is no other order");
    assert_ne!(name, order_name("web-1", &spec("b.test")));
    let longer = OrderSpec { duration: Some(Duration::from_hours(1)), ..spec("a.test") };
    assert_ne!(name, order_name("web-1", &longer));
    let [one, two] = ["1", "2"].map(|end| order_name(&format!("{}{end}", "w".repeat(52)), &spec("a.test")));
    assert!(one != two && one.len() <= 63, "{one} {two}");
}
