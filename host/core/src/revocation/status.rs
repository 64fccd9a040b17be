//! The condition `Revoked`, made from what is asked for and from what was done.

use jiff::Timestamp;
use signet_api::certificate::condition::REVOKED;
use signet_api::meta::{condition, remove_condition, set_condition};
use signet_api::{Condition, ConditionStatus};

use super::marks::Record;
use super::observed::Observed;
use super::{RevocationPlan, Trouble};
use crate::plan::{Event, Severity};

/// Says how it stands, with an event when that is news: what keeps a revocation from being carried
/// out, else what was revoked last.
pub(super) fn told(observed: &Observed, troubles: Vec<Trouble>, now: Timestamp) -> RevocationPlan {
    let again = troubles.iter().filter_map(|trouble| trouble.again).min();
    let plan = match (troubles.into_iter().next().or_else(|| of_policy(observed)), observed.records.last()) {
        (Some(Trouble { reason, message, .. }), _) => {
            write(observed, Condition::new(REVOKED, ConditionStatus::False, reason, message), now)
        }
        (None, Some(record)) if !record.refused => {
            write(observed, Condition::new(REVOKED, ConditionStatus::True, record.reason.word(), sentence(record)), now)
        }
        (None, Some(_) | None) => {
            let mut status = observed.status.clone();
            remove_condition(&mut status.conditions, REVOKED);
            RevocationPlan { status: (status != observed.status).then_some(status), ..RevocationPlan::rest() }
        }
    };
    RevocationPlan { requeue: again, ..plan }
}

/// What was revoked.
pub(super) fn sentence(record: &Record) -> String {
    let Record { serial, reason, at, .. } = record;
    format!("The certificate with serial number {serial} was revoked as {} at {at}", reason.name())
}

/// What keeps the policy from being kept when its time comes.
fn of_policy(observed: &Observed) -> Option<Trouble> {
    let (reason, message) = match (&observed.policy, &observed.policy_trouble) {
        (Err(why), _) => ("InvalidPolicy", why.clone()),
        (Ok(_), Some(why)) => ("CanNotRevoke", why.clone()),
        (Ok(_), None) => return None,
    };
    Some(Trouble { reason: reason.to_owned(), message, again: None, record: None })
}

fn write(observed: &Observed, told: Condition, now: Timestamp) -> RevocationPlan {
    let known = condition(&observed.status.conditions, REVOKED);
    let is_news = known.is_none_or(|known| (known.status, &known.message) != (told.status, &told.message));
    let (severity, reason) = match told.is_true() {
        true => (Severity::Normal, "Revoked"),
        false => (Severity::Warning, "NotRevoked"),
    };
    let event = Event { severity, reason, message: told.message.clone().unwrap_or_default() };
    let mut status = observed.status.clone();
    set_condition(&mut status.conditions, told.observed(Some(observed.generation)), now);
    RevocationPlan {
        status: (status != observed.status).then_some(status),
        events: if is_news { vec![event] } else { Vec::new() },
        ..RevocationPlan::rest()
    }
}
