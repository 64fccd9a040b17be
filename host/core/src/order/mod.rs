//! Order: one order at the CA, from the names to the certificate.
//!
//! The order is made once: its address is in the status before anything relies on it. Results of
//! later actions live in [`Memory`] and go with the process; a process that finds an address and
//! remembers nothing asks the CA, and carries on from its answer.
//!
//! Before it is made it has to be the Order's turn: the CA's limits are shared by all ([`crate::limits`]).
//!
//! Keys, key authorizations and requests to the CA belong to the edge.

mod forbidden;
mod observed;
mod pick;
#[cfg(test)]
mod tests;

pub use crate::failure::{Failure, Retry};
pub use observed::{Downloaded, Forbidden, Leaf, Memory, Observed, OwnChallenge, SeenOrder};
pub use pick::pick;

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use signet_api::order::{Authorization, OfferedChallenge};
use signet_api::{ChallengeSpec, OrderStatus, State};

use crate::acme::{self, AuthorizationAtCa, AuthorizationStatus, Identifier, OrderAtCa};
use crate::caa::Question;
use crate::digest::hashed_name;
use crate::failure::{remaining, until_next_look};
use crate::limits::{Turn, Wait};
use crate::plan::{Event, Plan, Severity};

const POLL: Duration = Duration::from_secs(1);
/// A wait for the CA's limits that is shorter is not told.
const WORTH_TELLING: Duration = Duration::from_secs(5);
const TURN_RECHECK: Duration = Duration::from_secs(1);

/// Everything that an Order may need done. Each result goes into [`Memory`].
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Looks what the DNS says against the CA's signing the names. What can not be found out is nothing.
    LookAtCaa { questions: Vec<Question> },
    /// Makes the order at the CA, and fetches each of its authorizations.
    NewOrder {
        identifiers: Vec<Identifier>,
        profile: Option<String>,
        replaces: Option<String>,
        not_after: Option<Timestamp>,
    },
    /// Fetches the order.
    Refresh { url: String },
    /// Creates a Challenge with the finalizer, owned by the Order. `spec.key` and `spec.recordPrefix` are
    /// empty here: the edge derives them from the token and the account. Succeeds when the Challenge exists.
    CreateChallenge { name: String, spec: Box<ChallengeSpec> },
    /// Sends the certificate signing request; answers with the order.
    Finalize { url: String },
    /// Fetches the certificate with its chain.
    Download { url: String },
    /// Deletes a Challenge that is done, or that another is to replace.
    DeleteChallenge { name: String },
}

/// A plan for an Order.
pub type OrderPlan = Plan<Action, OrderStatus>;

/// Decides what an Order needs now.
pub fn decide(observed: &Observed, now: Timestamp) -> OrderPlan {
    if observed.status.state.is_some_and(State::is_final) {
        return tidy(observed);
    }
    if let Some(plan) = held_up(observed, now) {
        return plan;
    }
    let seen = observed.memory.order.as_ref();
    let Some(url) = &observed.status.url else {
        return match seen {
            Some(seen) => record(observed, seen),
            None => forbidden::look_first(observed, now).unwrap_or_else(|| in_turn(observed, now)),
        };
    };
    if let Some(downloaded) = &observed.memory.certificate {
        return match downloaded.fault(now) {
            Some(fault) => fail(observed, State::Errored, format!("The CA sent a certificate of no use: {fault}"), now),
            None => complete(observed, &downloaded.chain),
        };
    }
    let failed = observed.memory.failure.as_ref().map(|failure| failure.at);
    match seen.filter(|seen| failed.is_none_or(|failed| seen.at >= failed)) {
        None => act(Action::Refresh { url: url.clone() }),
        Some(seen) => advance(observed, url, seen, now),
    }
}

/// A failed action: the end of the Order, or a wait.
fn held_up(observed: &Observed, now: Timestamp) -> Option<OrderPlan> {
    let failure = observed.memory.failure.as_ref()?;
    let requeue = match failure.retry {
        Retry::Never => return Some(fail(observed, State::Errored, failure.message.clone(), now)),
        Retry::OnChange => None,
        Retry::Later(wait) => Some(remaining(failure.at, wait, now)?),
    };
    let status = OrderStatus { reason: Some(failure.told()), ..observed.status.clone() };
    Some(OrderPlan { requeue, ..write(observed, status) })
}

/// Whether the next step is to ask for the order, once it is its turn.
pub fn is_to_ask(status: &OrderStatus, memory: &Memory, now: Timestamp) -> bool {
    let held_up = memory.failure.as_ref().is_some_and(|failure| match failure.retry {
        Retry::Never | Retry::OnChange => true,
        Retry::Later(wait) => remaining(failure.at, wait, now).is_some(),
    });
    let is_forbidden = memory.forbidden.as_ref().is_some_and(|looked| !looked.objections.is_empty());
    let is_made = status.url.is_some() || memory.order.is_some();
    !held_up && !is_forbidden && !is_made && !status.state.is_some_and(State::is_final)
}

