//! When a certificate is renewed, and when the CA is asked about that.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use signet_api::Duration as Length;
use signet_api::certificate::{Renewal, RenewalPolicy};

use super::*;
use crate::acme::RenewalAtCa;
use crate::certificate::renewal::{Ari, Failed, Memory, Outcome as Heard};

const DAY: i64 = 24 * HOUR;
const URL: &str = "https://ca.example/why";

/// A Ready certificate of ninety days whose CA may be asked, and was not yet.
fn asking() -> Observed {
    let mut observed = ready();
    observed.secret = Some(secret(SecretData::Pair(Pair { ari_id: Some("aki.serial".into()), ..pair(NOW) })));
    observed.ari = Some(Ari { started: at(NOW), spread: Duration::from_secs(100), memory: None });
    observed
}

fn answer(start: i64, end: i64) -> Heard {
    Heard::Answered(RenewalAtCa {
        start: at(NOW + start),
        end: at(NOW + end),
        explanation_url: None,
        retry_after: None,
    })
}

fn failed(outage: bool, count: u32) -> Heard {
    let message = "the CA is closed".to_owned();
    Heard::Failed(Failed { message, outage, retry_after: None, count, since: at(NOW) })
}

fn hear(observed: &mut Observed, now: i64, outcome: Heard) {
    let memory = Memory { id: "aki.serial".into(), at: at(now), outcome };
    observed.ari.as_mut().unwrap().memory = Some(memory);
}

/// Takes the status of the plan, and returns whether there was one to write.
fn settle(observed: &mut Observed, now: i64) -> bool {
    let plan = decide(observed, at(now));
    assert!(plan.actions.is_empty(), "{plan:?}");
    let Some(status) = plan.status else { return false };
    observed.status = status;
    assert!(decide(observed, at(now)).is_converged());
    true
}

/// Seconds from [`NOW`] to the renewal that the status tells of.
fn told(observed: &Observed) -> i64 {
    observed.status.renewal_time.as_ref().unwrap().0.as_second() - NOW
}

fn information(observed: &Observed) -> signet_api::certificate::RenewalInformation {
    observed.status.acme.clone().unwrap().ari.unwrap()
}

#[test]
fn a_renewal_falls_into_the_window_and_is_never_later_than_by_the_lifetime() {
    for (start, end, earliest, latest) in [
        (20 * DAY, 22 * DAY, 20 * DAY, 22 * DAY),
        (59 * DAY, 61 * DAY, 59 * DAY, 60 * DAY),
        // Wholly after the time by the lifetime, which is spread.
        (80 * DAY, 85 * DAY, 60 * DAY - 90 * DAY / 60, 60 * DAY),
    ] {
        let mut observed = asking();
        hear(&mut observed, NOW, answer(start, end));
        settle(&mut observed, NOW + 1);
        let told = told(&observed);
        assert!((earliest..=latest).contains(&told), "{start}..{end}: {told}");
        let window = information(&observed).suggested_window.unwrap();
        assert_eq!((window.start, window.end), (Time(at(NOW + start)), Time(at(NOW + end))));
    }
}

#[test]
fn the_time_that_the_spec_gives_is_the_last() {
    let mut observed = asking();
    observed.spec.renew_before = Some(Length::from_hours(80 * 24));
    let SecretData::Pair(pair) = &mut observed.secret.as_mut().unwrap().data else { unreachable!() };
    pair.renewal_time = at(NOW + 10 * DAY);
    hear(&mut observed, NOW, answer(20 * DAY, 22 * DAY));
    settle(&mut observed, NOW + 1);
    assert_eq!(told(&observed), 10 * DAY);
    hear(&mut observed, NOW, answer(2 * DAY, 3 * DAY));
    settle(&mut observed, NOW + 1);
    assert!((2 * DAY..3 * DAY).contains(&told(&observed)));
}

#[test]
fn points_in_a_window_are_spread_and_stay_where_they_are() {
    let point = |id: usize| {
        let mut observed = asking();
        let SecretData::Pair(pair) = &mut observed.secret.as_mut().unwrap().data else { unreachable!() };
        pair.ari_id = Some(format!("aki.{id}"));
        hear(&mut observed, NOW, answer(20 * DAY, 30 * DAY));
        observed.ari.as_mut().unwrap().memory.as_mut().unwrap().id = format!("aki.{id}");
        settle(&mut observed, NOW + 1);
        told(&observed)
    };
    let points: Vec<_> = (0..1000).map(point).collect();
    assert_eq!(points[7], point(7));
    for tenth in 0..10 {
        let from = (20 + tenth) * DAY;
        let there = points.iter().filter(|point| (from..from + DAY).contains(point)).count();
        assert!((60..140).contains(&there), "{there} of 1000 in a tenth of the window");
    }
}

