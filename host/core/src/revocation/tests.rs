//! Tables for each decision, and a small world in which plans are applied, cut off after any
//! step, and decided again.

use std::collections::BTreeMap;

use signet_api::certificate::condition::REVOKED;
use signet_api::meta::condition;
use signet_api::{ConditionStatus, IssuerSpec};

use super::*;

const NOW: i64 = 1_800_000_000;
const DAY: i64 = 24 * 3600;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// A certificate with this serial number and a key of this name, issued for this revision.
fn known(serial: &str, key: &str, revision: i64) -> Known {
    Known {
        identity: Identity {
            serial: serial.into(),
            sha256: crate::digest::sha256_hex(serial.as_bytes()),
            key: key.into(),
            not_after: at(NOW + 60 * DAY),
        },
        request: Some((format!("web-{revision}"), revision)),
        in_secret: false,
        has_key: false,
        authority: Authority::Acme,
    }
}

/// A Certificate at its second revision, with the certificate before it still there.
fn web() -> Observed {
    let current = Known { in_secret: true, has_key: true, ..known("02", "new", 2) };
    Observed {
        secret: "web-tls".into(),
        generation: 1,
        status: CertificateStatus { revision: Some(2), ..CertificateStatus::default() },
        deleted: None,
        held: false,
        request: None,
        policy: Ok(Policy::default()),
        policy_trouble: None,
        records: Vec::new(),
        certificates: vec![known("01", "old", 1), current],
        memory: Memory::default(),
    }
}

fn ask(serial: &str, reason: Reason) -> Option<Result<Request, String>> {
    Some(Ok(Request { serial: plain_serial(serial).unwrap(), sha256: None, reason, with_certificate_key: false }))
}

fn failure(retry: Retry, now: i64) -> Failure {
    Failure { reason: "CARefused".into(), message: "the CA refused: no".into(), retry, at: at(now) }
}

/// What the API server and the CA would hold.
struct World {
    observed: Observed,
    /// How often the CA was asked for each serial number.
    asked: BTreeMap<String, usize>,
    /// What it answers in place of yes, as often as there is one.
    answers: Vec<Failure>,
    gone: bool,
    events: Vec<String>,
}

impl World {
    fn of(observed: Observed) -> Self {
        Self { observed, asked: BTreeMap::new(), answers: Vec::new(), gone: false, events: Vec::new() }
    }

    fn act(&mut self, action: Action, now: i64) {
        let observed = &mut self.observed;
        match action {
            Action::Hold => observed.held = true,
            Action::LetGo => {
                observed.held = false;
                self.gone = observed.deleted.is_some();
            }
            Action::Revoke(target) => {
                *self.asked.entry(target.identity.serial.clone()).or_default() += 1;
                observed.memory.keep(target, self.answers.pop().map_or(Ok(at(now)), Err));
            }
            Action::Record { records, done, let_go } => {
                observed.records = records;
                observed.request.take_if(|_| done);
                observed.held &= !let_go;
            }
        }
    }

    /// Applies plans until nothing is left to do or `limit` steps are done. How many were.
    fn run(&mut self, now: i64, limit: usize) -> usize {
        let mut steps = 0;
        for _ in 0..50 {
            let plan = decide(&self.observed, at(now));
            if plan.is_converged() || self.gone {
                return steps;
            }
            for action in plan.actions {
                if steps == limit {
                    return steps;
                }
                self.act(action, now);
                steps += 1;
            }
            if steps == limit {
                return steps;
            }
            steps += usize::from(plan.status.is_some());
            self.observed.status = plan.status.unwrap_or(self.observed.status.clone());
            self.events.extend(plan.events.into_iter().map(|event| format!("{}: {}", event.reason, event.message)));
        }
        panic!("it never comes to rest: {:?}", decide(&self.observed, at(now)));
    }

    /// The process ends, and with it what it has heard.
    fn die(&mut self) {
        self.observed.memory = Memory::default();
    }

    fn condition(&self) -> Option<(ConditionStatus, &str, &str)> {
        let found = condition(&self.observed.status.conditions, REVOKED)?;
        Some((found.status, found.reason.as_deref().unwrap(), found.message.as_deref().unwrap()))
    }
}

fn records(world: &World) -> Vec<&str> {
    world.observed.records.iter().map(|record| record.serial.as_str()).collect()
}

