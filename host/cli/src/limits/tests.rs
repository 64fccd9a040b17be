//! Against an API server in memory.

use clap::Parser;
use expect_test::{Expect, expect};

use super::*;
use crate::args::{Arguments, Command};
use crate::fake::Fake;

fn now() -> Timestamp {
    "2027-01-15T08:00:00Z".parse().unwrap()
}

fn issuer(kind: &str, place: &str, server: &str) -> String {
    format!(
        r#"
---
apiVersion: cert-manager.io/v1
kind: {kind}
metadata: {{ {place} }}
spec: {{ acme: {{ server: "{server}", privateKeySecretRef: {{ name: account }} }} }}
status: {{ acme: {{ uri: "{server}/account/1" }} }}
"#
    )
}

fn order(namespace: &str, name: &str, domain: &str, status: &str) -> String {
    format!(
        r#"
---
apiVersion: acme.cert-manager.io/v1
kind: Order
metadata: {{ name: {name}, namespace: {namespace}, uid: {name}, creationTimestamp: "2027-01-15T07:00:00Z" }}
spec: {{ request: "", issuerRef: {{ name: ca }}, dnsNames: [{domain}] }}
status: {{ {status} }}
"#
    )
}

fn deployment(argument: &str) -> String {
    format!(
        r#"
---
apiVersion: apps/v1
kind: Deployment
metadata: {{ name: signet, namespace: signet }}
spec:
  selector: {{}}
  template: {{ spec: {{ containers: [{{ name: controller, args: ['{argument}'] }}] }} }}
---
apiVersion: coordination.k8s.io/v1
kind: Lease
metadata: {{ name: cert-manager-controller, namespace: signet, annotations: {{}} }}
"#
    )
}

const ORDERED: &str = r#"url: "https://ca.test/o", orderTime: "2027-01-15T07:59:00Z", state: "#;
const LIMITS: &str = r#"--acme-limits={"https://ca.test": {"newOrders": {"count": 4, "period": "1h"}, "certificatesPerDomain": {"count": 2, "period": "168h"}}}"#;

async fn check(fake: Fake, words: &str, expected: Expect) {
    let line = ["kubectl-signet"].into_iter().chain(words.split(' '));
    let Command::Limits(wanted) = Arguments::parse_from(line).command else { panic!("{words}") };
    let said = match limits(&fake.cluster(), &wanted, now()).await {
        Ok(said) => said,
        Err(error) => format!("error: {error:#}\n"),
    };
    expected.assert_eq(&said);
}

fn cluster() -> Fake {
    let waiting = r#"reason: "Waiting for room: the CA is full""#;
    Fake::with(
        &[
            issuer("ClusterIssuer", "name: ca", "https://ca.test"),
            issuer("Issuer", "name: other, namespace: team-a", "https://other.test"),
            order("team-a", "one", "a.x.test", &format!("{ORDERED} valid")),
            order("team-a", "two", "b.x.test", &format!("{ORDERED} pending")),
            order("team-b", "three", "c.y.test", &format!("{ORDERED} invalid")),
            order("team-b", "four", "d.x.test", waiting),
            deployment(LIMITS),
        ]
        .concat(),
    )
}

#[tokio::test]
async fn it_tells_what_is_used_by_whom_and_who_waits() {
    check(
        cluster(),
        "limits",
        expect![[r#"
            https://ca.test
              certificates in 7 d under x.test                        2 of 2  team-a 2
                there is room again at 2027-01-18T19:59:00Z (in 3 days)
              new orders in 1 h of account https://ca.test/account/1  3 of 4  team-a 2, team-b 1
            https://other.test
              no limits are known of this CA; acme.limits of the chart can tell them
            Orders that wait: 1
              team-b/four: Waiting for room: the CA is full
        "#]],
    )
    .await;
}

#[tokio::test]
async fn one_issuer_can_be_named() {
    check(
        cluster(),
        "limits --issuer other",
        expect![[r#"
            https://other.test
              no limits are known of this CA; acme.limits of the chart can tell them
        "#]],
    )
    .await;
    check(
        cluster(),
        "limits --issuer nobody",
        expect![[r#"
            error: Issuer team-a/nobody does not exist in the cluster of context test
        "#]],
    )
    .await;
}

#[tokio::test]
async fn what_can_not_be_read_is_said() {
    let fake = Fake::with(&issuer("Issuer", "name: ca, namespace: team-a", "https://ca.test"));
    check(
        fake.forbid("deployments").forbid("clusterissuers"),
        "limits",
        expect![[r#"
            https://ca.test
              no limits are known of this CA; acme.limits of the chart can tell them
            Note: ClusterIssuers are left out: you may not.
            Note: Limits that the operator has set, and what was spent for objects that are gone, are left out: you may not.
        "#]],
    )
    .await;
}
