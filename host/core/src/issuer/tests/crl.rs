//! The list of revoked certificates: what it says, when it is renewed, and what is said of it.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::super::crl::{CONDITION, Entry, List, Signer, State, Wish};
use super::ca::of_pair;
use super::*;
use crate::revocation::Reason;

const DAY: i64 = 24 * 3600;

fn wish(hours: i64) -> Wish {
    Wish { secret: "revoked".into(), duration: SignedDuration::from_hours(hours), served: true }
}

fn signer(authority: &str, not_after: i64) -> Signer {
    Signer { authority: authority.into(), not_after: at(not_after) }
}

fn entry(serial: &str, not_after: i64) -> Entry {
    Entry { serial: serial.into(), at: Time(at(0)), reason: Reason::Superseded, not_after: Time(at(not_after)) }
}

fn serials(list: &List) -> Vec<&str> {
    list.revoked.iter().map(|entry| entry.serial.as_str()).collect()
}

#[test]
fn each_list_follows_on_the_last_one() {
    let (wish, signer) = (wish(24), signer("a", 365 * DAY));
    let one = List::next(None, None, &wish, &signer, at(0));
    assert_eq!((one.number, one.next_update.0, one.revoked.len()), (1, at(DAY), 0));
    let two = List::next(Some(&one), Some(entry("4a", 10 * DAY)), &wish, &signer, at(5));
    let again = List::next(Some(&two), Some(entry("4a", 10 * DAY)), &wish, &signer, at(6));
    assert_eq!((two.number, again.number, serials(&again)), (2, 3, vec!["4a"]));
    assert!(again.has("4a") && !again.has("4b"));
    // What has expired is listed once more, then no longer.
    let first_after = List::next(Some(&again), None, &wish, &signer, at(11 * DAY));
    let second_after = List::next(Some(&first_after), None, &wish, &signer, at(12 * DAY));
    assert_eq!((serials(&first_after), serials(&second_after)), (vec!["4a"], vec![]));
    // None outlives its authority.
    let last = List::next(Some(&two), None, &wish, &super::super::crl::Signer { not_after: at(60), ..signer }, at(6));
    assert_eq!(last.next_update.0, at(60));
    let text = serde_json::to_string(&two).unwrap();
    assert_eq!(serde_json::from_str::<List>(&text).unwrap(), two, "{text}");
}

#[test]
fn annotations_say_what_is_wanted() {
    let parse = |pairs: &[(&str, &'static str)]| {
        let all: BTreeMap<_, _> =
            pairs.iter().map(|(name, value)| (format!("signet.dev/crl-{name}"), *value)).collect();
        Wish::parse(|name| all.get(name).copied())
    };
    assert_eq!(parse(&[]), Ok(None));
    assert_eq!(parse(&[("served", "true")]), Ok(None));
    let usual = Wish { served: false, ..wish(7 * 24) };
    assert_eq!(parse(&[("secret-name", "revoked")]), Ok(Some(usual)));
    assert_eq!(parse(&[("secret-name", "revoked"), ("duration", "24h"), ("served", "true")]), Ok(Some(wish(24))));
    for (name, value, words) in [
        ("duration", "30s", "metadata.annotations[signet.dev/crl-duration]: 30s is less than 1m"),
        ("duration", "soon", "metadata.annotations[signet.dev/crl-duration]"),
        ("served", "yes", "metadata.annotations[signet.dev/crl-served]: \"yes\" is neither"),
    ] {
        let why = parse(&[("secret-name", "revoked"), (name, value)]).unwrap_err();
        assert!(why.starts_with(words), "{why}");
    }
}

/// Writes lists as the edge does until nothing is to be done. How many it wrote.
fn keep(issuer: &mut Observed, second: i64) -> usize {
    for written in 0..5 {
        let plan = decide(issuer, at(second));
        if plan.is_converged() {
            return written;
        }
        for action in plan.actions {
            assert_eq!(action, Action::WriteList);
            let State::Kept { wish, list, signer } = &mut issuer.list else { panic!("without a wish") };
            *list = Some(List::next(list.as_ref(), None, wish, signer, at(second)));
        }
        issuer.status = plan.status.unwrap_or(issuer.status.clone());
        if issuer.status.conditions.is_empty() {
            continue;
        }
        if decide(issuer, at(second)).is_converged() {
            return written + 1;
        }
    }
    panic!("it never comes to rest");
}

#[test]
fn a_list_is_made_renewed_in_time_and_signed_anew_by_a_new_authority() {
    let mut issuer = of_pair(Ok(at(365 * DAY)));
    issuer.kind = "Issuer";
    issuer.list = State::Kept { wish: wish(24), list: None, signer: signer("a", 365 * DAY) };
    keep(&mut issuer, 0);
    let number = |issuer: &Observed| match &issuer.list {
        State::Kept { list: Some(list), .. } => list.number,
        other => panic!("{other:?}"),
    };
    let told = condition(&issuer.status.conditions, CONDITION).unwrap();
    assert_eq!(
        (told.status, told.message.as_deref()),
        (
            ConditionStatus::True,
            Some(
                "Revoked certificates are listed in ca.crl of Secret signet/revoked, and served at /crl/signet/letsencrypt.crl"
            )
        )
    );
    assert_eq!(decide(&issuer, at(0)).requeue, Some(Duration::from_secs(12 * 3600)));
    assert_eq!(keep(&mut issuer, 12 * 3600 - 1), 0);
    keep(&mut issuer, 12 * 3600);
    assert_eq!(number(&issuer), 2);
    // A shorter time counts at once.
    let State::Kept { wish: shorter, .. } = &mut issuer.list else { panic!() };
    shorter.duration = SignedDuration::from_hours(1);
    keep(&mut issuer, 13 * 3600);
    assert_eq!(number(&issuer), 3);
    let State::Kept { signer: rotated, .. } = &mut issuer.list else { panic!() };
    *rotated = signer("b", 14 * 3600);
    keep(&mut issuer, 13 * 3600 + 1);
    assert_eq!(number(&issuer), 4);
    // The last list of an authority is good to its end, and no other follows it.
    issuer.key_pair = Ok(at(14 * 3600));
    keep(&mut issuer, 13 * 3600 + 2);
    assert_eq!(decide(&issuer, at(14 * 3600 - 5)).requeue, Some(Duration::from_secs(5)));
    assert_eq!(number(&issuer), 4);
}

#[test]
fn what_keeps_a_list_from_being_kept_is_said_and_the_issuer_signs_all_the_same() {
    let mut issuer = of_pair(Ok(at(3600)));
    issuer.list = State::Trouble("metadata.annotations[x]: no".into());
    issuer.status = decide(&issuer, at(0)).status.unwrap();
    let told = condition(&issuer.status.conditions, CONDITION).unwrap();
    assert_eq!((told.status, told.message.as_deref()), (ConditionStatus::False, Some("metadata.annotations[x]: no")));
    assert!(has_condition(&issuer.status.conditions, READY, ConditionStatus::True));
    issuer.list = State::Unsigned;
    assert!(decide(&issuer, at(1)).is_converged());
    issuer.list = State::Unwanted;
    issuer.status = decide(&issuer, at(2)).status.unwrap();
    assert_eq!(condition(&issuer.status.conditions, CONDITION), None);
}
