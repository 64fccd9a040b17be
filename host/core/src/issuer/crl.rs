//! The list of revoked certificates that a CA issuer keeps when an annotation names a Secret for it
//! (RFC 5280, section 5). What it says is kept beside the list itself and is written with it, so that there is no
//! list without its entries, and no entry that is not in a list.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::{Deserialize, Serialize};
use signet_api::labels::{CRL_DURATION, CRL_SECRET_NAME, CRL_SERVED};
use signet_api::meta::{remove_condition, set_condition, whole_seconds};
use signet_api::{Condition, ConditionStatus, IssuerStatus};

use super::observed::Observed;
use crate::revocation::Reason;

/// The condition that tells of the list.
pub const CONDITION: &str = "RevocationList";
/// How long a list is good for unless the annotation says.
const USUAL: SignedDuration = SignedDuration::from_hours(7 * 24);
const SHORTEST: SignedDuration = SignedDuration::from_mins(1);

/// What the annotations of an issuer ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// The Secret that holds the list.
    pub secret: String,
    /// How long a list is good for. It is renewed when half of that is over.
    pub duration: SignedDuration,
    /// Whether the list is served over HTTP.
    pub served: bool,
}

impl Wish {
    /// Reads the annotations; none when there is no list to keep.
    ///
    /// # Errors
    /// One of them can not be followed; the sentence names it.
    pub fn parse<'a>(annotation: impl Fn(&str) -> Option<&'a str>) -> Result<Option<Self>, String> {
        let Some(secret) = annotation(CRL_SECRET_NAME).filter(|name| !name.is_empty()) else { return Ok(None) };
        let duration = match annotation(CRL_DURATION) {
            None => USUAL,
            Some(text) => match text.parse::<signet_api::Duration>() {
                Ok(duration) if duration.get() >= SHORTEST => duration.get(),
                Ok(_) => return Err(format!("metadata.annotations[{CRL_DURATION}]: {text} is less than 1m")),
                Err(error) => return Err(format!("metadata.annotations[{CRL_DURATION}]: {error}")),
            },
        };
        let served = match annotation(CRL_SERVED) {
            Some("true") => true,
            None | Some("false" | "") => false,
            Some(other) => {
                return Err(format!("metadata.annotations[{CRL_SERVED}]: {other:?} is neither true nor false"));
            }
        };
        Ok(Some(Self { secret: secret.to_owned(), duration, served }))
    }
}

/// What a list says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct List {
    /// Goes up with each list.
    pub number: u64,
    pub this_update: Time,
    pub next_update: Time,
    /// SHA-256 of the certificate of the authority that signed it.
    pub authority: String,
    pub revoked: Vec<Entry>,
}

/// A certificate in the list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// In hexadecimal.
    pub serial: String,
    pub at: Time,
    pub reason: Reason,
    /// The end of the certificate, after which it need not be listed.
    pub not_after: Time,
}

/// Who signs a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signer {
    /// SHA-256 of its certificate.
    pub authority: String,
    /// The end of its certificate.
    pub not_after: Timestamp,
}

impl List {
    /// The list that follows on `last`, with one certificate more if `new` is not in it already.
    pub fn next(last: Option<&Self>, new: Option<Entry>, wish: &Wish, signer: &Signer, now: Timestamp) -> Self {
        let now = whole_seconds(now);
        let mut revoked: Vec<_> = last
            .iter()
            .flat_map(|last| &last.revoked)
            // One that has expired is listed once more (section 3.3).
            .filter(|entry| last.is_none_or(|last| entry.not_after.0 >= last.this_update.0))
            .cloned()
            .collect();
        revoked.extend(new.filter(|new| !revoked.iter().any(|entry| entry.serial == new.serial)));
        let end = now.checked_add(wish.duration).unwrap_or(Timestamp::MAX).min(signer.not_after);
        Self {
            number: last.map_or(0, |last| last.number) + 1,
            this_update: Time(now),
            next_update: Time(end),
            authority: signer.authority.clone(),
            revoked,
        }
    }

    /// Whether a certificate is listed.
    pub fn has(&self, serial: &str) -> bool {
        self.revoked.iter().any(|entry| entry.serial == serial)
    }

    /// When the next list is due; never, when this one is good for as long as its authority.
    fn due(&self, wish: &Wish, signer: &Signer) -> Option<Timestamp> {
        if self.authority != signer.authority {
            return Some(Timestamp::MIN);
        }
        if self.next_update.0 >= signer.not_after {
            return None;
        }
        let lifetime = self.next_update.0.duration_since(self.this_update.0).min(wish.duration);
        self.this_update.0.checked_add(lifetime / 2).ok()
    }
}

/// What is known of the list of an issuer.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum State {
    /// None is kept.
    #[default]
    Unwanted,
    /// One is wanted that can not be kept; why, as a sentence.
    Trouble(String),
    /// The authority that is to sign it can not be read, which is told elsewhere.
    Unsigned,
    /// One is kept; none yet when there is no `list`.
    Kept { wish: Wish, list: Option<List>, signer: Signer },
}

/// When the next list of an issuer is to be written, if one is.
pub(super) fn due(observed: &Observed) -> Option<Timestamp> {
    let State::Kept { wish, list, signer } = &observed.list else { return None };
    list.as_ref().map_or(Some(Timestamp::MIN), |list| list.due(wish, signer))
}

/// Says of the list how it stands.
pub(super) fn tell(observed: &Observed, status: &mut IssuerStatus, now: Timestamp) {
    let condition = match &observed.list {
        State::Unsigned => return,
        State::Unwanted => {
            remove_condition(&mut status.conditions, CONDITION);
            return;
        }
        State::Trouble(why) => Condition::new(CONDITION, ConditionStatus::False, "InvalidConfig", why.clone()),
        State::Kept { wish, .. } => {
            let secret = format!("{}/{}", observed.secrets_in, wish.secret);
            let served = if wish.served { format!(", and served at {}", path(observed)) } else { String::new() };
            let message = format!("Revoked certificates are listed in ca.crl of Secret {secret}{served}");
            Condition::new(CONDITION, ConditionStatus::True, "Kept", message)
        }
    };
    set_condition(&mut status.conditions, condition.observed(Some(observed.generation)), now);
}

/// Where the list of an issuer is served.
fn path(observed: &Observed) -> String {
    match observed.kind {
        "Issuer" => format!("/crl/{}/{}.crl", observed.secrets_in, observed.name),
        _ => format!("/crl/{}.crl", observed.name),
    }
}
