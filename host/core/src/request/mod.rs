//! CertificateRequest: from a request to a certificate, through an Order, by the request's own key
//! or by that of a CA.
//!
//! The order of the questions: is it over, is it ours, may it be signed at all, did somebody
//! approve it, who signs, and how far are they. The approval and what became of the request are
//! one write where the request is done within [`PROGRESS_GRACE`]; a request that takes longer
//! tells once what it waits for.
//!
//! Finding the issuer and signing belong to the edge. [`order_spec`], [`order_name`] and
//! [`invalid`] turn what the edge read into what [`Observed`] holds.

mod acme;
mod invalid;
mod observed;
mod status;
#[cfg(test)]
mod tests;

pub use crate::failure::{Failure, Retry};
pub use acme::{order_name, order_spec};
pub use invalid::invalid;
pub use observed::{Issuer, Memory, Observed, Signed};

use std::time::Duration;

use jiff::Timestamp;
use signet_api::certificaterequest::condition::{APPROVED, DENIED, READY};
use signet_api::certificaterequest::reason;
use signet_api::issuer::CaIssuer;
use signet_api::meta::{condition, has_condition};
use signet_api::{CertificateRequestStatus, ConditionStatus, OrderSpec, OrderStatus, State};

use crate::challenge::PROGRESS_GRACE;
use crate::failure::remaining;
use crate::plan::Plan;

/// Everything that a CertificateRequest may need done. Its result goes into [`Memory`]; that of an
/// Order, into the Order.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Creates an Order that the request owns. Succeeds when the Order exists.
    CreateOrder { name: String, spec: Box<OrderSpec> },
    /// Signs the request with the key in the Secret, which must be the one that it was made with.
    SelfSign { key_secret: String },
    /// Signs the request with the key pair in the Secret that `ca` names, in this namespace.
    CaSign { namespace: String, ca: CaIssuer },
}

/// A plan for a CertificateRequest.
pub type RequestPlan = Plan<Action, CertificateRequestStatus>;

/// Decides what a CertificateRequest needs now.
pub fn decide(observed: &Observed, now: Timestamp) -> RequestPlan {
    if observed.is_over() {
        return RequestPlan::rest();
    }
    if observed.issuer == Issuer::Foreign {
        // Another controller signs, and looks no further before somebody has approved.
        return if observed.is_denied() { RequestPlan::rest() } else { status::approved(observed, now) };
    }
    if let Some(denied) = condition(&observed.status.conditions, DENIED).filter(|denied| denied.is_true()) {
        return status::denied(observed, denied.message.as_deref(), now);
    }
    if let Some(why) = &observed.invalid {
        return status::invalid(observed, why, now);
    }
    if let Issuer::Unserved(sentence) = &observed.issuer {
        return status::unapproved(observed, sentence, now);
    }
    if !observed.is_approved() && !observed.auto_approve {
        let message = "Waiting for an approver: Signet approves no requests by itself here, so somebody else has to; \
                       `cmctl approve` does";
        return progress(observed, message.to_owned(), None, now);
    }
    sign(observed, now)
}

/// A request that may be signed: by whom, and how far are they.
fn sign(observed: &Observed, now: Timestamp) -> RequestPlan {
    match &observed.issuer {
        Issuer::Foreign => RequestPlan::rest(),
        Issuer::Missing(sentence) | Issuer::NotReady(sentence) | Issuer::Unserved(sentence) => {
            status::pending(observed, sentence, now)
        }
        Issuer::Refuses { reason, message } => status::failed(observed, reason, message, now),
        Issuer::Acme { name, spec, order: None } => {
            attempt(observed, Action::CreateOrder { name: name.clone(), spec: spec.clone() }, "OrderFailed", now)
        }
        Issuer::Acme { name, spec: _, order: Some(order) } => follow(observed, name, order, now),
        Issuer::SelfSigned { key_secret } => {
            sign_here(observed, Action::SelfSign { key_secret: key_secret.clone() }, now)
        }
        Issuer::Ca { namespace, ca } => {
            sign_here(observed, Action::CaSign { namespace: namespace.clone(), ca: ca.clone() }, now)
        }
    }
}

/// Signs without asking anybody, or passes on what was signed.
fn sign_here(observed: &Observed, action: Action, now: Timestamp) -> RequestPlan {
    match &observed.memory.signed {
        Some(Signed { certificate, authority }) => {
            status::issued(observed, certificate.clone(), authority.clone(), now)
        }
        None => attempt(observed, action, "SigningFailed", now),
    }
}

/// What becomes of the Order becomes of the request. The chain of an ACME authority ends below its
/// root, so there is no certificate of the authority to pass on.
fn follow(observed: &Observed, name: &str, order: &OrderStatus, now: Timestamp) -> RequestPlan {
    let reason = order.reason.as_deref().filter(|reason| !reason.is_empty());
    let certificate = order.certificate.as_ref().filter(|certificate| !certificate.0.is_empty());
    match (order.state, certificate) {
        (Some(state), _) if state.is_failure() => {
            let message = format!("Order {name} failed: {}", reason.unwrap_or("it does not say why"));
            status::failed(observed, "OrderFailed", &message, now)
        }
        (Some(State::Valid), Some(certificate)) => status::issued(observed, certificate.clone(), None, now),
        // Its states come and go faster than anybody reads them; a reason is worth a write.
        _ => {
            let colon = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
            progress(observed, format!("Waiting for Order {name}{colon}"), None, now)
        }
    }
}

/// Takes a step, unless it failed and its time has not come again, or never will.
fn attempt(observed: &Observed, action: Action, event: &'static str, now: Timestamp) -> RequestPlan {
    if let Some(failure) = &observed.memory.failure {
        match failure.retry {
            Retry::Never | Retry::OnChange => return status::failed(observed, event, &failure.message, now),
            Retry::Later(wait) => {
                if let Some(wait) = remaining(failure.at, wait, now) {
                    let message = format!("{}; Signet tries again by itself", failure.message);
                    return progress(observed, message, Some(wait), now);
                }
            }
        }
    }
    RequestPlan { actions: vec![action], ..RequestPlan::rest() }
}

/// Waits, and writes what for once the request is old enough for that.
fn progress(observed: &Observed, message: String, wait: Option<Duration>, now: Timestamp) -> RequestPlan {
    match remaining(observed.created, PROGRESS_GRACE, now) {
        None => RequestPlan { requeue: wait, ..status::pending(observed, &message, now) },
        Some(grace) => RequestPlan::wait(wait.map_or(grace, |wait| wait.min(grace))),
    }
}

impl Observed {
    /// Whether nothing will change any more.
    fn is_over(&self) -> bool {
        let ready = condition(&self.status.conditions, READY);
        let reason = ready.and_then(|ready| ready.reason.as_deref());
        ready.is_some_and(|ready| ready.is_true())
            || matches!(reason, Some(reason::FAILED | reason::DENIED))
            || self.status.failure_time.is_some()
    }

    fn is_approved(&self) -> bool {
        has_condition(&self.status.conditions, APPROVED, ConditionStatus::True)
    }

    fn is_denied(&self) -> bool {
        has_condition(&self.status.conditions, DENIED, ConditionStatus::True)
    }
}
