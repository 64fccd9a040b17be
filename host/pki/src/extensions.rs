//! Names and extensions in DER (RFC 5280).

use std::collections::BTreeSet;
use std::net::IpAddr;

use signet_api::KeyUsage;
use signet_api::certificate::{NameConstraintItem, NameConstraints};
use signet_core::pki::{Attribute, DistinguishedName, Names, UsageCode, oid, usage_code};

use crate::{Error, der};

/// A distinguished name.
pub(crate) fn name(name: &DistinguishedName) -> Result<Vec<u8>, Error> {
    let rdns: Result<Vec<_>, Error> =
        name.0.iter().map(|rdn| Ok(der::set(rdn.iter().map(attribute).collect::<Result<_, Error>>()?))).collect();
    Ok(der::sequence(&rdns?))
}

/// Country and serial number are PrintableString, mail and domain IA5String, the rest UTF8String
/// (RFC 5280, appendix A.1).
fn attribute(attribute: &Attribute) -> Result<Vec<u8>, Error> {
    let tag = match attribute.oid.as_str() {
        oid::COUNTRY | oid::SERIAL_NUMBER if is_printable(&attribute.value) => 0x13,
        oid::EMAIL_ADDRESS | oid::DOMAIN_COMPONENT if attribute.value.is_ascii() => 0x16,
        _ => 0x0c,
    };
    let kind =
        der::oid(&attribute.oid).ok_or_else(|| encode("subject", format!("{} is no identifier", attribute.oid)))?;
    Ok(der::sequence(&[kind, der::value(tag, attribute.value.as_bytes())]))
}

fn is_printable(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(&byte))
}

fn encode(field: &'static str, reason: String) -> Error {
    Error::Encode { field, reason }
}

/// One extension.
pub(crate) fn extension(oid: &'static str, critical: bool, content: &[u8]) -> Vec<u8> {
    let mut parts = vec![der::known_oid(oid)];
    if critical {
        parts.push(der::boolean(true));
    }
    parts.push(der::octets(content));
    der::sequence(&parts)
}

/// subjectAltName; critical when there is no subject to go by (section 4.2.1.6).
pub(crate) fn alternative_names(names: &Names, critical: bool) -> Result<Option<Vec<u8>>, Error> {
    if names.is_empty() {
        return Ok(None);
    }
    let mut list = Vec::new();
    for dns in &names.dns {
        list.push(ia5(0x82, "spec.dnsNames", dns)?);
    }
    for email in &names.emails {
        list.push(ia5(0x81, "spec.emailAddresses", email)?);
    }
    list.extend(names.ips.iter().map(|ip| der::value(0x87, &octets_of(*ip))));
    for uri in &names.uris {
        list.push(ia5(0x86, "spec.uris", uri)?);
    }
    for (kind, text) in &names.others {
        let kind = der::oid(kind).ok_or_else(|| encode("spec.otherNames", format!("{kind} is no identifier")))?;
        let text = der::value(0xa0, &der::value(0x0c, text.as_bytes()));
        list.push(der::value(0xa0, &[kind, text].concat()));
    }
    Ok(Some(extension("2.5.29.17", critical, &der::sequence(&list))))
}

fn ia5(tag: u8, field: &'static str, text: &str) -> Result<Vec<u8>, Error> {
    if text.is_ascii() {
        Ok(der::value(tag, text.as_bytes()))
    } else {
        Err(encode(field, format!("{text:?} is not ASCII")))
    }
}