fn in_turn(observed: &Observed, now: Timestamp) -> OrderPlan {
    match &observed.turn {
        Some(Turn::Now) => act(new_order(observed)),
        Some(Turn::Wait(wait)) => wait_for(observed, wait, now),
        None => OrderPlan::wait(TURN_RECHECK),
    }
}

/// It goes on when it is called. Why it waits is told once, since the numbers change with each other Order, and not
/// at all when that is over before anybody has read it.
fn wait_for(observed: &Observed, wait: &Wait, now: Timestamp) -> OrderPlan {
    let told = observed.status.reason.clone().filter(|reason| wait.is_told(reason));
    let status = OrderStatus { reason: told.or_else(|| Some(wait.to_string())), ..observed.status.clone() };
    let left = Duration::try_from(wait.asks_again().duration_since(now)).unwrap_or_default();
    if left < WORTH_TELLING && observed.status.reason.is_none() {
        return OrderPlan::wait(left.max(TURN_RECHECK));
    }
    OrderPlan { requeue: Some(left.max(TURN_RECHECK)), ..write(observed, status) }
}

/// The next step by what the CA says.
fn advance(observed: &Observed, url: &str, seen: &SeenOrder, now: Timestamp) -> OrderPlan {
    let order = &seen.order;
    let refresh = || match remaining(seen.at, until_next_look(order.retry_after, POLL), now) {
        Some(wait) => OrderPlan::wait(wait),
        None => act(Action::Refresh { url: url.to_owned() }),
    };
    match order.status {
        acme::OrderStatus::Invalid => {
            let problem = order.problem.as_deref().unwrap_or("it gave no reason");
            fail(observed, State::Invalid, format!("The CA refused the order: {problem}"), now)
        }
        acme::OrderStatus::Valid => match &order.certificate_url {
            Some(url) => act(Action::Download { url: url.clone() }),
            None => refresh(),
        },
        acme::OrderStatus::Processing => refresh(),
        acme::OrderStatus::Ready => finalize(observed, order),
        acme::OrderStatus::Pending => prove(observed, order, now),
    }
}

/// A Challenge for each name that is still to be proven, then the certificate.
fn prove(observed: &Observed, order: &OrderAtCa, now: Timestamp) -> OrderPlan {
    let mut actions = Vec::new();
    let mut proven = true;
    let open = |authorization: &&Authorization| authorization.initial_state != Some(State::Valid);
    for authorization in observed.status.authorizations.iter().filter(open) {
        let own = observed.challenges.iter().find(|own| own.authorization_url == authorization.url);
        let state = own.and_then(|own| own.status.state);
        proven &= state == Some(State::Valid);
        match own {
            Some(own) if state.is_some_and(State::is_failure) => return failed_proof(observed, own, now),
            Some(own) if own.is_stuck() => actions.extend(replacement(observed, own, authorization)),
            Some(_) => {}
            None => match new_challenge(observed, authorization) {
                Ok(action) => actions.push(action),
                Err(reason) => return fail(observed, State::Errored, reason, now),
            },
        }
    }
    match proven {
        true => finalize(observed, order),
        false => OrderPlan { actions, ..tell_trouble(observed) },
    }
}

/// What holds a Challenge up holds up the Order: people look at the Certificate first, and the
/// sentence travels there from object to object.
fn tell_trouble(observed: &Observed) -> OrderPlan {
    let stuck = observed.challenges.iter().find(|own| own.is_stuck());
    let reason = stuck.and_then(|own| Some(format!("Challenge {}: {}", own.name, own.status.reason.as_deref()?)));
    write(observed, OrderStatus { reason, ..observed.status.clone() })
}

/// A Challenge that does not get on keeps the solver that it was made with. Once the issuer has
/// another for the name it goes, and when it is gone the next one takes its place.
fn replacement(observed: &Observed, own: &OwnChallenge, authorization: &Authorization) -> Option<Action> {
    match new_challenge(observed, authorization) {
        Ok(Action::CreateChallenge { name, spec: _ }) if name != own.name => {
            Some(Action::DeleteChallenge { name: own.name.clone() })
        }
        _ => None,
    }
}

fn failed_proof(observed: &Observed, own: &OwnChallenge, now: Timestamp) -> OrderPlan {
    let state = if own.status.state == Some(State::Invalid) { State::Invalid } else { State::Errored };
    let cause = own.status.reason.as_deref().unwrap_or("its Challenge gives no reason");
    fail(observed, state, format!("{}: {cause}", not_proven(&own.dns_name)), now)
}

fn not_proven(name: &str) -> String {
    format!("{name} could not be proven")
}

/// The name for which an order failed, if it was for one.
pub fn unproven(status: &OrderStatus) -> Option<&str> {
    let reason = status.reason.as_deref()?;
    let mut names = status.authorizations.iter().filter_map(|authorization| authorization.identifier.as_deref());
    names.find(|name| reason.starts_with(&format!("{}: ", not_proven(name))))
}

