//! Issuer: whether it can sign, which takes an account for ACME and a key pair for a CA.
//!
//! The key comes before the account: it is in its Secret before a CA hears of it, so that an
//! account can never be lost with the process. What the CA answered lives in [`Memory`] until it is
//! in the status; a process that was cut off between the two registers again, and a CA answers a
//! key that it knows with the same account (RFC 8555, section 7.3.1).
//!
//! Making keys, checking solvers against the schemas of their plugins and talking to the CA belong
//! to the edge. ClusterIssuers are decided here too: only [`Observed`] tells them apart.

mod ca;
mod change;
pub mod crl;
mod observed;
#[cfg(test)]
mod tests;

pub use crate::failure::{Failure, Retry};
pub use ca::BadKeyPair;
pub use change::next_key;
pub use observed::{AccountKey, Memory, Observed, Registered};

use jiff::Timestamp;
use signet_api::issuer::condition::READY;
use signet_api::issuer::{AcmeIssuer, AcmeStatus};
use signet_api::meta::{condition, set_condition};
use signet_api::{Condition, ConditionStatus, IssuerSpec, IssuerStatus};

use crate::failure::remaining;
use crate::persist;
use crate::plan::{Event, Plan, Severity};

/// Where in its Secret an account key is, unless the issuer names another place.
pub const ACCOUNT_KEY: &str = "tls.key";

/// Reasons of the Ready condition.
pub mod reason {
    /// There is nothing that could fail.
    pub const IS_READY: &str = "IsReady";
    /// The account is in order.
    pub const REGISTERED: &str = "ACMEAccountRegistered";
    /// The account key can not be used.
    pub const VERIFY: &str = "ErrVerifyACMEAccount";
    /// The CA, or the way to it, does not let the account be registered.
    pub const REGISTER: &str = "ErrRegisterACMEAccount";
    /// The CA does not take a change of the account.
    pub const UPDATE: &str = "ErrUpdateACMEAccount";
    /// The key pair of the authority is in order.
    pub const VERIFIED: &str = "KeyPairVerified";
    /// The key pair of the authority is not there.
    pub const GET_KEY_PAIR: &str = "ErrGetKeyPair";
    /// The key pair of the authority can not sign.
    pub const INVALID_KEY_PAIR: &str = "ErrInvalidKeyPair";
    /// The spec can not stand as it is.
    pub const INVALID_CONFIG: &str = "InvalidConfig";
    /// `spec.acme.server` is no address of a CA.
    pub const INVALID_URL: &str = "InvalidURL";
    /// A solver can not stand as it is.
    pub const INVALID_SOLVER: &str = "InvalidSolver";
    /// Another controller serves issuers of this type.
    pub const NOT_SUPPORTED: &str = "NotSupported";
    /// The account has ended, at somebody's wish.
    pub const DEACTIVATED: &str = "AccountDeactivated";

    /// What people are to publish for dnsPersist01.
    pub const PUBLISH_RECORD: &str = "PublishRecord";

    /// Those of an issuer that can not sign.
    const WARNINGS: [&str; 10] = [
        VERIFY,
        REGISTER,
        UPDATE,
        GET_KEY_PAIR,
        INVALID_KEY_PAIR,
        INVALID_CONFIG,
        INVALID_URL,
        INVALID_SOLVER,
        NOT_SUPPORTED,
        DEACTIVATED,
    ];

    /// The same word for an event. What an edge made up itself is a failure to register.
    pub(super) fn of_event(reason: &str) -> &'static str {
        WARNINGS.into_iter().find(|known| *known == reason).unwrap_or(REGISTER)
    }
}

/// Everything that an issuer may need done. Each result goes into [`Memory`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Makes an account key and keeps it under `key` of the Secret, in the namespace
    /// [`Observed::secrets_in`]. A Secret that has such a key already keeps it.
    CreateAccountKey { secret: String, key: String },
    /// Registers the account at the CA by the spec as it was observed, or finds the account that
    /// the key already has there and tells the CA its email address.
    Register,
    /// Makes the key that is to follow the account key and keeps it under `key` of the same Secret.
    CreateNextAccountKey { secret: String, key: String },
    /// Has the CA take the key with this digest, which follows, for that of the account, unless it has already.
    RollOver { hash: String },
    /// Puts the key with this digest, which is under `next` of the Secret, in the place of `key`, in one write.
    TakeNextAccountKey { secret: String, key: String, next: String, hash: String },
    /// Ends the account of the key with this digest.
    Deactivate { hash: String },
    /// Signs the next list of revoked certificates and keeps it.
    WriteList,
}

