//! The guide from its first manifest to a page that is served over the certificate.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use k8s_openapi::api::core::v1::{Pod, Secret};
use k8s_openapi::api::networking::v1::Ingress;
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use signet_api::{Certificate, Challenge};
use signet_e2e::Stage;

use crate::stage;

macro_rules! guide_folder {
    () => {
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/guide/")
    };
}

macro_rules! guide {
    ($file:literal) => {
        include_str!(concat!("../../../../examples/guide/", $file))
    };
}

/// An Ingress of class nginx that serves `web` over a Secret.
pub(crate) fn https(host: &str, secret: &str) -> Value {
    let backend = json!({ "service": { "name": "web", "port": { "number": 80 } } });
    json!({
        "ingressClassName": "nginx",
        "tls": [{ "hosts": [host], "secretName": secret }],
        "rules": [{ "host": host, "http": { "paths": [{ "path": "/", "pathType": "Prefix", "backend": backend }] } }],
    })
}

/// The guide's manifest for this stage's names. The CA's stays: it leads to the lab's.
fn staged(stage: &Stage<'_>, manifest: &str) -> String {
    manifest.replace("example.com", &stage.domain)
}

/// As a reader types it: the guide's own files, in the namespace that kubectl takes.
#[tokio::test(flavor = "multi_thread")]
async fn the_guide_ends_in_a_page_over_the_certificate() -> Result<()> {
    let on_node = stage("guide").await?;
    let stage =
        Stage { namespace: "default".to_owned(), client: on_node.client.clone(), domain: String::new(), ..*on_node };
    stage.lab.kubectl(["apply", "-f", concat!(guide_folder!(), "clusterissuer.yaml")]).await?;
    stage.lab.kubectl(["apply", "-f", concat!(guide_folder!(), "certificate.yaml")]).await?;
    stage.lab.kubectl(["wait", "certificate/example-com", "--for=condition=Ready", "--timeout=60s"]).await?;
    let described = stage.lab.kubectl(["describe", "certificate", "example-com"]).await?;
    ensure!(described.contains("Normal") && described.contains("issued"), "{described}");
    let root = stage.lab.pebble_root_pem().await?;
    stage.key_pair("example-com-tls").await?.verify(&root, &["example.com", "www.example.com"])?;

    stage.lab.deploy_web("default").await?;
    stage.create::<Ingress>("web", https("www.example.com", "example-com-tls")).await?;
    let page = async || stage.lab.page("www.example.com", &root).await.map(Some);
    let page = stage.eventually("the page is served", page).await?;
    ensure!(page.status == 200 && page.text.contains("to www.example.com/"), "it says {page:?}");

    stage.none_left::<Challenge>().await?;
    let ingresses = stage.list::<Ingress>().await?;
    ensure!(ingresses.len() == 1, "ingresses of challenges are left: {ingresses:?}");
    let pods = Api::<Pod>::namespaced(stage.client.clone(), "default").list(&Default::default()).await?;
    let strangers: Vec<_> = pods.iter().map(ResourceExt::name_any).filter(|pod| !pod.starts_with("web-")).collect();
    ensure!(strangers.is_empty(), "somebody made pods: {strangers:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guides_route_53_issues_a_wildcard() -> Result<()> {
    let stage = stage("guide53").await?;
    let zone = stage.lab.create_hosted_zone(&stage.domain).await?;
    let mut policy: Value = serde_json::from_str(guide!("route53-policy.json"))?;
    // The guide's policy knows no way from a name to its zone, and the guide names no hostedZoneID.
    let find = json!({ "Effect": "Allow", "Action": "route53:ListHostedZonesByName", "Resource": "*" });
    policy["Statement"].as_array_mut().context("a policy has statements")?.push(find);
    let key = stage.lab.create_iam_user(&zone, &policy).await?;
    let secret = guide!("route53-secret.yaml")
        .replace("<base64-encoded-access-key-id>", &BASE64_STANDARD.encode(&key.access_key_id))
        .replace("<base64-encoded-secret-access-key>", &BASE64_STANDARD.encode(&key.secret_access_key));
    stage.lab.apply(&secret).await?;
    let issuer = staged(&stage, guide!("route53-clusterissuer.yaml")).replace("your-email@", "admin@");
    // The guide has one issuer at a time, and gives both the same name.
    let name = "letsencrypt-staging-route53";
    stage.lab.apply(&issuer.replacen("name: letsencrypt-staging", &format!("name: {name}"), 1)).await?;
    stage.cluster_issuer_ready(name).await?;
    let wildcard = format!("*.{}", stage.domain);
    let reference = json!({ "name": name, "kind": "ClusterIssuer" });
    stage.issue("wild", json!({ "dnsNames": [stage.domain, wildcard], "issuerRef": reference })).await?;
    let root = stage.lab.pebble_root_pem().await?;
    stage.key_pair("wild-tls").await?.verify(&root, &[&stage.domain, &wildcard])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_fails_no_request() -> Result<()> {
    let stage = stage("renewal").await?;
    stage.issuer("issuer", json!({ "http01": { "ingress": { "ingressClassName": "nginx" } } })).await?;
    stage.issue("web", json!({ "dnsNames": [stage.domain] })).await?;
    stage.lab.deploy_web(&stage.namespace).await?;
    stage.create::<Ingress>("web", https(&stage.domain, "web-tls")).await?;
    let root = stage.lab.pebble_root_pem().await?;
    let served = async || stage.lab.page(&stage.domain, &root).await.map(Some);
    let first = stage.eventually("the page is served", served).await?.certificate;

    let renewed = AtomicBool::new(false);
    let visitor = async {
        let mut visits = 0;
        while !renewed.load(Ordering::Relaxed) {
            let page = stage.lab.page(&stage.domain, &root).await.context("a visitor was sent away")?;
            ensure!(page.status == 200, "a visitor saw {}", page.status);
            visits += 1;
        }
        Ok::<_, anyhow::Error>(visits)
    };
    let operator = async {
        stage.patch::<Certificate>("web", json!({ "spec": { "duration": "1440h" } })).await?;
        stage.revision("web", 2).await?;
        let changed = async || {
            let page = stage.lab.page(&stage.domain, &root).await?;
            Ok((page.certificate != first).then_some(()))
        };
        stage.eventually("the new certificate is served", changed).await?;
        renewed.store(true, Ordering::Relaxed);
        Ok(())
    };
    let (visits, ()) = tokio::try_join!(visitor, operator)?;
    ensure!(visits > 5, "only {visits} visits were made");
    let secret = stage.api::<Secret>().get("web-tls").await?;
    ensure!(secret.type_.as_deref() == Some("kubernetes.io/tls"), "the Secret is a {:?}", secret.type_);
    Ok(())
}
