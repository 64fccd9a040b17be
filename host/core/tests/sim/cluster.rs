//! Many certificates, and the clock: who is due is looked at, then the next, for months.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt;
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use signet_core::limits::{Book, Budget};

use crate::ca::Ca;
use crate::world::{Shared, World};

/// Of so many names one can never be proven.
const NEVER: usize = 20;
/// How many certificates share a registered domain, and how many of them are under the one that is busy.
const PER_DOMAIN: usize = 5;
const BUSY: usize = 120;
const NAMESPACES: usize = 100;

/// What is simulated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    pub(crate) certificates: usize,
    pub(crate) lifetime: SignedDuration,
    pub(crate) ari: bool,
}

/// A cluster at some time.
pub(crate) struct Cluster {
    setting: Setting,
    began: Instant,
    start: Timestamp,
    now: Timestamp,
    shared: Shared,
    worlds: Vec<World>,
    due: BinaryHeap<Reverse<(Timestamp, usize)>>,
    /// When each is to be looked at next: what is in the heap for another time is stale.
    next: Vec<Option<Timestamp>>,
    steps: usize,
    revoked: Vec<Option<Timestamp>>,
}

impl Cluster {
    /// All certificates are asked for at once.
    pub(crate) fn new(setting: &Setting) -> Self {
        let start = Timestamp::from_second(1_800_000_000).expect("in range");
        let shared =
            Shared { ca: Ca::default(), budget: Budget::new(Book::default()), ari: setting.ari, started: start };
        let world = |number: usize| {
            let domain =
                if number < BUSY { "busy.example".to_owned() } else { format!("d{}.example", number / PER_DOMAIN) };
            let namespace = format!("team-{}", number % NAMESPACES);
            World::new(number, namespace, format!("n{number}.{domain}"), number % NEVER != 7, setting.lifetime)
        };
        let mut cluster = Self {
            setting: *setting,
            began: Instant::now(),
            start,
            now: start,
            shared,
            worlds: (0..setting.certificates).map(world).collect(),
            due: BinaryHeap::new(),
            next: vec![None; setting.certificates],
            steps: 0,
            revoked: vec![None; setting.certificates],
        };
        (0..setting.certificates).for_each(|number| cluster.wake(number, start));
        cluster
    }

    /// Lets time pass until so long after the beginning.
    pub(crate) fn run_until(&mut self, after: SignedDuration) {
        let end = self.start + after;
        loop {
            let due = self.due.peek().map(|Reverse((at, _))| *at);
            let opens = self.shared.budget.opens().map(|opens| opens.max(self.now));
            let Some(at) = due.into_iter().chain(opens).min().filter(|at| *at <= end) else { break };
            self.now = self.now.max(at);
            for id in self.shared.budget.called(self.now) {
                let number = id.split('/').nth(1).and_then(|name| name.strip_prefix('c')?.parse().ok());
                self.wake(number.expect("an id names its certificate"), self.now);
            }
            let Some(Reverse((at, number))) = self.due.peek().copied().filter(|Reverse((at, _))| *at <= self.now)
            else {
                continue;
            };
            self.due.pop();
            if self.next[number] == Some(at) {
                self.next[number] = None;
                self.steps += 1;
                if let Some(again) = self.worlds[number].step(&mut self.shared, self.now) {
                    self.wake(number, again);
                }
            }
        }
        self.now = end;
    }

    /// The CA is closed for so long from now.
    pub(crate) fn outage(&mut self, length: SignedDuration) {
        self.shared.ca.closed_until = Some(self.now + length);
    }

    /// Another process takes over: it knows what objects show, and what this one has left in the Lease.
    pub(crate) fn restart(&mut self) {
        let ledger = self.shared.budget.ledger(self.now);
        let spendings = self.worlds.iter().flat_map(World::spendings).collect();
        self.shared.budget = Budget::after(Book::default(), spendings);
        self.shared.budget.inherit(&ledger);
        self.shared.started = self.now;
        for number in 0..self.worlds.len() {
            if let Some(ari) = &mut self.worlds[number].certificate.ari {
                ari.memory = None;
            }
            self.wake(number, self.now);
        }
    }

