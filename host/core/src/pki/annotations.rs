//! Annotations of the target Secret that say what its certificate is for.

use std::collections::BTreeMap;

use signet_api::labels;

use super::certificate::CertificateFacts;
use super::subject::oid;

/// The annotations that follow from the certificate itself. Common name, alternative names, IP
/// addresses and URIs are there even when empty; the rest only when set. Values are joined by
/// commas, and quoted as in CSV where they hold one.
pub fn secret_annotations(certificate: &CertificateFacts) -> BTreeMap<String, String> {
    let names = &certificate.names;
    let ips: Vec<_> = names.ips.iter().map(ToString::to_string).collect();
    let common_name = certificate.subject.common_name().unwrap_or_default().to_owned();
    let always = [
        (labels::COMMON_NAME, common_name),
        (labels::ALT_NAMES, names.dns.join(",")),
        (labels::IP_SANS, ips.join(",")),
        (labels::URI_SANS, names.uris.join(",")),
    ];
    let subject = |oid| csv(&certificate.subject.values(oid));
    let if_set = [
        (labels::EMAIL_SANS, names.emails.join(",")),
        (labels::SUBJECT_ORGANIZATIONS, subject(oid::ORGANIZATION)),
        (labels::SUBJECT_ORGANIZATIONAL_UNITS, subject(oid::ORGANIZATIONAL_UNIT)),
        (labels::SUBJECT_COUNTRIES, subject(oid::COUNTRY)),
        (labels::SUBJECT_PROVINCES, subject(oid::PROVINCE)),
        (labels::SUBJECT_LOCALITIES, subject(oid::LOCALITY)),
        (labels::SUBJECT_STREET_ADDRESSES, subject(oid::STREET_ADDRESS)),
        (labels::SUBJECT_POSTAL_CODES, subject(oid::POSTAL_CODE)),
        (labels::SUBJECT_SERIAL_NUMBER, subject(oid::SERIAL_NUMBER)),
    ];
    let set = if_set.into_iter().filter(|(_, value)| !value.is_empty());
    always.into_iter().chain(set).map(|(key, value)| (key.to_owned(), value)).collect()
}

fn csv(values: &[&str]) -> String {
    let field = |value: &&str| {
        if value.contains(['"', ',', '\n', '\r']) || value.starts_with(' ') {
            format!("\"{}\"", value.replace('"', "\"\""))
        } else {
            (*value).to_owned()
        }
    };
    values.iter().map(field).collect::<Vec<_>>().join(",")
}
