//! How a value is put beside others at one name, and taken away alone.
//!
//! Route 53 changes whole record sets, and a name's TXT record is one set: to add a value to it is
//! to read it, and to write it whole, which takes `route53:ListResourceRecordSets` and loses a
//! value when two do it at once. So each value gets a set of its own: *multivalue answer* routing
//! lets sets of one name and type stand side by side, told apart by a set identifier, and a query
//! is answered with them all (Route 53 gives up to eight). The identifier is the value. Adding
//! (UPSERT) and removing (DELETE) are then atomic, idempotent, need no reading and so no further
//! permission, and never touch another's value. cert-manager writes its records in this form too.
//!
//! Route 53 refuses such a set where a *plain* one stands: somebody's own TXT record. Only then is
//! that one read and changed: a batch deletes exactly what was read and creates the new set, so
//! that Route 53 refuses it when somebody was faster, and it is made anew.

use aws_sdk_route53::types::{Change, ChangeAction, ChangeInfo, ResourceRecord, ResourceRecordSet, RrType};
use serde::{Deserialize, Serialize};
use signet_solver::dns01::Challenge;
use signet_solver::{Error, Result, log};

use crate::api::Api;
use crate::failure::Failure;

/// Short, as resolvers may hold an answer for no longer than a validation takes. It is a part of
/// what DELETE must name, so it must never change.
const TTL: i64 = 10;
/// How often a plain set is read and changed anew when others change it at the same time.
const ATTEMPTS: usize = 5;
/// What Route 53 answers when a batch does not fit what is there.
const CONFLICT: &[&str] = &["InvalidChangeBatch", "InvalidInput"];

/// Where a value stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Form {
    /// In a record set of its own.
    Own,
    /// Among the values of a plain set.
    Plain,
}

/// Puts the challenge's value at its name. The change is none when the value was there.
pub(crate) async fn add(api: &Api, zone: &str, challenge: &Challenge) -> Result<(Form, Option<ChangeInfo>)> {
    match api.change(zone, vec![own(ChangeAction::Upsert, challenge)]).await {
        Ok(info) => Ok((Form::Own, Some(info))),
        Err(refused) if refused.is(CONFLICT) => add_to_plain(api, zone, challenge, refused).await,
        Err(failure) => Err(failure.into()),
    }
}

/// Takes the challenge's value, and nothing else, from its name. Without a form it looks for both.
pub(crate) async fn remove(api: &Api, zone: &str, challenge: &Challenge, form: Option<Form>) -> Result<()> {
    if form != Some(Form::Plain) {
        match api.change(zone, vec![own(ChangeAction::Delete, challenge)]).await {
            Ok(_) => return Ok(()),
            Err(failure) if failure.is(&["NoSuchHostedZone"]) => return Ok(()),
            // The set is not there: it is gone, or the value stands in a plain set.
            Err(failure) if failure.is(CONFLICT) => {}
            Err(failure) => return Err(failure.into()),
        }
    }
    match form {
        Some(Form::Own) => Ok(()),
        Some(Form::Plain) => remove_from_plain(api, zone, challenge).await.map_err(Error::from),
        None => match remove_from_plain(api, zone, challenge).await {
            // Whoever may not read a plain set can not have added to it.
            Err(failure) if failure.is_denied() => Ok(()),
            other => other.map_err(Error::from),
        },
    }
}

async fn add_to_plain(
    api: &Api,
    zone: &str,
    challenge: &Challenge,
    refused: Failure,
) -> Result<(Form, Option<ChangeInfo>)> {
    let fqdn = &challenge.fqdn;
    for _ in 0..ATTEMPTS {
        let set = match api.plain_set(zone, fqdn).await {
            Ok(Some(set)) => set,
            Ok(None) => return Err(refused.into()),
            Err(denied) if denied.is_denied() => {
                return Err(Error::auth(format!(
                    "Route 53 refuses a value at {fqdn} beside what is there ({}). If that is a plain TXT record, \
                     delete it, or allow route53:ListResourceRecordSets on the hosted zone to add to it",
                    refused.error
                )));
            }
            Err(failure) => return Err(failure.into()),
        };
        let Some(changes) = with(&set, &quoted(challenge)) else { return Ok((Form::Plain, None)) };
        log::debug(format_args!("adding to the plain TXT record set at {fqdn}"));
        match api.change(zone, changes).await {
            Ok(info) => return Ok((Form::Plain, Some(info))),
            Err(failure) if failure.is(CONFLICT) => {}
            Err(failure) => return Err(failure.into()),
        }
    }
    Err(Error::transient(format!("the TXT record at {fqdn} was changed by others {ATTEMPTS} times in a row")))
}

async fn remove_from_plain(api: &Api, zone: &str, challenge: &Challenge) -> Result<(), Failure> {
    let mut attempt = 1;
    loop {
        let Some(set) = api.plain_set(zone, &challenge.fqdn).await? else { return Ok(()) };
        let Some(changes) = without(&set, &quoted(challenge)) else { return Ok(()) };
        match api.change(zone, changes).await {
            Ok(_) => return Ok(()),
            Err(failure) if failure.is(CONFLICT) && attempt < ATTEMPTS => attempt += 1,
            Err(failure) => return Err(failure),
        }
    }
}