/// A plan for an Issuer or a ClusterIssuer.
pub type IssuerPlan = Plan<Action, IssuerStatus>;

/// Decides what an issuer needs now.
pub fn decide(observed: &Observed, now: Timestamp) -> IssuerPlan {
    let spec = &observed.spec;
    match (types(spec).as_slice(), &spec.acme, &spec.ca) {
        (["selfSigned"], _, _) => {
            let message = "Each certificate is signed with its own key, which needs nothing else";
            write(observed, observed.status.acme.clone(), ready(reason::IS_READY, message), now)
        }
        (["acme"], Some(acme), _) => serve_acme(observed, acme, now),
        (["ca"], _, Some(authority)) => ca::serve(observed, authority, now),
        ([], _, _) => {
            let message = "The spec does not say how to sign; set one of spec.acme, spec.ca and spec.selfSigned";
            not_ready(observed, reason::INVALID_CONFIG, message.to_owned(), now)
        }
        ([other], _, _) => {
            let message = format!(
                "This version of Signet does not serve issuers of type {other}, only acme, ca and selfSigned; \
                 set one of those in place of spec.{other}"
            );
            not_ready(observed, reason::NOT_SUPPORTED, message, now)
        }
        (several, _, _) => {
            let message = format!("An issuer is of one type, and this one has spec.{}", several.join(" and spec."));
            not_ready(observed, reason::INVALID_CONFIG, message, now)
        }
    }
}

/// The types that a spec has set, by the names of their fields.
fn types(spec: &IssuerSpec) -> Vec<&'static str> {
    let IssuerSpec { acme, ca, vault, self_signed, venafi } = spec;
    [
        ("acme", acme.is_some()),
        ("ca", ca.is_some()),
        ("vault", vault.is_some()),
        ("selfSigned", self_signed.is_some()),
        ("venafi", venafi.is_some()),
    ]
    .into_iter()
    .filter_map(|(name, is_set)| is_set.then_some(name))
    .collect()
}

/// Solvers, then the key, then the account: the first that is not in order decides.
fn serve_acme(observed: &Observed, acme: &AcmeIssuer, now: Timestamp) -> IssuerPlan {
    if !observed.solver_errors.is_empty() {
        return not_ready(observed, reason::INVALID_SOLVER, observed.solver_errors.join("; "), now);
    }
    let (secret, key) = (&acme.private_key_secret_ref.name, acme.private_key_secret_ref.key_or(ACCOUNT_KEY));
    let place = format!("{key} in Secret {}/{secret}", observed.secrets_in);
    match &observed.account_key {
        AccountKey::Present { hash } => {
            let in_order = is_in_order(observed, email(acme.email.as_ref()), hash);
            match change::serve(observed, acme, in_order, now) {
                Some(plan) => plan,
                None if in_order => IssuerPlan::rest(),
                None => account(observed, acme, hash, now),
            }
        }
        AccountKey::Missing if acme.disable_account_key_generation => {
            let message = format!(
                "The account key is missing: there is no {place}, and spec.acme.disableAccountKeyGeneration forbids \
                 making one; put the key there, and Signet goes on"
            );
            not_ready(observed, reason::VERIFY, message, now)
        }
        AccountKey::Missing => {
            attempt(observed, Action::CreateAccountKey { secret: secret.clone(), key: key.to_owned() }, now)
        }
        AccountKey::Invalid(why) => {
            let message = format!(
                "The account key ({place}) can not be used: {why}; put a key there that signs for the account, and \
                 Signet goes on"
            );
            not_ready(observed, reason::VERIFY, message, now)
        }
    }
}

/// There is a key: its account was just registered, or is to be.
fn account(observed: &Observed, acme: &AcmeIssuer, hash: &str, now: Timestamp) -> IssuerPlan {
    let email = email(acme.email.as_ref());
    let registered = observed.memory.registered.as_ref().filter(|registered| {
        let Registered { generation, uri: _, email: told, key_hash, terms_of_service: _, caa_identities: _ } =
            registered;
        *generation == observed.generation && self::email(told.as_ref()) == email && key_hash == hash
    });
    let Some(registered) = registered else { return attempt(observed, Action::Register, now) };
    let by_hand = to_publish(acme, registered);
    let acme = AcmeStatus {
        uri: Some(registered.uri.clone()),
        last_registered_email: email.map(str::to_owned),
        last_private_key_hash: Some(hash.to_owned()),
    };
    let terms = registered.terms_of_service.as_ref().map_or(String::new(), |url| format!("; its terms: {url}"));
    let told = by_hand.as_ref().map_or(String::new(), |told| format!(". {told}"));
    let message = format!("The CA knows the account, and names can be proven to it{terms}{told}");
    let plan = write_with(observed, Some(acme), ready(reason::REGISTERED, &message), now, |status| {
        change::registered(observed, hash, status, now);
    });
    let told = by_hand.filter(|_| plan.status.is_some());
    let event = told.map(|message| Event { severity: Severity::Normal, reason: reason::PUBLISH_RECORD, message });
    IssuerPlan { events: event.into_iter().chain(plan.events).collect(), ..plan }
}

