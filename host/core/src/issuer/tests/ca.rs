//! A CA issuer for each state of its key pair.

use signet_api::issuer::CaIssuer;

use super::*;

pub(super) fn of_pair(key_pair: Result<Timestamp, BadKeyPair>) -> Observed {
    let ca = CaIssuer { secret_name: "root".into(), ..CaIssuer::default() };
    Observed { key_pair, ..of(IssuerSpec { ca: Some(ca), ..IssuerSpec::default() }) }
}

#[test]
fn a_key_pair_signs_until_it_ends() {
    let mut issuer = of_pair(Ok(at(3600)));
    let plan = decide(&issuer, at(0));
    assert_eq!((plan.actions.len(), plan.events.len(), plan.requeue), (0, 0, Some(Duration::from_secs(3600))));
    issuer.status = plan.status.unwrap();
    let (status, reason, message) = told(&issuer.status);
    assert_eq!((status, reason), (ConditionStatus::True, reason::VERIFIED));
    assert!(message.contains("Secret signet/root") && message.contains(&at(3600).to_string()), "{message}");
    assert_eq!(decide(&issuer, at(1)), IssuerPlan::wait(Duration::from_secs(3599)));
    // Rotated: the status says until when the new one is good.
    issuer.key_pair = Ok(at(7200));
    assert!(decide(&issuer, at(1)).status.is_some());
    issuer.key_pair = Ok(at(3600));
    issuer.status = decide(&issuer, at(3600)).status.unwrap();
    let (status, reason, message) = told(&issuer.status);
    assert_eq!((status, reason), (ConditionStatus::False, reason::INVALID_KEY_PAIR));
    assert!(message.contains("expired at"), "{message}");
    assert_eq!(decide(&issuer, at(9999)), IssuerPlan::rest());
}

#[test]
fn a_key_pair_that_can_not_sign_is_said_once_with_what_to_do() {
    let why = "there is no PEM block".to_owned();
    for (pair, reason, words) in [
        (BadKeyPair::NoSecret, reason::GET_KEY_PAIR, "There is no Secret signet/root"),
        (BadKeyPair::Lacks(vec!["tls.crt", "tls.key"]), reason::GET_KEY_PAIR, "has no tls.crt and no tls.key"),
        (BadKeyPair::Invalid { key: "tls.key", why }, reason::INVALID_KEY_PAIR, "tls.key in Secret signet/root"),
        (BadKeyPair::NotAuthority, reason::INVALID_KEY_PAIR, "spec.isCA"),
        (BadKeyPair::Mismatch, reason::INVALID_KEY_PAIR, "both of one authority"),
        (BadKeyPair::Expired(at(0)), reason::INVALID_KEY_PAIR, "expired"),
    ] {
        let mut issuer = of_pair(Err(pair));
        let plan = decide(&issuer, at(1));
        let [event] = plan.events.as_slice() else { panic!("{plan:?}") };
        assert_eq!((event.reason, event.severity, plan.requeue), (reason, Severity::Warning, None));
        issuer.status = plan.status.unwrap();
        let (status, word, message) = told(&issuer.status);
        assert_eq!((status, word), (ConditionStatus::False, reason));
        assert!(message.contains(words) && message.contains("signet/root"), "{message}");
        assert!(message.ends_with(", and Signet goes on"), "{message}");
        assert_eq!(decide(&issuer, at(9)), IssuerPlan::rest());
        // Once it is there, nothing more is asked for.
        issuer.key_pair = Ok(at(60));
        assert_eq!(told(&decide(&issuer, at(9)).status.unwrap()).1, reason::VERIFIED);
    }
}
