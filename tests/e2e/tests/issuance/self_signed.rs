//! Self-signed certificates: every kind of key and of name, and what else a Certificate can ask of
//! its Secret.

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use rcgen::PublicKeyData;
use serde_json::{Value, json};
use signet_api::KeyUsage;
use signet_api::certificate::KeyAlgorithm::{self, Ecdsa, Ed25519, Rsa};
use signet_e2e::Stage;

#[tokio::test]
async fn keys_of_every_kind() -> Result<()> {
    let table: [(&str, Value, KeyAlgorithm, i64, &str); 10] = [
        ("default", json!({}), Rsa, 2048, "RSA PRIVATE KEY"),
        ("rsa-2048", json!({ "algorithm": "RSA", "size": 2048, "encoding": "PKCS8" }), Rsa, 2048, "PRIVATE KEY"),
        ("rsa-3072", json!({ "algorithm": "RSA", "size": 3072, "encoding": "PKCS1" }), Rsa, 3072, "RSA PRIVATE KEY"),
        ("rsa-4096", json!({ "algorithm": "RSA", "size": 4096 }), Rsa, 4096, "RSA PRIVATE KEY"),
        ("ecdsa", json!({ "algorithm": "ECDSA" }), Ecdsa, 256, "EC PRIVATE KEY"),
        ("ecdsa-256", json!({ "algorithm": "ECDSA", "size": 256, "encoding": "PKCS8" }), Ecdsa, 256, "PRIVATE KEY"),
        ("ecdsa-384", json!({ "algorithm": "ECDSA", "size": 384, "encoding": "PKCS1" }), Ecdsa, 384, "EC PRIVATE KEY"),
        ("ecdsa-521", json!({ "algorithm": "ECDSA", "size": 521 }), Ecdsa, 521, "EC PRIVATE KEY"),
        ("ed25519", json!({ "algorithm": "Ed25519" }), Ed25519, 256, "PRIVATE KEY"),
        ("ed25519-8", json!({ "algorithm": "Ed25519", "encoding": "PKCS8" }), Ed25519, 256, "PRIVATE KEY"),
    ];
    let stage = Stage::shared("keys").await?;
    stage.self_signed_issuer("issuer").await?;
    for (name, key, ..) in &table {
        stage.certificate(name, json!({ "dnsNames": [stage.domain], "privateKey": key })).await?;
    }
    for (name, _, algorithm, size, tag) in table {
        stage.ready(name).await?;
        let pair = stage.key_pair(&format!("{name}-tls")).await?;
        let key = &pair.leaf.public_key;
        ensure!((key.algorithm, key.size) == (Some(algorithm), size), "{name}: {:?} {}", key.algorithm, key.size);
        ensure!(pair.key_pem.starts_with(&format!("-----BEGIN {tag}-----\n")), "{name} is not written as {tag}");
        let authority = pair.authority_pem.clone().with_context(|| format!("{name} has no ca.crt"))?;
        pair.verify(&authority, &[&stage.domain]).with_context(|| name.to_owned())?;
    }
    Ok(())
}

#[tokio::test]
async fn names_of_every_type_and_a_whole_subject() -> Result<()> {
    let stage = Stage::shared("names").await?;
    stage.self_signed_issuer("issuer").await?;
    let domain = &stage.domain;
    let spec = json!({
        "commonName": domain, "dnsNames": [domain, format!("*.{domain}")], "ipAddresses": ["192.0.2.7", "2001:db8::7"],
        "uris": ["spiffe://cluster.local/ns/a/sa/b"], "emailAddresses": [format!("a@{domain}")],
        "subject": { "organizations": ["Example"], "countries": ["CH"], "serialNumber": "7" },
        "usages": ["digital signature", "server auth", "client auth", "ocsp signing"], "duration": "36h",
    });
    stage.issue("web", spec).await?;
    let pair = stage.key_pair("web-tls").await?;
    let names = &pair.leaf.names;
    ensure!(names.dns == [domain.clone(), format!("*.{domain}")], "{names:?}");
    let ips: Vec<_> = names.ips.iter().map(ToString::to_string).collect();
    ensure!(ips == ["192.0.2.7", "2001:db8::7"], "{names:?}");
    ensure!(names.uris == ["spiffe://cluster.local/ns/a/sa/b"], "{names:?}");
    ensure!(names.emails == [format!("a@{domain}")], "{names:?}");
    use KeyUsage::{ClientAuth, DigitalSignature, OcspSigning, ServerAuth};
    let usages = [DigitalSignature, ServerAuth, ClientAuth, OcspSigning].into();
    ensure!(pair.leaf.usages == usages, "{:?}", pair.leaf.usages);
    let subject = pair.leaf.subject.to_string();
    ensure!(subject == format!("SERIALNUMBER=7,CN={domain},O=Example,C=CH"), "{subject}");
    ensure!(!pair.leaf.is_ca && pair.lifetime() == 36 * 3600 && pair.is_current(), "{:?}", pair.leaf);

    let secret = stage.api::<Secret>().get("web-tls").await?;
    let annotation = |name: &str| secret.annotations().get(&format!("cert-manager.io/{name}")).cloned();
    for (name, value) in [
        ("common-name", domain.clone()),
        ("alt-names", format!("{domain},*.{domain}")),
        ("ip-sans", "192.0.2.7,2001:db8::7".to_owned()),
        ("uri-sans", "spiffe://cluster.local/ns/a/sa/b".to_owned()),
        ("email-sans", format!("a@{domain}")),
        ("subject-organizations", "Example".to_owned()),
        ("subject-countries", "CH".to_owned()),
        ("subject-serialnumber", "7".to_owned()),
    ] {
        ensure!(annotation(name) == Some(value), "{name} is {:?}", annotation(name));
    }
    Ok(())
}

