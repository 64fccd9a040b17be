//! Challenge: show the proof, see it as the CA will, tell the CA, and clean up.
//!
//! Results of earlier actions live in [`Memory`] and go with the process. What must outlive it
//! stands in the status, which is written late: a Challenge that is done within
//! [`PROGRESS_GRACE`] costs one write. A process that finds a Challenge older than itself asks the
//! CA first, shows the proof again (solvers are idempotent) and assumes that it must clean up.
//!
//! A proof that Signet serves itself is shown again while the CA has not decided: when the replicas
//! that serve it are others than the solver was told, and now and then while it can not be seen. Then
//! what was taken away is there again, and the solver may say what it finds wrong.
//!
//! Calling solvers, looking whether a proof can be seen and talking to the CA belong to the edge.

mod admission;
mod observed;
#[cfg(test)]
mod tests;

pub use crate::failure::{Failure, Retry};
pub use admission::{Admission, Standing};
pub use observed::{Check, Looked, Memory, Observed, Presented};

use std::fmt::Write;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use signet_api::{ChallengeStatus, State};

use crate::acme::AuthorizationStatus;
use crate::failure::{remaining, until_next_look};
use crate::plan::{Event, Plan, Severity};

/// What keeps a Challenge from going before its solver has cleaned up.
pub const FINALIZER: &str = "acme.cert-manager.io/finalizer";
/// How old a Challenge is before its progress is worth a write.
pub const PROGRESS_GRACE: Duration = Duration::from_secs(3);
/// How long a CA is given to look before it is asked what it saw.
const FIRST_POLL: Duration = Duration::from_millis(400);
const POLL: Duration = Duration::from_secs(1);
/// Whoever waits for its turn is woken; this is for what nobody thought of.
const SLOT_RECHECK: Duration = Duration::from_secs(60);
const TURN_RECHECK: Duration = Duration::from_secs(5);
const CLEAN_UP_RETRY: Duration = Duration::from_secs(60);
/// How long after a look that failed the next one is, at first: by whether Signet serves the proof.
const FIRST_RECHECK: Duration = Duration::from_millis(500);
const FIRST_RECHECK_ELSEWHERE: Duration = Duration::from_secs(2);
/// A name or a route that was corrected is noticed within this.
const LONGEST_RECHECK: Duration = Duration::from_secs(10);
/// Of so many looks that fail, one is followed by showing the proof again: first after the third.
const LOOKS_A_SHOW: u32 = 4;
/// How long after a failure to show the proof again it is tried, unless the failure says it.
const SHOW_RETRY: Duration = Duration::from_secs(60);

/// Everything that a Challenge may need done. Each result goes into [`Memory`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Has the solver show the proof.
    Present,
    /// Looks whether the proof can be seen from here.
    Check,
    /// Tells the CA to look.
    Accept,
    /// Asks the CA how the authorization stands.
    Poll,
    /// Has the solver take the proof back. The receipt, in base64, is what `Present` returned.
    CleanUp { receipt: Option<String> },
    /// Lets the Challenge go.
    RemoveFinalizer,
}

/// A plan for a Challenge.
pub type ChallengePlan = Plan<Action, ChallengeStatus>;

/// Decides what a Challenge needs now.
pub fn decide(observed: &Observed, now: Timestamp) -> ChallengePlan {
    if observed.deleting {
        return release(observed, now);
    }
    match observed.status.state {
        Some(State::Valid) => ChallengePlan::rest(),
        Some(state) if state.is_final() => withdraw(observed, now),
        _ if !observed.slot => ChallengePlan::wait(SLOT_RECHECK),
        _ => prove(observed, now),
    }
}

