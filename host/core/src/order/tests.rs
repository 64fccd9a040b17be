//! A CA, an Order and its Challenges in memory: plans are applied step by step, the process is
//! cut off at any of them, and the next one must carry on to a certificate.

mod ways;

use std::time::Duration;

use k8s_openapi::ByteString;
use signet_api::solver::{Dns01, Http01, Selector, TlsAlpn01};
use signet_api::{ChallengeType, IssuerRef, Solver};

use super::*;
use crate::acme::ChallengeAtCa;
use crate::challenge::{self, Check, Looked, Presented};

mod limits;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn http01() -> Solver {
    let stanzas = [("web".to_owned(), serde_json::json!({}))].into();
    Solver { http01: Some(Http01 { stanzas }), ..Solver::default() }
}

fn dns01(selector: Option<Selector>) -> Solver {
    let stanzas = [("cumulus".to_owned(), serde_json::json!({}))].into();
    Solver { selector, dns01: Some(Dns01 { stanzas, ..Dns01::default() }), ..Solver::default() }
}

fn fresh() -> Observed {
    Observed {
        name: "web-1-42".into(),
        identifiers: vec![Identifier::Dns("a.test".into()), Identifier::Dns("*.b.test".into())],
        profile: None,
        replaces: None,
        not_after: None,
        issuer_ref: IssuerRef { name: "ca".into(), ..IssuerRef::default() },
        labels: Default::default(),
        solvers: vec![http01(), dns01(None)],
        looks_at_caa: false,
        status: OrderStatus::default(),
        challenges: Vec::new(),
        turn: Some(Turn::Now),
        memory: Memory::default(),
    }
}

fn at_ca(name: &str, wildcard: bool) -> AuthorizationAtCa {
    let offer = |kind: &str| ChallengeAtCa {
        kind: kind.into(),
        url: format!("https://ca/{name}/{kind}"),
        token: format!("token-{name}"),
        status: "pending".into(),
        problem: None,
        issuer_domain_names: Vec::new(),
    };
    AuthorizationAtCa {
        url: format!("https://ca/{name}"),
        identifier: Identifier::Dns(name.into()),
        wildcard,
        status: AuthorizationStatus::Pending,
        expires: None,
        challenges: if wildcard { vec![offer("dns-01")] } else { vec![offer("http-01"), offer("dns-01")] },
        retry_after: None,
    }
}

fn downloaded(leaf: Leaf) -> Downloaded {
    Downloaded { chain: ByteString(b"PEM".to_vec()), leaf }
}

struct World {
    order: Observed,
    challenges: Vec<(String, challenge::Observed)>,
    accepted: Vec<String>,
    at_ca: acme::OrderStatus,
    new_orders: usize,
    new_orders_after_record: usize,
    shown: Vec<String>,
    second: i64,
    steps: usize,
    interrupt: Vec<usize>,
}

impl World {
    fn new(interrupt: Vec<usize>) -> Self {
        Self {
            order: fresh(),
            challenges: Vec::new(),
            accepted: Vec::new(),
            at_ca: acme::OrderStatus::Pending,
            new_orders: 0,
            new_orders_after_record: 0,
            shown: Vec::new(),
            second: 0,
            steps: 0,
            interrupt,
        }
    }

    /// Counts one effect; true when the process dies right after it, its result unremembered.
    fn dies(&mut self) -> bool {
        self.steps += 1;
        if !self.interrupt.contains(&self.steps) {
            return false;
        }
        self.second += 1;
        self.order.memory = Memory::default();
        for (_, one) in &mut self.challenges {
            one.memory = challenge::Memory::default();
            one.process_started = at(self.second);
        }
        true
    }

    fn seen(&self) -> SeenOrder {
        let order = OrderAtCa {
            url: format!("https://ca/order/{}", self.new_orders),
            finalize_url: "https://ca/finalize".into(),
            status: self.at_ca,
            authorization_urls: Vec::new(),
            certificate_url: Some("https://ca/cert".into()),
            problem: None,
            retry_after: None,
        };
        SeenOrder { at: at(self.second), order }
    }