#[test]
fn what_is_asked_for_is_done_once_told_and_forgotten() {
    let mut world = World::of(Observed { request: ask("02", Reason::Superseded), ..web() });
    world.run(NOW, usize::MAX);
    let told = "The certificate with serial number 02 was revoked as superseded at 2027-01-15T08:00:00Z";
    assert_eq!(world.condition(), Some((ConditionStatus::True, "Superseded", told)));
    assert_eq!(world.events, [format!("Revoked: {told}")]);
    assert_eq!((world.observed.request.clone(), world.observed.held), (None, false));
    assert_eq!((records(&world), world.asked.len()), (vec!["02"], 1));
    world.die();
    assert_eq!(world.run(NOW + DAY, usize::MAX), 0, "nothing is left to do");
}

#[test]
fn a_death_after_any_step_changes_nothing() {
    let asked = Observed { request: ask("02", Reason::KeyCompromise), policy: Policy::parse(Some("deleted")), ..web() };
    let mut whole = World::of(asked.clone());
    let steps = whole.run(NOW, usize::MAX);
    assert_eq!(steps, 4, "hold, revoke, record, status");
    for cut in 0..=steps {
        let mut world = World::of(asked.clone());
        world.run(NOW, cut);
        world.die();
        world.run(NOW, usize::MAX);
        assert_eq!(world.observed.records, whole.observed.records, "cut after {cut}");
        assert_eq!(world.condition(), whole.condition(), "cut after {cut}");
        assert!(world.observed.held && world.observed.request.is_none(), "cut after {cut}");
        assert!(world.asked["02"] <= 2 && world.asked.len() == 1, "{:?} cut after {cut}", world.asked);
    }
}

#[test]
fn a_renewal_in_between_does_not_move_the_request() {
    let mut observed = Observed { request: ask("02", Reason::KeyCompromise), ..web() };
    observed.status.revision = Some(3);
    observed.certificates[1] = known("02", "new", 2);
    observed.certificates.push(Known { in_secret: true, has_key: true, ..known("03", "newest", 3) });
    assert_eq!(retained(&observed, at(NOW)), ["web-2".to_owned()].into());
    let mut world = World::of(observed);
    world.run(NOW, usize::MAX);
    assert_eq!(records(&world), ["02"]);
    assert_eq!(world.observed.records[0].compromised_key.as_deref(), Some("new"));
    assert_eq!(retained(&world.observed, at(NOW)), BTreeSet::new());
}

#[test]
fn asking_again_asks_nobody() {
    let mut world = World::of(Observed { request: ask("02", Reason::Superseded), ..web() });
    world.run(NOW, usize::MAX);
    world.observed.request = ask("01", Reason::KeyCompromise);
    world.run(NOW + 1, usize::MAX);
    world.die();
    world.observed.request = ask("02", Reason::Unspecified);
    world.run(NOW + 2, usize::MAX);
    assert_eq!(world.asked, [("01".to_owned(), 1), ("02".to_owned(), 1)].into());
    assert_eq!(records(&world), ["01", "02"], "the condition tells of the one that was asked for");
    assert_eq!(world.condition().map(|(_, reason, _)| reason), Some("Superseded"));
}

