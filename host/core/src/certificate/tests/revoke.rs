//! What is revoked is issued anew, and a compromised key never comes back.

use super::*;
use crate::revocation::{Reason, Record, Standing};

fn record(reason: Reason) -> Record {
    Record {
        serial: "4a".into(),
        sha256: "ab".repeat(32),
        reason,
        at: at(NOW + HOUR),
        compromised_key: reason.is_compromise().then(|| "cd".repeat(32)),
        refused: false,
    }
}

/// A Certificate that is Ready, and whose certificate is then revoked.
fn revoked(reason: Reason) -> Observed {
    let record = record(reason);
    let compromised = Some(record.clone()).filter(|record| record.compromised_key.is_some());
    with(ready(), Standing { revoked: Some(record), compromised })
}

fn with(mut observed: Observed, standing: Standing) -> Observed {
    observed.secret = Some(secret(SecretData::Pair(Pair { standing: Box::new(standing), ..pair(NOW) })));
    observed
}

fn keep_key(observed: &mut Observed) {
    let never = CertificatePrivateKey { rotation_policy: Some(RotationPolicy::Never), ..Default::default() };
    observed.spec.private_key = Some(never);
}

#[test]
fn what_is_revoked_is_issued_anew_with_a_new_key_when_the_old_one_is_compromised() {
    for (reason, copies) in [(Reason::Superseded, true), (Reason::KeyCompromise, false)] {
        let mut observed = revoked(reason);
        keep_key(&mut observed);
        let violation = first_violation(&observed, at(NOW + HOUR)).unwrap();
        assert_eq!(violation.reason, "Revoked");
        assert!(
            violation.message.contains(&format!("(serial number 4a) was revoked as {}", reason.name())),
            "{}",
            violation.message
        );
        let plan = decide(&observed, at(NOW + HOUR));
        assert!(
            matches!(&plan.actions[0], Action::CreateNextKey { copy_current, .. } if *copy_current == copies),
            "{plan:?}"
        );
        // While that takes long, it says that what is in use is not good.
        let status = decide(&waiting(observed.clone(), Outcome::Pending(None)), at(NOW + HOUR)).status.unwrap();
        assert!(has_condition(&status.conditions, READY, ConditionStatus::False));
        let mut world = World { observed, writes: 0 };
        world.run(NOW + HOUR, usize::MAX);
        assert!(has_condition(&world.observed.status.conditions, READY, ConditionStatus::True));
    }
}

#[test]
fn a_key_that_was_copied_before_it_was_compromised_is_not_used() {
    let mut observed = waiting(revoked(Reason::KeyCompromise), Outcome::Issued(pair(NOW)));
    observed.next_keys[0].usable = false;
    let actions = decide(&observed, at(NOW + HOUR)).actions;
    assert!(
        matches!(
            &actions[..],
            [
                Action::DeleteRequest { .. },
                Action::DeleteNextKey { .. },
                Action::CreateNextKey { copy_current: false, .. },
                Action::CreateRequest { .. }
            ]
        ),
        "{actions:?}"
    );
    // Nor is a certificate that was revoked before it came into use.
    let standing = Standing { revoked: Some(record(Reason::Superseded)), compromised: None };
    let observed = waiting(ready(), Outcome::Issued(Pair { standing: Box::new(standing), ..pair(NOW) }));
    let observed = with(observed, Standing { revoked: Some(record(Reason::Unspecified)), compromised: None });
    let actions = decide(&observed, at(NOW + HOUR)).actions;
    assert!(matches!(&actions[0], Action::DeleteRequest { .. }), "{actions:?}");
}

#[test]
fn a_key_that_comes_back_from_a_backup_is_refused() {
    let observed = with(ready(), Standing { revoked: None, compromised: Some(record(Reason::KeyCompromise)) });
    let violation = first_violation(&observed, at(NOW + HOUR)).unwrap();
    assert!(violation.message.contains("key in Secret web-tls must not be used any more"), "{}", violation.message);
    // Also when the issuer would not revoke: the key is known to others all the same.
    let refused = Record { refused: true, ..record(Reason::KeyCompromise) };
    let observed = with(ready(), Standing { revoked: Some(refused.clone()), compromised: Some(refused) });
    let violation = first_violation(&observed, at(NOW + HOUR)).unwrap();
    assert!(violation.message.contains("must not be used any more"), "{}", violation.message);
}

#[test]
fn nothing_follows_what_has_ceased_until_somebody_asks() {
    let mut world = World { observed: revoked(Reason::CessationOfOperation), writes: 0 };
    for now in [NOW + HOUR, NOW + 61 * 24 * HOUR, NOW + 91 * 24 * HOUR] {
        assert_eq!(decide(&world.observed, at(now)).actions, []);
        world.run(now, usize::MAX);
        assert_eq!(decide(&world.observed, at(now)).requeue, None);
    }
    let told = world.observed.condition(READY).unwrap();
    assert_eq!((told.status, told.reason.as_deref()), (ConditionStatus::False, Some("Revoked")));
    let message = told.message.as_deref().unwrap();
    assert!(
        message.contains("was revoked as cessationOfOperation") && message.contains("kubectl signet renew web"),
        "{message}"
    );
    // An edit says that it is wanted after all.
    world.observed.current_request_mismatches = Some(vec!["spec.dnsNames".into()]);
    assert!(!decide(&world.observed, at(NOW + HOUR)).actions.is_empty());
}

#[test]
fn a_revocation_does_not_wait_for_what_failed_before_it() {
    let mut world = failing();
    let standing = Standing { revoked: Some(record(Reason::KeyCompromise)), compromised: None };
    world.observed = with(world.observed, standing.clone());
    assert!(!decide(&world.observed, at(NOW + HOUR - 1)).actions.is_empty());
    // But it waits like any other after it has failed itself.
    let failure = Failure { at: at(NOW + 2 * HOUR), reason: "Failed".into(), message: "no".into() };
    world.observed = waiting(world.observed, Outcome::Failed(failure));
    let plan = decide(&world.observed, at(NOW + 2 * HOUR));
    world.observed.status = plan.status.unwrap();
    assert!(decide(&world.observed, at(NOW + 2 * HOUR + 60)).is_converged());
}

#[test]
fn nothing_is_issued_for_what_is_being_deleted() {
    let mut observed = revoked(Reason::KeyCompromise);
    observed.deleting = true;
    assert_eq!(decide(&observed, at(NOW + HOUR)), CertificatePlan::rest());
}
