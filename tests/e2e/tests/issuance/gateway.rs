//! HTTP-01 through the Gateway API. No Gateway is here, as every name of the lab leads to Signet itself:
//! what is looked at is the HTTPRoute.

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::ResourceExt;
use serde_json::json;
use signet_api::Challenge;
use signet_e2e::{HttpRoute, Stage};

#[tokio::test]
async fn an_http_route_with_all_that_the_issuer_says() -> Result<()> {
    let stage = Stage::shared("gateway").await?;
    stage.lab.install_gateway_api().await?;
    let routes = stage.watch::<HttpRoute>().await?;
    let services = stage.watch::<Service>().await?;
    let slices = stage.watch::<EndpointSlice>().await?;

    let parents = json!([
        { "name": "web", "namespace": "infra", "sectionName": "http", "port": 80 },
        { "group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "edge" },
    ]);
    let solver = json!({ "parentRefs": parents, "labels": { "expose": "yes" }, "serviceType": "NodePort",
        "podTemplate": { "spec": { "nodeSelector": { "disk": "fast" } } } });
    stage.issuer("issuer", json!({ "http01": { "gatewayHTTPRoute": solver } })).await?;
    let other = format!("www.{}", stage.domain);
    stage.issue("web", json!({ "dnsNames": [stage.domain, other] })).await?;
    stage.key_pair("web-tls").await?.verify(&stage.lab.pebble_root_pem().await?, &[&stage.domain, &other])?;
    stage.none_left::<Challenge>().await?;
    stage.none_left::<HttpRoute>().await?;
    stage.none_left::<Service>().await?;
    stage.none_left::<EndpointSlice>().await?;

    let (routes, services, slices) = (routes.so_far(), services.so_far(), slices.so_far());
    let mut hosts: Vec<_> = routes.values().map(|route| route.spec["hostnames"].clone()).collect();
    hosts.sort_by_key(ToString::to_string);
    ensure!(hosts == [json!([stage.domain]), json!([other])], "{hosts:?}");
    for (name, route) in &routes {
        let labels = route.labels();
        ensure!(labels["expose"] == "yes" && labels["acme.cert-manager.io/http01-solver"] == "true", "{labels:?}");
        ensure!(route.owner_references().iter().any(|owner| owner.kind == "Challenge"), "{:?}", route.metadata);
        // The API server has filled in what the first of them left out.
        let mut stored = parents.clone();
        stored[0]["group"] = json!("gateway.networking.k8s.io");
        stored[0]["kind"] = json!("Gateway");
        ensure!(route.spec["parentRefs"] == stored, "{:?}", route.spec);
        let rules = route.spec["rules"].as_array().context("a route has rules")?;
        ensure!(rules.len() == 1 && rules[0]["matches"].as_array().map(Vec::len) == Some(1), "{rules:?}");
        let path = &rules[0]["matches"][0]["path"];
        let token = path["value"].as_str().and_then(|path| path.strip_prefix("/.well-known/acme-challenge/"));
        ensure!(path["type"] == "Exact" && token.is_some_and(|token| !token.contains('/')), "{path:?}");
        let backend = &rules[0]["backendRefs"][0];
        ensure!(backend["name"] == json!(name), "{backend:?}");
        let service = services.get(name).and_then(|service| service.spec.clone()).context("there is that Service")?;
        ensure!(service.type_.as_deref() == Some("NodePort"), "{service:?}");
        let ports: Vec<_> = service.ports.iter().flatten().map(|port| json!(port.port)).collect();
        ensure!(ports == [backend["port"].clone()], "{ports:?}");
        let slice = slices.get(name).context("there is an EndpointSlice of that Service")?;
        ensure!(slice.endpoints.iter().any(|endpoint| !endpoint.addresses.is_empty()), "{slice:?}");
    }
    Ok(())
}

/// A route can not name an address; the path is enough.
#[tokio::test]
async fn an_http_route_for_an_ip_address() -> Result<()> {
    let stage = Stage::shared("address").await?;
    stage.lab.install_gateway_api().await?;
    let routes = stage.watch::<HttpRoute>().await?;
    let solver = json!({ "parentRefs": [{ "name": "web" }] });
    stage.issuer("issuer", json!({ "http01": { "gatewayHTTPRoute": solver } })).await?;
    stage.issue("web", json!({ "ipAddresses": [stage.lab.site().address.to_string()] })).await?;
    stage.none_left::<Challenge>().await?;
    let routes = routes.so_far();
    ensure!(routes.len() == 1, "{:?}", routes.keys());
    ensure!(routes.values().all(|route| route.spec.get("hostnames").is_none()), "{routes:?}");
    Ok(())
}