fn octets_of(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

/// keyUsage and extKeyUsage, as far as there is something to say in each.
pub(crate) fn usages(usages: &BTreeSet<KeyUsage>) -> Vec<Vec<u8>> {
    let (mut bits, mut extended) = (Vec::new(), Vec::new());
    for usage in usages {
        match usage_code(*usage) {
            UsageCode::Bit(bit) => bits.push(bit),
            UsageCode::Extended(oid) => extended.push(der::known_oid(oid)),
        }
    }
    let mut extensions = Vec::new();
    if !bits.is_empty() {
        extensions.push(extension("2.5.29.15", true, &der::named_bits(&bits)));
    }
    if !extended.is_empty() {
        extensions.push(extension("2.5.29.37", false, &der::sequence(&extended)));
    }
    extensions
}

/// basicConstraints. `false` is the default, so DER leaves it out.
pub(crate) fn basic_constraints(is_ca: bool) -> Vec<u8> {
    let content = if is_ca { vec![der::boolean(true)] } else { vec![] };
    extension("2.5.29.19", true, &der::sequence(&content))
}

/// subjectKeyIdentifier.
pub(crate) fn subject_key_identifier(identifier: &[u8]) -> Vec<u8> {
    extension("2.5.29.14", false, &der::octets(identifier))
}

/// authorityKeyIdentifier.
pub(crate) fn authority_key_identifier(identifier: &[u8]) -> Vec<u8> {
    extension("2.5.29.35", false, &der::sequence(&[der::value(0x80, identifier)]))
}

/// cRLDistributionPoints: one point to a URL.
pub(crate) fn crl_distribution_points(urls: &[String]) -> Result<Option<Vec<u8>>, Error> {
    let point = |url: &String| {
        let full_name = der::value(0xa0, &der::value(0xa0, &ia5(0x86, "crlDistributionPoints", url)?));
        Ok(der::sequence(&[full_name]))
    };
    let points: Result<Vec<_>, Error> = urls.iter().map(point).collect();
    Ok(Some(points?)
        .filter(|points| !points.is_empty())
        .map(|points| extension("2.5.29.31", false, &der::sequence(&points))))
}

/// authorityInfoAccess (section 4.2.2.1): where to ask about the certificate, and where its
/// issuer's is.
pub(crate) fn authority_information(ocsp: &[String], issuers: &[String]) -> Result<Option<Vec<u8>>, Error> {
    let mut list = Vec::new();
    for (method, field, urls) in
        [("1.3.6.1.5.5.7.48.1", "ocspServers", ocsp), ("1.3.6.1.5.5.7.48.2", "issuingCertificateURLs", issuers)]
    {
        for url in urls {
            list.push(der::sequence(&[der::known_oid(method), ia5(0x86, field, url)?]));
        }
    }
    Ok((!list.is_empty()).then(|| extension("1.3.6.1.5.5.7.1.1", false, &der::sequence(&list))))
}

/// nameConstraints.
pub(crate) fn name_constraints(constraints: &NameConstraints) -> Result<Vec<u8>, Error> {
    let mut parts = Vec::new();
    for (tag, item) in [(0xa0, &constraints.permitted), (0xa1, &constraints.excluded)] {
        let trees = item.as_ref().map(subtrees).transpose()?.unwrap_or_default();
        if !trees.is_empty() {
            parts.push(der::value(tag, &trees.concat()));
        }
    }
    Ok(name_constraints_of(constraints.critical, &der::sequence(&parts)))
}

/// nameConstraints, of which `content` is the value.
pub(crate) fn name_constraints_of(critical: bool, content: &[u8]) -> Vec<u8> {
    extension("2.5.29.30", critical, content)
}

fn subtrees(item: &NameConstraintItem) -> Result<Vec<Vec<u8>>, Error> {
    let field = "spec.nameConstraints";
    let mut bases = Vec::new();
    for domain in &item.dns_domains {
        bases.push(ia5(0x82, field, domain)?);
    }
    for email in &item.email_addresses {
        bases.push(ia5(0x81, field, email)?);
    }
    for uri in &item.uri_domains {
        bases.push(ia5(0x86, field, uri)?);
    }
    for range in &item.ip_ranges {
        let bytes = masked(range).ok_or_else(|| encode(field, format!("{range:?} is no range")))?;
        bases.push(der::value(0x87, &bytes));
    }
    Ok(bases.into_iter().map(|base| der::sequence(&[base])).collect())
}

/// The bytes of the network's address, then those of its mask.
fn masked(range: &str) -> Option<Vec<u8>> {
    let (ip, length) = range.split_once('/')?;
    let (bytes, length) = (octets_of(ip.parse().ok()?), length.parse::<usize>().ok()?);
    if length > bytes.len() * 8 {
        return None;
    }
    let mask: Vec<u8> = (0..bytes.len())
        .map(|at| match length.saturating_sub(at * 8).min(8) {
            0 => 0,
            ones => 0xff << (8 - ones),
        })
        .collect();
    let network = bytes.iter().zip(&mask).map(|(byte, mask)| byte & mask);
    Some(network.chain(mask.iter().copied()).collect())
}
