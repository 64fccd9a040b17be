//! Tables for each decision, and a small world in which a request is signed, cut off after any
//! write.

mod reading;

use k8s_openapi::ByteString;
use signet_api::Condition;
use signet_api::certificaterequest::condition::INVALID_REQUEST;

use super::*;
use crate::plan::Severity;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn fresh(issuer: Issuer) -> Observed {
    Observed {
        name: "web-1".into(),
        created: at(0),
        status: CertificateRequestStatus::default(),
        invalid: None,
        auto_approve: true,
        issuer,
        memory: Memory::default(),
    }
}

fn self_signed() -> Issuer {
    Issuer::SelfSigned { key_secret: "web-key".into() }
}

fn ca() -> Issuer {
    let ca = CaIssuer { secret_name: "root".into(), ..CaIssuer::default() };
    Issuer::Ca { namespace: "signet".into(), ca }
}

fn acme(order: Option<OrderStatus>) -> Issuer {
    Issuer::Acme { name: "web-1-42".into(), spec: Box::default(), order }
}

fn order(state: State, reason: Option<&str>) -> OrderStatus {
    let certificate = (state == State::Valid).then(|| ByteString(b"PEM".to_vec()));
    OrderStatus { state: Some(state), reason: reason.map(str::to_owned), certificate, ..OrderStatus::default() }
}

fn signed() -> Signed {
    Signed { certificate: ByteString(b"PEM".to_vec()), authority: Some(ByteString(b"CA".to_vec())) }
}

fn failure(retry: Retry) -> Option<Failure> {
    Some(Failure { reason: "SecretNotFound".into(), message: "no such Secret".into(), retry, at: at(0) })
}

fn with(mut one: Observed, type_: &str, message: &str) -> Observed {
    one.status.conditions.push(Condition::new(type_, ConditionStatus::True, "Somebody", message));
    one
}

/// Each condition as `type=status(reason)`.
fn conditions(status: &CertificateRequestStatus) -> Vec<String> {
    let line = |one: &Condition| format!("{}={:?}({})", one.type_, one.status, one.reason.as_deref().unwrap());
    assert!(status.conditions.iter().all(|one| one.observed_generation.is_none()));
    status.conditions.iter().map(line).collect()
}

fn message(status: &CertificateRequestStatus) -> &str {
    condition(&status.conditions, READY).unwrap().message.as_deref().unwrap()
}

const APPROVED_AND_PENDING: [&str; 2] = ["Approved=True(cert-manager.io)", "Ready=False(Pending)"];
const APPROVED_AND_FAILED: [&str; 2] = ["Approved=True(cert-manager.io)", "Ready=False(Failed)"];
const APPROVED_AND_ISSUED: [&str; 2] = ["Approved=True(cert-manager.io)", "Ready=True(Issued)"];

/// What the API server holds. An Order goes through `states`, each for as many quarters of a second.
struct World {
    request: Observed,
    states: Vec<(i64, OrderStatus)>,
    quarter: i64,
    ordered: Option<i64>,
    orders: usize,
    signatures: usize,
    writes: usize,
    events: usize,
    steps: usize,
    cuts: Vec<usize>,
}

impl World {
    fn new(request: Observed, states: Vec<(i64, OrderStatus)>, cuts: Vec<usize>) -> Self {
        let (quarter, ordered, orders, signatures, writes, events, steps) = (0, None, 0, 0, 0, 0, 0);
        Self { request, states, quarter, ordered, orders, signatures, writes, events, steps, cuts }
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(at(0).as_millisecond() + self.quarter * 250).unwrap()
    }

    fn dies(&mut self) -> bool {
        self.steps += 1;
        let dies = self.cuts.contains(&self.steps);
        if dies {
            self.request.memory = Memory::default();
        }
        dies
    }

    fn observe(&mut self) {
        let Issuer::Acme { order: seen, .. } = &mut self.request.issuer else { return };
        let Some(mut age) = self.ordered.map(|ordered| self.quarter - ordered) else { return };
        let (_, last) = self.states.last().unwrap();
        *seen = Some(last.clone());
        for (lasts, state) in &self.states {
            if age < *lasts {
                *seen = Some(state.clone());
                return;
            }
            age -= lasts;
        }
    }

    fn act(&mut self, action: Action) -> bool {
        match action {
            Action::CreateOrder { name, spec: _ } => {
                assert_eq!(name, "web-1-42");
                self.ordered = Some(self.quarter);
                self.orders += 1;
                !self.dies()
            }
            Action::SelfSign { key_secret } => {
                assert_eq!(key_secret, "web-key");
                self.sign()
            }
            Action::CaSign { namespace, ca } => {
                assert_eq!((namespace.as_str(), ca.secret_name.as_str()), ("signet", "root"));
                self.sign()
            }
        }
    }

    fn sign(&mut self) -> bool {
        self.signatures += 1;
        let dies = self.dies();
        self.request.memory.signed = (!dies).then(signed);
        !dies
    }

