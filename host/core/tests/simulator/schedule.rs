//! One schedule: what happens in which order, all of it by the seed.

use std::fmt::Debug;
use std::time::Duration;

use jiff::Timestamp;

use crate::authority::Authority;
use crate::cluster::Cluster;
use crate::oracle::{Account, judge};
use crate::process::{Look, Memories};

/// How many looks, events and waits an operation may take.
const MOST_STEPS: usize = 20_000;
/// A wait that is for the renewal, and for nothing sooner.
const REST: Duration = Duration::from_secs(7 * 24 * 3600);

/// How a certificate is come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Http01,
    Dns01,
    SelfSigned,
}

/// What becomes of a write or of a request to the CA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Done,
    /// It is not carried out, and fails.
    Lost,
    /// It is carried out, and seems to fail.
    Unanswered,
    DiesBefore,
    DiesAfter,
}

pub(crate) struct Schedule {
    random: u64,
    traced: bool,
    pub(crate) way: Way,
    pub(crate) now: Timestamp,
    /// What the API server holds, and what the process has seen of it.
    pub(crate) truth: Cluster,
    pub(crate) seen: Cluster,
    pub(crate) authority: Authority,
    pub(crate) memories: Memories,
    pub(crate) account: Account,
    pub(crate) violation: Option<String>,
    /// How many faults are still to come, and how many wishes in the middle of an operation.
    faults: u64,
    wishes: u64,
    uids: u64,
}

impl Schedule {
    pub(crate) fn new(seed: u64, traced: bool) -> Self {
        let now = Timestamp::from_second(1_800_000_000).expect("it is a time");
        let mut this = Self {
            random: seed,
            traced,
            way: Way::Http01,
            now,
            truth: Cluster::default(),
            seen: Cluster::default(),
            authority: Authority::default(),
            memories: Memories::new(now),
            account: Account::default(),
            violation: None,
            faults: 0,
            wishes: 0,
            uids: 0,
        };
        this.way = [Way::Http01, Way::Dns01, Way::SelfSigned][this.below(3)];
        this.truth.certificate.names = vec!["a.example".to_owned()];
        this.truth.certificate.generation = 1;
        this.seen = this.truth.clone();
        this
    }

    /// Issues, then does three things more, and judges each.
    pub(crate) fn run(mut self) -> Result<(), String> {
        for operation in 0..4 {
            self.account = Account {
                orders_before: self.authority.orders(),
                certificates_before: self.authority.issued.len(),
                revision_before: self.truth.certificate.status.revision.unwrap_or(0),
                wanted: usize::from(self.way != Way::SelfSigned),
                ..Account::default()
            };
            self.faults = self.below(5) as u64;
            self.wishes = u64::from(self.one_in(4));
            if operation > 0 {
                match self.below(3) {
                    0 => self.edit(),
                    1 => self.truth.secret = None,
                    _ => self.let_it_become_due(),
                }
            }
            let end = self
                .settle()
                .and_then(|()| judge(&self.truth, &self.authority, self.account, self.way != Way::SelfSigned));
            end.map_err(|violation| format!("{:?}, operation {operation}: {violation}", self.way))?;
        }
        Ok(())
    }

    fn edit(&mut self) {
        let certificate = &mut self.truth.certificate;
        match certificate.names.len() {
            1 => certificate.names.push("b.example".to_owned()),
            _ => drop(certificate.names.pop()),
        }
        certificate.generation += 1;
        certificate.version += 1;
    }

    fn let_it_become_due(&mut self) {
        let due = self.truth.certificate.status.renewal_time.as_ref().map(|time| time.0);
        self.now = due.expect("it is Ready").checked_add(Duration::from_secs(1)).expect("it is not the end of time");
    }

    /// Lets things happen until nothing does any more.
    fn settle(&mut self) -> Result<(), String> {
        let mut idle = 0;
        for _ in 0..MOST_STEPS {
            if let Some(violation) = self.violation.take() {
                return Err(violation);
            }
            let moment = self.below(40) as u64;
            self.pass(Duration::from_millis(moment));
            match self.below(16) {
                0 => self.seen = self.truth.clone(),
                1 => self.truth.collect_garbage(),
                2 => self.authority.work(self.now),
                3 if self.wishes > 0 && self.one_in(6) => {
                    self.wishes -= 1;
                    self.account.wanted += 1;
                    self.account.interfered = true;
                    self.tell(&"edited in between");
                    self.edit();
                }
                _ => {
                    let all = self.seen.deciders();
                    let one = self.below(all.len());
                    match self.look(&all[one]) {
                        Look::Idle(_) => idle += 1,
                        Look::Acted => idle = 0,
                    }
                    if idle > 2 * all.len() {
                        idle = 0;
                        if self.rests()? {
                            return Ok(());
                        }
                    }
                }
            }
        }
        Err(format!("it does not end: {:?}", self.truth))
    }

    /// Everything that was on its way arrives. If there is nothing to do then, time passes until there is; whether
    /// there will be nothing for long.
    fn rests(&mut self) -> Result<bool, String> {
        self.truth.collect_garbage();
        self.authority.work(self.now);
        self.seen = self.truth.clone();
        let mut wait: Option<Duration> = None;
        for object in self.seen.deciders() {
            match self.look(&object) {
                Look::Acted => return Ok(false),
                Look::Idle(Some(next)) => wait = Some(wait.map_or(next, |wait| wait.min(next))),
                Look::Idle(None) => {}
            }
        }
        match wait {
            Some(wait) if wait < REST => self.pass(wait),
            Some(_) => return Ok(true),
            None => return Err(format!("nothing happens any more: {:?}", self.truth)),
        }
        Ok(false)
    }

    pub(crate) fn die(&mut self) {
        self.account.excuses += 1;
        let while_nobody_is_there = self.below(5_000) as u64;
        self.pass(Duration::from_millis(while_nobody_is_there));
        if self.way == Way::Http01 && self.one_in(2) {
            self.account.excuses += self.authority.finds_nobody();
        }
        self.memories = Memories::new(self.now);
        self.seen = self.truth.clone();
    }

    pub(crate) fn fate(&mut self) -> Fate {
        if self.faults == 0 || !self.one_in(8) {
            return Fate::Done;
        }
        self.faults -= 1;
        [Fate::Lost, Fate::Unanswered, Fate::DiesBefore, Fate::DiesAfter][self.below(4)]
    }

    fn pass(&mut self, time: Duration) {
        self.now = self.now.checked_add(time).expect("it is not the end of time");
    }

    pub(crate) fn tell(&self, what: &impl Debug) {
        if self.traced {
            println!("{} {what:?}", self.now);
        }
    }

    pub(crate) fn fresh(&mut self) -> u64 {
        self.uids += 1;
        self.uids
    }

    /// A number below this one (SplitMix64).
    fn below(&mut self, bound: usize) -> usize {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }

    pub(crate) fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }
}
