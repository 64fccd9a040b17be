//! What happens next, or what the person can do: an ordered chain of rules, of which the first
//! that speaks is the last line of the story. It follows the order in which the controller decides.

use jiff::Timestamp;
use signet_api::ConditionStatus;
use signet_api::certificate::RenewalPolicy;
use signet_api::certificate::condition::REVOKED;
use signet_api::issuer::condition::READY;
use signet_api::labels::{REVOKE, REVOKE_FINALIZER};
use signet_api::meta::{condition, has_condition};

use super::{progress, when};
use crate::gathered::{Gathered, Seen, SeenIssuer};

type Rule = fn(&Gathered, Timestamp) -> Option<String>;

const RULES: &[Rule] = &[
    deleting,
    unseen,
    refused_spec,
    not_revoked,
    revoking,
    backing_off,
    issuing,
    rival,
    ceased,
    expired,
    up_to_date,
    overdue,
    about_to_issue,
];

/// The first rule that speaks.
pub(super) fn next(gathered: &Gathered, now: Timestamp) -> String {
    let said = RULES.iter().find_map(|rule| rule(gathered, now));
    said.unwrap_or_else(|| format!("Signet looks at the Certificate. {}", if_nothing_moves()))
}

/// The command that asks for an issuance at once.
pub(super) fn renew_command(gathered: &Gathered) -> String {
    format!("`kubectl signet renew {} -n {}`", gathered.name(), gathered.namespace())
}

/// The advice that ends every line about something that takes seconds.
pub(super) fn if_nothing_moves() -> &'static str {
    "If nothing moves within a minute, see whether the controller runs: \
     `kubectl get pods -A -l app.kubernetes.io/name=signet`."
}

/// What keeps the issuer from signing, as a sentence that says what can be done.
pub(super) fn issuer_trouble(gathered: &Gathered) -> Option<String> {
    let issuer = gathered.issuer_name();
    match &gathered.issuer {
        SeenIssuer::Ours(Seen::Missing) => Some(format!(
            "{issuer} does not exist: create it, or correct spec.issuerRef. Signet carries on by itself once it is there."
        )),
        SeenIssuer::Ours(Seen::There(facts)) => {
            let conditions = &facts.status.conditions;
            if has_condition(conditions, READY, ConditionStatus::True) {
                return None;
            }
            let why = condition(conditions, READY).and_then(|ready| ready.message.clone());
            let why = why.unwrap_or("its Ready condition is not set yet".to_owned());
            Some(format!("{issuer} can not sign: {}. Issuance goes on once it is Ready.", sentence(&why)))
        }
        SeenIssuer::Ours(Seen::Hidden(_)) | SeenIssuer::Foreign => None,
    }
}

/// A message to go on in a sentence of ours.
pub(super) fn sentence(message: &str) -> &str {
    message.trim().trim_end_matches('.')
}

fn deleting(gathered: &Gathered, _: Timestamp) -> Option<String> {
    let metadata = &gathered.certificate.metadata;
    metadata.deletion_timestamp.as_ref()?;
    if metadata.finalizers.iter().flatten().any(|name| name == REVOKE_FINALIZER) {
        let why = not_revoked_why(gathered).map_or(String::new(), |why| format!(" {}.", sentence(&why)));
        return Some(format!("The Certificate is being deleted, and goes once its certificates are revoked.{why}"));
    }
    Some(format!(
        "The Certificate is being deleted; nothing is issued any more. Secret {} stays unless it is owned.",
        gathered.certificate.spec.secret_name
    ))
}

fn unseen(gathered: &Gathered, _: Timestamp) -> Option<String> {
    let conditions = gathered.certificate.status.as_ref().map_or(0, |status| status.conditions.len());
    (conditions == 0).then(|| format!("Signet has not looked at the Certificate yet. {}", if_nothing_moves()))
}

/// What only an edit can mend; the message says which.
fn refused_spec(gathered: &Gathered, _: Timestamp) -> Option<String> {
    let why = refusal(gathered, &["InvalidSpec", "CannotRegenerateKey"])?;
    let (name, namespace) = (gathered.name(), gathered.namespace());
    Some(format!(
        "Nothing until you act: {}. Signet goes on at once after `kubectl edit certificate {name} -n {namespace}`.",
        sentence(&why)
    ))
}

/// The message of the Ready condition, when it is False for one of these reasons.
fn refusal(gathered: &Gathered, reasons: &[&str]) -> Option<String> {
    let ready = gathered.ready().filter(|ready| ready.status == ConditionStatus::False)?;
    let reason = ready.reason.as_deref().filter(|reason| reasons.contains(reason))?;
    Some(ready.message.clone().unwrap_or_else(|| reason.to_owned()))
}

