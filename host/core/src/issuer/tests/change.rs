//! Accounts that change: another key, or the end, asked for once and cut off after any step.

use signet_api::issuer::condition::{ACCOUNT_CHANGE, change};

use super::*;

/// The cluster, and a CA with one account.
struct Changing {
    issuer: Observed,
    second: i64,
    /// The key that the CA knows the account by.
    at_ca: String,
    ended: bool,
    changes_at_ca: usize,
    /// The process dies after this many steps, once.
    cut: usize,
    steps: usize,
}

const URI: &str = "https://ca.test/account/1";

impl Changing {
    /// An issuer in order, of which something is asked.
    fn asked(reason: &str, cut: usize) -> Self {
        let mut issuer = fresh();
        issuer.account_key = key("first");
        issuer.memory.registered = Some(registered("first"));
        issuer.status = decide(&issuer, at(0)).status.unwrap();
        issuer.memory = Memory::default();
        ask(&mut issuer, reason, 0);
        Self { issuer, second: 1, at_ca: "first".into(), ended: false, changes_at_ca: 0, cut, steps: 0 }
    }

    fn survives(&mut self) -> bool {
        self.steps += 1;
        if self.steps == self.cut {
            self.issuer.memory = Memory::default();
        }
        self.steps != self.cut
    }

    fn act(&mut self, action: Action) -> bool {
        match action {
            Action::CreateNextAccountKey { secret, key: place } => {
                assert_eq!((secret.as_str(), place.as_str()), ("account", "tls.key.next"));
                assert_eq!(self.issuer.next_account_key, AccountKey::Missing);
                self.issuer.next_account_key = key("second");
            }
            Action::RollOver { hash } => {
                assert_eq!(self.issuer.next_account_key, key(&hash), "the CA never hears of a key that could be lost");
                if self.at_ca != hash {
                    self.at_ca.clone_from(&hash);
                    self.changes_at_ca += 1;
                }
                if !self.survives() {
                    return false;
                }
                self.issuer.memory.rolled_over = Some(hash);
                return true;
            }
            Action::TakeNextAccountKey { key: place, next, hash, .. } => {
                assert_eq!((place.as_str(), next.as_str()), ("tls.key", "tls.key.next"));
                assert_eq!(self.at_ca, hash, "the old key stays until the CA has taken the new one");
                self.issuer.account_key = std::mem::replace(&mut self.issuer.next_account_key, AccountKey::Missing);
            }
            Action::Register => {
                assert_eq!(self.issuer.account_key, key(&self.at_ca), "another account");
                let hash = self.at_ca.clone();
                if !self.survives() {
                    return false;
                }
                self.issuer.memory.registered = Some(registered(&hash));
                return true;
            }
            Action::Deactivate { hash } => {
                assert_eq!(self.issuer.account_key, key(&hash));
                self.ended = true;
                self.changes_at_ca += 1;
                if !self.survives() {
                    return false;
                }
                self.issuer.memory.deactivated = Some(hash);
                return true;
            }
            Action::CreateAccountKey { .. } | Action::WriteList => panic!("{action:?}"),
        }
        self.survives()
    }

    fn run(mut self) -> Self {
        for _ in 0..20 {
            let plan = decide(&self.issuer, at(self.second));
            if plan.is_converged() {
                return self;
            }
            if plan.actions.into_iter().all(|action| self.act(action))
                && let Some(status) = plan.status
            {
                self.issuer.status = status;
                self.survives();
            }
            self.second += 1;
        }
        panic!("does not converge: {:?}", decide(&self.issuer, at(self.second)));
    }

    fn told(&self) -> (&str, &str) {
        let change = condition(&self.issuer.status.conditions, ACCOUNT_CHANGE).unwrap();
        assert_eq!(change.status, ConditionStatus::False);
        (change.reason.as_deref().unwrap(), change.message.as_deref().unwrap())
    }
}

