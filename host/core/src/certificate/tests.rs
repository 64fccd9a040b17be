//! Tables for each decision, and a small world in which plans are applied, cut off after any
//! step, and decided again.

mod renewal;
mod revoke;

use jiff::Timestamp;
use signet_api::certificate::condition::{ISSUING, READY};
use signet_api::certificate::{CertificatePrivateKey, RotationPolicy};
use signet_api::meta::has_condition;
use signet_api::{CertificateSpec, CertificateStatus, ConditionStatus, IssuerRef};

use super::*;

const HOUR: i64 = 3600;
const NOW: i64 = 1_800_000_000;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn wish() -> Observed {
    Observed {
        name: "web".into(),
        uid: "uid-1".into(),
        generation: 1,
        deleting: false,
        spec: CertificateSpec {
            secret_name: "web-tls".into(),
            issuer_ref: IssuerRef { name: "ca".into(), ..IssuerRef::default() },
            dns_names: vec!["example.com".into()],
            ..CertificateSpec::default()
        },
        status: CertificateStatus::default(),
        spec_errors: Vec::new(),
        rival: None,
        issuer_kind: Some("Issuer".into()),
        secret: None,
        next_keys: Vec::new(),
        request: None,
        current_request_mismatches: None,
        surplus_requests: Vec::new(),
        ari: None,
        replaced_at: None,
    }
}

fn pair(now: i64) -> Pair {
    Pair {
        sha256: format!("of {now}"),
        not_before: at(now),
        not_after: at(now + 90 * 24 * HOUR),
        renewal_time: at(now + 60 * 24 * HOUR),
        ari_id: None,
        key_matches: true,
        key_violation: None,
        spec_mismatches: Vec::new(),
        standing: Box::default(),
    }
}

fn secret(data: SecretData) -> TargetSecret {
    TargetSecret {
        data,
        issuer: Some(("ca".into(), "Issuer".into(), "cert-manager.io".into())),
        certificate_name: Some("web".into()),
        drifted: false,
    }
}

fn ready() -> Observed {
    let mut world = World { observed: wish(), writes: 0 };
    world.run(NOW, usize::MAX);
    world.observed
}

/// The same with a request under way that is this far.
fn waiting(mut observed: Observed, outcome: Outcome) -> Observed {
    let key_secret = observed.next_key_secret();
    observed.next_keys = vec![NextKey { secret: key_secret.clone(), usable: true }];
    observed.request =
        Some(Request { name: "web-2".into(), key_secret, mismatches: Vec::new(), interrupted: false, outcome });
    observed
}

/// What the API server would hold; `signs` is what the issuer answers.
struct World {
    observed: Observed,
    writes: usize,
}

impl World {
    fn act(&mut self, action: &Action, now: i64) {
        let world = &mut self.observed;
        match action {
            Action::CreateNextKey { secret, copy_current: _ } => {
                world.next_keys.retain(|key| key.secret != *secret);
                world.next_keys.push(NextKey { secret: secret.clone(), usable: true });
            }
            Action::CreateRequest { name, revision: _, key_secret, replaces: _ } => {
                assert!(world.request.is_none(), "a second request {name} beside {:?}", world.request);
                world.request = Some(Request {
                    name: name.clone(),
                    key_secret: key_secret.clone(),
                    mismatches: Vec::new(),
                    interrupted: false,
                    outcome: Outcome::Issued(pair(now)),
                });
            }
            Action::DeleteRequest { name } => {
                world.request.take_if(|request| request.name == *name);
                world.surplus_requests.retain(|surplus| surplus != name);
            }
            Action::WriteSecret { request, key_secret: _ } => {
                let Some(Request { outcome: Outcome::Issued(pair), name, .. }) = &world.request else {
                    panic!("{request} has issued nothing")
                };
                assert_eq!(name, request);
                world.secret = Some(secret(SecretData::Pair(pair.clone())));
            }
            Action::RepairSecret => world.secret.as_mut().expect("there is a Secret").drifted = false,
            Action::DeleteNextKey { secret } => world.next_keys.retain(|key| key.secret != *secret),
            Action::AskRenewal { id } => panic!("nobody may be asked about {id}"),
        }
        self.writes += 1;
    }

