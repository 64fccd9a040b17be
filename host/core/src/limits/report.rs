//! What is used of each limit, and by whom.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::bucket::{Bucket, Kind, Limit};
use super::budget::{Budget, Outcome};
use super::history::Spending;
use super::table::Book;

/// One limit of which something is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub directory: String,
    pub kind: Kind,
    /// What is counted: a domain, names, an account.
    pub of: String,
    pub limit: Limit,
    pub used: u32,
    /// When there is room, if there is none now.
    pub opens: Option<Timestamp>,
    /// How many orders of each namespace count, or counted within the period.
    pub by: BTreeMap<String, u32>,
}

/// What is used of each limit at `now`, the fullest first. `ledger` is what a leader has written down.
pub fn report(book: &Book, spendings: &[Spending], ledger: &str, now: Timestamp) -> Vec<Line> {
    let mut budget = Budget::after(book.clone(), spendings.to_vec());
    budget.inherit(ledger);
    let mut found: BTreeMap<Bucket, Line> = BTreeMap::new();
    for Spending { applicant, at, ended } in spendings.iter().filter(|spending| !spending.applicant.exempt) {
        let Some(limits) = budget.limits(&applicant.directory) else { continue };
        for used in &applicant.uses {
            let Some(limit) = limits.get(&used.bucket.kind) else { continue };
            let counts = match (used.bucket.kind, ended) {
                (Kind::NewOrders | Kind::NewOrdersPerAddress, _) => true,
                (Kind::FailuresPerName | Kind::FailuresInARow, Some((_, Outcome::Failed { name }))) => {
                    name.as_ref() == Some(&used.of)
                }
                (Kind::FailuresPerName | Kind::FailuresInARow, _) => false,
                (_, ended) => !matches!(ended, Some((_, Outcome::Failed { .. }))),
            };
            let amount = budget.used(used.bucket, limit, now);
            if !counts || amount == 0 || now.duration_since(*at) > limit.period {
                continue;
            }
            let opens =
                budget.full(used.bucket).map(|full| limit.opens(full, limit.count)).filter(|opens| *opens > now);
            let line = found.entry(used.bucket).or_insert_with(|| Line {
                directory: applicant.directory.clone(),
                kind: used.bucket.kind,
                of: used.of.clone(),
                limit: *limit,
                used: amount,
                opens,
                by: BTreeMap::new(),
            });
            *line.by.entry(applicant.namespace.clone()).or_default() += 1;
        }
    }
    let mut lines: Vec<Line> = found.into_values().collect();
    lines.sort_by(|a, b| share(b).cmp(&share(a)).then_with(|| (a.kind, &a.of).cmp(&(b.kind, &b.of))));
    lines
}

/// How much of it is used, in thousandths.
fn share(line: &Line) -> u64 {
    u64::from(line.used) * 1000 / u64::from(line.limit.count)
}
