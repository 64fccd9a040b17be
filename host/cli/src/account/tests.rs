//! Against an API server in memory.

use clap::Parser;

use super::*;
use crate::args::{Arguments, Command};
use crate::fake::Fake;

const LOCAL: &str = "/apis/cert-manager.io/v1/namespaces/team-a/issuers/ca";
const GLOBAL: &str = "/apis/cert-manager.io/v1/clusterissuers/ca";
const CHANGE: &str = "type: AccountChange, lastTransitionTime: '2027-01-01T00:00:00Z'";

const ACME: &str = r#"acme: { server: "https://ca.test/dir", privateKeySecretRef: { name: account } }"#;

fn issuer(kind: &str, status: &str) -> String {
    let namespace = if kind == "Issuer" { "namespace: team-a, " } else { "" };
    format!(
        r#"
apiVersion: cert-manager.io/v1
kind: {kind}
metadata: {{ name: ca, {namespace}generation: 3, resourceVersion: "7" }}
spec: {{ {ACME} }}
status: {status}
"#
    )
}

/// The status of an issuer with an account, and with further conditions.
fn registered(further: &str) -> String {
    format!(
        "{{ acme: {{ uri: 'https://ca.test/account/1' }}, conditions: [{{ type: Ready, status: 'True', reason: Ready }}{further}] }}"
    )
}

fn now() -> Timestamp {
    "2027-01-15T08:00:00.25Z".parse().unwrap()
}

async fn say(fake: &Fake, words: &str) -> Result<String> {
    let line = ["kubectl-signet", "account"].into_iter().chain(words.split(' '));
    match Arguments::parse_from(line).command {
        Command::Account { command } => run(&fake.cluster(), &command, now()).await,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_wish_is_a_condition_beside_the_others() {
    for (words, kind, path, reason, said) in [
        (
            "rollover issuer ca",
            "Issuer",
            LOCAL,
            "RolloverRequested",
            "Issuer team-a/ca: another key for account https://ca.test/account/1 asked for; see `kubectl signet status issuer ca -n team-a`\n",
        ),
        (
            "deactivate clusterissuer ca --yes",
            "ClusterIssuer",
            GLOBAL,
            "DeactivationRequested",
            "ClusterIssuer ca: the end of account https://ca.test/account/1 asked for; see `kubectl signet status clusterissuer ca`\n",
        ),
    ] {
        let refused = format!(", {{ {CHANGE}, status: 'False', reason: RolloverRefused }}");
        for further in ["", refused.as_str()] {
            let fake = Fake::with(&issuer(kind, &registered(further))).rivals(1);
            assert_eq!(say(&fake, words).await.unwrap(), said);
            let conditions = fake.object(path)["status"]["conditions"].as_array().unwrap().clone();
            assert_eq!((conditions.len(), &conditions[0]["type"]), (2, &json!("Ready")));
            let change = &conditions[1];
            assert_eq!(
                (&change["type"], &change["status"], &change["reason"]),
                (&json!("AccountChange"), &json!("True"), &json!(reason))
            );
            assert_eq!(change["lastTransitionTime"], "2027-01-15T08:00:00Z");
        }
    }
}

#[tokio::test]
async fn what_is_under_way_is_left_alone() {
    let pending = format!(", {{ {CHANGE}, status: 'True', reason: RolloverRequested, message: the CA is away }}");
    let fake = Fake::with(&issuer("Issuer", &registered(&pending)));
    let said = say(&fake, "deactivate issuer ca --yes").await.unwrap();
    assert_eq!(said, "Issuer team-a/ca: a change of its account is under way already: the CA is away\n");
    assert!(fake.requests().iter().all(|request| request.starts_with("GET")));
}

#[tokio::test]
async fn ending_an_account_takes_a_yes() {
    let certificate = |name: &str, issuer: &str| {
        format!(
            "---\napiVersion: cert-manager.io/v1\nkind: Certificate\nmetadata: {{ name: {name}, namespace: team-a }}\n\
             spec: {{ secretName: {name}, issuerRef: {{ name: {issuer} }} }}\n"
        )
    };
    let all = issuer("Issuer", &registered("")) + &certificate("web", "ca") + &certificate("api", "other");
    let fake = Fake::with(&all);
    let error = say(&fake, "deactivate issuer ca").await.unwrap_err().to_string();
    assert!(error.contains("https://ca.test/account/1 can not be undone"), "{error}");
    assert!(error.contains("(1 Certificate names it now)") && error.ends_with("with --yes"), "{error}");
    assert!(fake.requests().iter().all(|request| request.starts_with("GET")));
    let hidden = Fake::with(&issuer("Issuer", &registered(""))).forbid("certificates");
    let error = say(&hidden, "deactivate issuer ca").await.unwrap_err().to_string();
    assert!(error.contains("can not be seen"), "{error}");
}

#[tokio::test]
async fn what_has_no_account_is_named() {
    let ended = format!(", {{ {CHANGE}, status: 'False', reason: Deactivated, message: The account was deactivated }}");
    let unready = "{ conditions: [{ type: Ready, status: 'False', message: could not reach ca.test }] }";
    for (object, said) in [
        (issuer("ClusterIssuer", &registered("")), "Issuer team-a/ca does not exist in the cluster of context test"),
        (issuer("Issuer", "{}"), "Issuer team-a/ca has no account yet: Signet has not looked at it; does it run?"),
        (issuer("Issuer", unready), "Issuer team-a/ca has no account yet: could not reach ca.test"),
        (
            issuer("Issuer", &registered(&ended)),
            "Issuer team-a/ca has no account any more: The account was deactivated",
        ),
        (
            issuer("Issuer", "{}").replace(ACME, "selfSigned: {}"),
            "Issuer team-a/ca is not of type acme, so it has no account",
        ),
    ] {
        let error = say(&Fake::with(&object), "rollover issuer ca").await.unwrap_err();
        assert_eq!(format!("{error:#}"), said);
    }
    let rivals = Fake::with(&issuer("Issuer", &registered(""))).rivals(ATTEMPTS);
    let error = say(&rivals, "rollover issuer ca").await.unwrap_err().to_string();
    assert!(error.contains("was changed by others 5 times"), "{error}");
}
