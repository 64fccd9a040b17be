//! What the API server can not see about a Certificate's spec, and what Signet can not do.

use std::fmt;
use std::net::IpAddr;

use signet_api::CertificateSpec;
use signet_api::certificate::{CertificatePrivateKey, KeyAlgorithm, NameConstraintItem, SignatureAlgorithm};

use super::dns_name::ascii_name;
use super::key::algorithm_name;
use super::literal::parse_literal_subject;

/// One field that can not stand as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// Its path in the object, `spec.uris[1]` for example.
    pub field: String,
    /// What is wrong, and what to write instead.
    pub message: String,
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

/// All that is wrong with a spec; empty when it can be served. A spec with errors waits for
/// someone to change it.
pub fn spec_errors(spec: &CertificateSpec) -> Vec<FieldError> {
    let mut errors = Errors(Vec::new());
    if let Some(literal) = spec.literal_subject.as_deref().filter(|literal| !literal.is_empty())
        && let Err(error) = parse_literal_subject(literal)
    {
        errors.add("spec.literalSubject", error.to_string());
    }
    names(&mut errors, spec);
    key(&mut errors, spec);
    not_served(&mut errors, spec);
    if let Some(constraints) = &spec.name_constraints {
        ranges(&mut errors, "permitted", constraints.permitted.as_ref());
        ranges(&mut errors, "excluded", constraints.excluded.as_ref());
    }
    errors.0
}

/// What would be left out without a word, and be missed only when it is needed.
fn not_served(errors: &mut Errors, spec: &CertificateSpec) {
    if spec.keystores.is_some() {
        errors.add("spec.keystores", "this version of Signet writes no keystores; remove the field to have PEM alone");
    }
    if spec.renewal.as_ref().is_some_and(|renewal| !renewal.windows.is_empty()) {
        errors
            .add("spec.renewal.windows", "this version of Signet renews at any hour; remove the windows to allow that");
    }
}

struct Errors(Vec<FieldError>);

impl Errors {
    fn add(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.0.push(FieldError { field: field.into(), message: message.into() });
    }

    fn each(&mut self, field: &str, values: &[String], is_good: impl Fn(&str) -> bool, expected: &str) {
        for (index, value) in values.iter().enumerate().filter(|(_, value)| !is_good(value)) {
            self.add(format!("{field}[{index}]"), format!("{value:?} is not {expected}"));
        }
    }
}

fn names(errors: &mut Errors, spec: &CertificateSpec) {
    for (index, name) in spec.dns_names.iter().enumerate() {
        match ascii_name(name) {
            Ok(ascii) if is_ascii_word(&ascii) => {}
            Ok(_) => errors.add(format!("spec.dnsNames[{index}]"), format!("{name:?} is empty or holds spaces")),
            Err(fault) => errors.add(format!("spec.dnsNames[{index}]"), format!("{name:?} {fault}; correct the name")),
        }
    }
    errors.each("spec.ipAddresses", &spec.ip_addresses, |ip| ip.parse::<IpAddr>().is_ok(), "an IP address");
    errors.each("spec.uris", &spec.uris, is_uri, "a URI with a scheme, such as spiffe://cluster.local/ns/web");
    errors.each("spec.emailAddresses", &spec.email_addresses, is_email, "an email address in ASCII");
    for (index, name) in spec.other_names.iter().enumerate() {
        if !name.oid.as_deref().is_some_and(is_oid) {
            errors.add(
                format!("spec.otherNames[{index}].oid"),
                "must be an object identifier in dots, such as 1.3.6.1.4.1.311.20.2.3",
            );
        }
        if name.utf8_value.as_deref().unwrap_or_default().is_empty() {
            errors.add(format!("spec.otherNames[{index}].utf8Value"), "must be set");
        }
    }
}

fn key(errors: &mut Errors, spec: &CertificateSpec) {
    let wanted = spec.private_key.clone().unwrap_or_default();
    let field = "spec.privateKey.size";
    match (wanted.algorithm_or_default(), wanted.size_or_default().unwrap_or(0)) {
        (KeyAlgorithm::Rsa, 2048 | 3072 | 4096 | 8192)
        | (KeyAlgorithm::Ecdsa, 256 | 384 | 521)
        | (KeyAlgorithm::Ed25519, _) => {}
        (KeyAlgorithm::Rsa, size) => {
            errors.add(field, format!("Signet makes no RSA keys of {size} bits; use 2048, 3072, 4096 or 8192"));
        }
        (KeyAlgorithm::Ecdsa, size) => errors.add(field, format!("{size} is no ECDSA key size; use 256, 384 or 521")),
    }
    if let Some(signature) = spec.signature_algorithm {
        signature_errors(errors, signature, &wanted);
    }
}

