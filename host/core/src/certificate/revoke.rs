//! What revocations mean for the certificate in use: another one is issued at once, unless none is wanted
//! any more, and never with a key that others may hold.

use jiff::Timestamp;

use super::observed::{Observed, SecretData};
use super::violations::Violation;
use crate::revocation::{Record, Standing};

/// The reason on the conditions.
pub(super) const REVOKED: &str = "Revoked";

fn standing(observed: &Observed) -> Option<&Standing> {
    match &observed.secret.as_ref()?.data {
        SecretData::Pair(pair) => Some(&pair.standing),
        SecretData::Missing(_) | SecretData::InvalidKey(_) | SecretData::InvalidCertificate(_) => None,
    }
}

/// The rule: what is revoked, or has a compromised key, is not left in the Secret.
pub(super) fn revoked(observed: &Observed, _: Timestamp) -> Option<Violation> {
    let Standing { revoked, compromised } = standing(observed).filter(|_| ceased(observed).is_none())?;
    let secret = &observed.spec.secret_name;
    let message = match (revoked, compromised) {
        (Some(record), _) if !record.refused => format!("the certificate in Secret {secret} {}", was_revoked(record)),
        (_, Some(record)) => format!(
            "the key in Secret {secret} must not be used any more: it was given up as {} with the certificate with serial \
             number {}",
            record.reason.name(),
            record.serial
        ),
        (Some(_) | None, None) => return None,
    };
    Some(Violation { reason: REVOKED, message })
}

/// What is to be said of a certificate that was revoked and is not to be followed by another.
pub(super) fn ceased(observed: &Observed) -> Option<String> {
    let record = standing(observed)?.revoked.as_ref().filter(|record| !record.reason.is_followed_by_another())?;
    Some(format!(
        "The certificate in Secret {} {}, so that no other is issued by itself; `kubectl signet renew {}` has one issued",
        observed.spec.secret_name,
        was_revoked(record),
        observed.name
    ))
}

fn was_revoked(record: &Record) -> String {
    let Record { serial, reason, at, .. } = record;
    format!("(serial number {serial}) was revoked as {} at {at}", reason.name())
}

/// Whether others may hold the key that is in use.
pub(super) fn is_compromised(observed: &Observed) -> bool {
    standing(observed).is_some_and(|standing| standing.compromised.is_some())
}

/// Whether the certificate in use was revoked after this moment.
pub(super) fn is_since(observed: &Observed, moment: Timestamp) -> bool {
    let standing = standing(observed);
    let records = standing.into_iter().flat_map(|Standing { revoked, compromised }| [revoked, compromised]);
    records.flatten().any(|record| record.at > moment)
}