#[test]
fn two_thousand_of_one_second_are_not_renewed_in_one() {
    let busiest = |spec: fn(&mut Observed)| {
        let mut seconds = std::collections::BTreeMap::<_, usize>::new();
        for number in 0..2000 {
            let mut observed = ready();
            observed.uid = format!("uid-{number}");
            spec(&mut observed);
            let wait = decide(&observed, at(NOW)).requeue.unwrap();
            assert!(wait <= Duration::from_secs(60 * 24 * 3600), "{wait:?}");
            *seconds.entry(wait.as_secs()).or_default() += 1;
        }
        seconds.into_values().max().unwrap()
    };
    assert!(busiest(|_| {}) <= 3);
    assert!(busiest(|observed| observed.spec.renew_before = Some(Length::from_hours(30 * 24))) <= 20);
}

#[test]
fn a_time_that_the_spec_gives_is_told_as_it_is() {
    let mut observed = ready();
    observed.spec.renew_before_percentage = Some(33);
    settle(&mut observed, NOW);
    assert_eq!(told(&observed), 60 * DAY);
    let wait = decide(&observed, at(NOW)).requeue.unwrap();
    assert!(wait > Duration::from_secs(60 * 24 * 3600 - 601), "{wait:?}");
}

#[test]
fn a_certificate_that_is_due_at_once_is_not_due_before() {
    // Five seconds after the issuance, of ninety days.
    let mut observed = ready();
    observed.spec.renew_before = Some(Length::from_hours(90 * 24));
    let pair = Pair { renewal_time: at(NOW + 5), ..pair(NOW) };
    observed.secret = Some(secret(SecretData::Pair(pair)));
    assert_eq!(first_violation(&observed, at(NOW + 3)), None);
    assert_eq!(first_violation(&observed, at(NOW + 5)).unwrap().reason, "Renewing");
}

#[test]
fn a_window_in_the_past_means_now_and_says_why() {
    let mut observed = asking();
    let window = RenewalAtCa {
        start: at(NOW - 2 * HOUR),
        end: at(NOW - HOUR),
        explanation_url: Some(URL.into()),
        retry_after: None,
    };
    hear(&mut observed, NOW, Heard::Answered(window));
    let violation = first_violation(&observed, at(NOW)).unwrap();
    assert_eq!(violation.reason, "Renewing");
    assert!(violation.message.starts_with("the CA asks for the renewal between") && violation.message.ends_with(URL));
    let begun = decide(&observed, at(NOW));
    assert!(matches!(begun.actions[..], [Action::CreateNextKey { .. }, Action::CreateRequest { .. }]), "{begun:?}");
    // One that has just taken another's place is left alone for a while.
    observed.replaced_at = Some(at(NOW - HOUR));
    assert_eq!(first_violation(&observed, at(NOW)), None);
    assert_eq!(first_violation(&observed, at(NOW + 5 * HOUR)).unwrap().reason, "Renewing");
}

#[test]
fn a_request_says_which_certificate_it_replaces() {
    let replaced = |observed: &Observed| {
        let plan = decide(observed, at(NOW + 61 * DAY));
        let replaces = |action: &Action| match action {
            Action::CreateRequest { replaces, .. } => Some(replaces.clone()),
            _ => None,
        };
        plan.actions.iter().find_map(replaces).unwrap()
    };
    let observed = asking();
    assert_eq!(replaced(&observed).as_deref(), Some("aki.serial"));
    assert_eq!(replaced(&Observed { ari: None, ..observed.clone() }), None, "its CA does not ask for it");
    let mut moved = observed;
    moved.spec.issuer_ref.name = "other".into();
    assert_eq!(replaced(&moved), None, "the other CA does not know it");
}

#[test]
fn asking_again_writes_only_what_moves_the_renewal() {
    let mut observed = asking();
    hear(&mut observed, NOW, answer(20 * DAY, 22 * DAY));
    assert!(settle(&mut observed, NOW + 1));
    let first = observed.status.clone();
    hear(&mut observed, NOW + 7 * HOUR, answer(20 * DAY, 22 * DAY));
    assert!(!settle(&mut observed, NOW + 7 * HOUR), "the same again");

    // A window of so little that every point in it is much the same.
    let (start, end) = (told(&observed) + 60, told(&observed) + 120);
    hear(&mut observed, NOW + 7 * HOUR, answer(start, end));
    assert!(!settle(&mut observed, NOW + 7 * HOUR), "a minute's move");
    assert_eq!(observed.status, first);

    hear(&mut observed, NOW + 8 * HOUR, answer(2 * DAY, 3 * DAY));
    let plan = decide(&observed, at(NOW + 8 * HOUR));
    assert_eq!(plan.events[0].reason, "RenewalWindow");
    assert!(settle(&mut observed, NOW + 8 * HOUR));
    assert_eq!(information(&observed).last_checked, Some(Time(at(NOW + 8 * HOUR))));
    assert!((2 * DAY..3 * DAY).contains(&told(&observed)));
}

