//! The parts of the story, each about one object or one kind of it.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use signet_api::certificate::condition::{ISSUING, READY, REVOKED};
use signet_api::certificate::{RenewalInformation, SuggestedWindow};
use signet_api::meta::condition;
use signet_api::{CertificateSpec, Condition, IssuerSpec, certificaterequest, issuer};
use signet_core::revocation::{Request, plain_serial};

use super::page::Page;
use super::proofs::{challenges, order};
use super::when;
use crate::gathered::{Gathered, Happening, Leaf, SecretFacts, Seen, SeenIssuer, revision};

type Part = fn(&mut Page, &Gathered, Timestamp);

/// In the order in which they are told: from the wish down to the proofs.
pub(super) const PARTS: &[Part] = &[certificate, issuer, secret, next_key, request, order, challenges, happenings];

fn certificate(page: &mut Page, gathered: &Gathered, now: Timestamp) {
    let generation = gathered.certificate.metadata.generation;
    let status = gathered.status();
    let moment = |time: &Option<Time>| time.as_ref().map(|time| when::at(time.0, now));
    page.part("Certificate", &format!("{}/{}", gathered.namespace(), gathered.name()));
    page.row_if("Names", Some(names(&gathered.certificate.spec)));
    for type_ in [READY, ISSUING, REVOKED] {
        page.row_if(type_, condition(&status.conditions, type_).map(|found| told(found, generation, now)));
    }
    page.row_if("Revoking", revoking(gathered));
    page.row_if("Not before", moment(&status.not_before));
    page.row_if("Not after", moment(&status.not_after));
    page.row_if("Renewal", moment(&status.renewal_time));
    let ari = status.acme.as_ref().and_then(|acme| acme.ari.as_ref());
    page.row_if("CA's wish", ari.and_then(|ari| wish(ari, now)));
    let error = ari.and_then(|ari| ari.last_error.as_ref());
    page.row_if("No answer", error.map(|error| format!("the CA does not say when to renew: {error}")));
    page.row_if("Revision", status.revision.map(|revision| revision.to_string()));
    let failed = status.failed_issuance_attempts.filter(|attempts| *attempts > 0);
    page.row_if("Failures", failed.map(|attempts| failures(gathered, attempts, now)));
}

/// What is asked for and not yet done.
pub(super) fn revoking(gathered: &Gathered) -> Option<String> {
    Some(match gathered.revocation()? {
        Ok(Request { serial, reason, .. }) => {
            format!("the certificate with serial number {serial} is to be revoked as {}", reason.name())
        }
        Err(why) => why,
    })
}

/// When the CA would like to see the renewal, and why.
fn wish(ari: &RenewalInformation, now: Timestamp) -> Option<String> {
    let SuggestedWindow { start, end } = ari.suggested_window.as_ref()?;
    let why = ari.explanation_url.as_ref().map_or(String::new(), |url| format!("; it says why: {url}"));
    Some(format!("from {} to {}{why}", when::at(start.0, now), when::at(end.0, now)))
}

fn failures(gathered: &Gathered, attempts: i64, now: Timestamp) -> String {
    let last = gathered
        .status()
        .last_failure_time
        .map_or(String::new(), |Time(last)| format!(", the last at {}", when::at(last, now)));
    let next = match gathered.next_attempt() {
        Some(next) => format!("; next attempt at {}", when::at(next, now)),
        None if gathered.is_issuing() => "; the next attempt is under way".to_owned(),
        None => String::new(),
    };
    format!("{attempts} since the last success{last}{next}")
}

/// Everything that the certificate is for.
fn names(spec: &CertificateSpec) -> String {
    let CertificateSpec { common_name, dns_names, ip_addresses, uris, email_addresses, literal_subject, .. } = spec;
    let alternative = [dns_names, ip_addresses, uris, email_addresses].into_iter().flatten();
    let subject = literal_subject.clone().or_else(|| Some(format!("CN={}", common_name.as_ref()?)));
    let known = alternative.clone().any(|name| Some(name) == common_name.as_ref());
    let subject = subject.filter(|_| !known);
    subject.into_iter().chain(alternative.cloned()).collect::<Vec<_>>().join(", ")
}

/// `False for 3 minutes, DoesNotExist: Secret web-tls does not exist yet`
pub(super) fn told(condition: &Condition, generation: Option<i64>, now: Timestamp) -> String {
    let Condition { type_, status, reason, message, last_transition_time, observed_generation } = condition;
    let age = last_transition_time
        .as_ref()
        .map_or(String::new(), |Time(since)| format!(" for {}", when::length(now.duration_since(*since))));
    let reason = reason.as_ref().filter(|reason| *reason != type_).map_or(String::new(), |word| format!(", {word}"));
    let stale = observed_generation.is_some() && *observed_generation < generation;
    let stale = if stale { " (from before the last edit of the spec)" } else { "" };
    let message = message.as_ref().map_or(String::new(), |message| format!(": {message}"));
    format!("{status:?}{age}{reason}{stale}{message}")
}

fn issuer(page: &mut Page, gathered: &Gathered, now: Timestamp) {
    page.part("Issuer", &gathered.issuer_name());
    match &gathered.issuer {
        SeenIssuer::Foreign => page.row("State", "not known here: the controller of that group serves it"),
        SeenIssuer::Ours(Seen::Missing) => page.row("State", "does not exist"),
        SeenIssuer::Ours(Seen::Hidden(why)) => page.row("State", &hidden(why)),
        SeenIssuer::Ours(Seen::There(facts)) => {
            page.row("Type", &signer(&facts.spec));
            let ready = condition(&facts.status.conditions, issuer::condition::READY);
            page.row("Ready", &ready.map_or("not known yet".to_owned(), |ready| told(ready, None, now)));
        }
    }
}