    /// Applies plans until nothing is left to do, or until `limit` writes were made.
    fn run(&mut self, now: i64, limit: usize) {
        for _ in 0..20 {
            let plan = decide(&self.observed, at(now));
            if plan.is_converged() {
                return;
            }
            for action in &plan.actions {
                if self.writes >= limit {
                    return;
                }
                self.act(action, now);
            }
            if self.writes >= limit {
                return;
            }
            if let Some(status) = plan.status {
                let revision = self.observed.status.revision;
                if status.revision != revision {
                    // The request of the new revision is now the current one.
                    self.observed.request = None;
                    self.observed.current_request_mismatches = Some(Vec::new());
                }
                self.observed.status = status;
                self.writes += 1;
            }
        }
        panic!("does not converge: {:?}", decide(&self.observed, at(now)));
    }
}

#[test]
fn a_wish_becomes_ready_in_five_writes() {
    let mut world = World { observed: wish(), writes: 0 };
    world.run(NOW, usize::MAX);
    assert!(has_condition(&world.observed.status.conditions, READY, ConditionStatus::True));
    assert_eq!(world.observed.status.revision, Some(1));
    assert!(world.observed.next_keys.is_empty());
    // Key, request; Secret, status; key away.
    assert_eq!(world.writes, 5);
}

#[test]
fn an_issuance_cut_off_after_any_write_ends_ready_with_nothing_left_over() {
    for limit in 0..5 {
        let mut world = World { observed: wish(), writes: 0 };
        world.run(NOW, limit);
        world.writes = 0;
        world.run(NOW, usize::MAX);
        let observed = &world.observed;
        assert!(has_condition(&observed.status.conditions, READY, ConditionStatus::True), "cut after {limit}");
        assert_eq!(observed.status.revision, Some(1), "cut after {limit}");
        assert!(observed.next_keys.is_empty(), "cut after {limit}");
    }
}

#[test]
fn a_renewal_cut_off_after_any_write_is_the_next_revision() {
    let due = NOW + 61 * 24 * HOUR;
    for limit in 0..5 {
        let mut world = World { observed: ready(), writes: 0 };
        world.run(due, limit);
        world.writes = 0;
        world.run(due, usize::MAX);
        let observed = &world.observed;
        assert!(has_condition(&observed.status.conditions, READY, ConditionStatus::True), "cut after {limit}");
        assert_eq!(observed.status.revision, Some(2), "cut after {limit}");
        assert!(observed.next_keys.is_empty() && observed.request.is_none(), "cut after {limit}");
    }
}

#[test]
fn a_converged_certificate_waits_for_its_renewal() {
    let plan = decide(&ready(), at(NOW + HOUR));
    assert!(plan.is_converged(), "{plan:?}");
    // Spread over a sixtieth of the lifetime before its time.
    let latest = Duration::from_secs(60 * 24 * 3600 - 3600);
    assert!((latest - Duration::from_secs(36 * 3600)..=latest).contains(&plan.requeue.unwrap()), "{plan:?}");
}

#[test]
fn the_first_broken_rule_is_the_reason() {
    type Break = fn(&mut Observed);
    let table: &[(Break, &str)] = &[
        (|o| o.secret = None, "DoesNotExist"),
        (|o| o.secret = Some(secret(SecretData::Missing(vec!["tls.key"]))), "MissingData"),
        (|o| o.secret = Some(secret(SecretData::InvalidKey("no PEM".into()))), "InvalidKeyPair"),
        (|o| o.secret = Some(secret(SecretData::InvalidCertificate("no PEM".into()))), "InvalidCertificate"),
        (|o| o.secret = Some(secret(SecretData::Pair(Pair { key_matches: false, ..pair(NOW) }))), "InvalidKeyPair"),
        (|o| o.spec.issuer_ref.name = "other".into(), "IncorrectIssuer"),
        (|o| o.issuer_kind = Some("ClusterIssuer".into()), "IncorrectIssuer"),
        (|o| o.secret.as_mut().unwrap().certificate_name = Some("other".into()), "IncorrectCertificate"),
        (
            |o| {
                o.secret = Some(secret(SecretData::Pair(Pair { key_violation: Some("too short".into()), ..pair(NOW) })))
            },
            "SecretMismatch",
        ),
        (|o| o.current_request_mismatches = Some(vec!["spec.dnsNames".into()]), "RequestChanged"),
        (|o| o.secret = Some(secret(SecretData::Pair(pair(NOW - 91 * 24 * HOUR)))), "Expired"),
        (|o| o.secret = Some(secret(SecretData::Pair(pair(NOW - 61 * 24 * HOUR)))), "Renewing"),
    ];
    for (broken, reason) in table {
        let mut observed = ready();
        broken(&mut observed);
        let violation = first_violation(&observed, at(NOW)).unwrap();
        assert_eq!(violation.reason, *reason);
        let begun = decide(&observed, at(NOW));
        assert_eq!((begun.status, begun.events.len()), (None, 1));
        let status = decide(&waiting(observed, Outcome::Pending(None)), at(NOW)).status.unwrap();
        assert!(has_condition(&status.conditions, ISSUING, ConditionStatus::True), "{reason}");
        // Only a certificate that is merely due stays Ready while it is renewed.
        assert_eq!(has_condition(&status.conditions, READY, ConditionStatus::True), *reason == "Renewing");
    }
}

