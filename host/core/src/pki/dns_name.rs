//! DNS names as people write them and as certificates hold them: in a certificate and at a CA an
//! international name stands in its xn-- form (A-labels, RFC 5890), on an object in either.
//!
//! A name in ASCII is taken as it is, so that what a private authority signs stays as it was; what no ACME
//! authority can prove is told apart by [`name_fault`].

use std::borrow::Cow;
use std::net::IpAddr;

use idna::AsciiDenyList;
use idna::uts46::{DnsLength, Hyphens, Uts46};
use signet_api::CertificateSpec;

/// The longest name, without a last dot, and the longest label (RFC 1035, section 2.3.4).
const MAX_NAME: usize = 253;
const MAX_LABEL: usize = 63;

/// A name in ASCII, its international labels in their xn-- form.
///
/// # Errors
/// When it can not be written so; a phrase that says why.
pub fn ascii_name(name: &str) -> Result<Cow<'_, str>, String> {
    if name.is_ascii() {
        return Ok(Cow::Borrowed(name));
    }
    let ascii = convert(name).ok_or_else(|| not_international(name))?;
    match name_fault(&ascii) {
        Some(fault) => Err(format!("is {ascii} in the form that certificates hold, and {fault}")),
        None => Ok(ascii),
    }
}

/// The name in ASCII, or as it is where it has no such form.
pub(crate) fn ascii_or_same(name: &str) -> Cow<'_, str> {
    ascii_name(name).unwrap_or(Cow::Borrowed(name))
}

/// The common name as a request holds it: that of an international name which is among the DNS names is
/// written as it is there, since authorities compare the two.
pub(crate) fn requested_common_name(spec: &CertificateSpec) -> Option<Cow<'_, str>> {
    let name = spec.common_name.as_deref().filter(|name| !name.is_empty())?;
    let lower = name.to_lowercase();
    let is_dns_name = !name.is_ascii() && spec.dns_names.iter().any(|other| other.to_lowercase() == lower);
    Some(if is_dns_name { ascii_or_same(name) } else { Cow::Borrowed(name) })
}

/// Why a name in ASCII, with or without a wildcard label, is none that an ACME authority could prove. Which of
/// the others it signs is the authority's to say.
pub fn name_fault(name: &str) -> Option<String> {
    let bare = name.strip_prefix("*.").unwrap_or(name);
    if bare.parse::<IpAddr>().is_ok() {
        return Some("is an IP address, which belongs into spec.ipAddresses".to_owned());
    }
    if name.ends_with('.') {
        return Some("ends in a dot, which names in certificates do not".to_owned());
    }
    if bare.contains('*') {
        return Some("has a * elsewhere than as its first label; a wildcard stands for one whole label".to_owned());
    }
    if name.len() > MAX_NAME {
        return Some(format!("is {} bytes long; a name has at most {MAX_NAME}", name.len()));
    }
    bare.split('.').find_map(|label| match label {
        "" => Some("has an empty label: a dot too many, or no name at all".to_owned()),
        _ if label.len() > MAX_LABEL => {
            Some(format!("has a label of {} bytes ({label}); one has at most {MAX_LABEL}", label.len()))
        }
        _ if label.starts_with('-') || label.ends_with('-') => {
            Some(format!("has a label that begins or ends with a hyphen ({label})"))
        }
        _ => {
            let odd = label.chars().find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_')))?;
            Some(format!("holds {odd:?}, which no DNS name does"))
        }
    })
}

fn convert(name: &str) -> Option<Cow<'_, str>> {
    Uts46::new().to_ascii(name.as_bytes(), AsciiDenyList::URL, Hyphens::Allow, DnsLength::Ignore).ok()
}

fn not_international(name: &str) -> String {
    let label = name.split('.').find(|label| !label.is_ascii() && convert(label).is_none());
    match label {
        Some(label) => format!("is no international domain name: {label:?} holds what no label can (UTS #46)"),
        None => "is no international domain name: its labels do not go together (UTS #46)".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_either_form() {
        let table = [
            ("web.example", Ok("web.example")),
            ("WEB.example", Ok("WEB.example")),
            ("_under.score", Ok("_under.score")),
            ("bücher.example", Ok("xn--bcher-kva.example")),
            ("*.BÜCHER.example", Ok("*.xn--bcher-kva.example")),
            ("straße.example", Ok("xn--strae-oqa.example")),
            ("例え。テスト", Ok("xn--r8jz45g.xn--zckzah")),
            ("xn--bcher-kva.bücher.example", Ok("xn--bcher-kva.xn--bcher-kva.example")),
            ("bü cher.example", Err("\"bü cher\" holds what no label can")),
            ("bücher/example", Err("holds what no label can")),
            ("a\u{200d}b.example", Err("holds what no label can")),
            ("bücher..example", Err("has an empty label")),
            ("bü*.example", Err("has a * elsewhere")),
        ];
        for (name, expected) in table {
            match (ascii_name(name), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{name}"),
                (Err(found), Err(words)) => assert!(found.contains(words), "{name}: {found}"),
                (found, _) => panic!("{name}: {found:?}"),
            }
        }
        let long = format!("{}ü.example", "a".repeat(60));
        assert!(ascii_name(&long).unwrap_err().contains("has a label of"), "{long}");
    }

    #[test]
    fn faults_of_names() {
        let long_label = format!("{}.example", "a".repeat(64));
        let long_name = format!("{}example", "label.".repeat(50));
        let table = [
            ("web.example", None),
            ("*.web.example", None),
            ("localhost", None),
            ("a_b.example", None),
            ("192.0.2.1", Some("belongs into spec.ipAddresses")),
            ("*.2001:db8::1", Some("belongs into spec.ipAddresses")),
            ("web.example.", Some("ends in a dot")),
            ("a.*.example", Some("elsewhere than as its first label")),
            ("w*.example", Some("elsewhere than as its first label")),
            ("*", Some("elsewhere than as its first label")),
            ("a..example", Some("an empty label")),
            (".example", Some("an empty label")),
            ("-a.example", Some("begins or ends with a hyphen (-a)")),
            ("a b.example", Some("holds ' '")),
            ("https://web.example", Some("holds ':'")),
            (long_label.as_str(), Some("has a label of 64 bytes")),
            (long_name.as_str(), Some("is 307 bytes long")),
        ];
        for (name, words) in table {
            let fault = name_fault(name);
            match words {
                None => assert_eq!(fault, None, "{name}"),
                Some(words) => {
                    assert!(fault.as_deref().is_some_and(|fault| fault.contains(words)), "{name}: {fault:?}")
                }
            }
        }
    }
}