pub(super) fn signer(spec: &IssuerSpec) -> String {
    let IssuerSpec { acme, ca, vault, self_signed, venafi } = spec;
    let all = [
        acme.as_ref().map(|acme| format!("ACME at {}", acme.server)),
        ca.as_ref().map(|ca| format!("CA whose key pair is in Secret {}", ca.secret_name)),
        vault.as_ref().map(|vault| format!("Vault at {}", vault.server)),
        self_signed.as_ref().map(|_| "self-signed".to_owned()),
        venafi.as_ref().map(|_| "Venafi".to_owned()),
    ];
    all.into_iter().flatten().collect::<Vec<_>>().join(" and ")
}

fn secret(page: &mut Page, gathered: &Gathered, now: Timestamp) {
    page.part("Secret", &gathered.certificate.spec.secret_name);
    match &gathered.secret {
        Seen::Missing => page.row("State", "does not exist"),
        Seen::Hidden(why) => page.row("State", &hidden(why)),
        Seen::There(facts) => {
            let SecretFacts { type_, lacks, leaf, certificate_name } = facts;
            page.row("Type", type_);
            page.row_if("Lacks", Some(lacks.join(" and ")));
            match leaf {
                Some(Ok(Leaf { subject, names, issuer, serial, not_after })) => {
                    page.row_if("Subject", Some(subject.clone()));
                    page.row_if("Names", Some(names.join(", ")));
                    page.row_if("Signed by", Some(issuer.clone()));
                    page.row("Serial", &format!("{serial}{}", revoked(gathered, serial)));
                    page.row("Not after", &when::at(*not_after, now));
                }
                Some(Err(why)) => page.row("tls.crt", &format!("can not be read: {why}")),
                None => {}
            }
            let other = certificate_name.as_ref().filter(|name| *name != gathered.name());
            page.row_if("Written for", other.map(|name| format!("Certificate {name}")));
        }
    }
}

/// That the certificate with this serial number was revoked, if it was.
fn revoked(gathered: &Gathered, serial: &str) -> String {
    let record = gathered
        .records()
        .into_iter()
        .rfind(|record| !record.refused && plain_serial(&record.serial) == plain_serial(serial));
    record.map_or(String::new(), |record| format!(", revoked as {} at {}", record.reason.name(), record.at))
}

fn next_key(page: &mut Page, gathered: &Gathered, _: Timestamp) {
    let Some(name) = gathered.status().next_private_key_secret_name else { return };
    let state = match &gathered.next_key {
        Seen::There(()) => "holds the private key of the issuance under way".to_owned(),
        Seen::Missing => "does not exist; the key of the issuance under way is lost or not yet made".to_owned(),
        Seen::Hidden(why) => hidden(why),
    };
    page.part("Next key", &format!("Secret {name}"));
    page.row("State", &state);
}

fn request(page: &mut Page, gathered: &Gathered, now: Timestamp) {
    match &gathered.request {
        Seen::Missing => page.part("Request", "there is no CertificateRequest"),
        Seen::Hidden(why) => page.part("Request", &hidden(why)),
        Seen::There(request) => {
            let metadata = &request.metadata;
            let name = metadata.name.as_deref().unwrap_or_default();
            let revision = revision(request).map_or(String::new(), |revision| format!(", for revision {revision}"));
            let age = metadata
                .creation_timestamp
                .as_ref()
                .map_or(String::new(), |Time(made)| format!(", made {}", when::relative(*made, now)));
            page.part("Request", &format!("CertificateRequest {name}{revision}{age}"));
            use certificaterequest::condition::{APPROVED, DENIED, INVALID_REQUEST, READY};
            let conditions = request.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
            for (label, type_) in
                [("Approved", APPROVED), ("Denied", DENIED), ("Invalid", INVALID_REQUEST), ("Ready", READY)]
            {
                page.row_if(label, condition(conditions, type_).map(|found| told(found, None, now)));
            }
        }
    }
}

fn happenings(page: &mut Page, gathered: &Gathered, now: Timestamp) {
    events(page, &gathered.happenings, now);
}

pub(super) fn events(page: &mut Page, happenings: &Seen<Vec<Happening>>, now: Timestamp) {
    match happenings {
        Seen::Missing => {}
        Seen::Hidden(why) => page.part("Events", &hidden(why)),
        Seen::There(events) if events.is_empty() => page.part("Events", "none lately"),
        Seen::There(events) => {
            page.part("Events", "");
            let rows: Vec<_> = events.iter().map(|event| (happening(event, now), None)).collect();
            page.table(&rows);
        }
    }
}

fn happening(event: &Happening, now: Timestamp) -> [String; 5] {
    let Happening { at, severity, reason, object, message, count } = event;
    let again = if *count > 1 { format!(" (x{count})") } else { String::new() };
    [when::relative(*at, now), severity.clone(), reason.clone(), object.clone(), format!("{}{again}", cut(message))]
}

/// Enough to know an event by: what matters of it stands on the objects above as well.
fn cut(message: &str) -> String {
    const ROOM: usize = 100;
    match message.char_indices().nth(ROOM) {
        Some((end, _)) => format!("{}…", message[..end].trim_end()),
        None => message.to_owned(),
    }
}

/// What stands in place of what this person may not see.
pub(super) fn hidden(why: &str) -> String {
    format!("can not be seen: {why}")
}