#[test]
fn fields_are_named_by_their_path() {
    let fields = vec!["spec.commonName".to_owned(), "spec.dnsNames".to_owned()];
    let mut observed = ready();
    observed.current_request_mismatches = None;
    observed.secret = Some(secret(SecretData::Pair(Pair { spec_mismatches: fields.clone(), ..pair(NOW) })));
    let mismatch = first_violation(&observed, at(NOW)).unwrap();
    assert!(mismatch.message.ends_with("agree with spec.commonName, spec.dnsNames"), "{}", mismatch.message);
    observed.current_request_mismatches = Some(fields);
    let changed = first_violation(&observed, at(NOW)).unwrap();
    assert!(changed.message.starts_with("spec.commonName, spec.dnsNames changed"), "{}", changed.message);
}

#[test]
fn an_issuance_is_told_of_when_it_takes_long() {
    let mut observed = waiting(wish(), Outcome::New(at(NOW)));
    assert_eq!(decide(&observed, at(NOW)), CertificatePlan::wait(PROGRESS_GRACE));
    assert_eq!(decide(&observed, at(NOW + 1)), CertificatePlan::wait(PROGRESS_GRACE - Duration::from_secs(1)));
    let late = decide(&observed, at(NOW) + PROGRESS_GRACE);
    assert_eq!((late.actions.len(), late.events.len()), (0, 0), "the event came with the request");
    let status = late.status.unwrap();
    assert!(has_condition(&status.conditions, ISSUING, ConditionStatus::True));
    assert!(has_condition(&status.conditions, READY, ConditionStatus::False));
    assert_eq!(status.next_private_key_secret_name, Some(observed.next_key_secret()));
    // Somebody who says that the request waits is not waited for.
    observed = waiting(observed, Outcome::Pending(None));
    assert_eq!(decide(&observed, at(NOW)).status.map(|now| now.conditions.len()), Some(2));
    observed.status = status;
    assert_eq!(decide(&observed, at(NOW + 9)), CertificatePlan::rest());
    // What it waits for is told on the Certificate, which is where people look first.
    observed = waiting(observed, Outcome::Pending(Some("Waiting for Order web-1-7: no TXT record".into())));
    let status = decide(&observed, at(NOW + 9)).status.unwrap();
    for condition in &status.conditions {
        let message = condition.message.as_deref().unwrap();
        assert!(message.contains("does not exist yet. CertificateRequest") && message.ends_with("no TXT record"));
    }
    observed.status = status;
    assert_eq!(decide(&observed, at(NOW + 10)), CertificatePlan::rest());
}

fn failing() -> World {
    let mut world = World { observed: wish(), writes: 0 };
    world.run(NOW, 2);
    let failure = Failure { at: at(NOW), reason: "Failed".into(), message: "the CA refused example.com".into() };
    world.observed.request.as_mut().unwrap().outcome = Outcome::Failed(failure);
    world.run(NOW, world.writes + 1);
    world
}

#[test]
fn a_failure_is_counted_once_and_backs_off() {
    let mut world = failing();
    assert_eq!(world.observed.status.failed_issuance_attempts, Some(1));
    assert!(has_condition(&world.observed.status.conditions, READY, ConditionStatus::False));
    let plan = decide(&world.observed, at(NOW + 60));
    assert_eq!(plan.requeue, Some(Duration::from_secs(3540)));
    assert!(plan.is_converged());
    let ready = world.observed.condition(READY).unwrap().message.as_deref().unwrap();
    assert!(ready.contains("does not exist yet. the CA refused example.com; attempt 1 failed"), "{ready}");
    world.run(NOW + HOUR, usize::MAX);
    assert!(has_condition(&world.observed.status.conditions, READY, ConditionStatus::True));
    assert_eq!(world.observed.status.failed_issuance_attempts, None);
}

