//! One limit, and the bucket that keeps count of one of the things that it is set to.

use jiff::{SignedDuration, Timestamp};

use crate::digest::sha256_hex;

/// What a CA counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// New orders of an account.
    NewOrders,
    /// New orders of everybody at one address, exempt or not.
    NewOrdersPerAddress,
    /// Certificates with a name under a registered domain, whoever asks for them.
    CertificatesPerDomain,
    /// Certificates for exactly the same names.
    CertificatesPerSet,
    /// Failures of an account to prove a name.
    FailuresPerName,
    /// The same without a success in between.
    FailuresInARow,
    /// New orders of an account for one namespace: no CA's limit, but what fairness goes by.
    Share,
}

/// So many in a period, refilled evenly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// At least 1.
    pub count: u32,
    /// Longer than nothing.
    pub period: SignedDuration,
}

/// The name of a bucket: what is counted, and a hash of whose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bucket {
    pub kind: Kind,
    pub of: u64,
}

impl Bucket {
    /// The bucket of `kind` that `facts` tell from all others.
    pub fn new(kind: Kind, facts: &[&str]) -> Self {
        let digest = sha256_hex(facts.join("\n").as_bytes());
        Self { kind, of: u64::from_str_radix(&digest[..16], 16).expect("a digest is hexadecimal") }
    }
}

impl Limit {
    /// So many within so many hours.
    pub const fn hourly(count: u32, hours: i64) -> Self {
        Self { count, period: SignedDuration::from_hours(hours) }
    }

    /// How long it takes until one more has room.
    pub fn interval(&self) -> SignedDuration {
        self.period / i32::try_from(self.count).unwrap_or(i32::MAX)
    }

    /// How many are used at `now` of a bucket that will be full at `full`.
    pub fn used(&self, full: Timestamp, now: Timestamp) -> u32 {
        let left = full.duration_since(now).max(SignedDuration::ZERO).as_millis();
        let interval = self.interval().as_millis().max(1);
        u32::try_from((left + interval - 1) / interval).unwrap_or(u32::MAX)
    }

    /// From when on a bucket that will be full at `full` has room for one more, if only `count` may be used.
    pub fn opens(&self, full: Timestamp, count: u32) -> Timestamp {
        let room = self.interval() * i32::try_from(count.max(1) - 1).unwrap_or(i32::MAX);
        full - room
    }

    /// When a bucket is full again after one more was taken at `at`.
    pub fn spend(&self, full: Option<Timestamp>, at: Timestamp) -> Timestamp {
        full.map_or(at, |full| full.max(at)) + self.interval()
    }
}
