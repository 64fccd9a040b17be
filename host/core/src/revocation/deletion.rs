//! A Certificate that is being deleted: its certificates are revoked before it goes, if it says so. It is not
//! held for ever: what can not be done at all lets it go at once, and everything else in time.

use std::time::Duration;

use jiff::Timestamp;

use super::marks::Policy;
use super::observed::{Known, Observed, Target};
use super::reason::Reason;
use super::{Action, RevocationPlan, Step, Trouble, act, asked, status, step};
use crate::failure::remaining;
use crate::plan::{Event, Severity};

/// How long a Certificate is held at most.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// Decides what a Certificate needs that is being deleted since `since`.
pub(super) fn decide(observed: &Observed, since: Timestamp, now: Timestamp) -> RevocationPlan {
    if !observed.held {
        return RevocationPlan::rest();
    }
    let steps = steps(observed, now);
    let ask: Vec<_> = steps.iter().filter_map(Step::ask).collect();
    if !ask.is_empty() {
        return act(ask);
    }
    let patience = remaining(since, PATIENCE, now);
    let waits: Vec<_> = steps.iter().filter_map(|step| waits(step, since)).collect();
    match patience.filter(|_| !waits.is_empty()) {
        Some(left) => {
            let plan = status::told(observed, waits, now);
            RevocationPlan { requeue: Some(plan.requeue.map_or(left, |again| again.min(left))), ..plan }
        }
        None => let_go(observed, steps),
    }
}

/// What is asked for, then every certificate that is still good.
fn steps(observed: &Observed, now: Timestamp) -> Vec<Step> {
    let asked = asked(observed, now);
    let revokes_all = observed.policy.as_ref().is_ok_and(|policy: &Policy| policy.deleted);
    let is_asked = |known: &Known| match &observed.request {
        Some(Ok(request)) => observed.find(request).is_some_and(|one| one.identity == known.identity),
        Some(Err(_)) | None => false,
    };
    let all = observed.certificates.iter().filter(|known| {
        let identity = &known.identity;
        revokes_all && identity.not_after > now && !observed.is_revoked(&identity.sha256) && !is_asked(known)
    });
    let all = all.map(|known| {
        let reason = Reason::CessationOfOperation;
        let target = Target { identity: known.identity.clone(), reason, with_certificate_key: false };
        step(observed, known, target, now)
    });
    asked.into_iter().chain(all).collect()
}

/// The trouble of a step that time may help, which says how long that may take.
fn waits(step: &Step, since: Timestamp) -> Option<Trouble> {
    let Step::Stuck(trouble) = step else { return None };
    trouble.again?;
    let message =
        format!("{}; the Certificate is held for it until {} at the latest", trouble.message, since + PATIENCE);
    Some(Trouble { message, ..trouble.clone() })
}

/// Tells what was done and what was not, and lets the Certificate go.
fn let_go(observed: &Observed, steps: Vec<Step>) -> RevocationPlan {
    let mut events: Vec<_> = steps
        .into_iter()
        .map(|step| match step {
            Step::Done(record) => {
                Event { severity: Severity::Normal, reason: "Revoked", message: status::sentence(&record) }
            }
            Step::Stuck(trouble) => gives_up(&trouble.message),
            Step::Ask(_) => unreachable!("what is to be asked is asked before"),
        })
        .collect();
    events.extend(observed.policy.as_ref().err().map(|why| gives_up(why)));
    RevocationPlan { actions: vec![Action::LetGo], events, ..RevocationPlan::rest() }
}

fn gives_up(why: &str) -> Event {
    let message = format!("{why}. The Certificate is deleted all the same");
    Event { severity: Severity::Warning, reason: "NotRevoked", message }
}
