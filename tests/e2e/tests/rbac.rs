//! Signet's rights, against the audit log of a life with everything in it: nothing is refused, and
//! nothing that is granted goes unused. So for each of the ways in which the chart may grant them.

use std::collections::BTreeSet;
use std::fmt;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::api::networking::v1::Ingress;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, PolicyRule, Role};
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use signet_api::{Certificate, Challenge, Issuer, labels};
use signet_e2e::{BOUND, Stage};
use signet_lab::{Chart, Config, Entry, Lab};

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
    ("gateway.networking.k8s.io", "httproutes create", APPLIES),
    ("gateway.networking.k8s.io", "tlsroutes create", APPLIES),
];
/// What stands in the audit log for the controller.
const USER: &str = "system:serviceaccount:cert-manager:signet";
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

/// The namespaces of a life.
struct Stages<'a> {
    http01: Stage<'a>,
    edited: Stage<'a>,
    gateway: Stage<'a>,
    tls: Stage<'a>,
    dns01: Stage<'a>,
    ca: Stage<'a>,
}

impl<'a> Stages<'a> {
    async fn on(lab: &'a Lab) -> Result<Self> {
        let stage = async |prefix: &str| Stage::on(lab, prefix).await;
        let (http01, edited, gateway) = (stage("http01").await?, stage("edited").await?, stage("gateway").await?);
        let (tls, dns01) = (stage("tls").await?, stage("dns01").await?);
        Ok(Self { http01, edited, gateway, tls, dns01, ca: stage("ca").await? })
    }

    fn namespaces(&self) -> [&str; 6] {
        let Self { http01, edited, gateway, tls, dns01, ca } = self;
        [http01, edited, gateway, tls, dns01, ca].map(|stage| stage.namespace.as_str())
    }

    /// Everything that the chart's roles are for. `root` is the kind of issuer that signs itself.
    async fn live(&self, root: &str) -> Result<()> {
        let Self { http01: own, edited, gateway, tls, dns01: dns, ca } = self;
        tokio::try_join!(
            http01(own),
            http01_edited(edited),
            http01_gateway(gateway),
            tls_alpn01(tls),
            dns01(dns),
            without_acme(ca, root)
        )?;
        Ok(())
    }
}

/// HTTP-01 with an Ingress of its own.
async fn http01(stage: &Stage<'_>) -> Result<()> {
    stage.issuer("issuer", json!({ "http01": { "ingress": { "ingressClassName": "nginx" } } })).await?;
    // With one revision to keep, the first request goes when the second one is done.
    stage.issue("web", json!({ "dnsNames": [stage.domain], "revisionHistoryLimit": 1 })).await?;
    renewed(stage, "web").await
}

/// HTTP-01 with an Ingress that is there.
async fn http01_edited(stage: &Stage<'_>) -> Result<()> {
    let backend = json!({ "service": { "name": "shop", "port": { "number": 80 } } });
    let paths = json!([{ "path": "/", "pathType": "Prefix", "backend": backend }]);
    stage.create::<Ingress>("shop", json!({ "rules": [{ "host": stage.domain, "http": { "paths": paths } }] })).await?;
    stage.issuer("issuer", json!({ "http01": { "ingress": { "name": "shop" } } })).await?;
    stage.issue("web", json!({ "dnsNames": [stage.domain] })).await?;
    stage.none_left::<Challenge>().await
}

/// HTTP-01 with an HTTPRoute.
async fn http01_gateway(stage: &Stage<'_>) -> Result<()> {
    stage.lab.install_gateway_api().await?;
    let route = json!({ "parentRefs": [{ "name": "web" }] });
    stage.issuer("issuer", json!({ "http01": { "gatewayHTTPRoute": route } })).await?;
    stage.issue("web", json!({ "dnsNames": [stage.domain] })).await.map(drop)
}

/// TLS-ALPN-01 with a TLSRoute.
async fn tls_alpn01(stage: &Stage<'_>) -> Result<()> {
    stage.lab.install_gateway_api().await?;
    stage.lab.add_a(&stage.domain, &stage.lab.site().tls_alpn01().ip().to_string()).await?;
    let route = json!({ "parentRefs": [{ "name": "edge" }] });
    stage.issuer("issuer", json!({ "tlsALPN01": { "tlsroute": route } })).await?;
    stage.issue("web", json!({ "dnsNames": [stage.domain] })).await.map(drop)
}

/// DNS-01, and a Certificate that is revoked before it goes.
async fn dns01(stage: &Stage<'_>) -> Result<()> {
    let solver = stage.route53().await?;
    stage.issuer("issuer", solver).await?;
    stage.issue("web", json!({ "dnsNames": [stage.domain] })).await?;
    let policy = json!({ "metadata": { "annotations": { labels::REVOKE_WHEN: "deleted" } } });
    stage.patch::<Certificate>("web", policy).await?;
    stage.until("web", "is held", |certificate: &Certificate| certificate.metadata.finalizers.clone()).await?;
    stage.delete::<Certificate>("web").await?;
    stage.none_left::<Certificate>().await
}