    fn run(mut self) -> Self {
        for _ in 0..200 {
            self.observe();
            let plan = decide(&self.request, self.now());
            let acted = plan.actions.into_iter().all(|action| self.act(action));
            if let Some(status) = plan.status.filter(|_| acted) {
                self.request.status = status;
                self.writes += 1;
                self.events += plan.events.len();
                self.dies();
            }
            self.quarter += 1;
        }
        assert_eq!(decide(&self.request, self.now()), RequestPlan::rest());
        self
    }

    fn assert_issued(&self) {
        assert_eq!(conditions(&self.request.status), APPROVED_AND_ISSUED, "{:?}", self.cuts);
        assert!(self.request.status.certificate.is_some() && self.events == 0);
    }
}

#[test]
fn a_request_that_is_signed_here_is_one_write() {
    for issuer in [self_signed(), ca()] {
        let world = World::new(fresh(issuer.clone()), Vec::new(), Vec::new()).run();
        world.assert_issued();
        assert_eq!((world.signatures, world.writes), (1, 1));
        assert_eq!(world.request.status.ca, signed().authority);
        for cut in 1..=2 {
            let world = World::new(fresh(issuer.clone()), Vec::new(), vec![cut]).run();
            world.assert_issued();
            assert_eq!(world.writes, 1);
        }
    }
}

/// The states of an Order that takes so many quarters of a second.
fn states(quarters: i64) -> Vec<(i64, OrderStatus)> {
    let third = quarters / 3;
    let pending = (quarters - 2 * third, order(State::Pending, None));
    vec![
        (0, OrderStatus::default()),
        pending,
        (third, order(State::Ready, None)),
        (third, order(State::Processing, None)),
        (1, order(State::Valid, None)),
    ]
}

#[test]
fn an_order_that_is_quick_is_one_write_and_one_that_is_slow_two() {
    for (quarters, writes) in [(0, 1), (3, 1), (9, 1), (18, 2), (90, 2)] {
        let whole = World::new(fresh(acme(None)), states(quarters), Vec::new()).run();
        whole.assert_issued();
        assert_eq!((whole.orders, whole.writes, whole.request.status.ca.as_ref()), (1, writes, None), "{quarters}");
        for cut in 1..=whole.steps {
            let world = World::new(fresh(acme(None)), states(quarters), vec![cut]).run();
            world.assert_issued();
            assert_eq!((world.orders, world.writes), (1, writes), "{quarters}, cut after {cut}");
        }
    }
}

#[test]
fn a_reason_of_the_order_is_passed_on_and_its_failure_ends_the_request() {
    let waits = order(State::Pending, Some("the CA asks to slow down"));
    let fails = order(State::Invalid, Some("a.test could not be proven"));
    let states = vec![(20, order(State::Pending, None)), (20, waits.clone()), (1, fails)];
    let world = World::new(fresh(acme(None)), states, Vec::new()).run();
    assert_eq!((world.orders, world.writes, world.events), (1, 3, 1));
    assert_eq!(conditions(&world.request.status), APPROVED_AND_FAILED);
    assert!(message(&world.request.status).contains("Order web-1-42 failed: a.test could not be proven"));
    assert!(world.request.status.failure_time.is_some());
    let pending = decide(&fresh(acme(Some(waits))), at(9)).status.unwrap();
    assert_eq!(message(&pending), "Waiting for Order web-1-42: the CA asks to slow down");
}

#[test]
fn an_order_without_its_certificate_is_waited_for() {
    for status in [OrderStatus::default(), OrderStatus { certificate: None, ..order(State::Valid, None) }] {
        let plan = decide(&fresh(acme(Some(status))), at(9));
        assert_eq!(conditions(&plan.status.unwrap()), APPROVED_AND_PENDING);
    }
}

#[test]
fn within_the_grace_nothing_is_written_but_an_outcome() {
    let young = fresh(acme(Some(order(State::Pending, None))));
    assert_eq!(decide(&young, at(0)), RequestPlan::wait(PROGRESS_GRACE));
    assert_eq!(decide(&young, at(1)), RequestPlan::wait(PROGRESS_GRACE - Duration::from_secs(1)));
    assert_eq!(conditions(&decide(&young, at(0) + PROGRESS_GRACE).status.unwrap()), APPROVED_AND_PENDING);
    // That there is no issuer to sign is an outcome, for now.
    for issuer in [Issuer::Missing("no Issuer ca".into()), Issuer::NotReady("no Issuer ca".into())] {
        let mut one = fresh(issuer);
        let plan = decide(&one, at(0));
        assert_eq!((plan.actions.len(), plan.events.len(), plan.requeue), (0, 0, None));
        one.status = plan.status.unwrap();
        assert_eq!(conditions(&one.status), APPROVED_AND_PENDING);
        assert_eq!(message(&one.status), "no Issuer ca");
        assert_eq!(decide(&one, at(9)), RequestPlan::rest());
        one.issuer = acme(None);
        assert_eq!(decide(&one, at(9)).actions.len(), 1);
    }
}

