//! What to order for a request, and the name that its Order gets.

use std::net::IpAddr;

use serde::Serialize;
use signet_api::issuer::AcmeIssuer;
use signet_api::{CertificateRequestSpec, IssuerRef, OrderSpec};

use crate::digest::hashed_name;
use crate::pki::{Csr, Names, name_fault};

/// How long a name may be and still be a part of its Order's name as a whole.
const WHOLE: usize = 52;

/// The name of the Order of a request: the request's, cut to 52 bytes, and a hash of what is
/// ordered. A name that is cut counts into the hash, so that two of the same beginning differ.
pub fn order_name(request_name: &str, spec: &OrderSpec) -> String {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Named<'a> {
        certificate_request_name: &'a str,
        spec: &'a OrderSpec,
    }
    let spec = &OrderSpec { request: Default::default(), ..spec.clone() };
    match request_name.len() < WHOLE {
        true => hashed_name(request_name, spec),
        false => hashed_name(request_name, &Named { certificate_request_name: request_name, spec }),
    }
}

/// What to order from an ACME authority for a request.
///
/// # Errors
/// When no ACME authority could sign the request; the sentence says why.
pub fn order_spec(
    request: &CertificateRequestSpec,
    csr: &Csr,
    acme: &AcmeIssuer,
    issuer_ref: IssuerRef,
) -> Result<OrderSpec, String> {
    let Names { dns, ips, uris, emails, others } = &csr.names;
    for (what, is_asked) in [
        ("email addresses", !emails.is_empty()),
        ("URIs", !uris.is_empty()),
        ("names of other types", !others.is_empty()),
    ] {
        if is_asked {
            return Err(format!(
                "An ACME issuer signs DNS names and IP addresses only, and the request has {what} too"
            ));
        }
    }
    if dns.is_empty() && ips.is_empty() {
        return Err("An ACME issuer signs DNS names and IP addresses, and the request has none".to_owned());
    }
    if let Some((name, fault)) = dns.iter().find_map(|name| Some((name, name_fault(name)?))) {
        return Err(format!(
            "No ACME authority can sign {name:?}: it {fault}. Correct it in spec.dnsNames, or in spec.commonName if it \
             stands there"
        ));
    }
    let common_name = csr.common_name();
    if let Some(name) = common_name.filter(|name| !covers(&csr.names, name)) {
        return Err(format!(
            "An ACME issuer signs a common name only when it is among the DNS names or IP addresses of the request, \
             and {name} is not; add it there, or leave it out"
        ));
    }
    Ok(OrderSpec {
        request: request.request.clone(),
        issuer_ref,
        common_name: common_name.map(str::to_owned),
        dns_names: sorted(dns.iter().map(|name| name.to_ascii_lowercase()).collect()),
        ip_addresses: sorted(ips.iter().map(IpAddr::to_string).collect()),
        duration: request.duration.clone().filter(|_| acme.enable_duration_feature),
        profile: acme.profile.clone().filter(|profile| !profile.is_empty()),
        replaces: None,
    })
}

fn covers(names: &Names, common_name: &str) -> bool {
    names.has_dns(common_name) || common_name.parse().is_ok_and(|ip| names.ips.contains(&ip))
}

fn sorted(mut values: Vec<String>) -> Vec<String> {
    values.sort();
    values.dedup();
    values
}
