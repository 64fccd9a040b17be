//! Certificate: when a certificate must be issued again, and the steps from a wish to a Secret.
//!
//! The chain of [`violations`] answers "why"; this module answers "what next". Each step leaves
//! its mark in the API server before the one that relies on it: the next key in a Secret of its
//! own, the request that names that Secret, the target Secret, and at last the status. Cut off
//! after any of them, the next decision finds the marks and carries on. That an issuance is under way
//! is no mark but news, which is written once it is older than [`PROGRESS_GRACE`].
//!
//! Making keys, signing requests and reading PEM belong to the edge; this module sees facts.

mod observed;
mod renewal;
mod revoke;
mod status;
#[cfg(test)]
mod tests;
mod violations;

pub use observed::{Failure, NextKey, Observed, Outcome, Pair, Request, SecretData, TargetSecret, next_key_secret};
pub use renewal::{Ari, Failed, Memory, Outcome as AriOutcome};
pub use violations::{Violation, first_violation};

use std::time::Duration;

use jiff::Timestamp;
use signet_api::certificate::RotationPolicy;
use signet_api::{CertificateStatus, ConditionStatus};

use crate::challenge::PROGRESS_GRACE;
use crate::failure::remaining;
use crate::plan::{Event, Plan, Severity};

/// How long a Certificate waits before it looks again whether another one still owns its Secret.
const RIVAL_RECHECK: Duration = Duration::from_secs(180);
const FIRST_BACKOFF: Duration = Duration::from_secs(3600);
const LONGEST_BACKOFF: Duration = Duration::from_secs(32 * 3600);

/// Everything that a Certificate may need done. Names are final: the edge chooses nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Makes a key by the rules of `spec.privateKey` and keeps it in a new Secret that the
    /// Certificate owns. With `copy_current`, the key of the target Secret is kept instead.
    CreateNextKey { secret: String, copy_current: bool },
    /// Signs a request with the key in `key_secret` and creates the CertificateRequest, for a
    /// certificate that takes the place of `replaces` (RFC 9773, section 5).
    CreateRequest { name: String, revision: i64, key_secret: String, replaces: Option<String> },
    /// Deletes a CertificateRequest that can no longer be used.
    DeleteRequest { name: String },
    /// Writes what `request` was issued and the key in `key_secret` into the target Secret.
    WriteSecret { request: String, key_secret: String },
    /// Writes labels, annotations and derived formats of the target Secret again; key and
    /// certificate stay.
    RepairSecret,
    /// Deletes a Secret that held a key for an issuance that is over.
    DeleteNextKey { secret: String },
    /// Asks the CA when it would like to see the certificate of this name renewed. Its answer goes into
    /// [`Memory`].
    AskRenewal { id: String },
}

/// A plan for a Certificate.
pub type CertificatePlan = Plan<Action, CertificateStatus>;

/// Decides what a Certificate needs now.
pub fn decide(observed: &Observed, now: Timestamp) -> CertificatePlan {
    if observed.deleting {
        return CertificatePlan::rest();
    }
    if !observed.spec_errors.is_empty() {
        return status::not_ready(observed, "InvalidSpec", &observed.spec_errors.join("; "), now);
    }
    if let Some(owner) = &observed.rival {
        let message = format!(
            "Secret {} already belongs to Certificate {owner}; give this one another spec.secretName, or delete {owner}",
            observed.spec().secret_name
        );
        return CertificatePlan {
            requeue: Some(RIVAL_RECHECK),
            ..status::not_ready(observed, "IncorrectCertificate", &message, now)
        };
    }
    let violation = first_violation(observed, now);
    if observed.is_issuing() {
        return issue(observed, violation.as_ref(), now);
    }
    match violation {
        // Cut off before the status told of it, an issuance that only the old certificate was in need of leaves
        // nothing to be mended.
        None => match observed.in_place() {
            Some(pair) => status::issued(observed, pair, now),
            None => rest(observed, now),
        },
        Some(violation) => match back_off(observed, now) {
            Some(wait) => CertificatePlan { requeue: Some(wait), ..status::backing_off(observed, &violation, now) },
            None => issue(observed, Some(&violation), now),
        },
    }
}

