//! Tables for each decision, and a small world in which an issuer registers, cut off after any
//! step.

mod ca;
mod change;
mod crl;

use std::time::Duration;

use signet_api::issuer::{SelfSignedIssuer, VaultIssuer, VenafiIssuer};
use signet_api::meta::has_condition;
use signet_api::{SecretRef, Solver};

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn of(spec: IssuerSpec) -> Observed {
    Observed {
        kind: "ClusterIssuer",
        name: "letsencrypt".into(),
        secrets_in: "signet".into(),
        generation: 1,
        spec,
        status: IssuerStatus::default(),
        solver_errors: Vec::new(),
        account_key: AccountKey::Missing,
        next_account_key: AccountKey::Missing,
        orders_under_way: 0,
        key_pair: Err(BadKeyPair::NoSecret),
        list: super::crl::State::Unwanted,
        memory: Memory::default(),
    }
}

fn fresh() -> Observed {
    let acme = AcmeIssuer {
        server: "https://ca.test/directory".into(),
        private_key_secret_ref: SecretRef { name: "account".into(), key: None },
        email: Some("me@a.test".into()),
        solvers: vec![Solver::default()],
        ..AcmeIssuer::default()
    };
    of(IssuerSpec { acme: Some(acme), ..IssuerSpec::default() })
}

fn acme(one: &mut Observed) -> &mut AcmeIssuer {
    one.spec.acme.as_mut().unwrap()
}

fn key(hash: &str) -> AccountKey {
    AccountKey::Present { hash: hash.into() }
}

fn failure(retry: Retry) -> Option<Failure> {
    Some(Failure { reason: "InvalidURL".into(), message: "no CA answers there".into(), retry, at: at(0) })
}

fn told(status: &IssuerStatus) -> (ConditionStatus, &str, &str) {
    let ready = condition(&status.conditions, READY).unwrap();
    assert_eq!(ready.observed_generation, Some(1));
    (ready.status, ready.reason.as_deref().unwrap(), ready.message.as_deref().unwrap())
}

/// What the cluster and the CA hold.
struct World {
    issuer: Observed,
    second: i64,
    writes: usize,
    registrations: usize,
    steps: usize,
    cuts: Vec<usize>,
}

impl World {
    fn new(issuer: Observed, cuts: Vec<usize>) -> Self {
        Self { issuer, second: 0, writes: 0, registrations: 0, steps: 0, cuts }
    }

    /// Counts one effect; true when the process dies right after it, its result unremembered.
    fn dies(&mut self) -> bool {
        self.steps += 1;
        let dies = self.cuts.contains(&self.steps);
        if dies {
            self.issuer.memory = Memory::default();
        }
        dies
    }

    fn act(&mut self, action: Action) -> bool {
        match action {
            Action::CreateAccountKey { secret, key: place } => {
                assert_eq!((secret.as_str(), place.as_str()), ("account", "tls.key"));
                assert_eq!(self.issuer.account_key, AccountKey::Missing, "a key is never replaced");
                self.issuer.account_key = key(if self.issuer.status.acme.is_none() { "made" } else { "made again" });
                self.writes += 1;
                !self.dies()
            }
            Action::Register => {
                let AccountKey::Present { hash } = self.issuer.account_key.clone() else { panic!("without a key") };
                self.registrations += 1;
                if self.dies() {
                    return false;
                }
                self.issuer.memory.registered = Some(Registered {
                    generation: self.issuer.generation,
                    uri: format!("https://ca.test/account/{hash}"),
                    email: acme(&mut self.issuer).email.clone(),
                    key_hash: hash,
                    terms_of_service: None,
                    caa_identities: vec!["ca.test".into()],
                });
                true
            }
            Action::CreateNextAccountKey { .. }
            | Action::RollOver { .. }
            | Action::TakeNextAccountKey { .. }
            | Action::Deactivate { .. } => panic!("nobody asked for {action:?}"),
            Action::WriteList => panic!("no CA, no list"),
        }
    }