fn registered(hash: &str) -> Registered {
    Registered {
        generation: 1,
        uri: URI.into(),
        email: Some("me@a.test".into()),
        key_hash: hash.into(),
        terms_of_service: Some("https://ca.test/terms".into()),
        caa_identities: Vec::new(),
    }
}

fn ask(issuer: &mut Observed, reason: &str, second: i64) {
    let asked = Condition::new(ACCOUNT_CHANGE, ConditionStatus::True, reason, "asked for");
    set_condition(&mut issuer.status.conditions, asked, at(second));
}

#[test]
fn a_key_is_rolled_over_once_wherever_the_process_dies() {
    for cut in 0..8 {
        let world = Changing::asked(change::ROLLOVER_REQUESTED, cut).run();
        assert_eq!(world.told(), (change::ROLLED_OVER, "The account has another key"), "cut after {cut}");
        assert_eq!((world.changes_at_ca, world.at_ca.as_str()), (1, "second"), "cut after {cut}");
        assert_eq!(world.issuer.account_key, key("second"));
        assert_eq!(world.issuer.next_account_key, AccountKey::Missing);
        let acme = world.issuer.status.acme.clone().unwrap();
        assert_eq!((acme.uri.as_deref(), acme.last_private_key_hash.as_deref()), (Some(URI), Some("second")));
        assert!(has_condition(&world.issuer.status.conditions, READY, ConditionStatus::True));
    }
}

#[test]
fn an_account_is_ended_wherever_the_process_dies_and_stays_so() {
    for cut in 0..4 {
        let mut world = Changing::asked(change::DEACTIVATION_REQUESTED, cut).run();
        assert_eq!(world.told().0, change::DEACTIVATED, "cut after {cut}");
        let (status, reason, message) = told(&world.issuer.status);
        assert_eq!((status, reason), (ConditionStatus::False, "AccountDeactivated"));
        assert!(message.contains(URI) && message.contains("delete Secret signet/account"), "{message}");

        // An edit does not bring it back.
        world.issuer.generation = 2;
        world.issuer.memory = Memory::default();
        let plan = decide(&world.issuer, at(100));
        assert!(plan.actions.is_empty(), "{plan:?}");
        assert!(plan.status.is_some_and(|status| !has_condition(&status.conditions, READY, ConditionStatus::True)));

        // Another key does, and so does another CA.
        let mut other = world.issuer.clone();
        acme(&mut other).server = "https://other.test/directory".into();
        assert_eq!(decide(&other, at(100)).actions, [Action::Register]);
        let mut other = world.issuer.clone();
        other.account_key = key("third");
        assert_eq!(decide(&other, at(100)).actions, [Action::Register]);
        other.memory.registered = Some(Registered { generation: 2, ..registered("third") });
        let status = decide(&other, at(100)).status.unwrap();
        assert_eq!(condition(&status.conditions, ACCOUNT_CHANGE), None);
    }
}

#[test]
fn what_a_ca_refuses_is_told_and_the_account_stays() {
    let mut world = Changing::asked(change::ROLLOVER_REQUESTED, 0);
    world.issuer.next_account_key = key("second");
    world.issuer.memory.change_failure = failure(Retry::Never);
    let plan = decide(&world.issuer, at(1));
    assert_eq!((plan.actions.len(), plan.events[0].reason), (0, change::ROLLOVER_REFUSED));
    world.issuer.status = plan.status.unwrap();
    assert_eq!(world.told().1, "The account keeps its key: no CA answers there");
    assert!(has_condition(&world.issuer.status.conditions, READY, ConditionStatus::True));
    assert!(decide(&world.issuer, at(2)).is_converged());
    // Asked again, it is tried again.
    ask(&mut world.issuer, change::ROLLOVER_REQUESTED, 60);
    assert_eq!(decide(&world.issuer, at(60)).actions, [Action::RollOver { hash: "second".into() }]);
}

