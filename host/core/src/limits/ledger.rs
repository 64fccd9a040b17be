//! What was spent for objects that are gone, as a line of text: for the Lease that the leader renews anyway.
//!
//! It holds the buckets that such objects took from, with when each will be full: all that was spent of it, not
//! only for what is gone. Who reads it takes the later of that and of what the objects show.

use jiff::Timestamp;

use super::bucket::{Bucket, Kind};
use super::budget::Budget;

/// How many buckets it holds at most: those that are full last.
const MOST: usize = 500;

const LETTERS: [(char, Kind); 7] = [
    ('n', Kind::NewOrders),
    ('a', Kind::NewOrdersPerAddress),
    ('d', Kind::CertificatesPerDomain),
    ('c', Kind::CertificatesPerSet),
    ('f', Kind::FailuresPerName),
    ('r', Kind::FailuresInARow),
    ('s', Kind::Share),
];

impl Budget {
    /// What the next process could not see from objects; empty when there is nothing.
    pub fn ledger(&mut self, now: Timestamp) -> String {
        let full: Vec<_> = self.lost.iter().map(|bucket| (self.full(*bucket), *bucket)).collect();
        let mut open: Vec<(Timestamp, Bucket)> =
            full.into_iter().filter_map(|(full, bucket)| Some((full.filter(|full| *full > now)?, bucket))).collect();
        self.lost = open.iter().map(|(_, bucket)| *bucket).collect();
        open.sort_by(|a, b| b.cmp(a));
        open.truncate(MOST);
        open.sort_by_key(|(_, bucket)| *bucket);
        let entry = |(full, bucket): &(Timestamp, Bucket)| {
            let letter = LETTERS.iter().find(|(_, kind)| *kind == bucket.kind).map_or('?', |(letter, _)| *letter);
            format!("{letter}{:016x}={}", bucket.of, full.as_second() + 1)
        };
        open.iter().map(entry).collect::<Vec<_>>().join(" ")
    }

    /// Takes in what a process before this one has written down. What can not be read is left out.
    pub fn inherit(&mut self, ledger: &str) {
        for (bucket, full) in ledger.split_whitespace().filter_map(read) {
            self.at_least(bucket, full);
        }
    }
}

fn read(entry: &str) -> Option<(Bucket, Timestamp)> {
    let (name, full) = entry.split_once('=')?;
    let letter = name.chars().next()?;
    let kind = LETTERS.iter().find(|(known, _)| *known == letter)?.1;
    let of = u64::from_str_radix(name.get(1..)?, 16).ok()?;
    Some((Bucket { kind, of }, Timestamp::from_second(full.parse().ok()?).ok()?))
}
