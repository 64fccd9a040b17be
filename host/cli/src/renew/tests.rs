//! Against an API server in memory.

use super::*;
use crate::fake::Fake;

const WEB: &str = "/apis/cert-manager.io/v1/namespaces/team-a/certificates/web";

fn certificate(name: &str, namespace: &str, status: &str) -> String {
    format!(
        r#"
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {{ name: {name}, namespace: {namespace}, generation: 3, resourceVersion: "7" }}
spec: {{ secretName: web-tls, issuerRef: {{ name: ca }}, dnsNames: [web.example.com] }}
status: {status}
"#
    )
}

const READY: &str = "{ revision: 2, conditions: [{ type: Ready, status: 'True', reason: Ready }] }";
const FAILED: &str = "{ failedIssuanceAttempts: 2, lastFailureTime: '2027-01-15T07:00:00Z', conditions: [\
    { type: Ready, status: 'False' }, \
    { type: Issuing, status: 'False', reason: Failed, lastTransitionTime: '2027-01-15T07:00:00Z', observedGeneration: 3 }] }";
const ISSUING: &str = "{ conditions: [{ type: Issuing, status: 'True', reason: DoesNotExist, message: Secret web-tls does not exist yet }] }";

fn now() -> Timestamp {
    "2027-01-15T08:00:00.25Z".parse().unwrap()
}

fn wanted(words: &str) -> Renew {
    use clap::Parser;
    let line = ["kubectl-signet", "renew"].into_iter().chain(words.split(' '));
    match crate::args::Arguments::parse_from(line).command {
        crate::args::Command::Renew(wanted) => wanted,
        other => panic!("{other:?}"),
    }
}

fn issuing(object: &Value) -> Value {
    let conditions = object["status"]["conditions"].as_array().unwrap();
    conditions.iter().find(|condition| condition["type"] == "Issuing").unwrap().clone()
}

#[tokio::test]
async fn issuing_is_set_and_the_other_conditions_stay() {
    for status in [READY, FAILED] {
        let fake = Fake::with(&certificate("web", "team-a", status));
        assert_eq!(ask(&fake.cluster(), "team-a", "web", now()).await.unwrap(), Answer::Asked);
        let web = fake.object(WEB);
        assert_eq!(
            issuing(&web),
            json!({
                "type": "Issuing", "status": "True", "reason": "ManuallyTriggered",
                "message": "asked for with kubectl signet renew",
                "lastTransitionTime": "2027-01-15T08:00:00Z", "observedGeneration": 3,
            })
        );
        assert_eq!(web["status"]["conditions"][0]["type"], "Ready");
        assert_eq!(web["status"]["conditions"].as_array().unwrap().len(), 2);
    }
}

#[tokio::test]
async fn what_is_under_way_is_left_alone() {
    let fake = Fake::with(&certificate("web", "team-a", ISSUING));
    let answer = ask(&fake.cluster(), "team-a", "web", now()).await.unwrap();
    assert_eq!(answer, Answer::UnderWay(": Secret web-tls does not exist yet".into()));
    assert!(fake.requests().iter().all(|request| request.starts_with("GET")));
}

#[tokio::test]
async fn a_write_of_another_in_between_is_not_lost() {
    let fake = Fake::with(&certificate("web", "team-a", READY)).rivals(ATTEMPTS - 1);
    assert_eq!(ask(&fake.cluster(), "team-a", "web", now()).await.unwrap(), Answer::Asked);
    assert!(fake.requests().last().unwrap().contains("fieldManager=kubectl-signet"));

    let fake = Fake::with(&certificate("web", "team-a", READY)).rivals(ATTEMPTS);
    let error = ask(&fake.cluster(), "team-a", "web", now()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "Certificate team-a/web was changed by others 5 times while it was being marked; try again"
    );
}

#[tokio::test]
async fn errors_name_the_certificate() {
    let web = certificate("web", "team-a", READY);
    let deleting = web.replace("generation: 3", "deletionTimestamp: '2027-01-15T08:00:00Z'");
    for (fake, name, wanted) in [
        (Fake::with(&web), "api", "Certificate team-a/api does not exist in the cluster of context test"),
        (
            Fake::with(&web).forbid("web/status"),
            "web",
            "Certificate team-a/web can not be marked for issuance: you may not",
        ),
        (Fake::with(&deleting), "web", "Certificate team-a/web is being deleted"),
    ] {
        let error = ask(&fake.cluster(), "team-a", name, now()).await.unwrap_err();
        assert_eq!(format!("{error:#}"), wanted);
    }
}

#[tokio::test]
async fn names_labels_and_all_choose() {
    let several = [("web", "team-a"), ("api", "team-a"), ("web", "team-b")];
    let yaml: Vec<_> = several.iter().map(|(name, namespace)| certificate(name, namespace, READY)).collect();
    let fake = Fake::with(&yaml.join("---"));
    let cluster = fake.cluster();
    for (words, count, request) in [
        ("--all", 2, "namespaces/team-a/certificates?"),
        ("--all -A", 3, "v1/certificates?"),
        ("-l app=web", 2, "labelSelector=app%3Dweb"),
    ] {
        assert_eq!(choose(&cluster, &wanted(words)).await.unwrap().len(), count, "{words}");
        assert!(fake.requests().last().unwrap().contains(request), "{words}: {:?}", fake.requests());
    }
    let named = choose(&cluster, &wanted("web api")).await.unwrap();
    assert_eq!(named, [("team-a".to_owned(), "web".to_owned()), ("team-a".to_owned(), "api".to_owned())]);
}

#[tokio::test]
async fn one_that_fails_does_not_stop_the_others() {
    let fake = Fake::with(&certificate("web", "team-a", READY));
    let code = renew(&fake.cluster(), &wanted("gone web"), now()).await.unwrap();
    assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::FAILURE));
    assert_eq!(issuing(&fake.object(WEB))["status"], "True");
}

#[tokio::test]
async fn a_list_that_is_refused_says_which() {
    let fake = Fake::with(&certificate("web", "team-a", READY)).forbid("/certificates");
    let error = choose(&fake.cluster(), &wanted("-l app=web -A")).await.unwrap_err();
    assert_eq!(
        format!("{error:#}"),
        "the Certificates with labels app=web in any namespace can not be listed in context test: you may not"
    );
}