    fn apply_order(&mut self, action: Action) -> bool {
        match action {
            Action::NewOrder { .. } => {
                self.new_orders += 1;
                self.new_orders_after_record += usize::from(self.order.status.url.is_some());
                if self.dies() {
                    return false;
                }
                self.order.memory.order = Some(self.seen());
                self.order.memory.authorizations = vec![at_ca("a.test", false), at_ca("b.test", true)];
                return true;
            }
            Action::CreateChallenge { name, spec } => {
                assert!(self.challenges.iter().all(|(other, _)| *other != name), "{name} twice");
                let one = challenge::Observed {
                    dns_name: spec.dns_name,
                    created: at(self.second),
                    deleting: false,
                    finalizer: true,
                    status: Default::default(),
                    slot: true,
                    orphaned: false,
                    wait_instead_of_check: None,
                    behind: None,
                    served: true,
                    replicas: Default::default(),
                    process_started: at(self.second),
                    memory: Default::default(),
                };
                self.challenges.push((name, one));
                return !self.dies();
            }
            Action::DeleteChallenge { name } => {
                let one = self.challenges.iter_mut().find(|(other, _)| *other == name).unwrap();
                one.1.deleting = true;
                return !self.dies();
            }
            Action::Refresh { .. } | Action::LookAtCaa { .. } => {}
            Action::Finalize { .. } => {
                assert_eq!(self.at_ca, acme::OrderStatus::Ready);
                self.at_ca = acme::OrderStatus::Processing;
            }
            Action::Download { .. } => {
                assert_eq!(self.at_ca, acme::OrderStatus::Valid);
                if self.dies() {
                    return false;
                }
                self.order.memory.certificate = Some(downloaded(Leaf::Fits { not_after: at(9_999) }));
                return true;
            }
        }
        if self.dies() {
            return false;
        }
        self.order.memory.order = Some(self.seen());
        if self.at_ca == acme::OrderStatus::Processing {
            self.at_ca = acme::OrderStatus::Valid;
        }
        true
    }

    fn apply_challenge(&mut self, index: usize, action: challenge::Action) -> bool {
        let name = self.challenges[index].1.dns_name.clone();
        match &action {
            challenge::Action::Present => self.shown.push(name.clone()),
            challenge::Action::CleanUp { .. } => self.shown.retain(|shown| *shown != name),
            challenge::Action::Accept => {
                assert!(self.shown.contains(&name), "{name} accepted before it is shown");
                self.accepted.push(name.clone());
                self.accepted.dedup();
                if self.accepted.len() == 2 && self.at_ca == acme::OrderStatus::Pending {
                    self.at_ca = acme::OrderStatus::Ready;
                }
            }
            challenge::Action::RemoveFinalizer => {
                self.challenges.remove(index);
                self.dies();
                return false;
            }
            challenge::Action::Check | challenge::Action::Poll => {}
        }
        if self.dies() {
            return false;
        }
        let valid = self.accepted.contains(&name);
        let now = at(self.second);
        let memory = &mut self.challenges[index].1.memory;
        match action {
            challenge::Action::Present => memory.shown(Presented::new(now, Some("cg==".into()))),
            challenge::Action::Check => memory.check = Some(Check::Passed),
            challenge::Action::Accept => memory.accepted = Some(now),
            challenge::Action::CleanUp { .. } => memory.cleaned_up = true,
            challenge::Action::Poll | challenge::Action::RemoveFinalizer => {
                let status = if valid { AuthorizationStatus::Valid } else { AuthorizationStatus::Pending };
                memory.looked = Some(Looked { at: now, status, validating: false, problem: None, retry_after: None });
            }
        }
        true
    }

    fn turn_order(&mut self) {
        self.order.challenges = self
            .challenges
            .iter()
            .map(|(name, one)| OwnChallenge {
                name: name.clone(),
                authorization_url: format!("https://ca/{}", one.dns_name),
                dns_name: one.dns_name.clone(),
                status: one.status.clone(),
                deleting: one.deleting,
            })
            .collect();
        let plan = decide(&self.order, at(self.second));
        if plan.actions.into_iter().all(|action| self.apply_order(action))
            && let Some(status) = plan.status
        {
            self.order.status = status;
            self.dies();
        }
    }

    fn turn_challenge(&mut self, index: usize) {
        let plan = challenge::decide(&self.challenges[index].1, at(self.second));
        if plan.actions.into_iter().all(|action| self.apply_challenge(index, action))
            && let Some(status) = plan.status
        {
            self.challenges[index].1.status = status;
            self.dies();
        }
    }

    fn run(mut self) -> Self {
        for _ in 0..200 {
            self.turn_order();
            for index in (0..self.challenges.len()).rev() {
                self.turn_challenge(index);
            }
            self.second += 1;
        }
        self
    }

