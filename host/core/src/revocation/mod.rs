//! Revocation: which certificates of a Certificate are taken back, why, and what follows.
//!
//! What is asked for, the policy, and what was done are annotations ([`marks`]); the condition
//! `Revoked` is made from them. A request names its certificate by serial number, so that it means
//! the same one however often the Certificate was renewed meanwhile. The issuer is asked; its answer is in
//! [`Memory`] until it is written down, in the write that takes the request away. A process that was
//! cut off between the two asks once more, and "already revoked" is as good.
//!
//! What a revocation means for the certificate in use is a rule among those of [`crate::certificate`].

mod deletion;
mod marks;
mod observed;
mod reason;
mod standing;
mod status;
#[cfg(test)]
mod tests;

pub use marks::{Policy, Record, Request, plain_serial, read_records, write_records};
pub use observed::{Authority, Identity, Known, Memory, Observed, Target, inability};
pub use reason::Reason;
pub use standing::{Standing, compromise};

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use signet_api::CertificateStatus;
use signet_api::labels::REVOKE;

use crate::failure::{Failure, Retry, remaining};
use crate::plan::Plan;

/// How long an issuer is left alone that can not be asked, unless a change comes before.
const RECHECK: Duration = Duration::from_secs(300);

/// Everything that may need done for revocations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Puts our finalizer on the Certificate.
    Hold,
    /// Takes our finalizer off.
    LetGo,
    /// Has the issuer revoke a certificate; the answer goes into [`Memory`].
    Revoke(Target),
    /// Writes down what was revoked. The request goes with the same write when it is `done`, and with
    /// `let_go` our finalizer.
    Record { records: Vec<Record>, done: bool, let_go: bool },
}

/// A plan for the revocations of a Certificate.
pub type RevocationPlan = Plan<Action, CertificateStatus>;

/// How far the revocation of one certificate is.
enum Step {
    /// The issuer is to be asked.
    Ask(Target),
    /// It is revoked, and not yet written down.
    Done(Record),
    /// It can not be done, or not now.
    Stuck(Trouble),
}

/// Why a certificate is not revoked.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Trouble {
    reason: String,
    message: String,
    /// When to look again by itself; never when only a change helps.
    again: Option<Duration>,
    /// What is to be written down all the same: that the key is compromised.
    record: Option<Record>,
}

/// Decides what the revocations of a Certificate need now.
pub fn decide(observed: &Observed, now: Timestamp) -> RevocationPlan {
    if let Some(since) = observed.deleted {
        return deletion::decide(observed, since, now);
    }
    match (observed.held, holds(observed)) {
        (false, true) => return act(vec![Action::Hold]),
        (true, false) => return act(vec![Action::LetGo]),
        (true, true) | (false, false) => {}
    }
    let asked = asked(observed, now);
    let is_asked = asked.is_some();
    let superseded = observed.superseded(now).map(|known| {
        let target =
            Target { identity: known.identity.clone(), reason: Reason::Superseded, with_certificate_key: false };
        step(observed, known, target, now)
    });
    let steps: Vec<_> = asked.into_iter().chain(superseded).collect();
    if let Some(record) = record(observed, &steps, is_asked) {
        return act(vec![record]);
    }
    let ask: Vec<_> = steps.iter().filter_map(Step::ask).collect();
    if !ask.is_empty() {
        return act(ask);
    }
    let troubles: Vec<_> = steps.into_iter().filter_map(Step::trouble).collect();
    status::told(observed, troubles, now)
}

/// The CertificateRequests that must stay, because what they were issued is still to be revoked.
pub fn retained(observed: &Observed, now: Timestamp) -> BTreeSet<String> {
    let asked = match &observed.request {
        Some(Ok(request)) => observed.find(request),
        Some(Err(_)) | None => None,
    };
    let wanted = asked.into_iter().chain(observed.superseded(now));
    wanted.filter_map(|known| known.request.as_ref().map(|(name, _)| name.clone())).collect()
}

fn act(actions: Vec<Action>) -> RevocationPlan {
    RevocationPlan { actions, ..RevocationPlan::rest() }
}

/// Whether the Certificate must not go without us. A policy that can not be read changes nothing.
fn holds(observed: &Observed) -> bool {
    let is_asked = matches!(observed.request, Some(Ok(_)));
    let policy = match &observed.policy {
        Ok(policy) => policy.deleted,
        Err(_) => observed.held,
    };
    is_asked || policy
}

/// How far what is asked for is.
fn asked(observed: &Observed, now: Timestamp) -> Option<Step> {
    let request = match observed.request.as_ref()? {
        Ok(request) => request,
        Err(why) => return Some(stuck("InvalidRequest", why.clone())),
    };
    if let Some(record) = observed.recorded(request) {
        return Some(Step::Done(record.clone()));
    }
    let Some(known) = observed.find(request) else {
        let digest = request.sha256.as_ref().map_or(String::new(), |digest| format!(" and SHA-256 {digest}"));
        return Some(stuck(
            "CertificateNotFound",
            format!(
                "metadata.annotations[{REVOKE}]: no certificate with serial number {}{digest} was issued for this \
                 Certificate, as far as its CertificateRequests and Secret {} (with the key that belongs to it) show",
                request.serial, observed.secret
            ),
        ));
    };
    let target = Target {
        identity: known.identity.clone(),
        reason: request.reason,
        with_certificate_key: request.with_certificate_key,
    };
    Some(step(observed, known, target, now))
}