/// A certificate that is as it should be: tidy up, and wake when it is due.
fn rest(observed: &Observed, now: Timestamp) -> CertificatePlan {
    let mut actions = Vec::new();
    if observed.secret.as_ref().is_some_and(|secret| secret.drifted) {
        actions.push(Action::RepairSecret);
    }
    actions.extend(observed.next_keys.iter().map(|key| Action::DeleteNextKey { secret: key.secret.clone() }));
    // What was wished for and taken back: its Order would go on, for a certificate that nobody wants.
    let unwanted = observed.request.iter().filter(|_| observed.status().revision.is_some());
    actions.extend(unwanted.map(|request| Action::DeleteRequest { name: request.name.clone() }));
    actions.extend(observed.surplus_requests.iter().map(|name| Action::DeleteRequest { name: name.clone() }));
    if let Some(why) = revoke::ceased(observed) {
        return CertificatePlan { actions, ..status::not_ready(observed, revoke::REVOKED, &why, now) };
    }
    if let Some(id) = renewal::due_question(observed, now) {
        // The status waits for the answer, so that it is written once.
        actions.push(Action::AskRenewal { id });
        return CertificatePlan { actions, ..CertificatePlan::rest() };
    }
    CertificatePlan { actions, ..status::ready(observed, now) }
}

/// The steps of one issuance, each taken when its predecessor's mark is there.
fn issue(observed: &Observed, violation: Option<&Violation>, now: Timestamp) -> CertificatePlan {
    let Some(request) = &observed.request else {
        return begin(observed, violation, Vec::new(), now);
    };
    let replace = vec![Action::DeleteRequest { name: request.name.clone() }];
    if !request.mismatches.is_empty() || observed.key(&request.key_secret).is_none_or(|key| !key.usable) {
        return begin(observed, violation, replace, now);
    }
    match &request.outcome {
        Outcome::New(made) => match remaining(*made, PROGRESS_GRACE, now) {
            Some(grace) => CertificatePlan::wait(grace),
            None => status::issuing(observed, violation, request, None, now),
        },
        Outcome::Pending(what) => status::issuing(observed, violation, request, what.as_deref(), now),
        Outcome::Failed(failure) if observed.is_accounted(failure) => begin(observed, violation, replace, now),
        Outcome::Failed(failure) => fail(observed, violation, request, failure, now),
        Outcome::Issued(pair) if !pair.key_matches || pair.not_after <= now || pair.standing.revoked.is_some() => {
            begin(observed, violation, replace, now)
        }
        Outcome::Issued(pair) => complete(observed, request, pair, now),
    }
}

/// Makes sure of a key and asks for a certificate with it.
fn begin(
    observed: &Observed,
    violation: Option<&Violation>,
    mut actions: Vec<Action>,
    now: Timestamp,
) -> CertificatePlan {
    let secret = observed.next_key_secret();
    let usable = observed.key(&secret).is_some_and(|key| key.usable);
    let stale = observed.next_keys.iter().filter(|key| key.secret != secret || !key.usable);
    actions.extend(stale.map(|key| Action::DeleteNextKey { secret: key.secret.clone() }));
    if !usable {
        let copy_current = match observed.current_key() {
            Some(policy_violation) if observed.rotation() == RotationPolicy::Never => match policy_violation {
                None => true,
                Some(message) => return cannot_regenerate(observed, message, now),
            },
            _ => false,
        };
        actions.push(Action::CreateNextKey { secret: secret.clone(), copy_current });
    }
    let revision = observed.next_revision();
    actions.push(Action::CreateRequest {
        name: request_name(&observed.name, revision),
        revision,
        key_secret: secret.clone(),
        replaces: renewal::replaced(observed).map(str::to_owned),
    });
    let events = if observed.is_issuing() { Vec::new() } else { vec![status::begun(violation)] };
    CertificatePlan { actions, events, ..CertificatePlan::rest() }
}

