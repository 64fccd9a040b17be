//! What is left of each limit, and whose turn it is.
//!
//! Whoever has room in every bucket goes at once. Whoever has not waits, and is passed over without holding up
//! others. Time alone opens a bucket, so the waiting are gone through when the first of them may have room, in
//! an order that is fair: [`Budget::called`] says who has had their turn.
//!
//! The last tenth of an account's orders is kept for renewals and for namespaces that have used less than a tenth
//! themselves, so that one tenant does not make all others wait.

use std::collections::{BTreeSet, HashMap};

use jiff::{SignedDuration, Timestamp};

use super::applicant::{Applicant, Use};
use super::bucket::{Bucket, Kind, Limit};
use super::history::Spending;
use super::line::{Group, Line};
use super::table::{Book, Limits};
use super::wait::{Cause, Wait};

/// Of an account's new orders, the part that a namespace which has used as much does not get.
const KEPT_BACK: u32 = 10;
/// How long after a pause one Order is given to find out whether the CA takes orders again.
const PROBE: SignedDuration = SignedDuration::from_secs(60);

/// Whether an Order may be asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum Turn {
    Now,
    Wait(Box<Wait>),
}

/// How an order ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Issued,
    /// With the name that could not be proven, if that was it.
    Failed {
        name: Option<String>,
    },
}

/// The account of every limit.
#[derive(Clone, Debug, Default)]
pub struct Budget {
    book: Book,
    /// When each bucket that is not full will be.
    full: HashMap<Bucket, Timestamp>,
    /// What the CA has closed.
    closed: HashMap<Bucket, Closure>,
    records: HashMap<String, Record>,
    line: Line,
    /// When each namespace had its last turn, by a number that grows.
    turns: HashMap<String, u64>,
    turn: u64,
    /// When the first of those that wait may have room.
    opens: Option<Timestamp>,
    /// Those that have waited, have had their turn, and were not told yet.
    called: Vec<String>,
    /// Buckets that objects which are gone have taken from.
    pub(super) lost: BTreeSet<Bucket>,
}

#[derive(Clone, Debug)]
struct Closure {
    until: Timestamp,
    said: String,
    /// Whether it was said to an order that no limit is set to.
    to_exempt: bool,
    /// Whether an Order is on its way to find out.
    probed: bool,
}

/// What is known of an Order that has had its turn.
#[derive(Clone, Debug)]
struct Record {
    at: Timestamp,
    spent: Vec<Bucket>,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Granted,
    Ordered,
    Settled,
}

impl Budget {
    /// Nothing spent.
    pub fn new(book: Book) -> Self {
        Self { book, ..Self::default() }
    }

    /// What is left after all of that.
    pub fn after(book: Book, mut spendings: Vec<Spending>) -> Self {
        let mut budget = Self::new(book);
        spendings.sort_by_key(|spending| spending.at);
        for Spending { applicant, at, .. } in &spendings {
            budget.grant(applicant, *at);
            budget.ordered(applicant, *at);
        }
        spendings.sort_by_key(|spending| spending.ended.as_ref().map(|(at, _)| *at));
        for Spending { applicant, ended, .. } in &spendings {
            if let Some((at, outcome)) = ended {
                budget.settle(applicant, outcome, *at);
            }
        }
        budget
    }

    /// Whether it is the turn of this Order. If it is, its part is spent: [`Budget::refused`] gives it back.
    pub fn ask(&mut self, applicant: &Applicant, now: Timestamp) -> Turn {
        self.pass(now);
        if self.records.contains_key(&applicant.id) {
            return Turn::Now;
        }
        match self.obstacle(applicant, now) {
            None => {
                self.grant(applicant, now);
                Turn::Now
            }
            Some(wait) => {
                self.line.put(applicant, &wait);
                self.opens_at(wait.until);
                Turn::Wait(Box::new(Wait { others: self.line.others(wait.bucket), ..wait }))
            }
        }
    }

    /// When the next of those that wait may have its turn.
    pub fn opens(&self) -> Option<Timestamp> {
        self.opens
    }

    /// Those that have waited and whose turn has come since this was last asked.
    pub fn called(&mut self, now: Timestamp) -> Vec<String> {
        self.pass(now);
        std::mem::take(&mut self.called)
    }

    /// Gives their turn to all that have room: renewals first, then the namespace whose last turn is the longest
    /// ago, in it the oldest.
    fn pass(&mut self, now: Timestamp) {
        if self.opens.is_none_or(|opens| opens > now) {
            return;
        }
        self.full.retain(|_, full| *full > now);
        self.opens = None;
        self.line.recall(Some(now));
        for group in self.line.groups() {
            self.give_turns(group, now);
        }
        if let Some(recalls) = self.line.recalls() {
            self.opens_at(recalls);
        }
    }