fn signature_errors(errors: &mut Errors, signature: SignatureAlgorithm, key: &CertificatePrivateKey) {
    use SignatureAlgorithm as S;
    let field = "spec.signatureAlgorithm";
    let signer = match signature {
        S::Sha256WithRsa | S::Sha384WithRsa | S::Sha512WithRsa => KeyAlgorithm::Rsa,
        S::EcdsaWithSha256 | S::EcdsaWithSha384 | S::EcdsaWithSha512 => KeyAlgorithm::Ecdsa,
        S::PureEd25519 => KeyAlgorithm::Ed25519,
    };
    let (algorithm, size) = (key.algorithm_or_default(), key.size_or_default());
    if signer != algorithm {
        let (signer, algorithm) = (algorithm_name(signer), algorithm_name(algorithm));
        errors.add(field, format!("is for {signer} keys, and spec.privateKey.algorithm is {algorithm}"));
        return;
    }
    match (signature, size) {
        (S::EcdsaWithSha384 | S::EcdsaWithSha512, Some(256)) => {
            errors.add(field, "a key of 256 bits signs with ECDSAWithSHA256 only");
        }
        (S::EcdsaWithSha256 | S::EcdsaWithSha512, Some(384)) => {
            errors.add(field, "a key of 384 bits signs with ECDSAWithSHA384 only");
        }
        _ => {}
    }
}

fn ranges(errors: &mut Errors, list: &str, item: Option<&NameConstraintItem>) {
    let Some(item) = item else { return };
    let field = format!("spec.nameConstraints.{list}.ipRanges");
    errors.each(&field, &item.ip_ranges, is_cidr, "a range in CIDR notation, such as 10.0.0.0/8");
}

fn is_ascii_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn is_uri(text: &str) -> bool {
    let scheme = |scheme: &str| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    };
    is_ascii_word(text) && text.split_once(':').is_some_and(|(before, after)| scheme(before) && !after.is_empty())
}

fn is_email(text: &str) -> bool {
    is_ascii_word(text)
        && !text.contains(['<', '>'])
        && text.rsplit_once('@').is_some_and(|(local, host)| !local.is_empty() && !host.is_empty())
}

fn is_cidr(text: &str) -> bool {
    let Some((ip, bits)) = text.split_once('/') else { return false };
    match (ip.parse::<IpAddr>(), bits.parse::<u8>()) {
        (Ok(IpAddr::V4(_)), Ok(bits)) => bits <= 32,
        (Ok(IpAddr::V6(_)), Ok(bits)) => bits <= 128,
        _ => false,
    }
}

/// Whether a text is an object identifier in dots that DER can hold.
pub(super) fn is_oid(text: &str) -> bool {
    let arcs: Option<Vec<u64>> =
        text.split('.').map(|arc| arc.parse().ok().filter(|_| !arc.starts_with('+'))).collect();
    match arcs.as_deref() {
        Some([first @ 0..=1, second, ..]) => *first <= 1 && *second < 40,
        Some([2, second, ..]) => *second < u64::MAX - 80,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use signet_api::certificate::{Keystores, Renewal, RenewalWindow};

    use super::*;

    #[test]
    fn what_is_not_served_is_said_and_not_left_out() {
        let keystores = CertificateSpec { keystores: Some(Keystores::default()), ..CertificateSpec::default() };
        let window_duration = signet_api::Duration::from_hours(4);
        let window = RenewalWindow { cron: "0 3 * * *".into(), window_duration, timezone: None };
        let renewal = Some(Renewal { windows: vec![window], ..Renewal::default() });
        let windows = CertificateSpec { renewal, ..CertificateSpec::default() };
        for (spec, field) in [(keystores, "spec.keystores"), (windows, "spec.renewal.windows")] {
            let errors = spec_errors(&spec);
            assert_eq!(errors.iter().map(|error| error.field.as_str()).collect::<Vec<_>>(), [field]);
        }
    }
}
