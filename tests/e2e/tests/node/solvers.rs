//! Every way in which the ingress and gateway solvers can be told to lead requests to Signet.

use std::ops::Deref;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::networking::v1::Ingress;
use serde_json::{Value, json};
use signet_api::Challenge;
use signet_e2e::{HttpRoute, Stage};

use crate::guide::https;
use crate::stage;

/// Issues for the stage's own name, and sees to it that nothing of the challenge is left.
async fn issues(stage: impl Deref<Target = Stage<'static>>, solver: Value) -> Result<()> {
    stage.issuer("issuer", json!({ "http01": solver })).await?;
    stage.issue("web", json!({ "dnsNames": [stage.domain] })).await?;
    let root = stage.lab.pebble_root_pem().await?;
    stage.key_pair("web-tls").await?.verify(&root, &[&stage.domain])?;
    stage.none_left::<Challenge>().await
}

#[tokio::test(flavor = "multi_thread")]
async fn ingress_by_class_annotation() -> Result<()> {
    issues(stage("class").await?, json!({ "ingress": { "class": "nginx" } })).await
}

#[tokio::test(flavor = "multi_thread")]
async fn ingress_by_class_name_with_a_template() -> Result<()> {
    let metadata =
        json!({ "labels": { "team": "web" }, "annotations": { "projectcontour.io/response-timeout": "5s" } });
    let template = json!({ "metadata": metadata });
    let solver = json!({ "ingress": { "ingressClassName": "nginx", "ingressTemplate": template } });
    issues(stage("template").await?, solver).await
}

#[tokio::test(flavor = "multi_thread")]
async fn ingress_that_is_edited_in_place() -> Result<()> {
    let stage = stage("edited").await?;
    stage.lab.deploy_web(&stage.namespace).await?;
    let mut spec = https(&stage.domain, "web-tls");
    spec.as_object_mut().context("a spec is an object")?.remove("tls");
    stage.create::<Ingress>("web", spec).await?;
    let before = stage.api::<Ingress>().get("web").await?.spec;
    issues(&*stage, json!({ "ingress": { "name": "web" } })).await?;
    let same = async || Ok((stage.api::<Ingress>().get("web").await?.spec == before).then_some(()));
    stage.eventually("the Ingress is as it was", same).await?;
    ensure!(stage.list::<Ingress>().await?.len() == 1, "a second Ingress is left");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn gateway() -> Result<()> {
    let stage = stage("gateway").await?;
    let parent = json!({ "name": "contour", "namespace": "projectcontour", "kind": "Gateway" });
    issues(&*stage, json!({ "gatewayHTTPRoute": { "parentRefs": [parent] } })).await?;
    stage.none_left::<HttpRoute>().await
}

/// What the real controller of the Gateway says against a route is told on the Challenge.
#[tokio::test(flavor = "multi_thread")]
async fn gateway_without_such_a_listener() -> Result<()> {
    let stage = stage("listener").await?;
    let parents = json!([
        { "name": "contour", "namespace": "projectcontour", "sectionName": "nobody" },
        { "name": "nobody" },
    ]);
    stage.issuer("issuer", json!({ "http01": { "gatewayHTTPRoute": { "parentRefs": parents } } })).await?;
    stage.certificate("web", json!({ "dnsNames": [stage.domain] })).await?;
    let name = stage.only::<Challenge>().await?.metadata.name.unwrap_or_default();
    let tried = format!("GET http://{}/.well-known/acme-challenge/", stage.domain);
    let refused = "Gateway projectcontour/contour does not serve HTTPRoute";
    let listener = "correct parentRefs[0].sectionName";
    let unanswered = format!("for parentRefs[1], Gateway {}/nobody", stage.namespace);
    stage.says::<Challenge>(&name, &[&tried, refused, listener, &unanswered]).await.map(drop)
}