/// What people publish for dnsPersist01, told once: it is the same for every name.
fn to_publish(acme: &AcmeIssuer, registered: &Registered) -> Option<String> {
    let is_used = acme.solvers.iter().any(|solver| solver.dns_persist01.is_some());
    let issuer = registered.caa_identities.first().filter(|_| is_used)?;
    let record = persist::Record { issuer: issuer.clone(), account: registered.uri.clone(), wildcard: false };
    let label = persist::LABEL;
    Some(format!(
        "For dnsPersist01 publish once, for each name, the TXT record {label}.NAME with the value \"{record}\"; \
         with \"; policy=wildcard\" at its end it is good for *.NAME too"
    ))
}

/// Whether the status says of this very spec and key that the CA has the account, so that a
/// process that starts need not ask it.
fn is_in_order(observed: &Observed, email: Option<&str>, hash: &str) -> bool {
    let current = condition(&observed.status.conditions, READY)
        .is_some_and(|ready| ready.is_true() && ready.observed_generation == Some(observed.generation));
    let Some(AcmeStatus { uri, last_registered_email, last_private_key_hash }) = &observed.status.acme else {
        return false;
    };
    current
        && uri.as_ref().is_some_and(|uri| !uri.is_empty())
        && self::email(last_registered_email.as_ref()) == email
        && last_private_key_hash.as_deref() == Some(hash)
}

/// An address; one that is empty is none.
fn email(address: Option<&String>) -> Option<&str> {
    address.map(String::as_str).filter(|address| !address.is_empty())
}

/// Takes a step, unless it failed and its time has not come again. The status waits for what comes
/// of it: an issuer that was Ready does not flap while an edit of it is tried.
fn attempt(observed: &Observed, action: Action, now: Timestamp) -> IssuerPlan {
    let act = IssuerPlan { actions: vec![action], ..IssuerPlan::rest() };
    let Some(failure) = &observed.memory.failure else { return act };
    let (requeue, next) = match failure.retry {
        Retry::Later(wait) => match remaining(failure.at, wait, now) {
            None => return act,
            left => (left, "Signet tries again by itself"),
        },
        Retry::OnChange | Retry::Never => {
            (None, "Signet tries again when the issuer or a Secret that it names has changed")
        }
    };
    let plan = not_ready(observed, &failure.reason, format!("{}; {next}", failure.message), now);
    IssuerPlan { requeue, ..plan }
}

fn ready(reason: &str, message: &str) -> Condition {
    Condition::new(READY, ConditionStatus::True, reason, message)
}

/// An issuer that can not sign, with an event when that is news.
fn not_ready(observed: &Observed, reason: &str, message: String, now: Timestamp) -> IssuerPlan {
    let known = condition(&observed.status.conditions, READY)
        .is_some_and(|ready| !ready.is_true() && ready.message.as_deref() == Some(message.as_str()));
    let told = Condition::new(READY, ConditionStatus::False, reason, message.as_str());
    let event = Event { severity: Severity::Warning, reason: reason::of_event(reason), message };
    let events = if known { Vec::new() } else { vec![event] };
    IssuerPlan { events, ..write(observed, observed.status.acme.clone(), told, now) }
}

fn write(observed: &Observed, acme: Option<AcmeStatus>, ready: Condition, now: Timestamp) -> IssuerPlan {
    write_with(observed, acme, ready, now, |_| {})
}

fn write_with(
    observed: &Observed,
    acme: Option<AcmeStatus>,
    ready: Condition,
    now: Timestamp,
    further: impl FnOnce(&mut IssuerStatus),
) -> IssuerPlan {
    let mut status = IssuerStatus { acme, ..observed.status.clone() };
    set_condition(&mut status.conditions, ready.observed(Some(observed.generation)), now);
    further(&mut status);
    crl::tell(observed, &mut status, now);
    IssuerPlan { status: (status != observed.status).then_some(status), ..IssuerPlan::rest() }
}
