//! What an issuer can ask for beside the guide's: of the CA, and of the Ingress.

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::networking::v1::Ingress;
use serde_json::json;
use signet_api::{Challenge, Issuer};
use signet_e2e::Stage;

#[tokio::test]
async fn a_profile_of_the_ca() -> Result<()> {
    let stage = Stage::shared("profile").await?;
    for (profile, days) in [("shortlived", 6), ("default", 90)] {
        let mut acme = stage.acme(profile, json!({ "http01": { "ingress": {} } }));
        acme["profile"] = json!(profile);
        stage.create::<Issuer>(profile, json!({ "acme": acme })).await?;
        let dns_name = format!("{profile}.{}", stage.domain);
        stage.issue(profile, json!({ "dnsNames": [dns_name], "issuerRef": { "name": profile } })).await?;
        let lifetime = stage.key_pair(&format!("{profile}-tls")).await?.lifetime();
        ensure!((0..=1).contains(&(days * 24 * 3600 - lifetime)), "{profile}: {lifetime} s");
    }
    Ok(())
}

#[tokio::test]
async fn an_ingress_with_a_class_name_and_a_template() -> Result<()> {
    let stage = Stage::shared("template").await?;
    let ingresses = stage.watch::<Ingress>().await?;
    let services = stage.watch::<Service>().await?;
    let template = json!({ "metadata": { "labels": { "team": "shop" }, "annotations": { "note": "kept" } } });
    let ingress = json!({ "ingressClassName": "traefik", "serviceType": "NodePort", "ingressTemplate": template });
    stage.issuer("issuer", json!({ "http01": { "ingress": ingress } })).await?;
    stage.issue("web", json!({ "dnsNames": [stage.domain] })).await?;
    stage.none_left::<Challenge>().await?;
    let (ingresses, services) = (ingresses.so_far(), services.so_far());
    let ingress = ingresses.values().next().context("there was an Ingress")?;
    let spec = ingress.spec.clone().unwrap_or_default();
    ensure!(spec.ingress_class_name.as_deref() == Some("traefik"), "{spec:?}");
    let metadata = json!(ingress.metadata);
    ensure!(metadata["labels"]["team"] == "shop" && metadata["annotations"]["note"] == "kept", "{metadata}");
    ensure!(metadata["labels"]["acme.cert-manager.io/http01-solver"] == "true", "{metadata}");
    let service = services.values().next().and_then(|service| service.spec.clone()).context("there was a Service")?;
    ensure!(service.type_.as_deref() == Some("NodePort"), "{service:?}");
    Ok(())
}

/// An Ingress that somebody else owns gets the path, and loses it again.
#[tokio::test]
async fn an_ingress_that_is_there_already() -> Result<()> {
    let stage = Stage::shared("existing").await?;
    let backend = json!({ "service": { "name": "shop", "port": { "number": 80 } } });
    let paths = json!([{ "path": "/", "pathType": "Prefix", "backend": backend }]);
    let spec = json!({ "rules": [{ "host": stage.domain, "http": { "paths": paths } }] });
    stage.create::<Ingress>("shop", spec).await?;
    let before = stage.api::<Ingress>().get("shop").await?;
    let ingresses = stage.watch::<Ingress>().await?;
    stage.issuer("issuer", json!({ "http01": { "ingress": { "name": "shop" } } })).await?;
    stage.issue("web", json!({ "dnsNames": [stage.domain] })).await?;
    stage.none_left::<Challenge>().await?;
    ensure!(ingresses.so_far().len() == 1, "another Ingress was made: {:?}", ingresses.so_far().keys());
    let after = stage.api::<Ingress>().get("shop").await?;
    ensure!(after.metadata.generation > before.metadata.generation, "nobody changed the Ingress");
    ensure!(after.spec == before.spec, "{:?}", after.spec);
    Ok(())
}