fn stuck(reason: &str, message: String) -> Step {
    Step::Stuck(Trouble { reason: reason.to_owned(), message, again: None, record: None })
}

/// How far the revocation of a certificate that was found is.
fn step(observed: &Observed, known: &Known, target: Target, now: Timestamp) -> Step {
    match observed.memory.of(&target) {
        Some(Ok(at)) => Step::Done(recorded(&target, *at, false)),
        // Whoever has a key may say so of it, whichever account the certificate was ordered by.
        Some(Err(failure)) if failure.retry == Retry::Never && may_prove(known, &target) => {
            step(observed, known, Target { with_certificate_key: true, ..target }, now)
        }
        Some(Err(failure)) => failed(observed, target, failure, now),
        None => match refusal(observed, known, &target) {
            Some((reason, why)) => stuck(reason, not_revoked(&target, &why)),
            None => Step::Ask(target),
        },
    }
}

/// Whether the certificate's own key may take the place of an account that the CA does not take.
fn may_prove(known: &Known, target: &Target) -> bool {
    known.authority == Authority::Acme && known.has_key && target.reason.is_compromise() && !target.with_certificate_key
}

/// Why nobody is asked at all.
fn refusal(observed: &Observed, known: &Known, target: &Target) -> Option<(&'static str, String)> {
    match &known.authority {
        Authority::Unable(why) => Some(("CanNotRevoke", why.clone())),
        Authority::Gone(why) => Some(("IssuerNotFound", format!("{why}; make it, and this goes on"))),
        Authority::List if target.with_certificate_key => {
            let why =
                "withCertificateKey is for issuers of type acme; a CA issuer lists what is revoked with its own key";
            Some(("CanNotRevoke", why.to_owned()))
        }
        Authority::Acme if target.with_certificate_key && !known.has_key => Some((
            "KeyNotFound",
            format!(
                "Secret {} does not hold its private key (any more); ask without withCertificateKey, and the issuer's \
                 account signs",
                observed.secret
            ),
        )),
        Authority::Acme | Authority::List => None,
    }
}

fn failed(observed: &Observed, target: Target, failure: &Failure, now: Timestamp) -> Step {
    let wait = match failure.retry {
        Retry::Later(wait) => Some(wait),
        Retry::OnChange => Some(RECHECK),
        Retry::Never => None,
    };
    let left = wait.map(|wait| remaining(failure.at, wait, now));
    if left == Some(None) {
        return Step::Ask(target);
    }
    let next = match left {
        Some(_) => "Signet tries again by itself",
        None => "Signet tries again when the request or the issuer changes",
    };
    let is_known = observed.records.iter().any(|record| record.sha256 == target.identity.sha256);
    let compromised = left.is_none() && target.reason.is_compromise() && !is_known;
    Step::Stuck(Trouble {
        reason: failure.reason.clone(),
        message: format!("{}; {next}", not_revoked(&target, &failure.message)),
        again: left.flatten(),
        record: compromised.then(|| recorded(&target, now, true)),
    })
}

fn not_revoked(target: &Target, why: &str) -> String {
    format!("The certificate with serial number {} is not revoked: {why}", target.identity.serial)
}

fn recorded(target: &Target, at: Timestamp, refused: bool) -> Record {
    let Target { identity, reason, with_certificate_key } = target;
    // A CA may take a key that speaks against its own certificate for compromised, whatever the reason is, and
    // sign nothing for it any more.
    let is_given_up = reason.is_compromise() || *with_certificate_key;
    Record {
        serial: identity.serial.clone(),
        sha256: identity.sha256.clone(),
        reason: *reason,
        at: signet_api::meta::whole_seconds(at),
        compromised_key: is_given_up.then(|| identity.key.clone()),
        refused,
    }
}

/// The one write for everything that is to be written down. The step of a request is the first.
fn record(observed: &Observed, steps: &[Step], is_asked: bool) -> Option<Action> {
    let is_there = |sha256: &str| observed.certificates.iter().any(|known| known.identity.sha256 == sha256);
    let mut records = observed.records.clone();
    let mut any = false;
    // The one that was asked for comes last, and so is what the condition tells of.
    for new in steps.iter().rev().filter_map(Step::record) {
        records = marks::remember(&records, new.clone(), is_there);
        any = true;
    }
    let done = is_asked && matches!(steps.first(), Some(Step::Done(_)));
    let let_go = done && observed.held && observed.policy.as_ref().is_ok_and(|policy| !policy.deleted);
    any.then_some(Action::Record { records, done, let_go })
}

impl Step {
    fn ask(&self) -> Option<Action> {
        match self {
            Self::Ask(target) => Some(Action::Revoke(target.clone())),
            Self::Done(_) | Self::Stuck(_) => None,
        }
    }

    fn record(&self) -> Option<&Record> {
        match self {
            Self::Done(record) => Some(record),
            Self::Stuck(trouble) => trouble.record.as_ref(),
            Self::Ask(_) => None,
        }
    }

    fn trouble(self) -> Option<Trouble> {
        match self {
            Self::Stuck(trouble) => Some(trouble),
            Self::Ask(_) | Self::Done(_) => None,
        }
    }
}