/// A Challenge that is being deleted: clean up what may be there, then let it go.
fn release(observed: &Observed, now: Timestamp) -> ChallengePlan {
    if !observed.finalizer {
        return ChallengePlan::rest();
    }
    if !observed.maybe_presented() || observed.memory.cleaned_up {
        return act(Action::RemoveFinalizer);
    }
    match observed.memory.clean_up_failure.as_ref().filter(|_| observed.orphaned || observed.was_refused()) {
        Some(failure) => abandon(observed, failure),
        None => clean_up(observed, now),
    }
}

/// Without an issuer a proof that could not be cleaned up never will be, and one that could not be
/// shown is not there; a namespace that is being deleted must not wait for either for ever.
fn abandon(observed: &Observed, failure: &Failure) -> ChallengePlan {
    let Observed { dns_name, memory, .. } = observed;
    let message = match memory.failure.as_ref().filter(|_| observed.was_refused()) {
        Some(refusal) if refusal.message == failure.message => {
            format!("The proof for {dns_name} could be neither shown nor cleaned up: {}", failure.message)
        }
        Some(refusal) => format!(
            "The proof for {dns_name} could not be shown ({}), nor cleaned up: {}",
            refusal.message, failure.message
        ),
        None => format!(
            "The proof for {dns_name} may be left behind, as its issuer is gone and cleaning up failed: {}",
            failure.message
        ),
    };
    let event = Event { severity: Severity::Warning, reason: "CleanUpError", message };
    ChallengePlan { events: vec![event], ..act(Action::RemoveFinalizer) }
}

/// A Challenge that failed: take the proof back at once.
fn withdraw(observed: &Observed, now: Timestamp) -> ChallengePlan {
    if !observed.status.presented {
        return ChallengePlan::rest();
    }
    if !observed.memory.cleaned_up {
        return clean_up(observed, now);
    }
    write(observed, ChallengeStatus { presented: false, receipt: None, ..observed.status.clone() })
}

/// Proofs are never left behind, so cleaning up goes on however it fails.
fn clean_up(observed: &Observed, now: Timestamp) -> ChallengePlan {
    let receipt = observed.receipt();
    let Some(failure) = &observed.memory.clean_up_failure else {
        return act(Action::CleanUp { receipt });
    };
    let wait = match failure.retry {
        Retry::Later(wait) => remaining(failure.at, wait, now),
        Retry::OnChange | Retry::Never => remaining(failure.at, CLEAN_UP_RETRY, now),
    };
    let Some(wait) = wait else { return act(Action::CleanUp { receipt }) };
    let reason = format!(
        "The proof for {} could not be cleaned up: {}. Signet tries again until it is gone",
        observed.dns_name, failure.message
    );
    let plan = write(observed, ChallengeStatus { reason: Some(reason.clone()), ..observed.status.clone() });
    let event = Event { severity: Severity::Warning, reason: "CleanUpError", message: reason };
    let events = if plan.status.is_some() { vec![event] } else { Vec::new() };
    ChallengePlan { events, requeue: Some(wait), ..plan }
}

/// Shows the proof again where that is due, else takes the next step.
fn prove(observed: &Observed, now: Timestamp) -> ChallengePlan {
    match show_again(observed, now) {
        Some(Duration::ZERO) => step(observed, Action::Present, now),
        Some(wait) => {
            let plan = next_step(observed, now);
            ChallengePlan { requeue: Some(plan.requeue.map_or(wait, |other| other.min(wait))), ..plan }
        }
        None => next_step(observed, now),
    }
}

/// When to show again what is shown already, if it is to be.
fn show_again(observed: &Observed, now: Timestamp) -> Option<Duration> {
    let Memory { presented, looked, failure, .. } = &observed.memory;
    let presented = presented.as_ref()?;
    let decided = looked.as_ref().is_some_and(|looked| looked.status != AuthorizationStatus::Pending);
    if decided || failure.as_ref().is_some_and(|failure| failure.retry == Retry::Never) {
        return None;
    }
    let looks = observed.memory.looks();
    let unseen = observed.served && looks % LOOKS_A_SHOW == LOOKS_A_SHOW - 1 && looks != presented.looks;
    let moved = presented.leads_to.as_ref().is_some_and(|replicas| *replicas != observed.replicas);
    if !unseen && !moved {
        return None;
    }
    let wait = presented.again.as_ref().filter(|_| !unseen).and_then(|failure| match failure.retry {
        Retry::Later(wait) => remaining(failure.at, wait, now),
        Retry::OnChange | Retry::Never => remaining(failure.at, SHOW_RETRY, now),
    });
    Some(wait.unwrap_or(Duration::ZERO))
}

