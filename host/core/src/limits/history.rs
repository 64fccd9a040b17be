//! What was spent, as the objects of a cluster show it.
//!
//! An Order that has an address at the CA was asked for, and its state says what became of it. A Certificate
//! whose Order is gone still shows when it was issued.

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use signet_api::{Certificate, IssuerRef, Order, State, labels};

use super::applicant::Applicant;
use super::bucket::Kind;
use super::budget::Outcome;
use crate::acme::Identifier;
use crate::order;

/// By how much certificates begin before they are issued, so that clocks that are late take them.
const BACKDATED: SignedDuration = SignedDuration::from_hours(1);

/// An account at a CA.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountAt {
    /// The address of the CA's directory.
    pub directory: String,
    /// The account's own address.
    pub account: String,
}

/// One order that was asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Spending {
    pub applicant: Applicant,
    pub at: Timestamp,
    /// How it ended, and when.
    pub ended: Option<(Timestamp, Outcome)>,
}

/// All that was spent, of what `account` says which account it is of.
pub fn read<'a>(
    orders: impl IntoIterator<Item = &'a Order>,
    certificates: impl IntoIterator<Item = &'a Certificate>,
    account: impl Fn(&str, &IssuerRef) -> Option<AccountAt>,
) -> Vec<Spending> {
    let account = |metadata: &ObjectMeta, issuer: &IssuerRef| account(metadata.namespace.as_deref()?, issuer);
    let (mut spendings, mut shown) = (Vec::new(), HashSet::new());
    for order in orders {
        shown.extend(certificate_of(order));
        let at = account(&order.metadata, &order.spec.issuer_ref);
        spendings.extend(at.and_then(|at| of_order(order, &applicant(order, &at))));
    }
    for certificate in certificates {
        let at = account(&certificate.metadata, &certificate.spec.issuer_ref);
        spendings.extend(at.and_then(|at| of_certificate(certificate, &at, &shown)));
    }
    spendings
}

/// An Order as the limits see it.
pub fn applicant(order: &Order, at: &AccountAt) -> Applicant {
    let (id, namespace) = (id(&order.metadata), namespace(&order.metadata));
    let created = order.metadata.creation_timestamp.as_ref().map_or(Timestamp::UNIX_EPOCH, |time| time.0);
    let names = identifiers(&order.spec.dns_names, &order.spec.ip_addresses);
    let exempt = order.spec.replaces.is_some();
    Applicant { exempt, ..Applicant::new(&id, namespace, &at.directory, &at.account, &names, created) }
}

/// What was spent on an Order; nothing before it has an address at the CA.
pub fn of_order(order: &Order, applicant: &Applicant) -> Option<Spending> {
    let status = order.status.as_ref().filter(|status| status.url.is_some())?;
    let at = status.order_time.as_ref().map_or(applicant.created, |time| time.0);
    Some(Spending { applicant: applicant.clone(), at, ended: ended(order, at) })
}

/// How an Order ended that was asked for at `at`, and when.
pub fn ended(order: &Order, at: Timestamp) -> Option<(Timestamp, Outcome)> {
    let status = order.status.as_ref()?;
    let failed = status.failure_time.as_ref().map_or(at, |time| time.0);
    match status.state? {
        State::Valid => Some((at, Outcome::Issued)),
        State::Invalid => Some((failed, Outcome::Failed { name: order::unproven(status).map(str::to_owned) })),
        State::Errored | State::Expired => Some((failed, Outcome::Failed { name: None })),
        State::Ready | State::Pending | State::Processing => None,
    }
}

fn of_certificate(
    certificate: &Certificate,
    at: &AccountAt,
    shown: &HashSet<(String, String, i64)>,
) -> Option<Spending> {
    let (id, namespace) = (id(&certificate.metadata), namespace(&certificate.metadata));
    let (spec, status) = (&certificate.spec, certificate.status.as_ref()?);
    let issued = status.not_before.as_ref()?.0 + BACKDATED;
    let place = (namespace.to_owned(), certificate.metadata.name.clone()?, status.revision?);
    if shown.contains(&place) {
        return None;
    }
    let names = identifiers(&spec.dns_names, &spec.ip_addresses);
    let mut applicant = Applicant::new(&id, namespace, &at.directory, &at.account, &names, issued);
    // Which account it came from, nobody knows any more.
    applicant.uses.retain(|used| matches!(used.bucket.kind, Kind::CertificatesPerDomain | Kind::CertificatesPerSet));
    Some(Spending { applicant, at: issued, ended: Some((issued, Outcome::Issued)) })
}

/// The namespace, Certificate and revision that an Order is for.
fn certificate_of(order: &Order) -> Option<(String, String, i64)> {
    let annotations = order.metadata.annotations.as_ref()?;
    let name = annotations.get(labels::CERTIFICATE_NAME)?.clone();
    let revision = annotations.get(labels::CERTIFICATE_REVISION)?.parse().ok()?;
    Some((order.metadata.namespace.clone()?, name, revision))
}

/// The name of an object in the account of the limits: namespace/name/uid.
pub fn id(metadata: &ObjectMeta) -> String {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    format!("{}/{}/{}", namespace(metadata), text(&metadata.name), text(&metadata.uid))
}

fn namespace(metadata: &ObjectMeta) -> &str {
    metadata.namespace.as_deref().unwrap_or_default()
}

/// What to order for these names.
pub fn identifiers(dns_names: &[String], ip_addresses: &[String]) -> Vec<Identifier> {
    let names = dns_names.iter().cloned().map(Identifier::Dns);
    let addresses = ip_addresses.iter().filter_map(|address| address.parse().ok().map(Identifier::Ip));
    names.chain(addresses).collect()
}
