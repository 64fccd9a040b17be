//! Those that wait for their turn: by account and urgency, in each by namespace, in each by age.
//!
//! Who waits for an account's orders stays in line. Who waits for something of their own, a domain or a name, is
//! set aside until then, so that nobody need look at them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;

use super::applicant::Applicant;
use super::bucket::{Bucket, Kind};
use super::wait::Wait;

/// The bucket of the account's orders, and whether it is not urgent: what is urgent comes first.
pub(super) type Group = (Option<Bucket>, bool);

#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    waiting: HashMap<String, Waiting>,
    in_line: BTreeMap<Group, BTreeMap<String, BTreeSet<(Timestamp, String)>>>,
    aside: BTreeSet<(Timestamp, String)>,
    /// How many wait for a bucket.
    counts: HashMap<Bucket, usize>,
}

#[derive(Clone, Debug)]
struct Waiting {
    applicant: Applicant,
    for_: Bucket,
    aside_until: Option<Timestamp>,
}

impl Line {
    /// Puts this one where it belongs, or where it belongs now.
    pub(super) fn put(&mut self, applicant: &Applicant, wait: &Wait) {
        self.remove(&applicant.id);
        let id = applicant.id.clone();
        let aside_until = (wait.bucket.kind != Kind::NewOrders).then_some(wait.until);
        match aside_until {
            Some(until) => drop(self.aside.insert((until, id.clone()))),
            None => self.stand_in_line(applicant),
        }
        *self.counts.entry(wait.bucket).or_default() += 1;
        self.waiting.insert(id, Waiting { applicant: applicant.clone(), for_: wait.bucket, aside_until });
    }

    pub(super) fn remove(&mut self, id: &str) {
        let Some(Waiting { applicant, for_, aside_until }) = self.waiting.remove(id) else { return };
        if let Some(count) = self.counts.get_mut(&for_) {
            *count -= 1;
        }
        match aside_until {
            Some(until) => drop(self.aside.remove(&(until, applicant.id))),
            None => self.leave_line(&applicant),
        }
    }

    /// How many others wait for what this one waits for.
    pub(super) fn others(&self, bucket: Bucket) -> usize {
        self.counts.get(&bucket).copied().unwrap_or(0).saturating_sub(1)
    }

    /// Puts back in line who was set aside until now; with `None`, everybody.
    pub(super) fn recall(&mut self, now: Option<Timestamp>) {
        while let Some((until, id)) =
            self.aside.first().filter(|(until, _)| now.is_none_or(|now| *until <= now)).cloned()
        {
            self.aside.remove(&(until, id.clone()));
            if let Some(waiting) = self.waiting.get_mut(&id) {
                waiting.aside_until = None;
                let applicant = waiting.applicant.clone();
                self.stand_in_line(&applicant);
            }
        }
    }

    /// When the first is put back who was set aside.
    pub(super) fn recalls(&self) -> Option<Timestamp> {
        self.aside.first().map(|(until, _)| *until)
    }

    pub(super) fn groups(&self) -> Vec<Group> {
        self.in_line.keys().copied().collect()
    }

    pub(super) fn namespaces(&self, group: Group) -> impl Iterator<Item = &String> {
        self.in_line.get(&group).into_iter().flat_map(BTreeMap::keys)
    }

    /// The oldest of a namespace.
    pub(super) fn first(&self, group: Group, namespace: &str) -> Option<&Applicant> {
        let (_, id) = self.in_line.get(&group)?.get(namespace)?.first()?;
        self.waiting.get(id).map(|waiting| &waiting.applicant)
    }

    fn stand_in_line(&mut self, applicant: &Applicant) {
        let namespaces = self.in_line.entry(group(applicant)).or_default();
        let line = namespaces.entry(applicant.namespace.clone()).or_default();
        line.insert((applicant.created, applicant.id.clone()));
    }

    fn leave_line(&mut self, applicant: &Applicant) {
        let group = group(applicant);
        let Some(namespaces) = self.in_line.get_mut(&group) else { return };
        if let Some(line) = namespaces.get_mut(&applicant.namespace) {
            line.remove(&(applicant.created, applicant.id.clone()));
            if line.is_empty() {
                namespaces.remove(&applicant.namespace);
            }
        }
        if namespaces.is_empty() {
            self.in_line.remove(&group);
        }
    }
}

fn group(applicant: &Applicant) -> Group {
    (applicant.of_kind(Kind::NewOrders).next().map(|used| used.bucket), !applicant.due)
}