    fn give_turns(&mut self, group: Group, now: Timestamp) {
        let turn_of = |name: &String| (self.last_turn(name), name.clone());
        let mut namespaces: BTreeSet<(u64, String)> = self.line.namespaces(group).map(turn_of).collect();
        while let Some((_, namespace)) = namespaces.pop_first() {
            while let Some(applicant) = self.line.first(group, &namespace).cloned() {
                let Some(wait) = self.obstacle(&applicant, now) else {
                    self.grant(&applicant, now);
                    self.called.push(applicant.id);
                    namespaces.insert((self.last_turn(&namespace), namespace));
                    break;
                };
                self.line.put(&applicant, &wait);
                if wait.bucket.kind != Kind::NewOrders {
                    continue;
                }
                self.opens_at(wait.until);
                // The others of the namespace would find the same; all others too, when nothing at all is left.
                if self.is_out_of_orders(&applicant, now) {
                    return;
                }
                break;
            }
        }
    }

    fn opens_at(&mut self, at: Timestamp) {
        self.opens = Some(self.opens.map_or(at, |opens| opens.min(at)));
    }

    /// Whether nobody of the account finds room.
    fn is_out_of_orders(&self, applicant: &Applicant, now: Timestamp) -> bool {
        let everything = Applicant { due: true, ..applicant.clone() };
        self.obstacle(&everything, now).is_some_and(|wait| wait.bucket.kind == Kind::NewOrders)
    }

    /// The CA has made the order, and said so at `at`.
    pub fn ordered(&mut self, applicant: &Applicant, at: Timestamp) {
        let open = applicant.uses.iter().filter(|used| self.closed.remove(&used.bucket).is_some()).count();
        if open > 0 {
            self.line.recall(None);
            self.opens_at(at);
        }
        let Some(record) = self.records.get_mut(&applicant.id).filter(|record| record.stage == Stage::Granted) else {
            return;
        };
        // The CA counts from when it had it, which is between the two.
        let late = at.duration_since(record.at).max(SignedDuration::ZERO);
        (record.at, record.stage) = (at, Stage::Ordered);
        // It counts those of one second by its own clock, and by no more than that.
        for bucket in record.spent.iter().filter(|bucket| bucket.kind != Kind::NewOrdersPerAddress) {
            if let Some(full) = self.full.get_mut(bucket) {
                *full += late;
            }
        }
    }

    /// The CA has not made the order: what was taken for it is there again.
    pub fn refused(&mut self, applicant: &Applicant) {
        if self.records.get(&applicant.id).is_some_and(|record| record.stage == Stage::Granted) {
            let record = self.records.remove(&applicant.id);
            self.give_back(&applicant.directory, &record.map(|record| record.spent).unwrap_or_default());
        }
    }

    /// The CA asks for patience: nobody asks before `until` for what `said` is about.
    pub fn learn(&mut self, applicant: &Applicant, said: &str, until: Timestamp) {
        self.refused(applicant);
        for used in about(applicant, said) {
            let closure = Closure { until, said: said.to_owned(), to_exempt: applicant.exempt, probed: false };
            self.closed.insert(used.bucket, closure);
        }
    }

    /// The order has come to its end at `at`. Said again, it changes nothing.
    pub fn settle(&mut self, applicant: &Applicant, outcome: &Outcome, at: Timestamp) {
        let Some(limits) = self.book.of(&applicant.directory).cloned() else { return };
        let record = self.records.entry(applicant.id.clone());
        let record = record.or_insert_with(|| Record { at, spent: Vec::new(), stage: Stage::Ordered });
        if record.stage == Stage::Settled {
            return;
        }
        record.stage = Stage::Settled;
        match outcome {
            Outcome::Issued => applicant.of_kind(Kind::FailuresInARow).for_each(|used| {
                self.full.remove(&used.bucket);
            }),
            Outcome::Failed { name } => {
                // Certificates are counted once they are issued.
                let is_issued =
                    |bucket: &Bucket| !matches!(bucket.kind, Kind::NewOrders | Kind::NewOrdersPerAddress | Kind::Share);
                let back: Vec<Bucket> = record.spent.extract_if(.., |bucket| is_issued(bucket)).collect();
                self.give_back(&applicant.directory, &back);
                let failures = [Kind::FailuresPerName, Kind::FailuresInARow].into_iter();
                for used in
                    failures.flat_map(|kind| applicant.of_kind(kind)).filter(|used| Some(&used.of) == name.as_ref())
                {
                    self.spend(&limits, used.bucket, at);
                    if let Some(record) = self.records.get_mut(&applicant.id) {
                        record.spent.push(used.bucket);
                    }
                }
            }
        }
    }

    /// The Order is gone. What it took stays taken, and is to be told to the next process.
    pub fn gone(&mut self, id: &str, now: Timestamp) {
        self.line.remove(id);
        let Some(record) = self.records.remove(id) else { return };
        let taken = record.spent.into_iter().filter(|bucket| self.full.get(bucket).is_some_and(|full| *full > now));
        self.lost.extend(taken.collect::<Vec<_>>());
    }

    /// How much of a limit is used.
    pub fn used(&self, bucket: Bucket, limit: &Limit, now: Timestamp) -> u32 {
        self.full(bucket).map_or(0, |full| limit.used(full, now))
    }

