//! Names that are many, that are redirected, and that nobody serves.

use anyhow::{Result, ensure};
use k8s_openapi::api::networking::v1::Ingress;
use serde_json::json;
use signet_api::Challenge;

use crate::guide::https;
use crate::{stage, stage_alone};

#[tokio::test(flavor = "multi_thread")]
async fn many_names_in_one_certificate() -> Result<()> {
    let stage = stage("many").await?;
    stage.issuer("issuer", json!({ "http01": { "ingress": { "ingressClassName": "nginx" } } })).await?;
    let names: Vec<_> = (0..20).map(|number| format!("n{number}.{}", stage.domain)).collect();
    stage.issue("many", json!({ "dnsNames": names })).await?;
    let root = stage.lab.pebble_root_pem().await?;
    stage.key_pair("many-tls").await?.verify(&root, &names.iter().map(String::as_str).collect::<Vec<_>>())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_that_redirects_to_https_gets_its_certificate() -> Result<()> {
    let stage = stage("redirect").await?;
    stage.lab.deploy_web(&stage.namespace).await?;
    stage.issuer("issuer", json!({ "http01": { "ingress": { "ingressClassName": "nginx" } } })).await?;
    stage.create::<Ingress>("web", https(&stage.domain, "web-tls")).await?;
    let annotations = json!({ "ingress.kubernetes.io/force-ssl-redirect": "true" });
    stage.patch::<Ingress>("web", json!({ "metadata": { "annotations": annotations } })).await?;
    stage.issue("web", json!({ "dnsNames": [stage.domain] })).await?;
    let root = stage.lab.pebble_root_pem().await?;
    let served = async || stage.lab.page(&stage.domain, &root).await.map(Some);
    ensure!(stage.eventually("the page is served", served).await?.status == 200);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_class_that_nobody_serves_is_told_on_the_challenge() -> Result<()> {
    let stage = stage("nobody").await?;
    stage.issuer("issuer", json!({ "http01": { "ingress": { "ingressClassName": "nobody" } } })).await?;
    stage.certificate("web", json!({ "dnsNames": [stage.domain] })).await?;
    let challenge = stage.only::<Challenge>().await?;
    let name = challenge.metadata.name.unwrap_or_default();
    // What was tried, and what to check. What answers is the real ingress controller, by a 404, or nobody while it
    // serves nothing at all.
    let tried = format!("GET http://{}/.well-known/acme-challenge/", stage.domain);
    let class = "check that an ingress controller serves class nobody";
    stage.says::<Challenge>(&name, &[&tried, class]).await.map(drop)
}

/// The port at which Signet's pods answer HTTP-01.
const RESPONDER: u16 = 8089;

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_keeps_the_ingress_controller_out_is_told_on_the_challenge() -> Result<()> {
    let stage = stage_alone("policy").await?;
    stage.lab.refuse_port(RESPONDER, true).await?;
    stage.issuer("issuer", json!({ "http01": { "ingress": { "ingressClassName": "nginx" } } })).await?;
    stage.certificate("web", json!({ "dnsNames": [stage.domain] })).await?;
    let name = stage.only::<Challenge>().await?.metadata.name.unwrap_or_default();
    let port = format!("port {RESPONDER}");
    stage.says::<Challenge>(&name, &["answered 503", "NetworkPolicy", &port]).await?;
    stage.lab.refuse_port(RESPONDER, false).await?;
    stage.ready("web").await.map(drop)
}
