//! Names as people write them: international ones in either form, a hundred in one order, addresses of both
//! families, and what is no name at all.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use signet_api::{Certificate, CertificateRequest, Challenge, Order};
use signet_e2e::Stage;

/// How long a hundred names may take on a machine that is busy with other things too, and what each may cost.
const MANY_SECONDS: Duration = Duration::from_secs(45);
const WRITES_A_NAME: usize = 12;

fn ingress() -> Value {
    json!({ "http01": { "ingress": { "class": "nginx" } } })
}

/// The certificate has the names in their xn-- form, and what selects by a name takes either.
#[tokio::test]
async fn international_names_in_either_form() -> Result<()> {
    let stage = Stage::shared("idn").await?;
    let mut only = ingress();
    only["selector"] = json!({ "dnsNames": [format!("bücher.{}", stage.domain)] });
    let mut zone = ingress();
    zone["selector"] = json!({ "dnsZones": [format!("größe.{}", stage.domain)] });
    let mut acme = stage.acme("issuer", only);
    acme["solvers"].as_array_mut().context("a list")?.push(zone);
    stage.create::<signet_api::Issuer>("issuer", json!({ "acme": acme })).await?;
    stage.issuer_ready("issuer").await?;

    let books = format!("Bücher.{}", stage.domain);
    let shoes = format!("schuhe.größe.{}", stage.domain);
    let ascii = [format!("xn--bcher-kva.{}", stage.domain), format!("schuhe.xn--gre-6ka8i.{}", stage.domain)];
    let spec = json!({ "dnsNames": [books, shoes, ascii[0]], "commonName": books });
    let certificate = stage.issue("web", spec).await?;
    ensure!(certificate.spec.dns_names[0] == books, "somebody rewrote the spec");
    let root = stage.lab.pebble_root_pem().await?;
    let pair = stage.key_pair("web-tls").await?;
    pair.verify(&root, &ascii.each_ref().map(String::as_str))?;
    ensure!(pair.leaf.names.dns.len() == 2, "{:?}", pair.leaf.names);
    stage.none_left::<Challenge>().await?;

    // The other form of the same name is no reason to issue again.
    stage.patch::<Certificate>("web", json!({ "spec": { "dnsNames": ascii, "commonName": ascii[0] } })).await?;
    ensure!(stage.ready("web").await?.status.and_then(|status| status.revision) == Some(1), "it was issued again");
    Ok(())
}

/// Said on the object before anybody is asked to sign.
#[tokio::test]
async fn names_that_are_none() -> Result<()> {
    let stage = Stage::shared("none").await?;
    stage.issuer("issuer", ingress()).await?;
    let spec = json!({ "dnsNames": [stage.domain, "bü cher.example"] });
    stage.certificate("words", spec).await?;
    let words = ["spec.dnsNames[1]: \"bü cher.example\" is no international domain name", "\"bü cher\" holds what"];
    stage.says::<Certificate>("words", &words).await?;
    ensure!(stage.list::<CertificateRequest>().await?.is_empty(), "it was requested");

    for (name, dns_name, words) in [
        ("address", "192.0.2.1", "belongs into spec.ipAddresses"),
        ("dots", "a..example", "has an empty label"),
        ("star", "a.*.example", "a wildcard stands for one whole label"),
        ("url", "https://a.example", "holds ':'"),
    ] {
        stage.certificate(name, json!({ "dnsNames": [stage.domain, dns_name] })).await?;
        let told = format!("No ACME authority can sign {dns_name:?}");
        stage.says::<Certificate>(name, &["Issuing=False Failed", &told, words, "Correct it in spec.dnsNames"]).await?;
    }
    ensure!(stage.list::<Order>().await?.is_empty(), "one was ordered");
    // Corrected, it does not wait out the failure.
    stage.patch::<Certificate>("words", json!({ "spec": { "dnsNames": [stage.domain] } })).await?;
    stage.patch::<Certificate>("dots", json!({ "spec": { "dnsNames": [stage.domain] } })).await?;
    stage.ready("words").await?;
    stage.ready("dots").await.map(drop)
}

/// As many as Let's Encrypt takes in one order.
#[tokio::test]
async fn a_hundred_names_in_one_order() -> Result<()> {
    let stage = Stage::shared("many").await?;
    stage.issuer("issuer", ingress()).await?;
    let mut audit = stage.lab.watch_audit_of_signet();
    let names: Vec<_> = (0..100).map(|number| format!("n{number}.{}", stage.domain)).collect();
    let begun = Instant::now();
    stage.issue("web", json!({ "dnsNames": names })).await?;
    let took = begun.elapsed();
    stage.none_left::<Challenge>().await?;
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    stage.key_pair("web-tls").await?.verify(&stage.lab.pebble_root_pem().await?, &names)?;
    ensure!(stage.list::<Order>().await?.len() == 1, "they were ordered apart");
    let writes = audit.read_on()?.into_iter().filter(|entry| entry.namespace == stage.namespace).count();
    println!("a hundred names: {took:?}, {writes} writes");
    ensure!(took < MANY_SECONDS, "they took {took:?}");
    ensure!(writes <= WRITES_A_NAME * names.len(), "they took {writes} writes");
    Ok(())
}

#[tokio::test]
async fn an_ip_address_alone() -> Result<()> {
    let stage = Stage::shared("address").await?;
    stage.issuer("issuer", ingress()).await?;
    let address = IpAddr::V4(stage.lab.site().address);
    stage.issue("web", json!({ "ipAddresses": [address.to_string()] })).await?;
    let pair = stage.key_pair("web-tls").await?;
    ensure!(pair.leaf.names.ips == [address] && pair.leaf.names.dns.is_empty(), "{:?}", pair.leaf.names);
    stage.none_left::<Challenge>().await
}

/// No record in the DNS proves an address, so no such solver is tried.
#[tokio::test]
async fn an_ip_address_that_no_solver_can_prove() -> Result<()> {
    let stage = Stage::shared("unproven").await?;
    let solver = stage.route53().await?;
    stage.issuer("issuer", solver).await?;
    stage.certificate("web", json!({ "ipAddresses": ["2001:db8::1"] })).await?;
    let words = ["No solver of the issuer fits 2001:db8::1", "the CA offers http-01, tls-alpn-01", "dns01 route53"];
    stage.says::<Certificate>("web", &words).await.map(drop)
}