#[test]
fn what_can_not_be_done_is_told_once_and_asked_of_nobody() {
    let unable = |why: &str| Authority::Unable(why.to_owned());
    let with_key = |serial: &str| {
        let request =
            Request { serial: serial.into(), sha256: None, reason: Reason::Unspecified, with_certificate_key: true };
        Some(Ok(request))
    };
    let wrong_digest = Some(Ok(Request {
        serial: "2".into(),
        sha256: Some("ab".repeat(32)),
        reason: Reason::Unspecified,
        with_certificate_key: false,
    }));
    let asked = ask("02", Reason::Unspecified);
    let table: [(_, Authority, &str, &[&str]); 8] = [
        (
            Some(Err("metadata.annotations[x]: no".into())),
            Authority::Acme,
            "InvalidRequest",
            &["metadata.annotations[x]: no"],
        ),
        (
            ask("07", Reason::Unspecified),
            Authority::Acme,
            "CertificateNotFound",
            &["metadata.annotations[signet.dev/revoke]", "serial number 7 was", "Secret web-tls"],
        ),
        (wrong_digest, Authority::Acme, "CertificateNotFound", &["serial number 2 and SHA-256 abab"]),
        (
            asked.clone(),
            unable("Issuer a is of type selfSigned"),
            "CanNotRevoke",
            &["serial number 02 is not revoked", "Issuer a is of"],
        ),
        (
            asked.clone(),
            Authority::Gone("There is no Issuer a".into()),
            "IssuerNotFound",
            &["There is no Issuer a; make it"],
        ),
        (
            with_key("1"),
            Authority::Acme,
            "KeyNotFound",
            &["Secret web-tls does not hold its private key", "without withCertificateKey"],
        ),
        (with_key("2"), Authority::List, "CanNotRevoke", &["withCertificateKey is for issuers of type acme"]),
        (None, Authority::Acme, "InvalidPolicy", &["metadata.annotations[signet.dev/revoke-when]"]),
    ];
    for (request, authority, reason, words) in table {
        let mut observed = Observed { request, ..web() };
        observed.certificates.iter_mut().for_each(|known| known.authority = authority.clone());
        if reason == "InvalidPolicy" {
            observed.policy = Policy::parse(Some("sometimes"));
        }
        let mut world = World::of(observed);
        world.run(NOW, usize::MAX);
        let (is, word, message) = world.condition().unwrap();
        assert_eq!((is, word), (ConditionStatus::False, reason), "{message}");
        assert!(words.iter().all(|word| message.contains(word)), "{message}");
        assert_eq!((world.events.len(), world.asked.len()), (1, 0), "{:?}", world.events);
        // Taken back, nothing of it stays.
        world.observed.request = None;
        world.observed.policy = Ok(Policy::default());
        world.run(NOW, usize::MAX);
        assert_eq!((world.condition(), world.observed.held), (None, false));
    }
}

#[test]
fn issuers_say_why_they_can_not_revoke() {
    let spec = |yaml: serde_json::Value| serde_json::from_value::<IssuerSpec>(yaml).unwrap();
    let ca = spec(serde_json::json!({ "ca": { "secretName": "root" } }));
    let acme = serde_json::json!({ "server": "https://ca.example/dir", "privateKeySecretRef": { "name": "account" } });
    assert_eq!(inability("Issuer", "a", &spec(serde_json::json!({ "acme": acme })), false), None);
    assert_eq!(inability("Issuer", "a", &ca, true), None);
    let list = inability("Issuer", "a", &ca, false).unwrap();
    assert!(list.starts_with("Issuer a keeps no list") && list.contains("signet.dev/crl-secret-name"), "{list}");
    let own = inability("ClusterIssuer", "b", &spec(serde_json::json!({ "selfSigned": {} })), false).unwrap();
    assert!(own.starts_with("ClusterIssuer b is of type selfSigned"), "{own}");
    assert!(inability("Issuer", "c", &IssuerSpec::default(), true).is_some());
}

#[test]
fn a_failure_waits_as_long_as_the_ca_says() {
    let mut world = World::of(Observed { request: ask("02", Reason::Superseded), ..web() });
    world.answers = vec![failure(Retry::Later(Duration::from_secs(90)), NOW)];
    world.run(NOW, usize::MAX);
    let (is, reason, message) = world.condition().unwrap();
    assert_eq!((is, reason), (ConditionStatus::False, "CARefused"));
    assert!(message.contains("02 is not revoked: the CA refused: no; Signet tries again by itself"), "{message}");
    assert_eq!(decide(&world.observed, at(NOW + 30)).requeue, Some(Duration::from_secs(60)));
    assert_eq!(world.run(NOW + 89, usize::MAX), 0);
    world.run(NOW + 90, usize::MAX);
    assert_eq!((world.asked["02"], records(&world)), (2, vec!["02"]));
}