    pub(super) fn full(&self, bucket: Bucket) -> Option<Timestamp> {
        self.full.get(&bucket).copied()
    }

    /// A bucket is full no earlier than `at`.
    pub(super) fn at_least(&mut self, bucket: Bucket, at: Timestamp) {
        self.full.entry(bucket).and_modify(|full| *full = (*full).max(at)).or_insert(at);
        self.lost.insert(bucket);
    }

    pub(super) fn limits(&self, directory: &str) -> Option<&Limits> {
        self.book.of(directory)
    }

    fn last_turn(&self, namespace: &str) -> u64 {
        self.turns.get(namespace).copied().unwrap_or(0)
    }

    /// What is in the way: of several, that which lasts longest.
    fn obstacle(&self, applicant: &Applicant, now: Timestamp) -> Option<Wait> {
        let bound = applicant.uses.iter().filter(|used| applicant.is_bound_by(used.bucket.kind));
        let limits = self.book.of(&applicant.directory);
        let of_limits = bound.filter_map(|used| self.short_of(applicant, limits?, used, now));
        let closed = applicant.uses.iter().filter_map(|used| {
            let closure = self.closed.get(&used.bucket)?;
            let counts = closure.until > now && (closure.to_exempt || !applicant.exempt);
            let cause = Cause::Said { said: closure.said.clone() };
            counts.then_some(Wait { bucket: used.bucket, cause, until: closure.until, others: 0 })
        });
        of_limits.chain(closed).max_by_key(|wait| wait.until)
    }

    fn short_of(&self, applicant: &Applicant, limits: &Limits, used: &Use, now: Timestamp) -> Option<Wait> {
        let limit = limits.get(&used.bucket.kind)?;
        let full = self.full(used.bucket)?;
        let back = if used.bucket.kind == Kind::NewOrders { self.kept_back(applicant, limit, now) } else { 0 };
        let until = limit.opens(full, limit.count - back);
        let cause = Cause::Limit { of: used.of.clone(), limit: *limit, used: limit.used(full, now) };
        (until > now).then_some(Wait { bucket: used.bucket, cause, until, others: 0 })
    }

    /// How many of an account's new orders this one does not get.
    fn kept_back(&self, applicant: &Applicant, limit: &Limit, now: Timestamp) -> u32 {
        let back = limit.count / KEPT_BACK;
        let own = applicant.of_kind(Kind::Share).map(|used| self.used(used.bucket, limit, now)).sum::<u32>();
        if applicant.due || own < back { 0 } else { back }
    }

    fn grant(&mut self, applicant: &Applicant, now: Timestamp) {
        self.line.remove(&applicant.id);
        for used in &applicant.uses {
            if let Some(closure) = self.closed.get_mut(&used.bucket).filter(|closure| !closure.probed) {
                (closure.until, closure.probed) = (now + PROBE, true);
            } else {
                self.closed.remove(&used.bucket);
            }
        }
        let Some(limits) = self.book.of(&applicant.directory).cloned() else { return };
        self.turn += 1;
        self.turns.insert(applicant.namespace.clone(), self.turn);
        let spent: Vec<Bucket> = applicant.spends().collect();
        spent.iter().for_each(|bucket| self.spend(&limits, *bucket, now));
        self.records.insert(applicant.id.clone(), Record { at: now, spent, stage: Stage::Granted });
    }

    fn spend(&mut self, limits: &Limits, bucket: Bucket, at: Timestamp) {
        if let Some(limit) = of_bucket(limits, bucket) {
            self.full.insert(bucket, limit.spend(self.full(bucket), at));
        }
    }

    fn give_back(&mut self, directory: &str, buckets: &[Bucket]) {
        let Some(limits) = self.book.of(directory) else { return };
        for bucket in buckets {
            if let (Some(limit), Some(full)) = (of_bucket(limits, *bucket), self.full.get_mut(bucket)) {
                *full -= limit.interval();
            }
        }
        self.line.recall(None);
        self.opens = self.opens.map(|_| Timestamp::MIN);
    }
}

/// The limit that a bucket is kept by.
fn of_bucket(limits: &Limits, bucket: Bucket) -> Option<&Limit> {
    limits.get(if bucket.kind == Kind::Share { &Kind::NewOrders } else { &bucket.kind })
}

/// What a CA that asks for patience speaks of: the names that it names, or everything of the account.
fn about<'a>(applicant: &'a Applicant, said: &str) -> Vec<&'a Use> {
    let named = |kind| {
        let is_named = |used: &&Use| said.contains(&format!("\"{}\"", used.of));
        applicant.of_kind(kind).filter(is_named).collect::<Vec<_>>()
    };
    if said.contains("exact set") {
        return applicant.of_kind(Kind::CertificatesPerSet).collect();
    }
    let by_failures = if said.contains("failed authorizations") { named(Kind::FailuresPerName) } else { Vec::new() };
    let found = [by_failures, named(Kind::CertificatesPerDomain)].into_iter().find(|found| !found.is_empty());
    found.unwrap_or_else(|| applicant.of_kind(Kind::NewOrders).collect())
}