    fn run(mut self) -> Self {
        for _ in 0..20 {
            let plan = decide(&self.issuer, at(self.second));
            if plan.is_converged() {
                assert_eq!(plan.requeue, None);
                return self;
            }
            if plan.actions.into_iter().all(|action| self.act(action))
                && let Some(status) = plan.status
            {
                self.issuer.status = status;
                self.writes += 1;
                self.dies();
            }
            self.second += 1;
        }
        panic!("does not converge: {:?}", decide(&self.issuer, at(self.second)));
    }

    fn assert_ready(&self, hash: &str) {
        let acme = self.issuer.status.acme.clone().unwrap();
        assert!(has_condition(&self.issuer.status.conditions, READY, ConditionStatus::True), "{:?}", self.cuts);
        assert_eq!(acme.uri.unwrap(), format!("https://ca.test/account/{hash}"));
        assert_eq!(acme.last_private_key_hash.as_deref(), Some(hash));
        assert_eq!(acme.last_registered_email, self.issuer.spec.acme.as_ref().unwrap().email);
    }
}

#[test]
fn a_new_issuer_makes_its_key_registers_and_writes_its_status_once() {
    let world = World::new(fresh(), Vec::new()).run();
    world.assert_ready("made");
    assert_eq!((world.writes, world.registrations), (2, 1));
    assert_eq!(told(&world.issuer.status).1, reason::REGISTERED);
}

#[test]
fn a_cut_after_any_steps_still_ends_ready_with_one_key() {
    for first in 1..=4 {
        for second in first..=5 {
            let world = World::new(fresh(), vec![first, second]).run();
            world.assert_ready("made");
            assert!(world.writes == 2 && world.registrations <= 3, "{:?}", world.cuts);
        }
    }
}

#[test]
fn a_process_that_starts_asks_the_ca_nothing() {
    let mut issuer = World::new(fresh(), Vec::new()).run().issuer;
    issuer.memory = Memory::default();
    assert_eq!(decide(&issuer, at(99)), IssuerPlan::rest());
}

#[test]
fn what_the_account_hangs_on_is_registered_again_and_the_issuer_stays_ready() {
    type Edit = fn(&mut Observed);
    let table: &[(Edit, &str)] = &[
        (|one| one.account_key = key("other"), "other"),
        (|one| one.account_key = AccountKey::Missing, "made again"),
        (|one| acme(one).email = Some("you@a.test".into()), "made"),
        (|one| acme(one).email = None, "made"),
        (|one| one.generation += 1, "made"),
        (|one| one.status.acme = None, "made"),
    ];
    for (index, (edit, hash)) in table.iter().enumerate() {
        let mut issuer = World::new(fresh(), Vec::new()).run().issuer;
        issuer.memory = Memory::default();
        edit(&mut issuer);
        let plan = decide(&issuer, at(50));
        assert!(plan.status.is_none() && plan.actions.len() == 1, "{index}: {plan:?}");
        let world = World::new(issuer, Vec::new()).run();
        world.assert_ready(hash);
        assert_eq!(world.registrations, 1, "{index}");
    }
}

#[test]
fn an_empty_email_is_none() {
    let mut issuer = fresh();
    acme(&mut issuer).email = None;
    let mut issuer = World::new(issuer, Vec::new()).run().issuer;
    acme(&mut issuer).email = Some(String::new());
    assert_eq!(decide(&issuer, at(50)), IssuerPlan::rest());
}