#[test]
fn a_process_that_remembers_nothing_goes_by_the_status() {
    let mut observed = asking();
    hear(&mut observed, NOW, answer(20 * DAY, 22 * DAY));
    settle(&mut observed, NOW + 1);
    let ari = Ari { started: at(NOW + DAY), spread: Duration::from_secs(1000), memory: None };
    observed.ari = Some(ari);
    let plan = decide(&observed, at(NOW + DAY));
    assert!(plan.is_converged() && plan.requeue.unwrap() < Duration::from_secs(1000), "{plan:?}");
    let asked = decide(&observed, at(NOW + DAY + 1000));
    assert_eq!((asked.actions, asked.status), (vec![Action::AskRenewal { id: "aki.serial".into() }], None));

    // What it says is of the certificate of its times and of no other.
    observed.secret = Some(secret(SecretData::Pair(Pair { ari_id: Some("aki.other".into()), ..pair(NOW + DAY) })));
    assert!(settle(&mut observed, NOW + DAY));
    assert_eq!(observed.status.acme, None);
}

#[test]
fn a_ca_that_gives_no_answer_of_use_stops_no_renewal() {
    let mut observed = asking();
    let by_lifetime = told(&observed);
    hear(&mut observed, NOW, failed(false, 1));
    assert!(settle(&mut observed, NOW));
    assert_eq!(told(&observed), by_lifetime);
    assert_eq!(information(&observed).last_error.as_deref(), Some("the CA is closed"));
    assert_eq!(first_violation(&observed, at(NOW + 61 * DAY)).unwrap().reason, "Renewing");

    // In whatever words it goes on failing, nothing is written; when it answers, the error goes.
    let Heard::Failed(other) = failed(false, 2) else { unreachable!() };
    hear(&mut observed, NOW, Heard::Failed(Failed { message: "in other words".into(), ..other }));
    assert!(!settle(&mut observed, NOW));
    hear(&mut observed, NOW, answer(20 * DAY, 22 * DAY));
    assert!(settle(&mut observed, NOW));
    assert_eq!(information(&observed).last_error, None);

    // What it said before counts on while it is away, which is told after a day.
    hear(&mut observed, NOW, failed(true, 1));
    assert!(!settle(&mut observed, NOW));
    assert!((20 * DAY..22 * DAY).contains(&told(&observed)));
    hear(&mut observed, NOW + 25 * HOUR, failed(true, 9));
    assert!(settle(&mut observed, NOW + 25 * HOUR));
    assert!(information(&observed).last_error.is_some() && information(&observed).suggested_window.is_some());
}

#[test]
fn the_ca_is_asked_when_it_wants_within_reason() {
    let waits = |seconds| {
        let window = RenewalAtCa {
            start: at(NOW + 20 * DAY),
            end: at(NOW + 22 * DAY),
            explanation_url: None,
            retry_after: Duration::from_secs(seconds).into(),
        };
        Heard::Answered(window)
    };
    for (outcome, least, most) in [
        (waits(1), 60, 60),
        (waits(600), 600, 660),
        (waits(999_999), 86_400, 86_400),
        (answer(20 * DAY, 22 * DAY), 6 * 3600, 6 * 3600 * 11 / 10),
        (Heard::NotOffered, 6 * 3600, 6 * 3600),
        (Heard::Written, 3 * 3600, 6 * 3600),
        (failed(true, 1), 60, 66),
        (failed(true, 4), 8 * 60, 8 * 66),
        (failed(true, 30), 6 * 3600, 6 * 3600 * 11 / 10),
        (failed(false, 1), 6 * 3600, 6 * 3600 * 11 / 10),
    ] {
        let mut observed = asking();
        hear(&mut observed, NOW, outcome.clone());
        settle(&mut observed, NOW);
        let wait = decide(&observed, at(NOW)).requeue.unwrap().as_secs();
        assert!((least..=most).contains(&wait), "{outcome:?}: {wait}");
        let ask = [Action::AskRenewal { id: "aki.serial".into() }];
        assert_eq!(decide(&observed, at(NOW + most as i64)).actions, ask);
    }
}

#[test]
fn nobody_is_asked_about_what_is_not_renewed() {
    let mut observed = asking();
    observed.spec.renewal = Some(Renewal { policy: Some(RenewalPolicy::Disabled), ..Renewal::default() });
    settle(&mut observed, NOW);
    let plan = decide(&observed, at(NOW));
    assert_eq!(plan.requeue, Some(Duration::from_secs(90 * 24 * 3600)));
    assert_eq!((observed.status.renewal_time.clone(), observed.status.acme.clone()), (None, None));
}

#[test]
fn failures_are_counted_in_a_row() {
    let of = |id: &str, outcome| Memory { id: id.into(), at: at(NOW + 9), outcome };
    let first = Memory::of_failure(None, of("a", failed(true, 1)));
    let second = Memory::of_failure(Some(&first), of("a", failed(true, 1)));
    let Heard::Failed(Failed { count, since, .. }) = second.outcome else { unreachable!() };
    assert_eq!((count, since), (2, at(NOW)));
    for before in [of("b", failed(true, 1)), of("a", answer(0, 1))] {
        let Heard::Failed(Failed { count, .. }) = Memory::of_failure(Some(&before), of("a", failed(true, 1))).outcome
        else {
            unreachable!()
        };
        assert_eq!(count, 1);
    }
}
