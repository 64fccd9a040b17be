//! Certificates that are asked for in unusual ways, and end like any other.

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use kube::api::PostParams;
use serde_json::{Value, json};
use signet_api::{Certificate, CertificateRequest, Challenge, Order};
use signet_e2e::{KeyPair, Stage};

fn ingress() -> Value {
    json!({ "http01": { "ingress": { "class": "nginx" } } })
}

/// The Certificate's Secret, once it is Ready and nothing is left of its proofs; at its first revision.
async fn settled(stage: &Stage<'_>, name: &str) -> Result<KeyPair> {
    let certificate = stage.ready(name).await?;
    stage.none_left::<Challenge>().await?;
    ensure!(certificate.status.and_then(|status| status.revision) == Some(1), "{name} was issued again");
    stage.key_pair(&certificate.spec.secret_name).await
}

/// Each has a TXT record of its own at one name, and takes only that away.
#[tokio::test]
async fn one_name_for_several_certificates_at_once() -> Result<()> {
    let stage = Stage::shared("same").await?;
    let (dns, root) = (stage.route53().await?, stage.lab.pebble_root_pem().await?);
    stage.issuer("dns", dns).await?;
    stage.issuer("http", ingress()).await?;
    // In a hosted zone there is no address for HTTP-01.
    let other = format!("www.same-{}", stage.domain);
    let all = [("a", "dns"), ("b", "dns"), ("c", "dns"), ("d", "http"), ("e", "http")];
    let name = |issuer: &str| if issuer == "dns" { stage.domain.clone() } else { other.clone() };
    for (certificate, issuer) in all {
        let spec = json!({ "dnsNames": [name(issuer)], "issuerRef": { "name": issuer } });
        stage.certificate(certificate, spec).await?;
    }
    for (certificate, issuer) in all {
        settled(&stage, certificate).await?.verify(&root, &[&name(issuer)])?;
    }
    let left = stage.txt(&format!("_acme-challenge.{}", stage.domain)).await?;
    ensure!(left.is_empty(), "records are left: {left:?}");
    Ok(())
}

/// The CA writes names its own way; that is no reason to issue again.
#[tokio::test]
async fn names_in_capitals_and_twice() -> Result<()> {
    let stage = Stage::shared("capitals").await?;
    stage.issuer("issuer", ingress()).await?;
    let www = format!("WWW.{}", stage.domain.to_uppercase());
    let spec = json!({ "dnsNames": [www, stage.domain, www.to_lowercase(), stage.domain], "commonName": www });
    stage.certificate("web", spec).await?;
    let names = [stage.domain.clone(), www.to_lowercase()];
    let pair = settled(&stage, "web").await?;
    pair.verify(&stage.lab.pebble_root_pem().await?, &names.each_ref().map(String::as_str))?;
    // Without its request, the certificate itself must do as a witness.
    stage.delete::<CertificateRequest>("web-1").await?;
    stage.patch::<Certificate>("web", json!({ "spec": { "revisionHistoryLimit": 3 } })).await?;
    ensure!(settled(&stage, "web").await?.chain_pem == pair.chain_pem, "it was issued again");
    Ok(())
}

#[tokio::test]
async fn an_ip_address_by_http01() -> Result<()> {
    let stage = Stage::shared("address").await?;
    stage.issuer("issuer", ingress()).await?;
    let address = stage.lab.site().address.to_string();
    stage.certificate("web", json!({ "ipAddresses": [address], "dnsNames": [stage.domain] })).await?;
    let pair = settled(&stage, "web").await?;
    ensure!(pair.leaf.names.ips == [std::net::IpAddr::V4(stage.lab.site().address)], "{:?}", pair.leaf.names);
    pair.verify(&stage.lab.pebble_root_pem().await?, &[&stage.domain])
}

#[tokio::test]
async fn a_certificate_with_a_long_name() -> Result<()> {
    let stage = Stage::shared("long").await?;
    stage.issuer("issuer", ingress()).await?;
    // The longest that a name can be.
    let name = format!("{}.web", "a".repeat(249));
    stage.certificate(&name, json!({ "secretName": "web-tls", "dnsNames": [stage.domain] })).await?;
    settled(&stage, &name).await?.verify(&stage.lab.pebble_root_pem().await?, &[&stage.domain])?;
    let request = stage.only::<CertificateRequest>().await?.name_any();
    let order = stage.only::<Order>().await?.name_any();
    ensure!(request.ends_with("-1") && order.starts_with(&request[..52]), "{request} {order}");
    Ok(())
}

/// A Secret that is there keeps its type, and what others put into it.
#[tokio::test]
async fn a_secret_that_is_there_already() -> Result<()> {
    let stage = Stage::shared("there").await?;
    stage.self_signed_issuer("issuer").await?;
    let secret = json!({ "apiVersion": "v1", "kind": "Secret", "type": "Opaque", "stringData": { "mine": "stays" },
        "metadata": { "name": "web-tls", "labels": { "mine": "too" } } });
    stage.api::<Secret>().create(&PostParams::default(), &serde_json::from_value(secret)?).await?;
    stage.certificate("web", json!({ "dnsNames": [stage.domain] })).await?;
    settled(&stage, "web").await?;
    let secret = stage.api::<Secret>().get("web-tls").await?;
    ensure!(secret.type_.as_deref() == Some("Opaque"), "{:?}", secret.type_);
    ensure!(secret.labels().get("mine").map(String::as_str) == Some("too"), "{:?}", secret.metadata);
    let mine = secret.data.unwrap_or_default().remove("mine").context("what was there is gone")?;
    ensure!(mine.0 == b"stays", "{mine:?}");
    Ok(())
}