#[test]
fn a_refusal_is_final_but_a_compromised_key_is_compromised() {
    for (reason, recorded) in [(Reason::Superseded, false), (Reason::KeyCompromise, true)] {
        let mut world = World::of(Observed { request: ask("02", reason), ..web() });
        world.observed.certificates[1].has_key = false;
        world.answers = vec![failure(Retry::Never, NOW)];
        world.run(NOW, usize::MAX);
        let (is, _, message) = world.condition().unwrap();
        assert!(
            is == ConditionStatus::False && message.contains("when the request or the issuer changes"),
            "{message}"
        );
        assert_eq!(world.run(NOW + DAY, usize::MAX), 0);
        let standing = Standing::of(&world.observed.records, &world.observed.certificates[1].identity);
        assert_eq!((standing.revoked.is_some(), standing.compromised.is_some()), (recorded, recorded));
        // Another key may be believed.
        world.observed.certificates[1].has_key = true;
        let request = world.observed.request.as_mut().unwrap().as_mut().unwrap();
        request.with_certificate_key = true;
        world.run(NOW + DAY, usize::MAX);
        assert_eq!((world.asked["02"], world.condition().map(|(is, ..)| is)), (2, Some(ConditionStatus::True)));
        assert_eq!(records(&world), ["02"]);
    }
}

#[test]
fn a_compromised_key_proves_itself_when_the_account_is_not_believed() {
    for (reason, asked) in [(Reason::KeyCompromise, 2), (Reason::Superseded, 1)] {
        let mut world = World::of(Observed { request: ask("02", reason), ..web() });
        world.answers = vec![failure(Retry::Never, NOW)];
        world.run(NOW, usize::MAX);
        let done = world.condition().map(|(is, ..)| is == ConditionStatus::True);
        assert_eq!((world.asked["02"], done), (asked, Some(reason.is_compromise())));
        let by: Vec<_> = world.observed.memory.answers.iter().map(|(target, _)| target.with_certificate_key).collect();
        assert_eq!(by, [false, true][..asked]);
    }
    // A key that has signed is given up, whatever the reason was.
    let mut world = World::of(Observed { request: ask("02", Reason::Superseded), ..web() });
    world.observed.request.as_mut().unwrap().as_mut().unwrap().with_certificate_key = true;
    world.run(NOW, usize::MAX);
    assert_eq!(world.observed.records[0].compromised_key.as_deref(), Some("new"));
    // When neither is, it does not ask for ever.
    let mut world = World::of(Observed { request: ask("02", Reason::KeyCompromise), ..web() });
    world.answers = vec![failure(Retry::Never, NOW), failure(Retry::Never, NOW)];
    world.run(NOW, usize::MAX);
    assert_eq!((world.asked["02"], world.run(NOW + DAY, usize::MAX)), (2, 0));
}

#[test]
fn what_is_replaced_is_revoked_under_the_policy_only() {
    let replaced = Observed { policy: Policy::parse(Some("replaced")), ..web() };
    assert_eq!(retained(&replaced, at(NOW)), ["web-1".to_owned()].into());
    let mut world = World::of(replaced.clone());
    world.run(NOW, usize::MAX);
    assert_eq!((records(&world), world.observed.held), (vec!["01"], false));
    assert_eq!(world.observed.records[0].reason, Reason::Superseded);
    assert_eq!(retained(&world.observed, at(NOW)), BTreeSet::new());

    let spared: [fn(&mut Observed); 7] = [
        |o| o.policy = Ok(Policy::default()),
        |o| o.policy = Policy::parse(Some("deleted")),
        |o| o.certificates[0].identity.key = "new".into(),
        |o| o.certificates[0].identity.not_after = at(NOW),
        |o| o.certificates[0].request = Some(("web-3".into(), 3)),
        |o| o.certificates[0].authority = Authority::Gone("there is none".into()),
        |o| o.certificates.truncate(1),
    ];
    for spare in spared {
        let mut observed = replaced.clone();
        spare(&mut observed);
        let mut world = World::of(observed);
        world.run(NOW, usize::MAX);
        assert_eq!((world.asked.len(), retained(&world.observed, at(NOW)).len()), (0, 0), "{:?}", world.observed);
    }
}

fn deleted(policy: &str) -> World {
    let mut world = World::of(Observed { policy: Policy::parse(Some(policy)), ..web() });
    world.run(NOW, usize::MAX);
    world.observed.deleted = Some(at(NOW));
    world
}

#[test]
fn a_certificate_that_goes_takes_all_of_its_own_with_it() {
    let mut world = deleted("deleted");
    assert!(world.observed.held);
    world.observed.certificates.push(Known {
        identity: Identity { not_after: at(NOW), ..known("00", "gone", 0).identity },
        ..known("00", "gone", 0)
    });
    world.run(NOW, usize::MAX);
    assert!(world.gone);
    assert_eq!(world.asked, [("01".to_owned(), 1), ("02".to_owned(), 1)].into());
    let told =
        "Revoked: The certificate with serial number 01 was revoked as cessationOfOperation at 2027-01-15T08:00:00Z";
    assert_eq!((world.events.len(), world.events[0].as_str()), (2, told));

    let mut world = deleted("never");
    assert_eq!((world.observed.held, world.run(NOW, usize::MAX)), (false, 0));
}

