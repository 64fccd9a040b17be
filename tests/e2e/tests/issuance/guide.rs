//! What the guide has its reader do, with its own files: another `server:` line, the reader's own
//! key, and nothing else changed.

use anyhow::{Context, Result, ensure};
use base64::prelude::{BASE64_STANDARD, Engine};
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::Ingress;
use kube::ResourceExt;
use serde_json::json;
use signet_api::Challenge;
use signet_e2e::Stage;
use signet_lab::{AccessKey, Config, Lab};

const STAGING: &str = "https://acme-staging-v02.api.letsencrypt.org/directory";
const CERTIFICATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/guide/certificate.yaml");

macro_rules! guide {
    ($file:literal) => {
        include_str!(concat!("../../../../examples/guide/", $file))
    };
}

/// The guide's manifest for the lab's CA.
fn staged(lab: &Lab, manifest: &str) -> Result<String> {
    ensure!(manifest.matches(STAGING).count() == 1, "the guide's issuer has one server");
    Ok(manifest.replace(STAGING, &lab.directory_url()))
}

/// The guide's Secret, filled in as it says.
fn filled(key: &AccessKey) -> String {
    guide!("route53-secret.yaml")
        .replace("<base64-encoded-access-key-id>", &BASE64_STANDARD.encode(&key.access_key_id))
        .replace("<base64-encoded-secret-access-key>", &BASE64_STANDARD.encode(&key.secret_access_key))
}

/// Applies the guide's Certificate in the stage's namespace.
async fn apply_certificate(stage: &Stage<'_>) -> Result<()> {
    stage.lab.kubectl(["apply", "-n", &stage.namespace, "-f", CERTIFICATE]).await.map(drop)
}

async fn verify(stage: &Stage<'_>) -> Result<()> {
    let root = stage.lab.pebble_root_pem().await?;
    stage.key_pair("example-com-tls").await?.verify(&root, &["example.com", "www.example.com"])
}

#[tokio::test]
async fn http01_through_an_ingress_of_class_nginx() -> Result<()> {
    let stage = Stage::shared("guide").await?;
    let ingresses = stage.watch::<Ingress>().await?;
    let services = stage.watch::<Service>().await?;
    let slices = stage.watch::<EndpointSlice>().await?;

    stage.lab.apply(&staged(stage.lab, guide!("clusterissuer.yaml"))?).await?;
    apply_certificate(&stage).await?;
    stage.ready("example-com").await?;
    verify(&stage).await?;

    stage.none_left::<Challenge>().await?;
    stage.none_left::<Ingress>().await?;
    stage.none_left::<Service>().await?;
    stage.none_left::<EndpointSlice>().await?;
    let (ingresses, services, slices) = (ingresses.so_far(), services.so_far(), slices.so_far());
    let mut hosts = Vec::new();
    for (name, ingress) in &ingresses {
        let class = ingress.metadata.annotations.as_ref().and_then(|all| all.get("kubernetes.io/ingress.class"));
        ensure!(class.map(String::as_str) == Some("nginx"), "{ingress:?}");
        let rules = ingress.spec.as_ref().and_then(|spec| spec.rules.clone()).context("an Ingress has rules")?;
        hosts.extend(rules.into_iter().filter_map(|rule| rule.host));
        let service = services.get(name).with_context(|| format!("no Service {name} in {services:?}"))?;
        let selector = service.spec.as_ref().and_then(|spec| spec.selector.clone());
        ensure!(selector.unwrap_or_default().is_empty(), "a Service of no pods selects none: {service:?}");
        let slice = slices.get(name).with_context(|| format!("no EndpointSlice {name} in {slices:?}"))?;
        let addresses: Vec<_> = slice.endpoints.iter().flat_map(|endpoint| &endpoint.addresses).collect();
        ensure!(!addresses.is_empty(), "the responder has no address: {slice:?}");
    }
    hosts.sort();
    ensure!(hosts == ["example.com", "www.example.com"], "{hosts:?}");
    let pods: Vec<_> = stage.lab.audit().into_iter().filter(|entry| entry.resource == "pods").collect();
    ensure!(pods.is_empty(), "nobody makes, or even looks at, a pod: {pods:?}");
    Ok(())
}

/// In a lab of its own: the guide's names are taken in the shared one.
#[tokio::test]
async fn route53_with_the_guides_policy() -> Result<()> {
    let lab = Lab::start(Config::default()).await?;
    let zone = lab.create_hosted_zone("example.com").await?;
    let policy = serde_json::from_str(guide!("route53-policy.json"))?;
    lab.apply(&filled(&lab.create_iam_user("signet", &policy).await?)).await?;
    lab.apply(&staged(&lab, guide!("route53-clusterissuer.yaml"))?).await?;

    // The policy lets records be changed, but no zone be found; the guide names no zone.
    let stage = Stage::on(&lab, "guide").await?;
    apply_certificate(&stage).await?;
    let advice = ["AWS denies route53:ListHostedZonesByName", "route53.hostedZoneID in the Issuer"];
    for challenge in stage.some::<Challenge>(2).await? {
        stage.says::<Challenge>(&challenge.name_any(), &advice).await?;
    }
    // A process that did not see how its Challenges began must take it that there is something to take back.
    lab.controller().restart().await?;

    let patch = json!([{ "op": "add", "path": "/spec/acme/solvers/0/dns01/route53/hostedZoneID", "value": zone }]);
    let patch = patch.to_string();
    lab.kubectl(["patch", "clusterissuer", "letsencrypt-staging", "--type=json", "-p", &patch]).await?;
    stage.ready("example-com").await?;
    verify(&stage).await?;
    stage.none_left::<Challenge>().await?;
    for name in ["_acme-challenge.example.com", "_acme-challenge.www.example.com"] {
        ensure!(stage.txt(name).await?.is_empty(), "a record is left at {name}");
    }
    lab.down().await
}
