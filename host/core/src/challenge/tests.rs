//! Tables for a Challenge; the whole way, cut off anywhere, is in the tests of the Order.

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
    one.memory.presented = Some(Presented { at: at(0), receipt: None });
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
    one.memory.presented = Some(Presented { at: at(0), receipt: Some("cg==".into()) });
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
    one.memory.presented = Some(Presented { at: at(1), receipt: None });
    let plan = decide(&one, at(5));
    assert_eq!((plan.actions.as_slice(), plan.requeue), ([].as_slice(), Some(Duration::from_secs(26))));
    assert_eq!(decide(&one, at(31)).actions, [Action::Accept]);
}
