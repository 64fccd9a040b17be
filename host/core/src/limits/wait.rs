//! Why an Order waits, for the person who looks at it.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use signet_api::meta::whole_seconds;

use super::bucket::{Bucket, Kind, Limit};

/// The longest time that an Order waits without asking whether it was forgotten.
const LONGEST: SignedDuration = SignedDuration::from_hours(6);

/// An Order that waits for room.
#[derive(Clone, Debug, PartialEq)]
pub struct Wait {
    /// The bucket that has none.
    pub bucket: Bucket,
    pub cause: Cause,
    /// When there is room, at the earliest.
    pub until: Timestamp,
    /// How many others wait for it.
    pub others: usize,
}

/// What is in the way.
#[derive(Clone, Debug, PartialEq)]
pub enum Cause {
    /// A limit that is known beforehand.
    Limit { of: String, limit: Limit, used: u32 },
    /// What the CA said to an Order that would ask for the same.
    Said { said: String },
}

impl Wait {
    /// When to ask again, unless called before: not much earlier than its turn can come.
    pub fn asks_again(&self) -> Timestamp {
        let others = i32::try_from(self.others).unwrap_or(i32::MAX);
        let behind = match &self.cause {
            Cause::Limit { limit, .. } => limit.interval().saturating_mul(others).min(LONGEST),
            Cause::Said { .. } => SignedDuration::ZERO,
        };
        self.until + behind
    }

    /// Whether `reason` tells of this wait already: its numbers change, and what is told once is enough.
    pub fn is_told(&self, reason: &str) -> bool {
        reason.starts_with(&self.opening())
    }

    /// Which limit it is: what stays the same as long as the wait.
    fn opening(&self) -> String {
        match &self.cause {
            Cause::Limit { of, limit, used: _ } => {
                let (count, period) = (limit.count, Period(limit.period));
                match self.bucket.kind {
                    Kind::NewOrders | Kind::Share => {
                        format!("Waiting for room: the CA takes {count} new orders of this account in {period}")
                    }
                    Kind::NewOrdersPerAddress => {
                        format!("Waiting for room: the CA takes {count} new orders of one address in {period}")
                    }
                    Kind::CertificatesPerDomain => format!(
                        "Waiting for room: the CA issues {count} certificates with names under {of} in {period}"
                    ),
                    Kind::CertificatesPerSet => {
                        format!(
                            "Waiting for room: the CA issues {count} certificates for exactly these names in {period}"
                        )
                    }
                    Kind::FailuresPerName => {
                        format!("Waiting: the CA lets proofs for {of} fail {count} times in {period}")
                    }
                    Kind::FailuresInARow => {
                        format!("Waiting: the CA lets proofs for {of} fail {count} times in a row")
                    }
                }
            }
            Cause::Said { said: _ } => "Waiting as the CA asks".to_owned(),
        }
    }

    /// What the person who reads it can do.
    fn remedy(&self) -> &'static str {
        match (&self.cause, self.bucket.kind) {
            (Cause::Said { .. }, _) => "Signet asks again by itself",
            (_, Kind::NewOrdersPerAddress) => "Signet goes on by itself",
            (_, Kind::NewOrders | Kind::Share) => {
                "Signet goes on by itself, with renewals first and namespaces in turn; `kubectl signet limits` shows who \
                 used them"
            }
            (_, Kind::CertificatesPerDomain) => {
                "Signet goes on by itself; several names in one certificate count once, and `kubectl signet limits` \
                 shows who used them"
            }
            (_, Kind::CertificatesPerSet) => {
                "Signet goes on by itself; find out what has them issued so often, for a certificate that is there needs \
                 no other"
            }
            (_, Kind::FailuresPerName | Kind::FailuresInARow) => {
                "Signet goes on by itself; until then find out why they fail: `kubectl signet status certificate` says what \
                 the CA saw"
            }
        }
    }
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (opening, until) = (self.opening(), whole_seconds(self.until));
        match &self.cause {
            Cause::Limit { used, limit, of: _ } => {
                let used = used.min(&limit.count);
                write!(f, "{opening}, and {used} are used; there is room for one more at {until} at the earliest")?;
            }
            Cause::Said { said } => {
                write!(
                    f,
                    "{opening} until {until} at the earliest, which it said to another Order: {}",
                    said.trim_end_matches('.')
                )?;
            }
        }
        match self.others {
            0 => {}
            1 => f.write_str(", and another Order waits too")?,
            others => write!(f, ", and {others} other Orders wait too")?,
        }
        write!(f, ". {}", self.remedy())
    }
}

impl Limit {
    /// The period, for people: `3 h`.
    pub fn told_period(&self) -> String {
        Period(self.period).to_string()
    }
}

/// A period in the largest unit that it is a whole number of.
struct Period(SignedDuration);

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let units = [(86_400, "d"), (3600, "h"), (60, "min"), (1, "s")];
        match units.iter().find(|(unit, _)| seconds > 0 && seconds % unit == 0) {
            Some((unit, name)) => write!(f, "{} {name}", seconds / unit),
            None => write!(f, "{:#}", self.0),
        }
    }
}