/// Self-signed by an issuer of the kind `root`, and what a CA signs whose Secret comes after it.
async fn without_acme(stage: &Stage<'_>, root: &str) -> Result<()> {
    stage.create::<Issuer>("ca", json!({ "ca": { "secretName": "root-tls" } })).await?;
    stage.says::<Issuer>("ca", &["Ready=False"]).await?;
    let issuer = json!({ "apiVersion": "cert-manager.io/v1", "kind": root,
        "metadata": { "name": "selfsigned", "namespace": stage.namespace }, "spec": { "selfSigned": {} } });
    stage.lab.apply(&issuer.to_string()).await?;
    let of: Value = json!({ "name": "selfsigned", "kind": root });
    stage.issue("root", json!({ "isCA": true, "commonName": "root", "issuerRef": of })).await?;
    stage.issuer_ready("ca").await?;
    stage.issue("web", json!({ "dnsNames": [stage.domain], "issuerRef": { "name": "ca" } })).await.map(drop)
}

async fn install(lab: &Lab, values: Value) -> Result<()> {
    lab.install(&Chart { values, ..Chart::default() }).await
}

/// What the controller asked of the API server.
fn asked(lab: &Lab) -> impl Iterator<Item = Entry> {
    lab.audit().into_iter().filter(|entry| entry.user == USER && !entry.resource.is_empty())
}

/// Ends the controller and compares. Of the rights that no request shows, those to `lacks` are not granted.
async fn rights_are_those_used(lab: &Lab, lacks: &str) -> Result<BTreeSet<Right>> {
    // The API server tells of a watch when it ends.
    lab.controller().stop().await?;
    let granted = granted(lab).await?;
    let mut unused = granted.clone();
    let is_unseen = |right: &Right| {
        let what = format!("{} {}", right.resource, right.verb);
        UNSEEN.iter().any(|(group, unseen, _)| *group == right.group && *unseen == what)
    };
    unused.retain(|right| !is_unseen(right));
    let everything_is_told = async || {
        let mut refused = BTreeSet::new();
        for entry in asked(lab) {
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
        ensure!(granted.contains(&right) != (resource == lacks), "{right}, granted or not by: {reason}");
    }
    Ok(granted)
}

/// What one asks for to learn what there is.
fn is_survey(verb: &str) -> bool {
    matches!(verb, "list" | "watch")
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_is_refused_and_no_right_unused() -> Result<()> {
    let lab = Lab::start(Config::bare()).await?;
    let stages = Stages::on(&lab).await?;
    install(&lab, json!({})).await?;
    stages.live("ClusterIssuer").await?;
    rights_are_those_used(&lab, "").await?;
    lab.down().await
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_read_by_name_where_they_are_not_watched() -> Result<()> {
    let lab = Lab::start(Config::bare()).await?;
    let stages = Stages::on(&lab).await?;
    install(&lab, json!({ "secrets": { "watch": false, "resyncPeriod": "2s" } })).await?;
    stages.live("ClusterIssuer").await?;
    // Nobody tells the controller that a Secret is gone.
    let key = stages.ca.key_pair("web-tls").await?;
    stages.ca.delete::<Secret>("web-tls").await?;
    stages.ca.revision("web", 2).await?;
    let next = stages.ca.key_pair("web-tls").await?;
    ensure!(key.key_pem != next.key_pem, "it is the Secret that was deleted");
    for stage in [&stages.http01, &stages.ca] {
        let spare = "cert-manager.io/next-private-key";
        let none = async || {
            let secrets = stage.list::<Secret>().await?;
            Ok((!secrets.iter().any(|secret| secret.labels().contains_key(spare))).then_some(()))
        };
        lab.eventually("no key for a next request is left", BOUND, none).await?;
    }
    let granted = rights_are_those_used(&lab, "").await?;
    let surveys: Vec<_> =
        granted.iter().filter(|right| right.resource == "secrets" && is_survey(&right.verb)).collect();
    ensure!(surveys.is_empty(), "{}", surveys[0]);
    lab.down().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_for_some_namespaces_has_roles_only() -> Result<()> {
    let lab = Lab::start(Config::bare()).await?;
    let stages = Stages::on(&lab).await?;
    install(&lab, json!({ "namespaces": stages.namespaces() })).await?;
    let elsewhere = Stage::on(&lab, "elsewhere").await?;
    elsewhere.create::<Issuer>("issuer", json!({ "selfSigned": {} })).await?;

    stages.live("Issuer").await?;
    let of = json!({ "name": "corporate", "kind": "ClusterIssuer" });
    stages.ca.certificate("cluster", json!({ "dnsNames": [stages.ca.domain], "issuerRef": of })).await?;
    stages.ca.says::<Certificate>("cluster", &["ClusterIssuer corporate can not be used", "make an Issuer in"]).await?;

    let issuer = elsewhere.api::<Issuer>().get("issuer").await?;
    ensure!(issuer.status.is_none(), "somebody works in {}: {issuer:?}", elsewhere.namespace);
    let granted = rights_are_those_used(&lab, "clusterissuers").await?;
    ensure!(
        granted.iter().all(|right| !right.resource.starts_with("clusterissuers")),
        "there is a right to ClusterIssuers"
    );
    let outside: Vec<_> = asked(&lab).filter(|entry| entry.namespace.is_empty()).collect();
    ensure!(outside.is_empty(), "asked of the whole cluster: {outside:?}");
    let ours = ListParams::default().labels("app.kubernetes.io/name=signet");
    let roles = Api::<ClusterRole>::all(lab.client().await).list(&ours).await?;
    let bindings = Api::<ClusterRoleBinding>::all(lab.client().await).list(&ours).await?;
    ensure!(roles.items.is_empty() && bindings.items.is_empty(), "{roles:?} {bindings:?}");
    lab.down().await
}
