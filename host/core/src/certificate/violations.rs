//! Why a certificate must be issued again: an ordered chain of rules, of which the first that
//! speaks is the reason on the condition.

use jiff::Timestamp;

use super::observed::{Observed, Pair, SecretData};
use super::{renewal, revoke};

/// One rule that is broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pub reason: &'static str,
    pub message: String,
}

type Rule = fn(&Observed, Timestamp) -> Option<Violation>;

const RULES: &[Rule] = &[
    does_not_exist,
    missing_data,
    invalid_key_pair,
    invalid_certificate,
    revoke::revoked,
    incorrect_issuer,
    incorrect_certificate,
    secret_mismatch,
    request_changed,
    expired,
    renewing,
];

/// The first rule that is broken, if one is.
pub fn first_violation(observed: &Observed, now: Timestamp) -> Option<Violation> {
    RULES.iter().find_map(|rule| rule(observed, now))
}

/// Whether the Secret holds a certificate of the issuer that the spec asks for.
pub(super) fn is_of_its_issuer(observed: &Observed) -> bool {
    let is_marked = observed.secret.as_ref().is_some_and(|secret| secret.issuer.is_some());
    is_marked && incorrect_issuer(observed, Timestamp::UNIX_EPOCH).is_none()
}

fn broken(reason: &'static str, message: String) -> Option<Violation> {
    Some(Violation { reason, message })
}

fn does_not_exist(observed: &Observed, _: Timestamp) -> Option<Violation> {
    match observed.secret {
        Some(_) => None,
        None => broken("DoesNotExist", format!("Secret {} does not exist yet", observed.spec.secret_name)),
    }
}

fn missing_data(observed: &Observed, _: Timestamp) -> Option<Violation> {
    match &observed.secret.as_ref()?.data {
        SecretData::Missing(keys) => {
            broken("MissingData", format!("Secret {} has no {}", observed.spec.secret_name, keys.join(" and no ")))
        }
        SecretData::InvalidKey(_) | SecretData::InvalidCertificate(_) | SecretData::Pair(_) => None,
    }
}

fn invalid_key_pair(observed: &Observed, _: Timestamp) -> Option<Violation> {
    let secret = &observed.spec.secret_name;
    match &observed.secret.as_ref()?.data {
        SecretData::InvalidKey(why) => {
            broken("InvalidKeyPair", format!("tls.key in Secret {secret} is not a private key: {why}"))
        }
        SecretData::Pair(pair) if !pair.key_matches => {
            broken("InvalidKeyPair", format!("tls.key and tls.crt in Secret {secret} do not belong together"))
        }
        SecretData::Missing(_) | SecretData::InvalidCertificate(_) | SecretData::Pair(_) => None,
    }
}

fn invalid_certificate(observed: &Observed, _: Timestamp) -> Option<Violation> {
    match &observed.secret.as_ref()?.data {
        SecretData::InvalidCertificate(why) => broken(
            "InvalidCertificate",
            format!("tls.crt in Secret {} is not a certificate: {why}", observed.spec.secret_name),
        ),
        SecretData::Missing(_) | SecretData::InvalidKey(_) | SecretData::Pair(_) => None,
    }
}

fn incorrect_issuer(observed: &Observed, _: Timestamp) -> Option<Violation> {
    let (name, kind, group) = observed.secret.as_ref()?.issuer.as_ref()?;
    let wanted = &observed.spec.issuer_ref;
    let wanted_kind = observed.issuer_kind.as_deref().or(wanted.kind_if_set());
    let same_kind = wanted_kind.is_none_or(|wanted| wanted == kind);
    if *name == wanted.name && group == wanted.group_or_default() && same_kind {
        return None;
    }
    broken(
        "IncorrectIssuer",
        format!(
            "Secret {} holds a certificate of {kind} {name}; spec.issuerRef asks for {} {}",
            observed.spec.secret_name,
            wanted_kind.unwrap_or("issuer"),
            wanted.name
        ),
    )
}

fn incorrect_certificate(observed: &Observed, _: Timestamp) -> Option<Violation> {
    let owner = observed.secret.as_ref()?.certificate_name.as_ref().filter(|owner| **owner != observed.name)?;
    broken("IncorrectCertificate", format!("Secret {} was written for Certificate {owner}", observed.spec.secret_name))
}

fn pair(observed: &Observed) -> Option<&Pair> {
    match &observed.secret.as_ref()?.data {
        SecretData::Pair(pair) => Some(pair),
        SecretData::Missing(_) | SecretData::InvalidKey(_) | SecretData::InvalidCertificate(_) => None,
    }
}

fn secret_mismatch(observed: &Observed, _: Timestamp) -> Option<Violation> {
    let pair = pair(observed)?;
    if let Some(violation) = &pair.key_violation {
        return broken(
            "SecretMismatch",
            format!("tls.key in Secret {} breaks spec.privateKey: {violation}", observed.spec.secret_name),
        );
    }
    // A request of the current revision is the truer witness: a CA may leave out what it does not sign.
    if observed.current_request_mismatches.is_some() || pair.spec_mismatches.is_empty() {
        return None;
    }
    broken(
        "SecretMismatch",
        format!(
            "the certificate in Secret {} does not agree with {}",
            observed.spec.secret_name,
            pair.spec_mismatches.join(", ")
        ),
    )
}

fn request_changed(observed: &Observed, _: Timestamp) -> Option<Violation> {
    let changed = observed.current_request_mismatches.as_ref().filter(|fields| !fields.is_empty())?;
    broken("RequestChanged", format!("{} changed since the certificate was requested", changed.join(", ")))
}

fn expired(observed: &Observed, now: Timestamp) -> Option<Violation> {
    let not_after = pair(observed)?.not_after;
    (not_after <= now && revoke::ceased(observed).is_none())
        .then(|| Violation { reason: "Expired", message: format!("the certificate expired at {not_after}") })
}

fn renewing(observed: &Observed, now: Timestamp) -> Option<Violation> {
    if !renewal::is_wanted(observed) || revoke::ceased(observed).is_some() {
        return None;
    }
    let schedule = renewal::schedule(observed, pair(observed)?);
    (schedule.due <= now).then(|| Violation { reason: "Renewing", message: schedule.why() })
}
