//! The status of a Certificate for each place that a decision may end in. A status equal to what
//! the API server holds is not written.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use signet_api::certificate::condition::{ISSUING, READY};
use signet_api::meta::{remove_condition, set_condition, whole_seconds};
use signet_api::{CertificateStatus, Condition, ConditionStatus};

use super::CertificatePlan;
use super::observed::{Failure, Observed, Pair, Request, SecretData};
use super::renewal;
use super::violations::Violation;
use crate::plan::{Event, Severity};

/// The reason of an attempt that failed while no Signet was there for a part of it.
pub(super) const INTERRUPTED: &str = "Interrupted";

fn set(status: &mut CertificateStatus, observed: &Observed, new: Condition, now: Timestamp) {
    set_condition(&mut status.conditions, new.observed(Some(observed.generation)), now);
}

fn plan(observed: &Observed, status: CertificateStatus) -> CertificatePlan {
    CertificatePlan { status: (status != observed.status).then_some(status), ..CertificatePlan::rest() }
}

/// A certificate that can not be used, and nothing in progress to change that.
pub(super) fn not_ready(observed: &Observed, reason: &str, message: &str, now: Timestamp) -> CertificatePlan {
    let mut status = observed.status.clone();
    set(&mut status, observed, Condition::new(READY, ConditionStatus::False, reason, message), now);
    plan(observed, status)
}

/// An issuance under way, and what it waits for. A certificate that is still good while it is
/// renewed stays Ready.
pub(super) fn issuing(
    observed: &Observed,
    violation: Option<&Violation>,
    request: &Request,
    waits_for: Option<&str>,
    now: Timestamp,
) -> CertificatePlan {
    let mut status = observed.status.clone();
    let told = |why: &Violation| match waits_for {
        Some(what) => format!("{}. CertificateRequest {}: {what}", why.message, request.name),
        None => why.message.clone(),
    };
    // What somebody else said when they asked for it stays, while there is nothing to add.
    if !observed.is_issuing() || waits_for.is_some() {
        let why = why(violation);
        let begun_for = observed.condition(ISSUING).filter(|issuing| issuing.is_true());
        let reason = begun_for.and_then(|issuing| issuing.reason.clone()).unwrap_or_else(|| why.reason.to_owned());
        set(&mut status, observed, Condition::new(ISSUING, ConditionStatus::True, reason, told(&why)), now);
    }
    status.next_private_key_secret_name = Some(request.key_secret.clone());
    set_broken(&mut status, observed, violation, told, now);
    plan(observed, status)
}

/// What is told when an issuance begins.
pub(super) fn begun(violation: Option<&Violation>) -> Event {
    let message = format!("Issuing a certificate: {}", why(violation).message);
    Event { severity: Severity::Normal, reason: "Issuing", message }
}

/// What an issuance is for: the rule that is broken, else somebody's wish.
fn why(violation: Option<&Violation>) -> Violation {
    let asked = || Violation { reason: "ManuallyTriggered", message: "issuance was asked for".to_owned() };
    violation.cloned().unwrap_or_else(asked)
}

/// Says which rule is broken, unless the certificate is good until it is renewed.
fn set_broken(
    status: &mut CertificateStatus,
    observed: &Observed,
    violation: Option<&Violation>,
    told: impl Fn(&Violation) -> String,
    now: Timestamp,
) {
    if let Some(broken) = violation.filter(|violation| violation.reason != "Renewing") {
        let ready = Condition::new(READY, ConditionStatus::False, broken.reason, told(broken));
        set(status, observed, ready, now);
    }
}

