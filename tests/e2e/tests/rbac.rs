//! Signet's rights, against the audit log of a life with everything in it: nothing is refused, and
//! nothing that is granted goes unused.

use std::collections::BTreeSet;
use std::fmt;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::networking::v1::Ingress;
use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule, Role};
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use signet_api::{Certificate, Challenge, Issuer, labels};
use signet_e2e::Stage;
use signet_lab::{Config, Lab};

/// Rights that no request shows, each with the reason to have it.
const UNSEEN: &[(&str, &str, &str)] = &[
    ("cert-manager.io", "signers approve", "asked by the admission policy of approval, not by a request"),
    ("cert-manager.io", "certificates/finalizers update", BLOCKS),
    ("cert-manager.io", "certificaterequests/finalizers update", BLOCKS),
    ("acme.cert-manager.io", "orders/finalizers update", BLOCKS),
    ("acme.cert-manager.io", "challenges/finalizers update", BLOCKS),
    ("cert-manager.io", "certificates get", RACE),
    ("cert-manager.io", "issuers get", RACE),
    ("cert-manager.io", "clusterissuers get", RACE),
    ("cert-manager.io", "certificaterequests get", RACE),
    ("acme.cert-manager.io", "orders get", RACE),
    ("acme.cert-manager.io", "challenges get", RACE),
    ("acme.cert-manager.io", "orders delete", "asked when an attempt that failed is made again"),
    ("", "services create", APPLIES),
    ("discovery.k8s.io", "endpointslices create", APPLIES),
    ("networking.k8s.io", "ingresses create", APPLIES),
];
const BLOCKS: &str = "asked where OwnerReferencesPermissionEnforcement is on, for an owner that blocks deletion";
const APPLIES: &str = "asked beside patch when a server-side apply makes an object";
const RACE: &str = "read again when a write is refused because the cache was behind";

/// One thing that one may do.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Right {
    group: String,
    resource: String,
    verb: String,
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let group = if self.group.is_empty() { "" } else { "." };
        write!(f, "{} {}{group}{}", self.verb, self.resource, self.group)
    }
}

/// Every right of the roles that the chart binds to the controller.
async fn granted(lab: &Lab) -> Result<BTreeSet<Right>> {
    let ours = ListParams::default().labels("app.kubernetes.io/name=signet");
    let client = lab.client().await;
    let cluster = Api::<ClusterRole>::all(client.clone()).list(&ours).await?;
    // The others are for people.
    let cluster = cluster.items.into_iter().filter(|role| role.name_any() == "signet-controller");
    let roles = Api::<Role>::all(client).list(&ours).await?.items.into_iter().flat_map(|role| role.rules);
    let rules: Vec<PolicyRule> =
        cluster.flat_map(|role| role.rules.unwrap_or_default()).chain(roles.flatten()).collect();
    ensure!(rules.len() > 10, "the chart has only {} rules", rules.len());
    let mut rights = BTreeSet::new();
    for rule in &rules {
        for group in rule.api_groups.iter().flatten() {
            for resource in rule.resources.iter().flatten() {
                rights.extend(rule.verbs.iter().map(|verb| Right {
                    group: group.clone(),
                    resource: resource.clone(),
                    verb: verb.clone(),
                }));
            }
        }
    }
    Ok(rights)
}

/// The Certificate `name`, renewed once.
async fn renewed(stage: &Stage<'_>, name: &str) -> Result<()> {
    stage.lab.kubectl(["signet", "renew", name, "--namespace", &stage.namespace]).await?;
    stage.revision(name, 2).await.map(drop)
}

/// HTTP-01 with an Ingress of its own and with one that is there.
async fn http01(lab: &Lab) -> Result<()> {
    let stage = Stage::on(lab, "http01").await?;
    stage.issuer("issuer", json!({ "http01": { "ingress": { "ingressClassName": "nginx" } } })).await?;
    // With one revision to keep, the first request goes when the second one is done.
    stage.issue("web", json!({ "dnsNames": [stage.domain], "revisionHistoryLimit": 1 })).await?;
    renewed(&stage, "web").await?;

    let stage = Stage::on(lab, "edited").await?;
    let backend = json!({ "service": { "name": "shop", "port": { "number": 80 } } });
    let paths = json!([{ "path": "/", "pathType": "Prefix", "backend": backend }]);
    stage.create::<Ingress>("shop", json!({ "rules": [{ "host": stage.domain, "http": { "paths": paths } }] })).await?;
    stage.issuer("issuer", json!({ "http01": { "ingress": { "name": "shop" } } })).await?;
    stage.issue("web", json!({ "dnsNames": [stage.domain] })).await?;
    stage.none_left::<Challenge>().await
}