#[test]
fn what_was_asked_for_is_done_before_the_certificate_goes() {
    let mut world =
        World::of(Observed { request: ask("02", Reason::KeyCompromise), held: true, deleted: Some(at(NOW)), ..web() });
    world.run(NOW, usize::MAX);
    assert!(world.gone && world.asked.keys().eq(["02"]), "{:?}", world.asked);
    assert!(world.events[0].contains("as keyCompromise"), "{:?}", world.events);
}

#[test]
fn nobody_holds_a_certificate_for_ever() {
    let mut world = deleted("deleted");
    world.observed.certificates.truncate(1);
    world.answers = vec![failure(Retry::OnChange, NOW)];
    world.run(NOW, usize::MAX);
    let (_, _, message) = world.condition().unwrap();
    assert!(!world.gone && message.contains("is held for it until 2027-01-15T08:15:00Z at the latest"), "{message}");
    assert_eq!(decide(&world.observed, at(NOW + 1)).requeue, Some(RECHECK - Duration::from_secs(1)));
    // It has never heard of anything when it comes back too late, so it asks once.
    world.die();
    world.answers = vec![failure(Retry::Later(Duration::from_secs(30)), NOW + DAY)];
    world.run(NOW + DAY, usize::MAX);
    assert!(world.gone && world.asked["01"] == 2);
    let last = world.events.last().unwrap();
    assert!(last.starts_with("NotRevoked: ") && last.ends_with("The Certificate is deleted all the same"), "{last}");

    for authority in [Authority::Gone("There is no Issuer a".into()), Authority::Unable("Issuer a can not".into())] {
        let mut world = deleted("deleted");
        world.observed.certificates.iter_mut().for_each(|known| known.authority = authority.clone());
        world.run(NOW, usize::MAX);
        assert!(world.gone && world.asked.is_empty() && world.events.len() == 2, "{:?}", world.events);
    }
}

/// Whatever fails and dies in whatever order: exactly what is to be revoked is, and all comes to rest.
#[test]
fn seeded_schedules() {
    for seed in 0..2000_u64 {
        let mut state = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let mut random = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        let policy = ["never", "replaced", "deleted", "deleted,replaced"][random(4) as usize];
        let request = if random(2) == 0 { None } else { ask("02", Reason::KeyCompromise) };
        let mut world = World::of(Observed { request, policy: Policy::parse(Some(policy)), ..web() });
        let mut wanted = BTreeSet::new();
        wanted.extend(world.observed.request.as_ref().map(|_| "02"));
        wanted.extend(policy.contains("replaced").then_some("01"));
        let mut now = NOW;
        for _ in 0..random(12) {
            match random(4) {
                0 => world.die(),
                1 => now += 10,
                2 => world.answers.push(failure(Retry::Later(Duration::from_secs(10)), now)),
                _ => drop(world.run(now, random(4) as usize)),
            }
        }
        for _ in 0..20 {
            world.run(now, usize::MAX);
            now += 10;
        }
        let revoked: BTreeSet<_> = records(&world).into_iter().collect();
        assert_eq!(revoked, wanted, "seed {seed}");
        assert_eq!(world.observed.held, policy.contains("deleted"), "seed {seed}");
        assert!(world.observed.request.is_none(), "seed {seed}");
        assert!(decide(&world.observed, at(now)).is_converged(), "seed {seed}");
    }
}

#[test]
fn a_policy_that_can_not_be_kept_is_said_before_its_time() {
    let trouble = "Issuer a is of type selfSigned".to_owned();
    let policy = Policy::parse(Some("deleted"));
    let mut world = World::of(Observed { policy, policy_trouble: Some(trouble.clone()), ..web() });
    world.run(NOW, usize::MAX);
    assert_eq!(world.condition(), Some((ConditionStatus::False, "CanNotRevoke", trouble.as_str())));
    assert_eq!(world.events, [format!("NotRevoked: {trouble}")]);
    assert!(world.observed.held);
}
