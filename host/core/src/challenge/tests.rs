//! Tables for a Challenge; the whole way, cut off anywhere, is in the tests of the Order.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn fresh() -> Observed {
    Observed {
        dns_name: "a.test".into(),
        created: at(0),
        deleting: false,
        finalizer: true,
        status: ChallengeStatus::default(),
        slot: true,
        orphaned: false,
        wait_instead_of_check: None,
        behind: None,
        served: false,
        replicas: BTreeSet::new(),
        process_started: at(0),
        memory: Memory::default(),
    }
}

fn failure(retry: Retry) -> Option<Failure> {
    Some(Failure { reason: "Auth".into(), message: "no such key".into(), retry, at: at(0) })
}

#[test]
fn without_a_slot_it_waits() {
    let plan = decide(&Observed { slot: false, ..fresh() }, at(9));
    assert!(plan.is_converged() && plan.requeue.is_some());
}

#[test]
fn a_failed_check_is_told_once_it_lasts() {
    let mut one = fresh();
    one.memory.presented = Some(Presented::new(at(0), None));
    one.memory.check = Some(Check::Failed { attempts: 3, message: "404".into(), at: at(0) });
    assert_eq!(decide(&one, at(1)), ChallengePlan::wait(Duration::from_secs(2)));
    let plan = decide(&one, at(3));
    one.status = plan.status.unwrap();
    assert!(one.status.reason.as_ref().unwrap().contains("404") && one.status.presented);
    assert_eq!(decide(&one, at(3)), ChallengePlan::wait(Duration::from_secs(5)));
    assert_eq!(decide(&one, at(8)).actions, [Action::Check]);
}

#[test]
fn failures_of_the_solver_follow_their_hint() {
    let with = |retry| Observed { memory: Memory { failure: failure(retry), ..Memory::default() }, ..fresh() };
    assert_eq!(decide(&with(Retry::Never), at(0)).status.unwrap().state, Some(State::Errored));
    assert_eq!(decide(&with(Retry::OnChange), at(9)).requeue, None);
    assert_eq!(decide(&with(Retry::Later(Duration::from_secs(30))), at(9)).requeue, Some(Duration::from_secs(21)));
    assert_eq!(decide(&with(Retry::Later(Duration::from_secs(30))), at(30)).actions, [Action::Present]);
}

#[test]
fn a_refused_proof_is_taken_back_at_once() {
    let mut one = fresh();
    one.memory.presented = Some(Presented::new(at(0), Some("cg==".into())));
    one.memory.looked = Some(Looked {
        at: at(1),
        status: AuthorizationStatus::Invalid,
        validating: true,
        problem: Some("wrong answer".into()),
        retry_after: None,
    });
    one.status = decide(&one, at(1)).status.unwrap();
    assert_eq!((one.status.state, one.status.presented), (Some(State::Invalid), true));
    assert_eq!(decide(&one, at(1)).actions, [Action::CleanUp { receipt: Some("cg==".into()) }]);
    one.memory.cleaned_up = true;
    one.status = decide(&one, at(1)).status.unwrap();
    assert!(!one.status.presented && decide(&one, at(1)).is_converged());
}

#[test]
fn what_may_be_shown_is_cleaned_up_before_it_goes() {
    let mut one = Observed { deleting: true, ..fresh() };
    assert_eq!(decide(&one, at(0)).actions, [Action::RemoveFinalizer]);
    one.process_started = at(1);
    assert_eq!(decide(&one, at(1)).actions, [Action::CleanUp { receipt: None }]);
    one.memory.clean_up_failure = failure(Retry::Never);
    let plan = decide(&one, at(1));
    assert_eq!((plan.events.len(), plan.events[0].reason), (1, "CleanUpError"));
    one.status = plan.status.unwrap();
    assert!(decide(&one, at(1)).is_converged());
    one.memory.cleaned_up = true;
    assert_eq!(decide(&one, at(1)).actions, [Action::RemoveFinalizer]);
}

