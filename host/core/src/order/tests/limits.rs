//! An Order and the CA's limits: it waits for its turn, and what it spent can be read from its status.

use super::*;

fn waiting(others: usize) -> Turn {
    let limit = crate::limits::Limit::hourly(300, 3);
    let bucket = crate::limits::Bucket::new(crate::limits::Kind::NewOrders, &["https://ca/account/1"]);
    let cause = crate::limits::Cause::Limit { of: "https://ca/account/1".into(), limit, used: 300 };
    Turn::Wait(Box::new(Wait { bucket, cause, until: at(36), others }))
}

#[test]
fn an_order_waits_for_its_turn_and_says_so_once() {
    let mut observed = Observed { turn: Some(waiting(0)), ..fresh() };
    let plan = decide(&observed, at(0));
    let status = plan.status.expect("it says why it waits");
    assert_eq!((plan.actions.as_slice(), plan.events.as_slice(), status.state), (&[][..], &[][..], None));
    assert!(status.reason.as_deref().is_some_and(|reason| reason.starts_with("Waiting for room: ")), "{status:?}");
    assert_eq!(plan.requeue, Some(Duration::from_secs(36)));

    observed = Observed { status, turn: Some(waiting(41)), ..observed };
    let plan = decide(&observed, at(40));
    assert!(plan.is_converged(), "the numbers of others are no news: {plan:?}");
    assert_eq!(plan.requeue, Some(Duration::from_secs(36 + 41 * 36 - 40)), "not before all the others can have gone");

    observed.turn = Some(Turn::Now);
    assert!(matches!(decide(&observed, at(41)).actions[..], [Action::NewOrder { .. }]));
    observed.memory.order = Some(World::new(Vec::new()).seen());
    let recorded = decide(&observed, at(42)).status.expect("the order is written down");
    assert_eq!((recorded.reason, recorded.order_time), (None, Some(Time(at(0)))));
}

#[test]
fn an_order_asks_for_its_turn_only_when_it_would_take_it() {
    let (status, memory) = (OrderStatus::default(), Memory::default());
    assert!(is_to_ask(&status, &memory, at(0)));
    for state in [State::Valid, State::Invalid, State::Errored] {
        assert!(!is_to_ask(&OrderStatus { state: Some(state), ..status.clone() }, &memory, at(0)));
    }
    assert!(!is_to_ask(&OrderStatus { url: Some("https://ca/order/1".into()), ..status.clone() }, &memory, at(0)));
    let failed = |retry| Failure { reason: "X".into(), message: "x".into(), retry, at: at(0) };
    for (retry, second, asks) in [
        (Retry::OnChange, 100, false),
        (Retry::Later(Duration::from_secs(60)), 59, false),
        (Retry::Later(Duration::from_secs(60)), 60, true),
    ] {
        let memory = Memory { failure: Some(failed(retry)), ..Memory::default() };
        assert_eq!(is_to_ask(&status, &memory, at(second)), asks, "{retry:?}");
    }
    for (objections, asks) in [(vec![], true), (vec!["it is forbidden".to_owned()], false)] {
        let memory = Memory { forbidden: Some(Forbidden { at: at(0), objections }), ..Memory::default() };
        assert_eq!(is_to_ask(&status, &memory, at(1)), asks, "{memory:?}");
    }
}

#[test]
fn the_name_that_could_not_be_proven_can_be_read_from_the_reason() {
    let named = |name: &str| Authorization { identifier: Some(name.into()), ..Authorization::default() };
    let own = OwnChallenge {
        name: "c".into(),
        authorization_url: "https://ca/b".into(),
        dns_name: "b.test".into(),
        status: signet_api::ChallengeStatus { state: Some(State::Invalid), ..Default::default() },
        deleting: false,
    };
    let authorizations = vec![named("a.test"), named("b.test"), named("b.test.example")];
    let observed = Observed { status: OrderStatus { authorizations, ..OrderStatus::default() }, ..fresh() };
    let failed = failed_proof(&observed, &own, at(0)).status.expect("it fails");
    assert_eq!(unproven(&failed), Some("b.test"));
    assert_eq!(unproven(&OrderStatus { reason: Some("The CA refused".into()), ..failed }), None);
}