/// `rotationPolicy: Never` forbids the new key that the changed spec asks for.
fn cannot_regenerate(observed: &Observed, violation: &str, now: Timestamp) -> CertificatePlan {
    let message = format!(
        "the private key in Secret {} can not be kept ({violation}) and spec.privateKey.rotationPolicy is Never; \
         set it to Always, or delete the Secret",
        observed.spec().secret_name
    );
    let event = Event { severity: Severity::Warning, reason: "CannotRegenerateKey", message: message.clone() };
    let plan = status::not_ready(observed, "CannotRegenerateKey", &message, now);
    let events = if plan.status.is_some() { vec![event] } else { Vec::new() };
    CertificatePlan { events, ..plan }
}

/// The certificate is here: into the Secret with it, then say so, then forget the spare key.
fn complete(observed: &Observed, request: &Request, pair: &Pair, now: Timestamp) -> CertificatePlan {
    let written = Action::WriteSecret { request: request.name.clone(), key_secret: request.key_secret.clone() };
    CertificatePlan { actions: vec![written], ..status::issued(observed, pair, now) }
}

/// The issuer said no: count it, say why, and say when the next attempt is.
fn fail(
    observed: &Observed,
    violation: Option<&Violation>,
    request: &Request,
    failure: &Failure,
    now: Timestamp,
) -> CertificatePlan {
    let attempts = observed.status().failed_issuance_attempts.unwrap_or(0) + 1;
    let wait = if request.interrupted && attempts == 1 { Duration::ZERO } else { backoff_after(attempts) };
    CertificatePlan { requeue: Some(wait), ..status::failed(observed, violation, failure, attempts, wait, now) }
}

/// How long to wait still before a failed issuance is tried again; none when it may be tried
/// now. A spec that changed since the failure is always tried at once.
fn back_off(observed: &Observed, now: Timestamp) -> Option<Duration> {
    let attempts = observed.status().failed_issuance_attempts.filter(|attempts| *attempts > 0)?;
    let failed = observed.status().last_failure_time.as_ref()?.0;
    let issuing = observed.condition(signet_api::certificate::condition::ISSUING)?;
    if issuing.status != ConditionStatus::False || issuing.observed_generation != Some(observed.generation) {
        return None;
    }
    // Once, so that a process that dies again and again does not ask the CA each time.
    if attempts == 1 && issuing.reason.as_deref() == Some(status::INTERRUPTED) {
        return None;
    }
    // What it failed for is not what it is for now.
    if revoke::is_since(observed, failed) {
        return None;
    }
    let elapsed = Duration::try_from(now.duration_since(failed)).unwrap_or_default();
    backoff_after(attempts).checked_sub(elapsed).filter(|wait| !wait.is_zero())
}

/// One hour after the first failure, twice as long after each further one, up to 32 hours.
pub fn backoff_after(attempts: i64) -> Duration {
    let doublings = u32::try_from(attempts.saturating_sub(1).clamp(0, 5)).expect("clamped to 0..=5");
    (FIRST_BACKOFF * 2_u32.pow(doublings)).min(LONGEST_BACKOFF)
}

/// The name of the request for a revision: `<certificate>-<revision>`, with a digest in place of
/// the tail of a name that would not leave room for it.
pub fn request_name(certificate: &str, revision: i64) -> String {
    const ROOM: usize = 233;
    if certificate.len() <= ROOM {
        return format!("{certificate}-{revision}");
    }
    let digest = crate::digest::short_hex(certificate.as_bytes());
    let head = certificate[..ROOM - digest.len() - 1].trim_end_matches(['-', '.']);
    format!("{head}-{digest}-{revision}")
}
