//! Before the CA is asked: whether CAA records let it sign (RFC 8659). An order that it would refuse costs
//! a place in its limits, and a person the wait after a failure; here it waits until the records change.

use std::time::Duration;

use jiff::Timestamp;
use signet_api::OrderStatus;
use signet_api::order::{Authorization, OfferedChallenge};

use super::{Action, Observed, OrderPlan, act, pick, write};
use crate::acme::Identifier;
use crate::caa::Question;
use crate::failure::remaining;
use crate::plan::{Event, Severity};

/// A record that was corrected is noticed within this, and what its TTL adds.
const RECHECK: Duration = Duration::from_secs(20);
const WAYS: [&str; 5] = ["http-01", "tls-alpn-01", "dns-01", "dns-account-01", "dns-persist-01"];

/// What is to be done before the order is made, if anything is.
pub(super) fn look_first(observed: &Observed, now: Timestamp) -> Option<OrderPlan> {
    let questions: Vec<_> = observed.identifiers.iter().filter_map(|name| question(observed, name)).collect();
    if !observed.looks_at_caa || questions.is_empty() {
        return None;
    }
    let looked = observed.memory.forbidden.as_ref();
    let Some((looked, wait)) = looked.and_then(|looked| Some((looked, remaining(looked.at, RECHECK, now)?))) else {
        let is_allowed = looked.is_some_and(|looked| looked.objections.is_empty());
        return (!is_allowed).then(|| act(Action::LookAtCaa { questions }));
    };
    if looked.objections.is_empty() {
        return None;
    }
    let reason = format!(
        "The order waits: {}. Change the records, or order from another CA; Signet looks again every {} s",
        looked.objections.join("; "),
        RECHECK.as_secs(),
    );
    let plan = write(observed, OrderStatus { reason: Some(reason.clone()), ..observed.status.clone() });
    let event = Event { severity: Severity::Warning, reason: "CAAForbids", message: reason };
    let events = if plan.status.is_some() { vec![event] } else { Vec::new() };
    Some(OrderPlan { events, requeue: Some(wait), ..plan })
}

/// What to ask about a name, and how the issuer would prove it. Addresses have no such records.
fn question(observed: &Observed, identifier: &Identifier) -> Option<Question> {
    let Identifier::Dns(name) = identifier else { return None };
    let bare = name.strip_prefix("*.");
    let authorization = Authorization {
        identifier: Some(bare.unwrap_or(name).to_owned()),
        wildcard: Some(bare.is_some()),
        challenges: WAYS.map(|way| OfferedChallenge { type_: way.to_owned(), ..Default::default() }).into(),
        ..Default::default()
    };
    let solver = pick(&observed.solvers, &observed.labels, &authorization).ok();
    let ways = solver.and_then(|(solver, _)| Some(solver.way().ok()?.challenge_types()));
    Some(Question {
        name: bare.unwrap_or(name).to_owned(),
        wildcard: bare.is_some(),
        methods: ways.unwrap_or_default().iter().map(|way| way.acme_name()).collect(),
    })
}
