//! What was asked of an account, once: another key for it, or its end.
//!
//! The wish is the condition [`ACCOUNT_CHANGE`]. A key that is to take the place of another is in the Secret
//! beside it before the CA hears of it, so whichever of the two the CA knows when a process dies, its
//! successor has it. That the change was made is read off the Secret: its key is no longer the one that the
//! status tells of. The one write that says so takes the wish away.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use signet_api::issuer::AcmeIssuer;
use signet_api::issuer::condition::{ACCOUNT_CHANGE, change};
use signet_api::meta::{condition, remove_condition, set_condition};
use signet_api::{Condition, ConditionStatus, IssuerStatus};

use super::{ACCOUNT_KEY, AccountKey, Action, IssuerPlan, Observed, Retry, not_ready, reason, write_with};
use crate::failure::{Failure, remaining};
use crate::plan::{Event, Severity};

/// For how long a CA is asked that answers, but with nothing that can be understood.
const PATIENCE: SignedDuration = SignedDuration::from_hours(1);
/// For how long orders may hold up that another key is taken, and how often they are looked at.
const DRAIN: SignedDuration = SignedDuration::from_mins(10);
const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// Reasons of failures that pass, whoever's account it is.
const PASSING: [&str; 3] = ["CAUnreachable", "CAUnavailable", "RateLimited"];

/// What is wished for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Rollover,
    Deactivation,
}

/// What is wished for and not yet done.
pub(super) fn wish(observed: &Observed) -> Option<Wish> {
    let asked = condition(&observed.status.conditions, ACCOUNT_CHANGE).filter(|asked| asked.is_true())?;
    match asked.reason.as_deref()? {
        change::ROLLOVER_REQUESTED => Some(Wish::Rollover),
        change::DEACTIVATION_REQUESTED => Some(Wish::Deactivation),
        _ => None,
    }
}

/// The name under which the next key is beside the account key.
pub fn next_key(key: &str) -> String {
    format!("{key}.next")
}

/// The next step of the wish; none when the account is to be seen to first, or there is no wish.
pub(super) fn serve(observed: &Observed, acme: &AcmeIssuer, in_order: bool, now: Timestamp) -> Option<IssuerPlan> {
    let AccountKey::Present { hash } = &observed.account_key else { return None };
    let is_known = is_known(observed, hash);
    match wish(observed) {
        Some(Wish::Rollover) if in_order => Some(roll_over(observed, acme, hash, now)),
        Some(Wish::Deactivation) if is_known => Some(deactivate(observed, acme, hash, now)),
        _ if is_ended(observed, acme, hash) => {
            Some(not_ready(observed, reason::DEACTIVATED, ended(observed, acme), now))
        }
        _ => None,
    }
}

/// What the write that tells of a registered account says of wishes: another key was one, and an account that
/// was ended is another's past.
pub(super) fn registered(observed: &Observed, hash: &str, status: &mut IssuerStatus, now: Timestamp) {
    match wish(observed).filter(|_| !is_known(observed, hash)) {
        Some(Wish::Rollover) => say(observed, status, change::ROLLED_OVER, "The account has another key", now),
        Some(Wish::Deactivation) => {
            let message =
                "The issuer has another account since that was asked for; ask again if that is to end as well";
            say(observed, status, change::DEACTIVATION_REFUSED, message, now);
        }
        None if was_ended(observed) => remove_condition(&mut status.conditions, ACCOUNT_CHANGE),
        None => {}
    }
}

/// Whether the status tells of this key.
fn is_known(observed: &Observed, hash: &str) -> bool {
    observed.status.acme.as_ref().is_some_and(|acme| {
        acme.last_private_key_hash.as_deref() == Some(hash) && acme.uri.as_ref().is_some_and(|uri| !uri.is_empty())
    })
}

fn was_ended(observed: &Observed) -> bool {
    condition(&observed.status.conditions, ACCOUNT_CHANGE)
        .is_some_and(|told| !told.is_true() && told.reason.as_deref() == Some(change::DEACTIVATED))
}

/// Whether the account of this key was ended at this CA, at somebody's wish.
fn is_ended(observed: &Observed, acme: &AcmeIssuer, hash: &str) -> bool {
    let uri = observed.status.acme.as_ref().and_then(|acme| acme.uri.as_deref()).unwrap_or_default();
    was_ended(observed) && is_known(observed, hash) && origin(uri) == origin(&acme.server)
}

/// `https://ca.example:8443` of an address there.
fn origin(url: &str) -> &str {
    let start = url.find("://").map_or(0, |at| at + 3);
    url[start..].find('/').map_or(url, |end| &url[..start + end])
}

fn roll_over(observed: &Observed, acme: &AcmeIssuer, hash: &str, now: Timestamp) -> IssuerPlan {
    let secret = acme.private_key_secret_ref.name.clone();
    let key = acme.private_key_secret_ref.key_or(ACCOUNT_KEY).to_owned();
    let next = next_key(&key);
    let place = format!("{next} in Secret {}/{secret}", observed.secrets_in);
    let refuse = |why: String| refused(observed, Wish::Rollover, &why, now);
    match &observed.next_account_key {
        AccountKey::Missing if acme.disable_account_key_generation => refuse(format!(
            "spec.acme.disableAccountKeyGeneration forbids making a key; put the new one there ({place}), and ask again"
        )),
        AccountKey::Missing => step(observed, Wish::Rollover, Action::CreateNextAccountKey { secret, key: next }, now),
        AccountKey::Invalid(why) => {
            refuse(format!("the key that is to follow ({place}) can not be used: {why}; remove it, and ask again"))
        }
        AccountKey::Present { hash: follower } if follower == hash => {
            refuse(format!("the key that is to follow ({place}) is the account key itself; remove it, and ask again"))
        }
        AccountKey::Present { hash: follower } => match observed.memory.rolled_over.as_ref() {
            Some(taken) if taken == follower => IssuerPlan {
                actions: vec![Action::TakeNextAccountKey { secret, key, next, hash: follower.clone() }],
                ..IssuerPlan::rest()
            },
            _ => match under_way(observed, now) {
                Some(plan) => plan,
                None => step(observed, Wish::Rollover, Action::RollOver { hash: follower.clone() }, now),
            },
        },
    }
}

