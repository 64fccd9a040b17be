//! The whole path from a Certificate to a Secret in memory, by schedules that a seed makes: which object is looked at
//! next, what is stale, which write is lost or goes unanswered, when the process dies, and when a person interferes.
//!
//! Every decision is the crate's own; the edges around them are modelled after the controller's. `SIGNET_SCHEDULES` says
//! how many are run, `SIGNET_SEED` replays one and tells each step.

#![allow(clippy::panic, reason = "a test fails by panicking")]

mod authority;
mod cluster;
mod observe;
mod oracle;
mod process;
mod schedule;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use schedule::Schedule;

/// How many are run when nobody says it.
const SCHEDULES: u64 = 10_000;

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|error| panic!("{variable}={text}: {error}")))
}

#[test]
fn every_schedule_ends_with_one_certificate_and_nothing_left_over() {
    if let Some(seed) = number("SIGNET_SEED") {
        Schedule::new(seed, true).run().unwrap_or_else(|violation| panic!("seed {seed}: {violation}"));
        return;
    }
    let (count, next, violations) =
        (number("SIGNET_SCHEDULES").unwrap_or(SCHEDULES), AtomicU64::new(0), Mutex::new(Vec::new()));
    let run = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= count {
                return;
            }
            if let Err(violation) = Schedule::new(seed, false).run() {
                let told = format!("SIGNET_SEED={seed} replays: {violation}");
                println!("{told}");
                violations.lock().unwrap_or_else(PoisonError::into_inner).push(told);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(run);
        }
    });
    let violations = violations.into_inner().unwrap_or_else(PoisonError::into_inner);
    println!("sim_schedules: {count}\nsim_violations: {}", violations.len());
    assert!(violations.is_empty(), "{} of {count} schedules: {}", violations.len(), violations[0]);
}