#[test]
fn without_an_issuer_a_failed_clean_up_does_not_hold_the_namespace() {
    let mut one = Observed { deleting: true, ..fresh() };
    one.memory.tried = true;
    assert_eq!(decide(&one, at(9)).actions, [Action::CleanUp { receipt: None }]);
    one.memory.clean_up_failure = failure(Retry::OnChange);
    assert!(decide(&one, at(9)).actions.is_empty(), "with an issuer it is tried until it works");
    one.orphaned = true;
    let plan = decide(&one, at(9));
    assert_eq!(plan.actions, [Action::RemoveFinalizer]);
    assert!(plan.events[0].message.contains("no such key"));
}

#[test]
fn a_proof_that_was_never_shown_does_not_hold_its_challenge() {
    let mut one = fresh();
    one.memory = Memory { tried: true, refused: true, failure: failure(Retry::OnChange), ..Memory::default() };
    one.status = decide(&one, at(9)).status.unwrap();
    one.deleting = true;
    assert_eq!(decide(&one, at(9)).actions, [Action::CleanUp { receipt: None }], "once, to be sure");
    one.memory.clean_up_failure = failure(Retry::OnChange);
    let plan = decide(&one, at(9));
    assert_eq!((plan.actions.as_slice(), plan.events.len()), ([Action::RemoveFinalizer].as_slice(), 1));
    one.status.presented = true;
    assert!(decide(&one, at(9)).actions.is_empty(), "what was shown is cleaned up");
}

#[test]
fn a_solver_may_have_us_wait_instead_of_looking() {
    let mut one = Observed { wait_instead_of_check: Some(Duration::from_secs(30)), ..fresh() };
    assert_eq!(decide(&one, at(1)).actions, [Action::Present]);
    one.memory.presented = Some(Presented::new(at(1), None));
    let plan = decide(&one, at(5));
    assert_eq!((plan.actions.as_slice(), plan.requeue), ([].as_slice(), Some(Duration::from_secs(26))));
    assert_eq!(decide(&one, at(31)).actions, [Action::Accept]);
}

fn replicas(of: &[u8]) -> BTreeSet<IpAddr> {
    of.iter().map(|last| IpAddr::from([192, 0, 2, *last])).collect()
}

/// A Challenge of HTTP-01 whose last `attempts` looks failed, the latest at `second`.
fn unseen(attempts: u32, second: i64) -> Observed {
    let mut one = Observed { served: true, replicas: replicas(&[1]), ..fresh() };
    one.memory.shown(Presented { leads_to: Some(replicas(&[1])), ..Presented::new(at(0), None) });
    one.memory.check = Some(Check::Failed { attempts, message: "404".into(), at: at(second) });
    one
}

/// What is written by now about a Challenge that is ten seconds old; nothing comes after that.
fn told(mut one: Observed) -> Observed {
    (one.created, one.process_started) = (at(-10), at(-10));
    one.status = decide(&one, at(0)).status.expect("something is written");
    one
}

#[test]
fn a_name_that_was_corrected_is_noticed_within_ten_seconds() {
    for (served, expected) in [
        (true, [500, 1000, 2000, 4000, 8000, 10_000, 10_000, 10_000]),
        (false, [2000, 4000, 8000, 10_000, 10_000, 10_000, 10_000, 10_000]),
    ] {
        let waits = [1, 2, 3, 4, 5, 6, 7, 1000].map(|attempts| {
            let mut one = Observed { served, ..unseen(attempts, 0) };
            one.memory.presented.as_mut().unwrap().looks = attempts;
            let plan = decide(&told(one), at(0));
            assert!(plan.is_converged(), "a look that fails as the one before writes nothing");
            plan.requeue.unwrap().as_millis()
        });
        assert_eq!(waits, expected, "served: {served}");
    }
}

#[test]
fn a_proof_that_is_not_seen_is_shown_again_now_and_then() {
    let shown_after = |served| {
        let mut one = Observed { served, ..unseen(0, 0) };
        let mut after = Vec::new();
        for attempts in 1..=12 {
            one.memory.check = Some(Check::Failed { attempts, message: "404".into(), at: at(0) });
            if decide(&one, at(0)).actions == [Action::Present] {
                after.push(attempts);
                one.memory.shown(Presented::new(at(0), None));
            }
            assert!(decide(&one, at(0)).actions.is_empty(), "once, after look {attempts}");
        }
        after
    };
    assert_eq!(shown_after(true), [3, 7, 11]);
    assert_eq!(shown_after(false), [0; 0], "nobody is asked to write a record that the world has to see first");
}