    fn assert_done(&self) {
        let what = &self.interrupt;
        assert_eq!(self.order.status.state, Some(State::Valid), "{what:?}: {:?}", self.order.status);
        assert!(self.challenges.is_empty() && self.shown.is_empty(), "{what:?}: {:?}", self.shown);
        assert_eq!(self.new_orders_after_record, 0, "{what:?}");
        assert!(self.new_orders <= 1 + what.len(), "{what:?}");
        assert!(decide(&Observed { challenges: Vec::new(), ..self.order.clone() }, at(self.second)).is_converged());
    }
}

#[test]
fn a_cut_after_any_one_or_two_steps_still_ends_valid() {
    let whole = World::new(Vec::new()).run();
    whole.assert_done();
    assert_eq!(whole.new_orders, 1);
    for first in 1..=whole.steps {
        World::new(vec![first]).run().assert_done();
        for second in first + 1..=whole.steps + 4 {
            World::new(vec![first, second]).run().assert_done();
        }
    }
}

#[test]
fn many_cuts_by_seed_still_end_valid() {
    for seed in 1..200_u64 {
        let mut state = seed;
        let cuts = (1..60).filter(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % 4 == 0
        });
        World::new(cuts.collect()).run().assert_done();
    }
}

#[test]
fn the_best_solver_is_picked() {
    let zone = |zone: &str| dns01(Some(Selector { dns_zones: vec![zone.into()], ..Selector::default() }));
    let name = dns01(Some(Selector { dns_names: vec!["a.b.test".into()], ..Selector::default() }));
    let offered = authorization(&at_ca("a.b.test", false));
    for (solvers, best) in [
        (vec![http01(), zone("test"), zone("b.test"), name.clone()], 3),
        (vec![http01(), zone("test"), zone("b.test")], 2),
        (vec![http01(), dns01(None)], 0),
        (vec![zone("xb.test"), dns01(None)], 1),
    ] {
        assert_eq!(pick(&solvers, &Default::default(), &offered).unwrap().0, &solvers[best]);
    }
    let wildcard = authorization(&at_ca("a.b.test", true));
    let message = pick(&[http01()], &Default::default(), &wildcard).unwrap_err();
    assert!(message.contains("*.a.b.test") && message.contains("http01 web"), "{message}");
}

#[test]
fn a_handshake_proves_where_the_ca_offers_it_and_no_wildcard() {
    let solver = Solver {
        tls_alpn01: Some(TlsAlpn01 { stanzas: [("edge".to_owned(), serde_json::json!({}))].into() }),
        ..Solver::default()
    };
    let mut offer = at_ca("a.test", false);
    let refused = |offer: &AuthorizationAtCa| {
        pick(std::slice::from_ref(&solver), &Default::default(), &authorization(offer)).map(|(_, type_)| type_)
    };
    assert_eq!(
        refused(&offer).unwrap_err(),
        "No solver of the issuer fits a.test: the CA offers dns-01, http-01, and the issuer has tlsALPN01 edge. \
         Add a solver to spec.acme.solvers, then order again"
    );
    let way = ChallengeAtCa { kind: "tls-alpn-01".into(), ..offer.challenges[0].clone() };
    offer.challenges.push(way);
    assert_eq!(refused(&offer), Ok(ChallengeType::TlsAlpn01));
    offer.wildcard = true;
    let message = refused(&offer).unwrap_err();
    assert!(
        message.contains("fits *.a.test") && message.contains("A wildcard is proven in the DNS alone"),
        "{message}"
    );
}

#[test]
fn a_stuck_challenge_is_replaced_once_the_issuer_has_another_solver() {
    let mut world = World::new(Vec::new());
    while world.challenges.is_empty() {
        world.turn_order();
    }
    world.turn_order();
    let seen = |world: &World| decide(&world.order, at(world.second)).actions;
    let stuck = world.order.challenges[0].clone();
    world.order.solvers = vec![dns01(None)];
    assert_eq!(seen(&world), [], "one that gets on is left alone");
    world.order.challenges[0].status.reason = Some("no such class".into());
    assert_eq!(seen(&world), [Action::DeleteChallenge { name: stuck.name.clone() }]);
    let told = decide(&world.order, at(world.second)).status.unwrap().reason.unwrap();
    assert!(told.contains(&stuck.name) && told.ends_with("no such class"), "{told}");
    world.order.challenges[0].deleting = true;
    assert_eq!(seen(&world), [], "the next one waits until it is cleaned up");
    world.order.challenges.remove(0);
    let [Action::CreateChallenge { name, spec }] = &seen(&world)[..] else { panic!("{:?}", seen(&world)) };
    assert!(*name != stuck.name && spec.dns_name == stuck.dns_name && spec.solver == dns01(None), "{spec:?}");

    world.order.solvers = vec![http01(), dns01(None)];
    world.order.challenges.insert(0, stuck);
    world.order.challenges[0].status.reason = Some("no such class".into());
    assert_eq!(seen(&world), [], "the same solver would not do better");
}

