//! Which solver proves a name: a match of dnsNames beats the longest zone, which beats the most
//! labels, which beats the place in the issuer's list.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use signet_api::order::Authorization;
use signet_api::solver::Selector;
use signet_api::{ChallengeType, Solver};

use crate::pki::ascii_or_same;

/// The best solver for an authorization, and the way it proves; or why there is none.
pub fn pick<'a>(
    solvers: &'a [Solver],
    labels: &BTreeMap<String, String>,
    authorization: &Authorization,
) -> Result<(&'a Solver, ChallengeType), String> {
    let name = full_name(authorization);
    let candidates = solvers.iter().enumerate().filter_map(|(index, solver)| {
        let kind = kind(solver, authorization)?;
        let fit = fit(solver.selector.as_ref(), labels, &name)?;
        Some(((fit, Reverse(index)), (solver, kind)))
    });
    candidates.max_by_key(|(rank, _)| *rank).map(|(_, picked)| picked).ok_or_else(|| {
        let mut offered: Vec<_> = authorization.challenges.iter().map(|challenge| challenge.type_.as_str()).collect();
        // A CA may have another order each time, and the words should stay.
        offered.sort_unstable();
        let rule = if authorization.wildcard == Some(true) { " A wildcard is proven in the DNS alone." } else { "" };
        format!(
            "No solver of the issuer fits {name}: the CA offers {}, and the issuer has {}.{rule} \
             Add a solver to spec.acme.solvers, then order again",
            listed(&offered, "no way to prove it"),
            listed(&solvers.iter().map(described).collect::<Vec<_>>(), "no solvers"),
        )
    })
}

/// The name with its wildcard label, if it has one.
pub(super) fn full_name(authorization: &Authorization) -> String {
    let name = authorization.identifier.clone().unwrap_or_default().to_ascii_lowercase();
    if authorization.wildcard == Some(true) { format!("*.{name}") } else { name }
}

/// The way that the solver proves, if it is on offer. A wildcard is proven in the DNS alone.
fn kind(solver: &Solver, authorization: &Authorization) -> Option<ChallengeType> {
    let is_offered = |kind: &&ChallengeType| {
        let possible = authorization.wildcard != Some(true) || kind.is_in_dns();
        possible && authorization.challenges.iter().any(|offered| offered.type_ == kind.acme_name())
    };
    solver.way().ok()?.challenge_types().iter().find(is_offered).copied()
}

/// How well a selector fits: by name, length of the zone, number of labels. None: not at all.
fn fit(selector: Option<&Selector>, labels: &BTreeMap<String, String>, name: &str) -> Option<(bool, usize, usize)> {
    let Some(selector) = selector else { return Some((false, 0, 0)) };
    let Selector { match_labels, dns_names, dns_zones } = selector;
    let by_label = match_labels.iter().all(|(key, value)| labels.get(key) == Some(value));
    let by_name = dns_names.iter().any(|wanted| ascii_or_same(wanted).eq_ignore_ascii_case(name));
    let bare = name.strip_prefix("*.").unwrap_or(name);
    let zone = dns_zones.iter().filter(|zone| holds(zone, bare)).map(String::len).max();
    let fits = by_label && (by_name || dns_names.is_empty()) && (zone.is_some() || dns_zones.is_empty());
    fits.then_some((by_name, zone.unwrap_or(0), match_labels.len()))
}

fn holds(zone: &str, name: &str) -> bool {
    let zone = ascii_or_same(zone).to_ascii_lowercase();
    name.strip_suffix(zone.as_str()).is_some_and(|head| head.is_empty() || head.ends_with('.'))
}

fn described(solver: &Solver) -> String {
    let way = match solver.way() {
        Ok(way) => way,
        Err(error) => return format!("a solver in which {error}"),
    };
    let plugins: Vec<_> = way.stanzas().keys().map(String::as_str).collect();
    let Selector { match_labels, dns_names, dns_zones } = solver.selector.clone().unwrap_or_default();
    let mut text = format!("{} {}", way.field(), plugins.join("+")).trim_end().to_owned();
    if let [only @ (ChallengeType::Dns01 | ChallengeType::DnsAccount01)] = way.challenge_types() {
        text.push_str(&format!(" (by {} alone)", only.acme_name()));
    }
    for (what, values) in [("dnsNames", dns_names), ("dnsZones", dns_zones)] {
        if !values.is_empty() {
            text.push_str(&format!(" ({what}: {})", values.join(", ")));
        }
    }
    if !match_labels.is_empty() {
        let labels: Vec<_> = match_labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        text.push_str(&format!(" (matchLabels: {})", labels.join(", ")));
    }
    text
}

fn listed(items: &[impl AsRef<str>], none: &str) -> String {
    let items: Vec<_> = items.iter().map(AsRef::as_ref).collect();
    if items.is_empty() { none.to_owned() } else { items.join(", ") }
}
