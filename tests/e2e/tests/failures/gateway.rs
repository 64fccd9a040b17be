//! Routes that lead nowhere: the Gateway API is missing, and what its controllers say.

use anyhow::{Context, Result};
use kube::ResourceExt;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use signet_api::{Challenge, Issuer};
use signet_e2e::{HttpRoute, Stage};
use signet_lab::{Config, Lab};

fn solver(parents: Value) -> Value {
    json!({ "http01": { "gatewayHTTPRoute": { "parentRefs": parents } } })
}

#[tokio::test]
async fn parents_that_are_not_named() -> Result<()> {
    let stage = Stage::shared("orphan").await?;
    let acme = |solver: Value| json!({ "acme": stage.acme("issuer", solver) });
    stage.create::<Issuer>("none", acme(json!({ "http01": { "gatewayHTTPRoute": {} } }))).await?;
    let field = "spec.acme.solvers[0].http01.gatewayHTTPRoute";
    stage.says::<Issuer>("none", &["Ready=False", field, "parentRefs"]).await?;
    stage.create::<Issuer>("empty", acme(solver(json!([])))).await?;
    stage.says::<Issuer>("empty", &["Ready=False", &format!("{field}.parentRefs")]).await.map(drop)
}

/// In a lab of its own, which does not have the Gateway API until half of it is over.
#[tokio::test]
async fn routes_that_lead_nowhere() -> Result<()> {
    let lab = Lab::start(Config::default()).await?;
    let stage = Stage::on(&lab, "nowhere").await?;
    let parents = json!([{ "name": "web", "namespace": "infra", "sectionName": "http" }, { "name": "edge" }]);
    stage.issuer("issuer", solver(parents)).await?;
    // The name leads elsewhere, so the Challenge stays where it is.
    lab.add_a(&stage.domain, "127.0.0.1").await?;
    stage.certificate("web", json!({ "dnsNames": [stage.domain] })).await?;
    let name = stage.only::<Challenge>().await?.name_any();
    let missing = ["the API server knows no HTTPRoute", "install the CRDs of the Gateway API"];
    stage.says::<Challenge>(&name, &missing).await?;

    lab.install_gateway_api().await?;
    let route = stage.only::<HttpRoute>().await?;
    // What a controller would say: of the first parent only.
    let condition = json!({ "type": "Accepted", "status": "False", "reason": "NotAllowedByListeners",
        "message": "no listener allows it", "observedGeneration": route.metadata.generation,
        "lastTransitionTime": "2026-01-01T00:00:00Z" });
    let parent = json!({ "parentRef": route.spec["parentRefs"][0], "controllerName": "example.com/gateways",
        "conditions": [condition] });
    let status = Patch::Merge(json!({ "status": { "parents": [parent] } }));
    stage.api::<HttpRoute>().patch_status(&route.name_any(), &PatchParams::default(), &status).await?;
    let place = format!("{}/{}", stage.namespace, route.name_any());
    let refused =
        format!("Gateway infra/web does not serve HTTPRoute {place}: Accepted is False, NotAllowedByListeners");
    let advice = format!("let a listener for HTTP allow routes of namespace {}", stage.namespace);
    let unanswered =
        format!("no controller has answered HTTPRoute {place} for parentRefs[1], Gateway {}/edge", stage.namespace);
    let tried = format!("GET http://{}/.well-known/acme-challenge/", stage.domain);
    stage.says::<Challenge>(&name, &[&tried, &refused, &advice, &unanswered, "Signet goes on looking"]).await?;
    stage.told(&refused).await?;

    // A route that somebody takes away is made again.
    let before = route.uid().context("it has a uid")?;
    stage.delete::<HttpRoute>(&route.name_any()).await?;
    stage
        .until(&route.name_any(), "is there again", |route: &HttpRoute| (route.uid()? != before).then_some(()))
        .await?;
    lab.clear_a(&stage.domain).await?;
    stage.ready("web").await?;
    stage.none_left::<HttpRoute>().await?;
    lab.down().await
}
