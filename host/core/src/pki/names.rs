//! Subject alternative names: as read from DER, and as a spec asks for them.

use std::collections::BTreeSet;
use std::net::IpAddr;

use signet_api::CertificateSpec;
use x509_parser::extensions::GeneralName;

use super::dns_name::{ascii_name, requested_common_name};

/// Subject alternative names by type, in the order in which they stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// DNS names, as written.
    pub dns: Vec<String>,
    /// IP addresses.
    pub ips: Vec<IpAddr>,
    /// URIs, as written.
    pub uris: Vec<String>,
    /// Email addresses, as written.
    pub emails: Vec<String>,
    /// Names of other types: object identifier in dots, and text.
    pub others: Vec<(String, String)>,
}

impl Names {
    pub(super) fn of<'a>(general: impl IntoIterator<Item = &'a GeneralName<'a>>) -> Self {
        let mut names = Self::default();
        for name in general {
            match name {
                GeneralName::DNSName(name) => names.dns.push((*name).to_owned()),
                GeneralName::IPAddress(bytes) => names.ips.extend(address(bytes)),
                GeneralName::URI(uri) => names.uris.push((*uri).to_owned()),
                GeneralName::RFC822Name(email) => names.emails.push((*email).to_owned()),
                GeneralName::OtherName(oid, der) => {
                    names.others.extend(tagged_text(der).map(|text| (oid.to_id_string(), text)));
                }
                // No spec can ask for these.
                GeneralName::X400Address(_)
                | GeneralName::DirectoryName(_)
                | GeneralName::EDIPartyName(_)
                | GeneralName::RegisteredID(_)
                | GeneralName::Invalid(..) => {}
            }
        }
        names
    }

    /// The names that a spec asks for, DNS names in ASCII. What is no DNS name or IP address is left out;
    /// `spec_errors` tells of it.
    ///
    /// The common name of a certificate that signs no others is among them when it is a DNS name
    /// of several labels or an IP address: clients look at nothing else, and ACME authorities demand it.
    pub fn requested(spec: &CertificateSpec) -> Self {
        let dns: Vec<_> = spec.dns_names.iter().filter_map(|name| Some(ascii_name(name).ok()?.into_owned())).collect();
        let mut names = Self {
            dns: unique(&dns, |name| name.to_ascii_lowercase()),
            ips: unique(&spec.ip_addresses, Clone::clone).iter().filter_map(|ip| ip.parse().ok()).collect(),
            uris: unique(&spec.uris, Clone::clone),
            emails: unique(&spec.email_addresses, Clone::clone),
            others: spec
                .other_names
                .iter()
                .filter_map(|name| Some((name.oid.clone()?, name.utf8_value.clone()?)))
                .collect(),
        };
        let common_name = requested_common_name(spec).filter(|_| !spec.is_ca);
        match common_name.as_deref().map(identify) {
            Some(Identity::Dns(name)) if !names.has_dns(name) => names.dns.insert(0, name.to_owned()),
            Some(Identity::Ip(ip)) if !names.ips.contains(&ip) => names.ips.insert(0, ip),
            _ => {}
        }
        names
    }

    /// Whether a DNS name is among them.
    pub fn has_dns(&self, name: &str) -> bool {
        self.dns.iter().any(|known| known.eq_ignore_ascii_case(name))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        let Self { dns, ips, uris, emails, others } = self;
        dns.is_empty() && ips.is_empty() && uris.is_empty() && emails.is_empty() && others.is_empty()
    }

    /// The fields of a spec in which the two differ. Order, repetition and the case of DNS names
    /// do not count, nor whether `common_name` is among the names.
    pub(super) fn differences(&self, other: &Self, common_name: Option<&str>) -> Vec<&'static str> {
        let text = |names: &[String]| names.iter().cloned().collect::<BTreeSet<_>>();
        let dns = |names: &[String]| {
            let lower: BTreeSet<_> = names.iter().map(|name| name.to_ascii_lowercase()).collect();
            lower
                .into_iter()
                .filter(|name| !common_name.is_some_and(|cn| cn.eq_ignore_ascii_case(name)))
                .collect::<Vec<_>>()
        };
        let common_ip = common_name.and_then(|name| name.parse::<IpAddr>().ok());
        let ips = |names: &[IpAddr]| names.iter().copied().filter(|ip| Some(*ip) != common_ip).collect::<BTreeSet<_>>();
        let others = |names: &[(String, String)]| names.iter().cloned().collect::<BTreeSet<_>>();
        [
            ("spec.dnsNames", dns(&self.dns) == dns(&other.dns)),
            ("spec.ipAddresses", ips(&self.ips) == ips(&other.ips)),
            ("spec.uris", text(&self.uris) == text(&other.uris)),
            ("spec.emailAddresses", text(&self.emails) == text(&other.emails)),
            ("spec.otherNames", others(&self.others) == others(&other.others)),
        ]
        .into_iter()
        .filter_map(|(field, same)| (!same).then_some(field))
        .collect()
    }
}

/// What a common name is good for.
enum Identity<'a> {
    Dns(&'a str),
    Ip(IpAddr),
    Other,
}

fn identify(name: &str) -> Identity<'_> {
    let label = |label: &str| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let plain = name.strip_prefix("*.").unwrap_or(name);
    match name.parse() {
        Ok(ip) => Identity::Ip(ip),
        Err(_) if plain.contains('.') && plain.split('.').all(label) => Identity::Dns(name),
        Err(_) => Identity::Other,
    }
}

/// The values without repetitions, by a key, in order.
fn unique(values: &[String], key: impl Fn(&String) -> String) -> Vec<String> {
    let mut seen = BTreeSet::new();
    values.iter().filter(|value| seen.insert(key(value))).cloned().collect()
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
        16 => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
        _ => None,
    }
}

/// The text inside `[0] EXPLICIT`, whatever type of string it is.
fn tagged_text(der: &[u8]) -> Option<String> {
    use x509_parser::der_parser::asn1_rs::{Any, FromDer};
    let (_, tagged) = Any::from_der(der).ok()?;
    let (_, text) = Any::from_der(tagged.data).ok()?;
    String::from_utf8(text.data.to_vec()).ok()
}