#[test]
fn failures_wait_or_end_the_order() {
    let failure = |retry| Failure { reason: "rateLimited".into(), message: "slow down".into(), retry, at: at(0) };
    let mut order = fresh();
    order.memory.failure = Some(failure(Retry::Later(Duration::from_secs(60))));
    let plan = decide(&order, at(10));
    assert_eq!((plan.requeue, plan.actions.len()), (Some(Duration::from_secs(50)), 0));
    assert_eq!(decide(&order, at(60)).actions, [new_order(&order)]);
    order.memory.failure = Some(failure(Retry::Never));
    let status = decide(&order, at(10)).status.unwrap();
    assert_eq!((status.state, status.failure_time), (Some(State::Errored), Some(Time(at(10)))));
}

#[test]
fn what_the_ca_asks_to_wait_is_told_and_is_never_the_end() {
    let mut order = fresh();
    for (seconds, words) in [
        (0, "slow down; Signet asks again by itself"),
        (30, "slow down; Signet asks again by itself"),
        (300, "slow down; Signet asks again at 2027-01-15T08:05:00Z"),
        (7 * 86_400, "slow down; Signet asks again at 2027-01-22T08:00:00Z"),
    ] {
        let retry = Retry::Later(Duration::from_secs(seconds));
        order.memory.failure = Some(Failure { reason: "X".into(), message: "slow down.".into(), retry, at: at(0) });
        let before = i64::try_from(seconds).unwrap() - 1;
        if seconds > 0 {
            let plan = decide(&order, at(before));
            let status = plan.status.unwrap();
            assert_eq!((status.state, status.reason.as_deref()), (None, Some(words)));
            assert_eq!((plan.actions, plan.requeue, plan.events), (vec![], Some(Duration::from_secs(1)), vec![]));
        }
        assert_eq!(decide(&order, at(before + 1)).actions, [new_order(&order)], "{seconds}");
    }
}

#[test]
fn an_order_is_looked_at_once_a_second_at_most() {
    let mut world = World::new(Vec::new());
    world.at_ca = acme::OrderStatus::Processing;
    world.order.status.url = Some("https://ca/order/1".into());
    for (asked, wait) in [(None, 1), (Some(0), 1), (Some(1), 1), (Some(7), 7)] {
        let mut seen = world.seen();
        seen.order.retry_after = asked.map(Duration::from_secs);
        world.order.memory.order = Some(seen);
        let plan = decide(&world.order, at(0));
        assert_eq!((plan.actions, plan.requeue), (vec![], Some(Duration::from_secs(wait))), "{asked:?}");
    }
}

#[test]
fn a_certificate_of_no_use_is_the_end_and_says_why() {
    let mut order = fresh();
    order.status.url = Some("https://ca/order/1".into());
    for (leaf, words) in [
        (Leaf::OfAnotherKey, "it is for another key"),
        (Leaf::Unread("read PEM of certificate chain: odd".into()), "could not read PEM"),
        (Leaf::Fits { not_after: at(10) }, "it is over since 2027-01-15T08:00:10Z"),
    ] {
        order.memory.certificate = Some(downloaded(leaf));
        let plan = decide(&order, at(10));
        let status = plan.status.unwrap();
        assert_eq!((status.state, status.certificate), (Some(State::Errored), None));
        assert!(status.reason.as_ref().unwrap().contains(words), "{:?}", status.reason);
        assert_eq!(plan.events.len(), 1);
    }
    order.memory.certificate = Some(downloaded(Leaf::Fits { not_after: at(11) }));
    assert_eq!(decide(&order, at(10)).status.unwrap().state, Some(State::Valid));
}

#[test]
fn a_download_that_is_no_chain_can_not_be_read() {
    for chain in ["", "<html>", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let read = Downloaded::read(ByteString(chain.as_bytes().to_vec()), b"");
        assert!(matches!(read.leaf, Leaf::Unread(_)), "{chain}: {read:?}");
    }
}