#[test]
fn what_the_solver_warns_of_stands_beside_what_answered() {
    let mut one = unseen(3, 0);
    one.memory.shown(Presented { warnings: vec!["Gateway web refuses it".into()], ..Presented::new(at(5), None) });
    assert_eq!(one.memory.presented.as_ref().unwrap().at, at(0), "it was shown since the first time");
    assert_eq!(
        told(one).status.reason.unwrap(),
        "a.test does not show the proof yet: 404. The solver warns: Gateway web refuses it. Signet goes on looking, every 10 s"
    );
}

#[test]
fn a_proof_follows_the_replicas_until_the_ca_has_decided() {
    let one = Observed { replicas: replicas(&[1, 2]), ..unseen(1, 0) };
    assert_eq!(decide(&one, at(0)).actions, [Action::Present]);
    let mut accepted = one.clone();
    accepted.memory.check = Some(Check::Passed);
    accepted.memory.accepted = Some(at(0));
    assert_eq!(decide(&accepted, at(0)).actions, [Action::Present], "the CA may be looking");
    accepted.memory.shown(Presented { leads_to: Some(replicas(&[1, 2])), ..Presented::new(at(1), None) });
    assert!(decide(&accepted, at(0)).actions.is_empty());

    let mut settled = one.clone();
    settled.memory.looked = Some(Looked {
        at: at(1),
        status: AuthorizationStatus::Valid,
        validating: true,
        problem: None,
        retry_after: None,
    });
    assert_eq!(decide(&settled, at(1)).status.unwrap().state, Some(State::Valid));
    let mut elsewhere = one;
    elsewhere.memory.presented.as_mut().unwrap().leads_to = None;
    assert!(decide(&elsewhere, at(0)).actions.is_empty(), "its solver did not ask where Signet answers");
}

#[test]
fn a_proof_that_could_not_be_shown_again_is_looked_for_and_tried_later() {
    let mut one = Observed { replicas: replicas(&[2]), ..unseen(1, 0) };
    one.memory.not_shown(failure(Retry::Later(Duration::from_secs(5))).unwrap());
    assert!(one.memory.failure.is_none());
    assert_eq!(decide(&one, at(1)).actions, [Action::Check]);
    let plan = decide(&told(one.clone()), at(0));
    assert_eq!(plan, ChallengePlan::wait(Duration::from_millis(500)));
    assert!(told(one.clone()).status.reason.unwrap().contains("404. It could not be shown again: no such key. "));
    assert_eq!(decide(&one, at(5)).actions, [Action::Present]);
    one.memory.not_shown(failure(Retry::Never).unwrap());
    assert_eq!(decide(&one, at(59)).actions, [Action::Check], "what was shown may be there all the same");
    assert_eq!(decide(&one, at(60)).actions, [Action::Present]);
}

#[test]
fn a_proof_that_would_hide_another_waits_and_says_for_which() {
    let mut one = Observed { behind: Some("shop/web-1-2-3".into()), served: true, ..fresh() };
    assert_eq!(decide(&one, at(1)), ChallengePlan::wait(Duration::from_secs(2)), "it may take no time at all");
    let plan = decide(&one, at(3));
    assert_eq!((plan.actions.as_slice(), plan.requeue), ([].as_slice(), Some(TURN_RECHECK)));
    one.status = plan.status.unwrap();
    assert!(one.status.reason.as_ref().unwrap().contains("Challenge shop/web-1-2-3 was first to prove a.test"));
    assert!(!one.status.processing && !one.status.presented, "{:?}", one.status);
    assert!(decide(&one, at(9)).is_converged());
    one.behind = None;
    assert_eq!(decide(&one, at(9)).actions, [Action::Present]);
    // What is shown already goes on, whoever comes.
    one.behind = Some("shop/web-1-2-3".into());
    one.memory.shown(Presented::new(at(9), None));
    assert_eq!(decide(&one, at(9)).actions, [Action::Check]);
}
