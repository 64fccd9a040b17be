//! Ways of the DNS to prove a name, and records that forbid.

use super::*;

#[test]
fn of_the_ways_of_the_dns_the_best_that_is_on_offer_is_taken() {
    use ChallengeType::{Dns01, DnsAccount01, DnsPersist01};
    let with = |account_label| {
        let Some(way) = dns01(None).dns01 else { unreachable!("it is one of the DNS") };
        Solver { dns01: Some(signet_api::solver::Dns01 { account_label, ..way }), ..Solver::default() }
    };
    let persist = Solver { dns_persist01: Some(Default::default()), ..Solver::default() };
    for (solver, offered, expected) in [
        (with(None), &["dns-01", "dns-account-01"][..], Ok(Dns01)),
        (with(None), &["dns-account-01"], Ok(DnsAccount01)),
        (with(Some(true)), &["dns-01", "dns-account-01"], Ok(DnsAccount01)),
        (with(Some(true)), &["dns-01"], Err("the issuer has dns01 cumulus (by dns-account-01 alone)")),
        (with(Some(false)), &["dns-account-01"], Err("the issuer has dns01 cumulus (by dns-01 alone)")),
        (persist.clone(), &["dns-01", "dns-persist-01"], Ok(DnsPersist01)),
        (persist, &["dns-01"], Err("the issuer has dnsPersist01.")),
    ] {
        let mut at_ca = at_ca("a.test", true);
        let challenge = at_ca.challenges[0].clone();
        at_ca.challenges =
            offered.iter().map(|kind| ChallengeAtCa { kind: (*kind).into(), ..challenge.clone() }).collect();
        match (pick(&[solver], &Default::default(), &authorization(&at_ca)), expected) {
            (Ok((_, picked)), Ok(expected)) => assert_eq!(picked, expected, "{offered:?}"),
            (Err(found), Err(words)) => assert!(found.contains(words), "{found}"),
            (found, expected) => panic!("{found:?}, not {expected:?}"),
        }
    }
}

#[test]
fn a_record_that_forbids_the_ca_is_waited_for() {
    let mut order = Observed { looks_at_caa: true, ..fresh() };
    let [Action::LookAtCaa { questions }] = &decide(&order, at(0)).actions[..] else { panic!("it does not look") };
    let told: Vec<_> = questions.iter().map(|one| (one.name.as_str(), one.wildcard, one.methods.as_slice())).collect();
    assert_eq!(told, [("a.test", false, &["http-01"][..]), ("b.test", true, &["dns-01", "dns-account-01"])]);

    order.memory.forbidden = Some(Forbidden { at: at(0), objections: vec!["a.test has CAA 0 issue \";\"".into()] });
    let plan = decide(&order, at(5));
    let status = plan.status.unwrap();
    assert_eq!((plan.actions, plan.requeue, plan.events.len()), (vec![], Some(Duration::from_secs(15)), 1));
    assert!(status.state.is_none() && status.reason.as_ref().unwrap().contains("CAA 0 issue"), "{status:?}");
    order.status = status;
    assert_eq!(decide(&order, at(6)).events, [], "it is told once");
    assert!(matches!(decide(&order, at(20)).actions[..], [Action::LookAtCaa { .. }]));

    order.memory.forbidden = Some(Forbidden { at: at(20), objections: Vec::new() });
    for second in [20, 4000] {
        assert_eq!(decide(&order, at(second)).actions, [new_order(&order)], "what allowed it once does");
    }
    order.memory.forbidden = None;
    order.identifiers = vec![Identifier::Ip("192.0.2.1".parse().unwrap())];
    assert_eq!(decide(&order, at(0)).actions, [new_order(&order)], "addresses have no such records");
}
