//! Who would like to ask for a new order, and which buckets that takes from.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::bucket::{Bucket, Kind};
use super::names::{counted_under, proven_as};
use crate::acme::Identifier;

/// One Order, as the limits see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applicant {
    /// namespace/name/uid.
    pub id: String,
    pub namespace: String,
    pub directory: String,
    /// Whether it says which certificate it replaces (RFC 9773, section 5): then no limit is set to it.
    pub exempt: bool,
    /// Whether a certificate is in use that half of its lifetime or less is left of.
    pub due: bool,
    pub created: Timestamp,
    pub(super) uses: Vec<Use>,
}

/// A bucket that an order takes from, or may not be asked for without.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Use {
    pub(super) bucket: Bucket,
    /// What it counts, for people: an account, a domain, a name, names with commas between.
    pub(super) of: String,
}

impl Applicant {
    /// `account` is the account's address at the CA.
    pub fn new(
        id: &str,
        namespace: &str,
        directory: &str,
        account: &str,
        identifiers: &[Identifier],
        created: Timestamp,
    ) -> Self {
        let text = |identifier: &Identifier| match identifier {
            Identifier::Dns(name) => name.to_ascii_lowercase(),
            Identifier::Ip(address) => address.to_string(),
        };
        let set: BTreeSet<String> = identifiers.iter().map(text).collect();
        let domains: BTreeSet<String> = identifiers.iter().map(counted_under).collect();
        let names: BTreeSet<String> = identifiers.iter().map(proven_as).collect();
        let set = set.into_iter().collect::<Vec<_>>().join(", ");
        let used = |kind, facts: &[&str], of: &str| Use { bucket: Bucket::new(kind, facts), of: of.to_owned() };
        let mut uses = vec![
            used(Kind::NewOrders, &[account], account),
            used(Kind::NewOrdersPerAddress, &[directory], directory),
            used(Kind::Share, &[account, namespace], namespace),
            used(Kind::CertificatesPerSet, &[directory, &set], &set),
        ];
        uses.extend(domains.iter().map(|of| used(Kind::CertificatesPerDomain, &[directory, of], of)));
        for kind in [Kind::FailuresPerName, Kind::FailuresInARow] {
            uses.extend(names.iter().map(|of| used(kind, &[account, of], of)));
        }
        let (id, namespace, directory) = (id.to_owned(), namespace.to_owned(), directory.to_owned());
        Self { id, namespace, directory, exempt: false, due: false, created, uses }
    }

    /// The buckets of a kind.
    pub(super) fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &Use> {
        self.uses.iter().filter(move |used| used.bucket.kind == kind)
    }

    /// What asking for the order takes from; the rest is taken from by failures.
    pub(super) fn spends(&self) -> impl Iterator<Item = Bucket> {
        let by_asking = |kind: Kind| !matches!(kind, Kind::FailuresPerName | Kind::FailuresInARow);
        let buckets = self.uses.iter().map(|used| used.bucket).filter(move |bucket| by_asking(bucket.kind));
        buckets.filter(|bucket| self.is_bound_by(bucket.kind))
    }

    /// Whether a limit of this kind is set to it.
    pub(super) fn is_bound_by(&self, kind: Kind) -> bool {
        !self.exempt || kind == Kind::NewOrdersPerAddress
    }
}
