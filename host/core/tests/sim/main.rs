//! Clusters over months at a CA that enforces its limits, decided by the decisions themselves.
//!
//! [`cluster`] holds what the API server would, applies plans, and wakes who is due; [`ca`] counts as Let's Encrypt
//! publishes that it does, by code of its own. Nothing here waits: time goes from one event to the next.
//!
//! Ten thousand certificates are what `make sim` runs; `make test` runs some hundreds.

#![allow(clippy::panic, reason = "what can not be fails the test")]

mod ca;
mod cluster;
mod world;

use cluster::{Cluster, Setting};
use jiff::SignedDuration;

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// How many certificates: `SIM_CERTIFICATES`, else some hundreds.
fn certificates() -> usize {
    std::env::var("SIM_CERTIFICATES").ok().and_then(|count| count.parse().ok()).unwrap_or(400)
}

/// A whole life: all are asked for at once, live through an outage of two days, and are revoked.
fn life(days: i32, ari: bool) {
    let setting = Setting { certificates: certificates(), lifetime: DAY * days, ari };
    let mut cluster = Cluster::new(&setting);
    let phase = DAY * days;
    // Just before the first renewals are due, and for two days of them.
    cluster.run_until(phase * 2 / 3 - DAY);
    cluster.outage(DAY * 2);
    cluster.run_until(phase);
    cluster.restart();
    cluster.renew_by_hand(0, 8);
    cluster.run_until(phase * 4 / 3);
    cluster.revoke_all();
    cluster.run_until(phase * 4 / 3 + DAY);
    cluster.restart();
    cluster.run_until(phase * 5 / 2);
    let report = cluster.report();
    println!("{report}");
    assert_eq!(report.too_many, 0, "no order is refused that could have waited: {report}");
    assert_eq!(report.expired, 0, "no certificate expires: {report}");
    assert_eq!(report.without, 0, "every name that can be proven has a certificate: {report}");
    assert_eq!(report.revoked_in_use, 0, "what was revoked was replaced: {report}");
    assert!(report.most_told <= 3, "an Order tells once of each wait: {report}");
    assert!(report.peak <= 450, "one address asks for little more than it may in a second: {report}");
    assert!(report.orders > 2 * certificates(), "renewals took place: {report}");
}

#[test]
fn ninety_days_with_ari() {
    life(90, true);
}

#[test]
fn ninety_days_without_ari() {
    life(90, false);
}

#[test]
fn thirty_days_with_ari() {
    life(30, true);
}

#[test]
fn thirty_days_without_ari() {
    life(30, false);
}
