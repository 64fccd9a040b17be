//! Whether a request or a certificate is what a spec asks for. Each function answers with the
//! fields of the Certificate that differ, in the order of the spec.

use signet_api::{CertificateRequestSpec, CertificateSpec};

use super::certificate::CertificateFacts;
use super::csr::Csr;
use super::dns_name::requested_common_name;
use super::names::Names;
use super::subject::{DistinguishedName, oid, requested_subject};
use super::usages::{canonical_usages, requested_usages};

/// Lifetime that is asked for when a spec names none, in seconds: 90 days.
const DEFAULT_DURATION: i64 = 90 * 24 * 60 * 60;

/// The fields in which a signing request differs from the spec. Names compare as sets, DNS names
/// without regard to case. What a request may leave open (usages, isCA) differs only when it says
/// otherwise.
pub fn spec_mismatch(spec: &CertificateSpec, csr: &Csr) -> Vec<&'static str> {
    let mut fields = subject_mismatch(spec, &csr.subject);
    fields.extend(Names::requested(spec).differences(&csr.names, requested_common_name(spec).as_deref()));
    if csr.is_ca.is_some_and(|is_ca| is_ca != spec.is_ca) {
        fields.push("spec.isCA");
    }
    let encoded = spec.encode_usages_in_request.unwrap_or(true);
    if encoded && !csr.usages.is_empty() && csr.usages != requested_usages(&spec.usages, spec.is_ca) {
        fields.push("spec.usages");
    }
    fields
}

/// The fields in which a CertificateRequest, its PEM apart, differs from the spec. An issuer kind
/// that the spec leaves open is not compared.
pub fn request_mismatch(spec: &CertificateSpec, request: &CertificateRequestSpec) -> Vec<&'static str> {
    let seconds = |duration: &Option<signet_api::Duration>| {
        duration.as_ref().map_or(DEFAULT_DURATION, |duration| duration.get().as_secs())
    };
    let (wanted, named) = (&spec.issuer_ref, &request.issuer_ref);
    let same_kind = wanted.kind_if_set().is_none_or(|kind| named.kind_if_set().is_none_or(|other| kind == other));
    let same_issuer = wanted.name == named.name && wanted.group_or_default() == named.group_or_default() && same_kind;
    [
        ("spec.issuerRef", same_issuer),
        ("spec.duration", seconds(&spec.duration) == seconds(&request.duration)),
        ("spec.isCA", spec.is_ca == request.is_ca),
        ("spec.usages", canonical_usages(&spec.usages) == canonical_usages(&request.usages)),
    ]
    .into_iter()
    .filter_map(|(field, same)| (!same).then_some(field))
    .collect()
}

/// The fields in which a certificate differs from the spec, for when its request is gone. It is
/// lenient where issuers take liberties: they may drop the common name when it is among the
/// alternative names, and the rest of the subject altogether.
pub fn secret_mismatch(spec: &CertificateSpec, certificate: &CertificateFacts) -> Vec<&'static str> {
    let common_name = requested_common_name(spec);
    let wanted = common_name.as_deref();
    let found = wanted.is_none_or(|name| {
        certificate.subject.common_name() == Some(name)
            || certificate.names.has_dns(name)
            || name.parse().is_ok_and(|ip| certificate.names.ips.contains(&ip))
    });
    let mut fields = if found { vec![] } else { vec!["spec.commonName"] };
    fields.extend(Names::requested(spec).differences(&certificate.names, wanted));
    fields
}

/// Whether a certificate or a request is for this public key (SubjectPublicKeyInfo in DER).
pub fn public_key_matches(public_key: &super::PublicKeyFacts, spki_der: &[u8]) -> bool {
    public_key.spki_der == spki_der
}

fn subject_mismatch(spec: &CertificateSpec, actual: &DistinguishedName) -> Vec<&'static str> {
    let Ok(wanted) = requested_subject(spec) else { return vec!["spec.literalSubject"] };
    if spec.literal_subject.as_deref().is_some_and(|literal| !literal.is_empty()) {
        return if wanted == *actual { vec![] } else { vec!["spec.literalSubject"] };
    }
    let sorted = |name: &DistinguishedName, oid| {
        let mut values: Vec<_> = name.values(oid).into_iter().map(str::to_owned).collect();
        values.sort();
        values
    };
    [
        ("spec.commonName", oid::COMMON_NAME),
        ("spec.subject.organizations", oid::ORGANIZATION),
        ("spec.subject.organizationalUnits", oid::ORGANIZATIONAL_UNIT),
        ("spec.subject.countries", oid::COUNTRY),
        ("spec.subject.provinces", oid::PROVINCE),
        ("spec.subject.localities", oid::LOCALITY),
        ("spec.subject.streetAddresses", oid::STREET_ADDRESS),
        ("spec.subject.postalCodes", oid::POSTAL_CODE),
        ("spec.subject.serialNumber", oid::SERIAL_NUMBER),
    ]
    .into_iter()
    .filter_map(|(field, oid)| (sorted(&wanted, oid) != sorted(actual, oid)).then_some(field))
    .collect()
}