    /// Somebody has one certificate renewed again and again.
    pub(crate) fn renew_by_hand(&mut self, number: usize, times: usize) {
        for _ in 0..times {
            self.worlds[number].renew(self.now);
            self.wake(number, self.now);
            let passed = self.now.duration_since(self.start) + SignedDuration::from_hours(1);
            self.run_until(passed);
        }
    }

    /// The CA revokes everything. Without ARI somebody has to ask for the renewals.
    pub(crate) fn revoke_all(&mut self) {
        for number in 0..self.worlds.len() {
            let Some(pair) = self.worlds[number].pair() else { continue };
            self.revoked[number] = Some(pair.not_before);
            match pair.ari_id.clone() {
                Some(id) => drop(self.shared.ca.revoked.insert(id)),
                None => {
                    self.worlds[number].renew(self.now);
                    self.wake(number, self.now);
                }
            }
        }
    }

    fn wake(&mut self, number: usize, at: Timestamp) {
        if self.next[number].is_none_or(|next| next > at) {
            self.next[number] = Some(at);
            self.due.push(Reverse((at, number)));
        }
    }

    pub(crate) fn report(&self) -> Report {
        let worlds = || self.worlds.iter().filter(|world| world.sound);
        let expires = |world: &World| world.pair().is_some_and(|pair| pair.not_after <= self.now);
        let still_revoked = |world: &&World| {
            let pair = world.pair().map(|pair| pair.not_before);
            self.revoked[world.number].is_some_and(|revoked| pair == Some(revoked))
        };
        Report {
            setting: self.setting,
            orders: self.shared.ca.orders,
            too_many: self.shared.ca.too_many,
            first: self.shared.ca.first_refusal.clone(),
            peak: self.shared.ca.by_second.values().copied().max().unwrap_or(0),
            margin: worlds().filter_map(|world| world.story.margin).min(),
            expired: worlds().filter(|world| world.story.expired || expires(world)).count(),
            without: worlds().filter(|world| world.pair().is_none()).count(),
            revoked_in_use: worlds().filter(still_revoked).count(),
            waited: self.worlds.iter().filter(|world| world.story.waited).count(),
            most_told: self.worlds.iter().map(|world| world.story.most_told).max().unwrap_or(0),
            steps: self.steps,
            took: self.began.elapsed(),
        }
    }
}

/// What came of it.
pub(crate) struct Report {
    setting: Setting,
    pub(crate) orders: usize,
    pub(crate) too_many: usize,
    first: Option<String>,
    pub(crate) peak: usize,
    margin: Option<SignedDuration>,
    pub(crate) expired: usize,
    pub(crate) without: usize,
    pub(crate) revoked_in_use: usize,
    waited: usize,
    pub(crate) most_told: usize,
    steps: usize,
    took: std::time::Duration,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Setting { certificates, lifetime, ari } = self.setting;
        let hours = |margin: SignedDuration| margin.as_hours();
        write!(
            f,
            "sim: {certificates} certificates of {} days, ARI {}: {} orders, {} x 429, peak {} orders a second, \
             latest renewal {} h before the end, {} expired, {} without, {} revoked in use, {} waited for room, told \
             at most {} times; {} steps in {:.1} s",
            lifetime.as_hours() / 24,
            if ari { "on" } else { "off" },
            self.orders,
            self.too_many,
            self.peak,
            self.margin.map_or("no".to_owned(), |margin| hours(margin).to_string()),
            self.expired,
            self.without,
            self.revoked_in_use,
            self.waited,
            self.most_told,
            self.steps,
            self.took.as_secs_f64(),
        )?;
        self.first.as_ref().map_or(Ok(()), |first| write!(f, "; the first 429: {first}"))
    }
}