#[tokio::test]
async fn a_certificate_that_may_sign_others() -> Result<()> {
    let stage = Stage::shared("authority").await?;
    stage.self_signed_issuer("issuer").await?;
    stage.issue("root", json!({ "isCA": true, "commonName": "a root", "usages": ["crl sign"] })).await?;
    let pair = stage.key_pair("root-tls").await?;
    ensure!(pair.leaf.is_ca && pair.leaf.usages == [KeyUsage::CertSign, KeyUsage::CrlSign].into(), "{:?}", pair.leaf);
    ensure!(pair.leaf.subject == pair.leaf.issuer && pair.leaf.names.is_empty(), "{:?}", pair.leaf);
    ensure!(pair.authority_pem.as_ref() == Some(&pair.chain_pem), "ca.crt is {:?}", pair.authority_pem);
    Ok(())
}

#[tokio::test]
async fn a_secret_with_labels_annotations_and_further_formats() -> Result<()> {
    let stage = Stage::shared("formats").await?;
    stage.self_signed_issuer("issuer").await?;
    let template = json!({ "labels": { "team": "shop" }, "annotations": { "note": "kept",
        "cert-manager.io/allow-direct-injection": "true" } });
    let formats = json!([{ "type": "DER" }, { "type": "CombinedPEM" }]);
    let spec = json!({ "dnsNames": [stage.domain], "secretTemplate": template, "additionalOutputFormats": formats });
    stage.issue("web", spec).await?;
    let secret = stage.api::<Secret>().get("web-tls").await?;
    let pair = stage.key_pair("web-tls").await?;
    ensure!(secret.labels().get("team").map(String::as_str) == Some("shop"), "{:?}", secret.metadata);
    for (name, value) in [("note", "kept"), ("cert-manager.io/allow-direct-injection", "true")] {
        ensure!(secret.annotations().get(name).map(String::as_str) == Some(value), "{:?}", secret.metadata);
    }
    let data = secret.data.clone().unwrap_or_default();
    let der = data.get("key.der").context("there is no key.der")?;
    let again = rcgen::KeyPair::try_from(der.0.as_slice()).context("key.der is no key")?;
    ensure!(again.subject_public_key_info() == pair.leaf.public_key.spki_der, "key.der is another key");
    let combined = data.get("tls-combined.pem").context("there is no tls-combined.pem")?;
    let (key, chain) = (pair.key_pem.trim_end(), pair.chain_pem.trim_end());
    let text = String::from_utf8(combined.0.clone())?;
    ensure!(text.starts_with(key) && text.trim_end().ends_with(chain), "{text}");

    // What is asked for no longer goes, and the certificate stays.
    stage
        .patch::<signet_api::Certificate>(
            "web",
            json!({ "spec": { "secretTemplate": null, "additionalOutputFormats": null } }),
        )
        .await?;
    stage
        .until("web-tls", "has neither label nor formats", |secret: &Secret| {
            let data = secret.data.as_ref()?;
            let left = secret.labels().contains_key("team") || secret.annotations().contains_key("note");
            (!left && !data.contains_key("key.der") && !data.contains_key("tls-combined.pem")).then_some(())
        })
        .await?;
    ensure!(stage.key_pair("web-tls").await?.chain_pem == pair.chain_pem, "it was issued again");
    Ok(())
}