fn settle(status: &mut CertificateStatus, observed: &Observed, pair: &Pair, now: Timestamp) {
    status.not_before = Some(Time(pair.not_before));
    status.not_after = Some(Time(pair.not_after));
    let message = match renewal::is_wanted(observed) {
        true => {
            let schedule = renewal::schedule(observed, pair);
            status.renewal_time = Some(Time(schedule.told));
            status.acme = renewal::status(observed, pair, &schedule, now);
            format!("Certificate is up to date and has not expired; it is renewed at {schedule}")
        }
        false => {
            status.renewal_time = None;
            status.acme = None;
            format!("Certificate is up to date and expires at {}; spec.renewal.policy is Disabled", pair.not_after)
        }
    };
    set(status, observed, Condition::new(READY, ConditionStatus::True, "Ready", message), now);
}

/// The moment after the target Secret was written.
pub(super) fn issued(observed: &Observed, pair: &Pair, now: Timestamp) -> CertificatePlan {
    let mut status = observed.status.clone();
    remove_condition(&mut status.conditions, ISSUING);
    status.revision = Some(observed.next_revision());
    status.next_private_key_secret_name = None;
    status.failed_issuance_attempts = None;
    status.last_failure_time = None;
    settle(&mut status, observed, pair, now);
    let event = Event {
        severity: Severity::Normal,
        reason: "Issuing",
        message: format!("The certificate was issued and is in Secret {}", observed.spec.secret_name),
    };
    CertificatePlan { events: vec![event], ..plan(observed, status) }
}

/// A certificate that nothing is wrong with.
pub(super) fn ready(observed: &Observed, now: Timestamp) -> CertificatePlan {
    let Some(SecretData::Pair(pair)) = observed.secret.as_ref().map(|secret| &secret.data) else {
        return CertificatePlan::rest();
    };
    let mut status = observed.status.clone();
    // A Secret restored from a backup is as good as one that was just issued.
    status.revision = Some(observed.status.revision.unwrap_or(1));
    status.next_private_key_secret_name = None;
    remove_condition(&mut status.conditions, ISSUING);
    settle(&mut status, observed, pair, now);
    let requeue = Duration::try_from(renewal::wake(observed, pair).duration_since(now)).ok();
    let events = renewal::news(observed, pair, &status).into_iter().collect();
    CertificatePlan { requeue, events, ..plan(observed, status) }
}

/// An issuance that the issuer refused.
pub(super) fn failed(
    observed: &Observed,
    violation: Option<&Violation>,
    failure: &Failure,
    attempts: i64,
    wait: Duration,
    now: Timestamp,
) -> CertificatePlan {
    let mut status = observed.status.clone();
    status.failed_issuance_attempts = Some(attempts);
    status.last_failure_time = Some(Time(whole_seconds(failure.at)));
    status.next_private_key_secret_name = None;
    let retry = whole_seconds(failure.at) + wait;
    let (reason, message) = match wait.is_zero() {
        true => (
            INTERRUPTED,
            format!(
                "{}; Signet was not there for a part of that attempt, so it makes the next one at once",
                failure.message
            ),
        ),
        false => (
            failure.reason.as_str(),
            format!(
                "{}; attempt {attempts} failed, the next one is at {retry}, or at once with `kubectl signet renew {}` or an edit of the spec",
                failure.message, observed.name
            ),
        ),
    };
    set(&mut status, observed, Condition::new(ISSUING, ConditionStatus::False, reason, message.as_str()), now);
    set_broken(&mut status, observed, violation, |broken| with_failure(broken, &message), now);
    let event = Event { severity: Severity::Warning, reason: "Failed", message };
    CertificatePlan { events: vec![event], ..plan(observed, status) }
}

/// The time between a refusal and the next attempt: Ready tells of both what is broken and why it
/// is not yet mended. A certificate that is merely due stays Ready.
pub(super) fn backing_off(observed: &Observed, violation: &Violation, now: Timestamp) -> CertificatePlan {
    let mut status = observed.status.clone();
    let failure = observed.condition(ISSUING).and_then(|issuing| issuing.message.as_deref()).unwrap_or_default();
    set_broken(&mut status, observed, Some(violation), |broken| with_failure(broken, failure), now);
    plan(observed, status)
}

fn with_failure(broken: &Violation, failure: &str) -> String {
    format!("{}. {failure}", broken.message)
}
