//! The status of a CertificateRequest for each place that a decision may end in, with the approval
//! that is still owed. A status equal to what the API server holds is not written.

use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use signet_api::certificaterequest::condition::{APPROVED, INVALID_REQUEST, READY};
use signet_api::certificaterequest::reason;
use signet_api::meta::{set_condition, whole_seconds};
use signet_api::{CertificateRequestStatus, Condition, ConditionStatus};

use super::RequestPlan;
use super::observed::Observed;
use crate::plan::{Event, Severity};

/// The word for an approval that is automatic, as cert-manager gives it.
const APPROVER: &str = "cert-manager.io";

/// The approval alone.
pub(super) fn approved(observed: &Observed, now: Timestamp) -> RequestPlan {
    plan(observed, base(observed, now))
}

/// A request that waits.
pub(super) fn pending(observed: &Observed, message: &str, now: Timestamp) -> RequestPlan {
    let mut status = base(observed, now);
    ready(&mut status, ConditionStatus::False, reason::PENDING, message, now);
    plan(observed, status)
}

/// A request that waits, and is not approved.
pub(super) fn unapproved(observed: &Observed, message: &str, now: Timestamp) -> RequestPlan {
    let mut status = observed.status.clone();
    ready(&mut status, ConditionStatus::False, reason::PENDING, message, now);
    plan(observed, status)
}

/// A request that is signed.
pub(super) fn issued(
    observed: &Observed,
    certificate: ByteString,
    authority: Option<ByteString>,
    now: Timestamp,
) -> RequestPlan {
    let mut status = base(observed, now);
    status.certificate = Some(certificate);
    status.ca = authority;
    ready(&mut status, ConditionStatus::True, reason::ISSUED, "The certificate is signed", now);
    plan(observed, status)
}

/// A request that will not be signed.
pub(super) fn failed(observed: &Observed, event: &'static str, message: &str, now: Timestamp) -> RequestPlan {
    end(observed, base(observed, now), reason::FAILED, event, message, now)
}

/// A request that can not be signed as it is. Nobody needs to approve it any more.
pub(super) fn invalid(observed: &Observed, why: &str, now: Timestamp) -> RequestPlan {
    let mut status = observed.status.clone();
    let invalid = Condition::new(INVALID_REQUEST, ConditionStatus::True, reason::FAILED, why);
    set_condition(&mut status.conditions, invalid, now);
    let message = format!("The request can never be signed as it is: {why}; make a new one");
    end(observed, status, reason::FAILED, INVALID_REQUEST, &message, now)
}

/// A request that an approver refused, for a reason of its own.
pub(super) fn denied(observed: &Observed, why: Option<&str>, now: Timestamp) -> RequestPlan {
    let why = why.filter(|why| !why.is_empty()).unwrap_or("it did not say why");
    let message = format!("An approver denied the request, so it is not signed: {why}");
    end(observed, observed.status.clone(), reason::DENIED, reason::DENIED, &message, now)
}

fn end(
    observed: &Observed,
    mut status: CertificateRequestStatus,
    reason: &str,
    event: &'static str,
    message: &str,
    now: Timestamp,
) -> RequestPlan {
    ready(&mut status, ConditionStatus::False, reason, message, now);
    status.failure_time = Some(Time(whole_seconds(now)));
    let event = Event { severity: Severity::Warning, reason: event, message: message.to_owned() };
    RequestPlan { events: vec![event], ..plan(observed, status) }
}

/// What stands in the status, and Approved when that is for Signet to say and not yet said.
fn base(observed: &Observed, now: Timestamp) -> CertificateRequestStatus {
    let mut status = observed.status.clone();
    if observed.auto_approve && !observed.is_approved() {
        let message = "Approved by Signet, which approves every request that nobody has denied";
        set_condition(&mut status.conditions, Condition::new(APPROVED, ConditionStatus::True, APPROVER, message), now);
    }
    status
}

fn ready(status: &mut CertificateRequestStatus, is: ConditionStatus, reason: &str, message: &str, now: Timestamp) {
    set_condition(&mut status.conditions, Condition::new(READY, is, reason, message), now);
}

fn plan(observed: &Observed, status: CertificateRequestStatus) -> RequestPlan {
    RequestPlan { status: (status != observed.status).then_some(status), ..RequestPlan::rest() }
}