/// DNS-01, and a Certificate that is revoked before it goes.
async fn dns01(lab: &Lab) -> Result<()> {
    let stage = Stage::on(lab, "dns01").await?;
    let solver = stage.route53().await?;
    stage.issuer("issuer", solver).await?;
    stage.issue("web", json!({ "dnsNames": [stage.domain] })).await?;
    let policy = json!({ "metadata": { "annotations": { labels::REVOKE_WHEN: "deleted" } } });
    stage.patch::<Certificate>("web", policy).await?;
    stage.until("web", "is held", |certificate: &Certificate| certificate.metadata.finalizers.clone()).await?;
    stage.delete::<Certificate>("web").await?;
    stage.none_left::<Certificate>().await
}

/// Self-signed by a ClusterIssuer, and what a CA signs.
async fn without_acme(lab: &Lab) -> Result<()> {
    let issuer = json!({ "apiVersion": "cert-manager.io/v1", "kind": "ClusterIssuer",
        "metadata": { "name": "selfsigned" }, "spec": { "selfSigned": {} } });
    lab.apply(&issuer.to_string()).await?;
    let stage = Stage::on(lab, "ca").await?;
    stage.cluster_issuer_ready("selfsigned").await?;
    let of: Value = json!({ "name": "selfsigned", "kind": "ClusterIssuer" });
    stage.issue("root", json!({ "isCA": true, "commonName": "root", "issuerRef": of })).await?;
    stage.create::<Issuer>("ca", json!({ "ca": { "secretName": "root-tls" } })).await?;
    stage.issuer_ready("ca").await?;
    stage.issue("web", json!({ "dnsNames": [stage.domain], "issuerRef": { "name": "ca" } })).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_is_refused_and_no_right_unused() -> Result<()> {
    let lab = Lab::start(Config::default()).await?;
    tokio::try_join!(http01(&lab), dns01(&lab), without_acme(&lab))?;
    // The API server tells of a watch when it ends.
    lab.controller().stop().await?;
    let granted = granted(&lab).await?;
    let mut unused = granted.clone();
    let is_unseen = |right: &Right| {
        let what = format!("{} {}", right.resource, right.verb);
        UNSEEN.iter().any(|(group, unseen, _)| *group == right.group && *unseen == what)
    };
    unused.retain(|right| !is_unseen(right));
    let everything_is_told = async || {
        let mut refused = BTreeSet::new();
        for entry in lab.audit().into_iter().filter(|entry| entry.user == "system:serviceaccount:cert-manager:signet") {
            let slash = if entry.subresource.is_empty() { "" } else { "/" };
            let resource = format!("{}{slash}{}", entry.resource, entry.subresource);
            let right = Right { group: entry.group, resource, verb: entry.verb };
            if entry.code == 403 {
                refused.insert(format!("{right} of {} in {:?}", entry.name, entry.namespace));
            }
            unused.remove(&right);
        }
        ensure!(refused.is_empty(), "refused: {refused:#?}");
        let names: Vec<_> = unused.iter().map(ToString::to_string).collect();
        ensure!(names.is_empty(), "granted and never used: {names:#?}");
        Ok(Some(()))
    };
    lab.eventually("every right was used", std::time::Duration::from_secs(10), everything_is_told).await?;
    for (group, unseen, reason) in UNSEEN {
        let (resource, verb) = unseen.split_once(' ').context("a resource and a verb")?;
        let right = Right { group: (*group).into(), resource: resource.into(), verb: verb.into() };
        ensure!(granted.contains(&right), "{right} is no longer granted: {reason}");
    }
    Ok(())
}