fn backing_off(gathered: &Gathered, now: Timestamp) -> Option<String> {
    let next = gathered.next_attempt()?;
    let command = renew_command(gathered);
    if next <= now {
        return Some(format!("The next attempt is due now. {}", if_nothing_moves()));
    }
    let trouble = issuer_trouble(gathered).map_or(String::new(), |trouble| format!(" {trouble}"));
    Some(format!(
        "Signet tries again at {}. To try sooner, correct what the Issuing condition says, then run {command}.{trouble}",
        when::at(next, now)
    ))
}

fn issuing(gathered: &Gathered, now: Timestamp) -> Option<String> {
    gathered.is_issuing().then(|| progress::progress(gathered, now))
}

/// A revocation that waits for somebody.
fn not_revoked(gathered: &Gathered, _: Timestamp) -> Option<String> {
    let _ = gathered.revocation()?;
    let why = not_revoked_why(gathered)?;
    let (name, namespace) = (gathered.name(), gathered.namespace());
    let take_back = format!("`kubectl annotate certificate {name} -n {namespace} {REVOKE}-`");
    Some(format!("{}. To take the request back: {take_back}.", sentence(&why)))
}

fn not_revoked_why(gathered: &Gathered) -> Option<String> {
    let status = gathered.certificate.status.as_ref()?;
    let told = condition(&status.conditions, REVOKED).filter(|told| told.status == ConditionStatus::False)?;
    told.message.clone()
}

fn revoking(gathered: &Gathered, _: Timestamp) -> Option<String> {
    let what = super::parts::revoking(gathered)?;
    Some(format!("Signet asks the issuer: {what}. {}", if_nothing_moves()))
}

/// Revoked for good, and nothing comes in its place.
fn ceased(gathered: &Gathered, _: Timestamp) -> Option<String> {
    let why = refusal(gathered, &["Revoked"])?;
    let is_last = gathered.records().last().is_some_and(|record| !record.reason.is_followed_by_another());
    is_last.then(|| format!("Nothing by itself. {}.", sentence(&why)))
}

/// Two Certificates want the same Secret.
fn rival(gathered: &Gathered, _: Timestamp) -> Option<String> {
    let why = refusal(gathered, &["IncorrectCertificate"])?;
    Some(format!("Nothing until you act: {}. Signet looks again every 3 minutes.", sentence(&why)))
}

fn expired(gathered: &Gathered, now: Timestamp) -> Option<String> {
    let not_after = gathered.status().not_after.filter(|not_after| not_after.0 <= now)?;
    let what = format!("The certificate expired at {}", when::at(not_after.0, now));
    Some(match renews(gathered) {
        true => format!("{what}; Signet issues a new one. {}", if_nothing_moves()),
        false => format!("{what} and spec.renewal.policy is Disabled: run {}.", renew_command(gathered)),
    })
}

fn up_to_date(gathered: &Gathered, now: Timestamp) -> Option<String> {
    gathered.ready().filter(|ready| ready.is_true())?;
    if gathered.secret == Seen::Missing {
        return Some(format!(
            "Secret {} is gone; Signet issues a new certificate. {}",
            gathered.certificate.spec.secret_name,
            if_nothing_moves()
        ));
    }
    if !renews(gathered) {
        let not_after =
            gathered.status().not_after.map_or(String::new(), |time| format!(" at {}", when::at(time.0, now)));
        let command = renew_command(gathered);
        return Some(format!(
            "Nothing by itself: spec.renewal.policy is Disabled. Run {command} before the certificate expires{not_after}."
        ));
    }
    let renewal = gathered.status().renewal_time?.0;
    let trouble = issuer_trouble(gathered);
    let trouble = trouble.map_or("There is nothing to do.".to_owned(), |trouble| format!("Until then: {trouble}"));
    (renewal > now).then(|| format!("Signet renews the certificate at {}. {trouble}", when::at(renewal, now)))
}

fn overdue(gathered: &Gathered, now: Timestamp) -> Option<String> {
    let renewal = gathered.status().renewal_time.filter(|_| renews(gathered))?.0;
    (renewal <= now).then(|| format!("The renewal was due at {}. {}", when::at(renewal, now), if_nothing_moves()))
}

fn about_to_issue(gathered: &Gathered, _: Timestamp) -> Option<String> {
    let ready = gathered.ready().filter(|ready| !ready.is_true())?;
    let why = ready.message.as_deref().unwrap_or("the certificate is not as it should be");
    Some(format!("Signet begins an issuance, because {}. {}", lower(sentence(why)), if_nothing_moves()))
}

/// A message to go on in the middle of a sentence.
fn lower(message: &str) -> String {
    let (article, rest) = message.split_at(message.find(' ').unwrap_or(0));
    match article {
        "The" | "A" | "It" => format!("{}{rest}", article.to_lowercase()),
        _ => message.to_owned(),
    }
}

fn renews(gathered: &Gathered) -> bool {
    let renewal = gathered.certificate.spec.renewal.clone().unwrap_or_default();
    renewal.policy != Some(RenewalPolicy::Disabled)
}