#[test]
fn a_certificate_whose_renewal_is_refused_stays_ready_while_it_is_good() {
    let due = NOW + 61 * 24 * HOUR;
    let mut world = World { observed: ready(), writes: 0 };
    world.run(due, 2);
    let failure = Failure { at: at(due), reason: "Failed".into(), message: "the CA is closed".into() };
    world.observed.request.as_mut().unwrap().outcome = Outcome::Failed(failure);
    world.run(due, usize::MAX);
    assert_eq!(world.observed.status.failed_issuance_attempts, Some(1));
    for later in [due, due + 60] {
        assert!(has_condition(&world.observed.status.conditions, READY, ConditionStatus::True));
        assert!(decide(&world.observed, at(later)).is_converged());
    }
}

#[test]
fn an_attempt_that_a_death_cut_into_is_made_again_at_once_and_once_only() {
    let mut world = failing();
    world.observed.status = CertificateStatus::default();
    world.observed.request.as_mut().unwrap().interrupted = true;
    let plan = decide(&world.observed, at(NOW));
    world.observed.status = plan.status.unwrap();
    let issuing = world.observed.condition(ISSUING).unwrap();
    assert_eq!(
        (issuing.reason.as_deref(), world.observed.status.failed_issuance_attempts),
        (Some("Interrupted"), Some(1))
    );
    let again = decide(&world.observed, at(NOW + 1)).actions;
    assert!(matches!(again[..], [Action::DeleteRequest { .. }, .., Action::CreateRequest { .. }]), "{again:?}");

    // The next one dies as well: now it waits as after any second failure.
    let failure = Failure { at: at(NOW + 9), reason: "Failed".into(), message: "nobody answered".into() };
    world.observed.request.as_mut().unwrap().outcome = Outcome::Failed(failure);
    let plan = decide(&world.observed, at(NOW + 9));
    assert_eq!(plan.requeue, Some(Duration::from_secs(2 * 3600)));
    world.observed.status = plan.status.unwrap();
    assert!(decide(&world.observed, at(NOW + 10)).is_converged());
}

#[test]
fn an_edit_of_the_spec_does_not_wait_for_the_back_off() {
    let mut world = failing();
    world.observed.generation += 1;
    assert!(!decide(&world.observed, at(NOW + 1)).actions.is_empty());
}

#[test]
fn back_off_doubles_up_to_32_hours() {
    let hours = |attempts| backoff_after(attempts).as_secs() / 3600;
    assert_eq!([1, 2, 3, 4, 5, 6, 7, 99].map(hours), [1, 2, 4, 8, 16, 32, 32, 32]);
}

#[test]
fn a_kept_key_that_breaks_the_spec_stops_with_an_event() {
    let mut observed = ready();
    let never = CertificatePrivateKey { rotation_policy: Some(RotationPolicy::Never), ..Default::default() };
    observed.spec.private_key = Some(never);
    observed.secret =
        Some(secret(SecretData::Pair(Pair { key_violation: Some("it is RSA, not ECDSA".into()), ..pair(NOW) })));
    let plan = decide(&observed, at(NOW));
    assert_eq!(plan.events[0].reason, "CannotRegenerateKey");
    assert!(plan.actions.is_empty());
    observed.status = plan.status.unwrap();
    assert!(decide(&observed, at(NOW)).is_converged());
}

#[test]
fn a_kept_key_that_fits_is_copied() {
    let mut observed = ready();
    let never = CertificatePrivateKey { rotation_policy: Some(RotationPolicy::Never), ..Default::default() };
    observed.spec.private_key = Some(never);
    observed.current_request_mismatches = Some(vec!["spec.dnsNames".into()]);
    let plan = decide(&observed, at(NOW));
    assert!(matches!(&plan.actions[0], Action::CreateNextKey { copy_current: true, .. }), "{plan:?}");
}

#[test]
fn a_rival_for_the_secret_waits_and_says_so() {
    let mut observed = wish();
    observed.rival = Some("older".into());
    let plan = decide(&observed, at(NOW));
    assert_eq!((plan.actions, plan.requeue), (Vec::new(), Some(Duration::from_secs(180))));
    let message = plan.status.unwrap().conditions[0].message.clone().unwrap();
    assert!(message.contains("older") && message.contains("web-tls"), "{message}");
}

#[test]
fn drift_of_the_secret_is_repaired_without_a_new_certificate() {
    let mut observed = ready();
    observed.secret.as_mut().unwrap().drifted = true;
    assert_eq!(decide(&observed, at(NOW)).actions, [Action::RepairSecret]);
}

#[test]
fn long_names_leave_room_for_the_revision() {
    assert_eq!(request_name("web", 7), "web-7");
    let name = request_name(&"a".repeat(253), 12);
    assert!(name.len() <= 236 && name.ends_with("-12"), "{name}");
}