/// The change of the value's own record set.
fn own(action: ChangeAction, challenge: &Challenge) -> Change {
    let set = ResourceRecordSet::builder()
        .name(&challenge.fqdn)
        .r#type(RrType::Txt)
        .ttl(TTL)
        .set_identifier(&challenge.value)
        .multi_value_answer(true)
        .resource_records(record(quoted(challenge)))
        .build()
        .expect("name and type are set");
    change(action, set)
}

/// The changes that put `value` into a plain set; none when it is there.
fn with(set: &ResourceRecordSet, value: &str) -> Option<Vec<Change>> {
    if holds(set, value) {
        return None;
    }
    let mut wanted = set.clone();
    wanted.resource_records.get_or_insert_default().push(record(value.to_owned()));
    Some(vec![change(ChangeAction::Delete, set.clone()), change(ChangeAction::Create, wanted)])
}

/// The changes that take `value` out of a plain set; none when it is not there.
fn without(set: &ResourceRecordSet, value: &str) -> Option<Vec<Change>> {
    if !holds(set, value) {
        return None;
    }
    let mut wanted = set.clone();
    wanted.resource_records.get_or_insert_default().retain(|record| record.value() != value);
    let mut changes = vec![change(ChangeAction::Delete, set.clone())];
    if !wanted.resource_records().is_empty() {
        changes.push(change(ChangeAction::Create, wanted));
    }
    Some(changes)
}

fn holds(set: &ResourceRecordSet, value: &str) -> bool {
    set.resource_records().iter().any(|record| record.value() == value)
}

fn change(action: ChangeAction, set: ResourceRecordSet) -> Change {
    Change::builder().action(action).resource_record_set(set).build().expect("action and set are set")
}

fn record(value: String) -> ResourceRecord {
    ResourceRecord::builder().value(value).build().expect("the value is set")
}

/// A TXT value as Route 53 writes it. A challenge's value is base64url, so nothing in it needs an
/// escape.
fn quoted(challenge: &Challenge) -> String {
    format!("\"{}\"", challenge.value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(values: &[&str]) -> ResourceRecordSet {
        let records = values.iter().map(|&value| record(value.to_owned())).collect();
        ResourceRecordSet::builder()
            .name("_acme-challenge.example.com.")
            .r#type(RrType::Txt)
            .ttl(300)
            .set_resource_records(Some(records))
            .build()
            .unwrap()
    }

    fn shown(changes: Option<Vec<Change>>) -> Option<Vec<(ChangeAction, Vec<String>)>> {
        let values = |set: &ResourceRecordSet| set.resource_records().iter().map(|r| r.value().to_owned()).collect();
        let one = |c: Change| (c.action().clone(), c.resource_record_set().map(values).unwrap_or_default());
        changes.map(|changes| changes.into_iter().map(one).collect())
    }

    #[test]
    fn a_value_has_a_set_of_its_own() {
        let challenge = Challenge {
            dns_name: "example.com".to_owned(),
            fqdn: "_acme-challenge.example.com.".to_owned(),
            zone: "example.com.".to_owned(),
            value: "abc".to_owned(),
            ambient_credentials: false,
        };
        let change = own(ChangeAction::Upsert, &challenge);
        let set = change.resource_record_set().unwrap();
        assert_eq!((set.set_identifier(), set.multi_value_answer(), set.ttl()), (Some("abc"), Some(true), Some(10)));
        assert_eq!(set.resource_records()[0].value(), "\"abc\"");
    }

    #[test]
    fn a_plain_set_keeps_its_values_and_its_ttl() {
        let changes = with(&plain(&["\"theirs\""]), "\"ours\"").unwrap();
        assert_eq!(changes[1].resource_record_set().and_then(ResourceRecordSet::ttl), Some(300));
        let both = vec!["\"theirs\"".to_owned(), "\"ours\"".to_owned()];
        let theirs = vec!["\"theirs\"".to_owned()];
        let expected = vec![(ChangeAction::Delete, theirs.clone()), (ChangeAction::Create, both.clone())];
        assert_eq!(shown(Some(changes)), Some(expected));
        let expected = vec![(ChangeAction::Delete, both), (ChangeAction::Create, theirs)];
        assert_eq!(shown(without(&plain(&["\"theirs\"", "\"ours\""]), "\"ours\"")), Some(expected));
    }

    #[test]
    fn nothing_is_done_twice_and_the_last_value_takes_the_set_along() {
        assert_eq!(with(&plain(&["\"ours\""]), "\"ours\""), None);
        assert_eq!(without(&plain(&["\"theirs\""]), "\"ours\""), None);
        let only = vec![(ChangeAction::Delete, vec!["\"ours\"".to_owned()])];
        assert_eq!(shown(without(&plain(&["\"ours\""]), "\"ours\"")), Some(only));
    }
}
