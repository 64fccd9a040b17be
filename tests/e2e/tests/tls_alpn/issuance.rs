//! Certificates, and what is made on the way to them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::ResourceExt;
use serde_json::{Value, json};
use signet_api::{Challenge, ChallengeType};
use signet_e2e::{Stage, TlsRoute};

use crate::{direct, lead};

/// What leads to the responder, once the Certificate `web` was issued for `names` and all is gone again.
async fn issued(stage: &Stage<'_>, names: &[&str]) -> Result<BTreeMap<String, (Value, Value)>> {
    let challenges = stage.watch::<Challenge>().await?;
    let services = stage.watch::<Service>().await?;
    let slices = stage.watch::<EndpointSlice>().await?;
    for name in names {
        lead(stage, name).await?;
    }
    stage.issue("web", json!({ "dnsNames": names })).await?;
    stage.key_pair("web-tls").await?.verify(&stage.lab.pebble_root_pem().await?, names)?;
    stage.none_left::<Challenge>().await?;
    stage.none_left::<EndpointSlice>().await?;
    let challenges = challenges.so_far();
    ensure!(challenges.len() == names.len(), "{:?}", challenges.keys());
    for challenge in challenges.values() {
        let spec = &challenge.spec;
        ensure!(spec.type_ == ChallengeType::TlsAlpn01 && spec.key.starts_with(&spec.token), "{spec:?}");
    }
    let (services, mut found) = (services.so_far(), BTreeMap::new());
    for slice in slices.so_far().values() {
        let name = slice.labels().get("kubernetes.io/service-name").context("a slice is of a Service")?;
        let service = services.get(name).with_context(|| format!("no Service {name} in {:?}", services.keys()))?;
        let addresses: Vec<_> = slice.endpoints.iter().flat_map(|endpoint| &endpoint.addresses).collect();
        ensure!(!addresses.is_empty(), "the responder has no address: {slice:?}");
        found.insert(name.clone(), (json!(service), json!(slice)));
    }
    Ok(found)
}

#[tokio::test]
async fn through_a_tls_route() -> Result<()> {
    let stage = Stage::shared("route").await?;
    stage.lab.install_gateway_api().await?;
    let routes = stage.watch::<TlsRoute>().await?;
    let parents = json!([{ "name": "edge", "namespace": "infra", "sectionName": "tls", "port": 443 }]);
    let solver = json!({ "parentRefs": parents, "labels": { "expose": "yes" } });
    stage.issuer("issuer", json!({ "tlsALPN01": { "tlsroute": solver } })).await?;
    let www = format!("www.{}", stage.domain);
    let made = issued(&stage, &[&stage.domain, &www]).await?;
    stage.none_left::<TlsRoute>().await?;
    stage.none_left::<Service>().await?;

    let routes = routes.so_far();
    let mut hosts: Vec<_> = routes.values().map(|route| route.spec["hostnames"].clone()).collect();
    hosts.sort_by_key(ToString::to_string);
    ensure!(hosts == [json!([stage.domain]), json!([www])], "{hosts:?}");
    for (name, route) in &routes {
        let labels = route.labels();
        ensure!(labels["expose"] == "yes" && labels["signet.dev/challenge"] == "tls-alpn-01", "{labels:?}");
        ensure!(route.owner_references().iter().any(|owner| owner.kind == "Challenge"), "{:?}", route.metadata);
        let parent = &route.spec["parentRefs"][0];
        for field in ["name", "namespace", "sectionName", "port"] {
            ensure!(parent[field] == parents[0][field], "{:?}", route.spec);
        }
        let (service, slice) = made.get(name).with_context(|| format!("no Service {name} in {:?}", made.keys()))?;
        let backend = &route.spec["rules"][0]["backendRefs"][0];
        let port = &service["spec"]["ports"][0];
        ensure!(backend["name"] == json!(name) && backend["port"] == port["port"], "{backend} {port}");
        ensure!(slice["ports"][0]["name"] == port["name"] && slice["ports"][0]["port"] == json!(443), "{slice}");
    }
    Ok(())
}

#[tokio::test]
async fn through_a_service_that_is_made() -> Result<()> {
    let stage = Stage::shared("made").await?;
    let solver = json!({ "type": "NodePort", "nodePort": 32443, "annotations": { "share": "yes" } });
    stage.issuer("issuer", json!({ "tlsALPN01": { "service": solver } })).await?;
    let made = issued(&stage, &[&stage.domain]).await?;
    stage.none_left::<Service>().await?;
    let (service, slice) = made.values().next().context("there was a Service")?;
    let (spec, port) = (&service["spec"], &service["spec"]["ports"][0]);
    ensure!(spec["type"] == "NodePort" && port["port"] == 443 && port["nodePort"] == 32443, "{spec}");
    ensure!(spec.get("selector").is_none() && service["metadata"]["annotations"]["share"] == "yes", "{service}");
    ensure!(slice["ports"][0]["name"] == port["name"], "{slice}");
    Ok(())
}

/// One load balancer for all names: each Challenge lends it Signet's addresses, and takes away its own.
#[tokio::test]
async fn through_a_service_that_is_there_already() -> Result<()> {
    let stage = Stage::shared("lent").await?;
    let ports = json!([{ "name": "http", "port": 80 }, { "name": "https", "port": 443 }]);
    stage.create::<Service>("edge", json!({ "type": "LoadBalancer", "ports": ports })).await?;
    let before = stage.api::<Service>().get("edge").await?;
    stage.issuer("issuer", json!({ "tlsALPN01": { "service": { "name": "edge" } } })).await?;
    let www = format!("www.{}", stage.domain);
    let lent = issued(&stage, &[&stage.domain, &www]).await?;
    ensure!(lent.len() == 1 && lent["edge"].1["ports"][0]["name"] == "https", "{lent:?}");
    ensure!(stage.api::<Service>().get("edge").await?.spec == before.spec, "somebody changed the Service");
    Ok(())
}

#[tokio::test]
async fn an_ip_address_beside_names() -> Result<()> {
    let stage = Stage::shared("address").await?;
    stage.issuer("issuer", direct()).await?;
    let address = IpAddr::from(*stage.lab.site().tls_alpn01().ip());
    lead(&stage, &stage.domain).await?;
    let spec = json!({ "dnsNames": [stage.domain], "ipAddresses": [address.to_string()] });
    stage.issue("web", spec).await?;
    let pair = stage.key_pair("web-tls").await?;
    ensure!(pair.leaf.names.ips == [address], "{:?}", pair.leaf.names);
    pair.verify(&stage.lab.pebble_root_pem().await?, &[&stage.domain])
}

/// A handshake tells a name alone, so their proofs take turns; none is ever shown for another.
#[tokio::test]
async fn one_name_for_several_certificates_at_once() -> Result<()> {
    let stage = Stage::shared("same").await?;
    stage.issuer("issuer", direct()).await?;
    lead(&stage, &stage.domain).await?;
    let all = ["a", "b", "c", "d"];
    let ask = |name| stage.certificate(name, json!({ "dnsNames": [stage.domain] }));
    try_join_all(all.map(ask)).await?;
    for name in all {
        let status = stage.ready(name).await?.status.context("a Certificate has a status")?;
        ensure!(status.revision == Some(1) && status.failed_issuance_attempts.is_none(), "{name}: {status:?}");
    }
    stage.none_left::<Challenge>().await
}