#[test]
fn a_ca_that_is_away_is_asked_again() {
    let mut world = Changing::asked(change::DEACTIVATION_REQUESTED, 0);
    let later = Retry::Later(Duration::from_secs(30));
    world.issuer.memory.change_failure = failure(later);
    let plan = decide(&world.issuer, at(1));
    assert_eq!((plan.actions.len(), plan.requeue), (0, Some(Duration::from_secs(29))));
    world.issuer.status = plan.status.unwrap();
    let change = condition(&world.issuer.status.conditions, ACCOUNT_CHANGE).unwrap();
    assert!(change.is_true() && change.message.as_deref().unwrap().ends_with("Signet tries again by itself"));
    assert!(decide(&world.issuer, at(2)).is_converged());
    assert_eq!(decide(&world.issuer, at(31)).actions, [Action::Deactivate { hash: "first".into() }]);

    // One that answers with nothing to be understood, not for ever; one that does not answer, as long as it takes.
    for (reason, is_left) in [("CAAnswerUnclear", true), ("CAUnreachable", false)] {
        let failed = Failure { reason: reason.into(), at: at(4000), ..failure(later).unwrap() };
        world.issuer.memory.change_failure = Some(failed);
        let status = decide(&world.issuer, at(4001)).status;
        assert_eq!(
            status.is_some_and(|status| !condition(&status.conditions, ACCOUNT_CHANGE).unwrap().is_true()),
            is_left
        );
    }
}

#[test]
fn keys_that_can_not_follow_are_refused() {
    for (next, disabled, said) in [
        (AccountKey::Missing, true, "spec.acme.disableAccountKeyGeneration forbids making a key"),
        (key("first"), false, "tls.key.next in Secret signet/account) is the account key itself"),
        (AccountKey::Invalid("it is not PEM".into()), false, "can not be used: it is not PEM; remove it"),
    ] {
        let mut world = Changing::asked(change::ROLLOVER_REQUESTED, 0);
        world.issuer.next_account_key = next;
        acme(&mut world.issuer).disable_account_key_generation = disabled;
        let world = world.run();
        assert_eq!(world.told().0, change::ROLLOVER_REFUSED);
        assert!(world.told().1.contains(said), "{}", world.told().1);
    }
    let mut world = Changing::asked(change::ROLLOVER_REQUESTED, 0);
    acme(&mut world.issuer).disable_account_key_generation = true;
    world.issuer.next_account_key = key("second");
    assert_eq!(world.run().told().0, change::ROLLED_OVER, "a key that somebody put there needs no making");
}

#[test]
fn an_account_that_came_meanwhile_is_not_ended() {
    let mut world = Changing::asked(change::DEACTIVATION_REQUESTED, 0);
    world.issuer.account_key = key("other");
    world.at_ca = "other".into();
    let world = world.run();
    assert_eq!((world.told().0, world.ended), (change::DEACTIVATION_REFUSED, false));
}

#[test]
fn names_that_are_being_proven_are_let_to_their_end() {
    let mut world = Changing::asked(change::ROLLOVER_REQUESTED, 0);
    world.issuer.next_account_key = key("second");
    world.issuer.orders_under_way = 1;
    let plan = decide(&world.issuer, at(1));
    assert_eq!((plan.actions.len(), plan.requeue), (0, Some(Duration::from_secs(2))));
    world.issuer.status = plan.status.unwrap();
    assert!(decide(&world.issuer, at(3)).is_converged());
    let proceeds = [Action::RollOver { hash: "second".into() }];
    assert_eq!(decide(&world.issuer, at(601)).actions, proceeds, "one that never ends");
    world.issuer.orders_under_way = 0;
    assert_eq!(decide(&world.issuer, at(4)).actions, proceeds);
}

#[test]
fn the_terms_stand_beside_the_account() {
    let world = Changing::asked(change::ROLLOVER_REQUESTED, 0);
    assert!(told(&world.issuer.status).2.ends_with("its terms: https://ca.test/terms"));
}