fn new_order(observed: &Observed) -> Action {
    Action::NewOrder {
        identifiers: observed.identifiers.clone(),
        profile: observed.profile.clone(),
        replaces: observed.replaces.clone(),
        not_after: observed.not_after,
    }
}

fn finalize(observed: &Observed, order: &OrderAtCa) -> OrderPlan {
    let recorded = observed.status.finalize_url.clone();
    act(Action::Finalize { url: recorded.unwrap_or_else(|| order.finalize_url.clone()) })
}

fn new_challenge(observed: &Observed, authorization: &Authorization) -> Result<Action, String> {
    let (solver, type_) = pick(&observed.solvers, &observed.labels, authorization)?;
    let offered = authorization.challenges.iter().find(|offered| offered.type_ == type_.acme_name());
    let OfferedChallenge { url, token, type_: _, issuer_domain_names: _ } =
        offered.expect("pick takes a way that is on offer");
    let spec = ChallengeSpec {
        url: url.clone(),
        authorization_url: authorization.url.clone(),
        dns_name: authorization.identifier.clone().unwrap_or_default(),
        wildcard: authorization.wildcard == Some(true),
        type_,
        token: token.clone(),
        key: String::new(),
        record_prefix: None,
        solver: solver.clone(),
        issuer_ref: observed.issuer_ref.clone(),
    };
    Ok(Action::CreateChallenge { name: challenge_name(&observed.name, &spec), spec: Box::new(spec) })
}

/// The name of a Challenge: the Order's, cut to 52 bytes, and a hash of the spec.
pub fn challenge_name(order: &str, spec: &ChallengeSpec) -> String {
    hashed_name(order, spec)
}

/// Writes down the order that was just made, once.
fn record(observed: &Observed, SeenOrder { at, order }: &SeenOrder) -> OrderPlan {
    let status = OrderStatus {
        url: Some(order.url.clone()),
        finalize_url: Some(order.finalize_url.clone()),
        order_time: Some(Time(signet_api::meta::whole_seconds(*at))),
        authorizations: observed.memory.authorizations.iter().map(authorization).collect(),
        state: Some(State::Pending),
        reason: None,
        ..observed.status.clone()
    };
    write(observed, status)
}

fn authorization(at_ca: &AuthorizationAtCa) -> Authorization {
    let offered = at_ca.challenges.iter().map(|challenge| OfferedChallenge {
        url: challenge.url.clone(),
        token: challenge.token.clone(),
        type_: challenge.kind.clone(),
        issuer_domain_names: challenge.issuer_domain_names.clone(),
    });
    Authorization {
        url: at_ca.url.clone(),
        identifier: Some(match &at_ca.identifier {
            Identifier::Dns(name) => name.clone(),
            Identifier::Ip(address) => address.to_string(),
        }),
        wildcard: Some(at_ca.wildcard),
        initial_state: Some(match at_ca.status {
            AuthorizationStatus::Pending => State::Pending,
            AuthorizationStatus::Valid => State::Valid,
            AuthorizationStatus::Expired => State::Expired,
            AuthorizationStatus::Invalid | AuthorizationStatus::Deactivated | AuthorizationStatus::Revoked => {
                State::Invalid
            }
        }),
        challenges: offered.collect(),
    }
}

fn complete(observed: &Observed, certificate: &k8s_openapi::ByteString) -> OrderPlan {
    let status = OrderStatus {
        state: Some(State::Valid),
        reason: None,
        certificate: Some(certificate.clone()),
        ..observed.status.clone()
    };
    let event =
        Event { severity: Severity::Normal, reason: "Complete", message: "The CA issued the certificate".into() };
    OrderPlan { events: vec![event], ..write(observed, status) }
}

fn fail(observed: &Observed, state: State, reason: String, now: Timestamp) -> OrderPlan {
    let event = Event { severity: Severity::Warning, reason: "Failed", message: reason.clone() };
    let status = OrderStatus {
        state: Some(state),
        reason: Some(reason),
        failure_time: Some(Time(signet_api::meta::whole_seconds(now))),
        ..observed.status.clone()
    };
    OrderPlan { events: vec![event], ..write(observed, status) }
}

/// A final Order needs its Challenges no more.
fn tidy(observed: &Observed) -> OrderPlan {
    let left = observed.challenges.iter().filter(|own| !own.deleting);
    let actions = left.map(|own| Action::DeleteChallenge { name: own.name.clone() }).collect();
    OrderPlan { actions, ..OrderPlan::rest() }
}

fn act(action: Action) -> OrderPlan {
    OrderPlan { actions: vec![action], ..OrderPlan::rest() }
}

fn write(observed: &Observed, status: OrderStatus) -> OrderPlan {
    OrderPlan { status: (status != observed.status).then_some(status), ..OrderPlan::rest() }
}