/// Names are proven with the key of the account: those that are being proven are let to their end, within reason.
fn under_way(observed: &Observed, now: Timestamp) -> Option<IssuerPlan> {
    if observed.orders_under_way == 0 || now.duration_since(asked_at(observed)) > DRAIN {
        return None;
    }
    let message = format!(
        "Waiting for the Orders that are under way with the old key, until {} at the latest",
        asked_at(observed) + DRAIN
    );
    Some(IssuerPlan { requeue: Some(LOOK_AGAIN), ..pending(observed, Wish::Rollover, message, now) })
}

fn asked_at(observed: &Observed) -> Timestamp {
    let asked = condition(&observed.status.conditions, ACCOUNT_CHANGE);
    asked.and_then(|asked| asked.last_transition_time.as_ref()).map_or(Timestamp::UNIX_EPOCH, |time| time.0)
}

/// A wish that waits, and for what.
fn pending(observed: &Observed, wish: Wish, message: String, now: Timestamp) -> IssuerPlan {
    let asked = match wish {
        Wish::Rollover => change::ROLLOVER_REQUESTED,
        Wish::Deactivation => change::DEACTIVATION_REQUESTED,
    };
    let mut status = observed.status.clone();
    let told = Condition::new(ACCOUNT_CHANGE, ConditionStatus::True, asked, message);
    set_condition(&mut status.conditions, told.observed(Some(observed.generation)), now);
    IssuerPlan { status: (status != observed.status).then_some(status), ..IssuerPlan::rest() }
}

fn deactivate(observed: &Observed, acme: &AcmeIssuer, hash: &str, now: Timestamp) -> IssuerPlan {
    if observed.memory.deactivated.as_deref() != Some(hash) {
        return step(observed, Wish::Deactivation, Action::Deactivate { hash: hash.to_owned() }, now);
    }
    let message = ended(observed, acme);
    let told = Condition::new(super::READY, ConditionStatus::False, reason::DEACTIVATED, message.as_str());
    let plan = write_with(observed, observed.status.acme.clone(), told, now, |status| {
        say(observed, status, change::DEACTIVATED, "The account was deactivated", now);
    });
    let event = Event { severity: Severity::Warning, reason: reason::DEACTIVATED, message };
    IssuerPlan { events: vec![event], ..plan }
}

/// What an issuer without an account says of itself.
fn ended(observed: &Observed, acme: &AcmeIssuer) -> String {
    let secret = format!("Secret {}/{}", observed.secrets_in, acme.private_key_secret_ref.name);
    let uri = observed.status.acme.as_ref().and_then(|acme| acme.uri.as_deref()).unwrap_or_default();
    let how = match acme.disable_account_key_generation {
        true => format!("put another key into {secret}"),
        false => format!("delete {secret}, or put another key into it"),
    };
    format!(
        "The account {uri} was deactivated, as somebody asked, and can not be used again; nothing is ordered or \
         renewed. For another account, {how}"
    )
}

/// Takes a step of the wish, unless it failed and its time has not come again, or never will.
fn step(observed: &Observed, wish: Wish, action: Action, now: Timestamp) -> IssuerPlan {
    let act = IssuerPlan { actions: vec![action], ..IssuerPlan::rest() };
    let since = asked_at(observed);
    // What failed before somebody asked again does not count.
    let Some(failure) = observed.memory.change_failure.as_ref().filter(|failure| failure.at >= since) else {
        return act;
    };
    let Failure { reason, message, retry, at } = failure;
    let is_long = now.duration_since(since) > PATIENCE && !PASSING.contains(&reason.as_str());
    match retry {
        Retry::Later(_) if is_long => refused(observed, wish, message, now),
        Retry::Later(wait) => match remaining(*at, *wait, now) {
            None => act,
            left => {
                let message = format!("{message}; Signet tries again by itself");
                IssuerPlan { requeue: left, ..pending(observed, wish, message, now) }
            }
        },
        Retry::OnChange | Retry::Never => refused(observed, wish, message, now),
    }
}

/// The wish can not be fulfilled; the account stays as it is.
fn refused(observed: &Observed, wish: Wish, why: &str, now: Timestamp) -> IssuerPlan {
    let (reason, message) = match wish {
        Wish::Rollover => (change::ROLLOVER_REFUSED, format!("The account keeps its key: {why}")),
        Wish::Deactivation => (change::DEACTIVATION_REFUSED, format!("The account was not deactivated: {why}")),
    };
    let mut status = observed.status.clone();
    say(observed, &mut status, reason, &message, now);
    let event = Event { severity: Severity::Warning, reason, message };
    IssuerPlan { status: Some(status), events: vec![event], ..IssuerPlan::rest() }
}

fn say(observed: &Observed, status: &mut IssuerStatus, reason: &str, message: &str, now: Timestamp) {
    let told = Condition::new(ACCOUNT_CHANGE, ConditionStatus::False, reason, message);
    set_condition(&mut status.conditions, told.observed(Some(observed.generation)), now);
}