/// The chain of steps, each of which relies on what memory holds of the one before.
fn next_step(observed: &Observed, now: Timestamp) -> ChallengePlan {
    let memory = &observed.memory;
    if let Some(failure) = &memory.failure {
        match failure.retry {
            Retry::Never => return finish(observed, State::Errored, failure.message.clone(), "Failed"),
            Retry::OnChange => return progress(observed, Some(failure.message.clone()), None, now),
            Retry::Later(wait) => {
                if let Some(wait) = remaining(failure.at, wait, now) {
                    return progress(observed, Some(failure.message.clone()), Some(wait), now);
                }
            }
        }
    }
    match &memory.looked {
        None if observed.is_older_than_process() => return act(Action::Poll),
        Some(looked) if looked.status != AuthorizationStatus::Pending => return settle(observed, looked),
        _ => {}
    }
    let Some(presented) = &memory.presented else {
        return match &observed.behind {
            Some(first) => queue_up(observed, first, now),
            None => step(observed, Action::Present, now),
        };
    };
    if let Some(wait) = observed.wait_instead_of_check {
        return match remaining(presented.at, wait, now) {
            None => ask(observed, now),
            Some(left) => progress(observed, Some(waiting(observed, wait)), Some(left), now),
        };
    }
    match &memory.check {
        Some(Check::Passed) => ask(observed, now),
        None => step(observed, Action::Check, now),
        Some(Check::Failed { attempts, message, at }) => {
            match remaining(*at, recheck_after(observed.served, *attempts), now) {
                None => step(observed, Action::Check, now),
                Some(wait) => progress(observed, Some(not_seen(observed, presented, message)), Some(wait), now),
            }
        }
    }
}

/// What answered instead of the proof, and what the solver has to say to that. In words that stay the
/// same: each change of them is written to four objects.
fn not_seen(observed: &Observed, presented: &Presented, message: &str) -> String {
    let mut reason = format!("{} does not show the proof yet: {message}", observed.dns_name);
    if !presented.warnings.is_empty() {
        let _ = write!(reason, ". The solver warns: {}", presented.warnings.join("; "));
    }
    if let Some(failure) = &presented.again {
        let _ = write!(reason, ". It could not be shown again: {}", failure.message);
    }
    let _ = write!(reason, ". Signet goes on looking, every {} s", LONGEST_RECHECK.as_secs());
    reason
}

/// The name shows the proof of another Challenge, so this one is not yet worked on.
fn queue_up(observed: &Observed, first: &str, now: Timestamp) -> ChallengePlan {
    let name = &observed.dns_name;
    let reason = format!(
        "Challenge {first} was first to prove {name} by TLS-ALPN-01, which can show one proof at a time; this one \
         follows when that one is done or gone"
    );
    let status = ChallengeStatus { state: Some(State::Pending), reason: Some(reason), ..observed.status.clone() };
    tell(observed, status, Some(TURN_RECHECK), now)
}

fn waiting(observed: &Observed, wait: Duration) -> String {
    let name = &observed.dns_name;
    format!(
        "The proof for {name} is shown; the solver's waitInsteadOfSelfCheck lets {} s pass before the CA is told",
        wait.as_secs()
    )
}