#[test]
fn what_is_refused_fails_at_once_and_for_good() {
    let refuses = Issuer::Refuses { reason: "InvalidOrder", message: "no names".into() };
    let failing = |retry| Observed { memory: Memory { failure: failure(retry), signed: None }, ..fresh(self_signed()) };
    let invalid = |issuer| Observed { invalid: Some("spec.request: no PEM".into()), ..fresh(issuer) };
    let invalid_and_failed = &["InvalidRequest=True(Failed)", "Ready=False(Failed)"];
    let denied = &["Denied=True(Somebody)", "Ready=False(Denied)"];
    let table: [(Observed, &[&str], &str, &str); 6] = [
        (fresh(refuses), &APPROVED_AND_FAILED, "InvalidOrder", "no names"),
        (failing(Retry::Never), &APPROVED_AND_FAILED, "SigningFailed", "no such Secret"),
        (failing(Retry::OnChange), &APPROVED_AND_FAILED, "SigningFailed", "no such Secret"),
        (invalid(self_signed()), invalid_and_failed, INVALID_REQUEST, "spec.request: no PEM"),
        (with(invalid(Issuer::Missing("gone".into())), DENIED, "not here"), denied, "Denied", "not here"),
        (with(fresh(self_signed()), DENIED, ""), denied, "Denied", "did not say why"),
    ];
    for (mut one, expected, event, word) in table {
        let plan = decide(&one, at(1));
        assert_eq!((plan.actions.len(), plan.requeue, plan.events.len()), (0, None, 1));
        assert_eq!((plan.events[0].reason, plan.events[0].severity), (event, Severity::Warning));
        one.status = plan.status.unwrap();
        assert_eq!(conditions(&one.status), expected);
        assert!(message(&one.status).contains(word), "{}", message(&one.status));
        assert_eq!(one.status.failure_time.as_ref().unwrap().0, at(1));
        one.invalid = Some("something else".into());
        assert_eq!(decide(&with(one, DENIED, "late"), at(9)), RequestPlan::rest());
    }
}

#[test]
fn a_failure_that_may_pass_is_tried_again_in_its_time() {
    let mut one = fresh(self_signed());
    one.memory.failure = failure(Retry::Later(Duration::from_secs(30)));
    assert_eq!(decide(&one, at(0)), RequestPlan::wait(PROGRESS_GRACE));
    let plan = decide(&one, at(10));
    assert_eq!((plan.requeue, plan.events.len()), (Some(Duration::from_secs(20)), 0));
    one.status = plan.status.unwrap();
    assert_eq!(conditions(&one.status), APPROVED_AND_PENDING);
    assert!(message(&one.status).contains("no such Secret"));
    assert_eq!(decide(&one, at(11)), RequestPlan::wait(Duration::from_secs(19)));
    assert_eq!(decide(&one, at(30)).actions.len(), 1);
}

#[test]
fn without_an_approver_of_its_own_signet_waits_for_one() {
    for issuer in [self_signed(), ca(), acme(None), Issuer::Missing("gone".into())] {
        let mut one = Observed { auto_approve: false, ..fresh(issuer) };
        assert_eq!(decide(&one, at(0)), RequestPlan::wait(PROGRESS_GRACE));
        one.status = decide(&one, at(0) + PROGRESS_GRACE).status.unwrap();
        assert_eq!(conditions(&one.status), ["Ready=False(Pending)"]);
        assert!(message(&one.status).contains("approver"));
        assert_eq!(decide(&one, at(9)), RequestPlan::rest());
    }
    let one = with(Observed { auto_approve: false, ..fresh(self_signed()) }, APPROVED, "by hand");
    let world = World::new(one, Vec::new(), Vec::new()).run();
    assert_eq!((world.signatures, world.writes), (1, 1));
    assert_eq!(conditions(&world.request.status), ["Approved=True(Somebody)", "Ready=True(Issued)"]);
}

#[test]
fn a_request_for_another_group_is_approved_and_left_alone() {
    let mut one = fresh(Issuer::Foreign);
    let plan = decide(&one, at(0));
    assert_eq!((plan.actions.len(), plan.events.len(), plan.requeue), (0, 0, None));
    assert_eq!(conditions(plan.status.as_ref().unwrap()), ["Approved=True(cert-manager.io)"]);
    one.status = plan.status.unwrap();
    assert_eq!(decide(&one, at(9)), RequestPlan::rest());
    let unasked = Observed { auto_approve: false, ..fresh(Issuer::Foreign) };
    assert_eq!(decide(&unasked, at(9)), RequestPlan::rest());
    assert_eq!(decide(&with(fresh(Issuer::Foreign), DENIED, "no"), at(9)), RequestPlan::rest());
}

#[test]
fn a_request_that_is_over_stays_as_it_is() {
    let issued = with(fresh(acme(None)), READY, "done");
    let mut failed = fresh(acme(None));
    failed.status.conditions.push(Condition::new(READY, ConditionStatus::False, reason::FAILED, "no"));
    let mut dated = fresh(acme(None));
    dated.status.failure_time = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(at(0)));
    for one in [issued, failed, dated] {
        assert_eq!(decide(&one, at(9)), RequestPlan::rest());
    }
}