#[test]
fn each_type_is_served_or_says_why_not() {
    let both = IssuerSpec { self_signed: Some(SelfSignedIssuer::default()), ..fresh().spec };
    let self_signed = IssuerSpec { self_signed: Some(SelfSignedIssuer::default()), ..IssuerSpec::default() };
    let vault = IssuerSpec { vault: Some(VaultIssuer::default()), ..IssuerSpec::default() };
    let venafi = IssuerSpec { venafi: Some(VenafiIssuer::default()), ..IssuerSpec::default() };
    for (spec, is, reason, word) in [
        (self_signed, ConditionStatus::True, reason::IS_READY, "own key"),
        (vault, ConditionStatus::False, reason::NOT_SUPPORTED, "only acme, ca and selfSigned"),
        (venafi, ConditionStatus::False, reason::NOT_SUPPORTED, "spec.venafi"),
        (IssuerSpec::default(), ConditionStatus::False, reason::INVALID_CONFIG, "spec.selfSigned"),
        (both, ConditionStatus::False, reason::INVALID_CONFIG, "spec.acme and spec.selfSigned"),
    ] {
        let mut issuer = of(spec);
        let plan = decide(&issuer, at(0));
        let events: Vec<_> = plan.events.iter().map(|event| event.reason).collect();
        let warned = if is == ConditionStatus::True { vec![] } else { vec![reason] };
        assert_eq!((plan.actions.len(), plan.requeue, events), (0, None, warned));
        issuer.status = plan.status.unwrap();
        let (status, why, message) = told(&issuer.status);
        assert_eq!((status, why), (is, reason));
        assert!(message.contains(word), "{message}");
        assert_eq!(decide(&issuer, at(9)), IssuerPlan::rest());
    }
}

#[test]
fn what_a_person_must_set_right_is_said_once() {
    type Edit = fn(&mut Observed);
    let table: &[(Edit, &str, &[&str])] = &[
        (
            |one| one.solver_errors = vec!["spec.acme.solvers[0]: a".into(), "spec.acme.solvers[1]: b".into()],
            reason::INVALID_SOLVER,
            &["spec.acme.solvers[0]: a; spec.acme.solvers[1]: b"],
        ),
        (
            |one| acme(one).disable_account_key_generation = true,
            reason::VERIFY,
            &["tls.key in Secret signet/account", "disableAccountKeyGeneration"],
        ),
        (
            |one| one.account_key = AccountKey::Invalid("it is a certificate".into()),
            reason::VERIFY,
            &["tls.key in Secret signet/account", "it is a certificate"],
        ),
        (|one| one.memory.failure = failure(Retry::Never), "InvalidURL", &["no CA answers there", "has changed"]),
        (|one| one.memory.failure = failure(Retry::OnChange), "InvalidURL", &["no CA answers there", "has changed"]),
    ];
    for (edit, why, words) in table {
        let mut issuer = fresh();
        edit(&mut issuer);
        let plan = decide(&issuer, at(1));
        assert_eq!((plan.actions.len(), plan.requeue, plan.events.len()), (0, None, 1));
        assert_eq!((plan.events[0].reason, plan.events[0].severity), (*why, Severity::Warning));
        issuer.status = plan.status.unwrap();
        let (status, reason, message) = told(&issuer.status);
        assert_eq!((status, reason), (ConditionStatus::False, *why));
        assert!(words.iter().all(|word| message.contains(word)), "{message}");
        assert_eq!(decide(&issuer, at(9)), IssuerPlan::rest());
    }
}

#[test]
fn a_failure_that_may_pass_is_told_once_and_tried_again_in_its_time() {
    let mut issuer = World::new(fresh(), Vec::new()).run().issuer;
    acme(&mut issuer).email = Some("you@a.test".into());
    issuer.memory = Memory { failure: failure(Retry::Later(Duration::from_secs(30))), ..Memory::default() };
    let plan = decide(&issuer, at(10));
    assert_eq!((plan.actions.len(), plan.requeue, plan.events.len()), (0, Some(Duration::from_secs(20)), 1));
    issuer.status = plan.status.unwrap();
    assert!(issuer.status.acme.is_some(), "the account is not forgotten");
    assert_eq!(decide(&issuer, at(10)), IssuerPlan::wait(Duration::from_secs(20)));
    let again = decide(&issuer, at(30));
    assert_eq!((again.actions, again.status), (vec![Action::Register], None));
    World::new(Observed { memory: Memory::default(), ..issuer }, Vec::new()).run().assert_ready("made");
}

#[test]
fn a_word_that_no_event_knows_is_a_failure_to_register() {
    let mut issuer = fresh();
    let failed = Failure { reason: "Odd".into(), ..failure(Retry::Never).unwrap() };
    issuer.memory.failure = Some(failed);
    let plan = decide(&issuer, at(0));
    assert_eq!((told(&plan.status.unwrap()).1, plan.events[0].reason), ("Odd", reason::REGISTER));
}