/// The proof can be seen: have the CA look, and ask what it found.
fn ask(observed: &Observed, now: Timestamp) -> ChallengePlan {
    let looked = observed.memory.looked.as_ref();
    let started = looked.is_some_and(|looked| looked.validating);
    let Some(since) = observed.memory.accepted.or(looked.filter(|_| started).map(|looked| looked.at)) else {
        return step(observed, Action::Accept, now);
    };
    let Some(looked) = looked.filter(|looked| looked.at >= since) else {
        return match remaining(since, FIRST_POLL, now) {
            None => step(observed, Action::Poll, now),
            Some(wait) => progress(observed, None, Some(wait), now),
        };
    };
    match remaining(looked.at, until_next_look(looked.retry_after, POLL), now) {
        None => step(observed, Action::Poll, now),
        Some(wait) => progress(observed, None, Some(wait), now),
    }
}

/// What the CA has decided.
fn settle(observed: &Observed, looked: &Looked) -> ChallengePlan {
    let name = &observed.dns_name;
    let problem = looked.problem.as_deref().unwrap_or("it gave no reason");
    match looked.status {
        AuthorizationStatus::Valid => finish(observed, State::Valid, format!("{name} is proven"), "DomainVerified"),
        AuthorizationStatus::Expired => {
            finish(observed, State::Expired, format!("The CA's authorization for {name} expired"), "Failed")
        }
        _ => finish(
            observed,
            State::Invalid,
            format!("The CA does not accept the proof for {name}: {problem}"),
            "Failed",
        ),
    }
}

/// Writes a final state, at once.
fn finish(observed: &Observed, state: State, reason: String, event: &'static str) -> ChallengePlan {
    let severity = if state == State::Valid { Severity::Normal } else { Severity::Warning };
    let status = ChallengeStatus {
        processing: false,
        presented: observed.maybe_presented(),
        state: Some(state),
        reason: Some(reason.clone()),
        ..observed.progress_status()
    };
    let events = vec![Event { severity, reason: event, message: reason }];
    ChallengePlan { events, ..write(observed, status) }
}

/// A step to take now. How far it is gets written beside it only where it takes long.
fn step(observed: &Observed, action: Action, now: Timestamp) -> ChallengePlan {
    let plan = progress(observed, observed.status.reason.clone(), None, now);
    ChallengePlan { actions: vec![action], requeue: None, ..plan }
}

/// Waits, and writes how far it is once the Challenge is old enough for that.
fn progress(observed: &Observed, reason: Option<String>, wait: Option<Duration>, now: Timestamp) -> ChallengePlan {
    tell(observed, ChallengeStatus { reason, ..observed.progress_status() }, wait, now)
}

fn tell(observed: &Observed, status: ChallengeStatus, wait: Option<Duration>, now: Timestamp) -> ChallengePlan {
    match remaining(observed.created, PROGRESS_GRACE, now) {
        None => ChallengePlan { requeue: wait, ..write(observed, status) },
        Some(grace) => ChallengePlan::wait(wait.map_or(grace, |wait| wait.min(grace))),
    }
}

fn act(action: Action) -> ChallengePlan {
    ChallengePlan { actions: vec![action], ..ChallengePlan::rest() }
}

fn write(observed: &Observed, status: ChallengeStatus) -> ChallengePlan {
    ChallengePlan { status: (status != observed.status).then_some(status), ..ChallengePlan::rest() }
}

fn recheck_after(served: bool, attempts: u32) -> Duration {
    let first = if served { FIRST_RECHECK } else { FIRST_RECHECK_ELSEWHERE };
    (first * 2_u32.pow(attempts.saturating_sub(1).min(5))).min(LONGEST_RECHECK)
}

impl Observed {
    fn progress_status(&self) -> ChallengeStatus {
        let presented = self.memory.presented.as_ref();
        ChallengeStatus {
            processing: true,
            presented: self.status.presented || presented.is_some(),
            presented_at: self.status.presented_at.clone().or(presented.map(|presented| Time(presented.at))),
            receipt: self.receipt(),
            state: Some(State::Pending),
            reason: None,
        }
    }
}
