//! Names, labels, annotations, owners and finalizers by which tools made for cert-manager know its
//! objects. Each object is caught while something holds the issuance up.

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Secret;
use kube::{Resource, ResourceExt};
use serde_json::json;
use signet_api::{Certificate, CertificateRequest, Challenge, ChallengeType, Order, labels};
use signet_e2e::Stage;

/// Whether `owner` is the controller of `object`.
fn is_controlled<O: Resource, K: Resource<DynamicType = ()>>(object: &O, owner: &K) -> bool {
    let [reference] = object.owner_references() else { return false };
    reference.kind == K::kind(&())
        && Some(&reference.uid) == owner.meta().uid.as_ref()
        && reference.controller == Some(true)
        && reference.block_owner_deletion == Some(true)
}

fn annotation<'a>(object: &'a impl Resource, name: &str) -> Option<&'a str> {
    object.annotations().get(name).map(String::as_str)
}

/// A request that waits for its issuer, with the key that it was made with.
#[tokio::test]
async fn a_request_and_its_key() -> Result<()> {
    let stage = Stage::shared("marks").await?;
    let manifest = json!({ "apiVersion": "cert-manager.io/v1", "kind": "Certificate",
        "metadata": { "name": "web", "namespace": stage.namespace, "labels": { "team": "shop" },
            "annotations": { "example.com/note": "copied" } },
        "spec": { "secretName": "web-tls", "issuerRef": { "name": "later" }, "dnsNames": [stage.domain] } });
    stage.lab.apply(&manifest.to_string()).await?;
    let request = stage.only::<CertificateRequest>().await?;
    stage.says::<CertificateRequest>("web-1", &["Approved=True cert-manager.io", "later"]).await?;
    let certificate = stage.api::<Certificate>().get("web").await?;
    ensure!(request.name_any() == "web-1" && is_controlled(&request, &certificate), "{:?}", request.metadata);
    ensure!(request.labels().get("team").map(String::as_str) == Some("shop"), "{:?}", request.metadata);
    let next = |certificate: &Certificate| certificate.status.as_ref()?.next_private_key_secret_name.clone();
    let next = stage.until("web", "names the Secret of the next key", next).await?;
    for (name, value) in [
        (labels::CERTIFICATE_NAME, "web"),
        (labels::CERTIFICATE_REVISION, "1"),
        (labels::PRIVATE_KEY_SECRET_NAME, &next),
        ("example.com/note", "copied"),
    ] {
        ensure!(annotation(&request, name) == Some(value), "{name}: {:?}", request.metadata);
    }
    let applied = annotation(&request, "kubectl.kubernetes.io/last-applied-configuration");
    ensure!(applied.is_none(), "what kubectl noted of the Certificate is no business of the request");

    let key = stage.api::<Secret>().get(&next).await?;
    let certificate = stage.api::<Certificate>().get("web").await?;
    ensure!(next.starts_with("web-") && is_controlled(&key, &certificate), "{:?}", key.metadata);
    for name in [labels::NEXT_PRIVATE_KEY, labels::WATCHED] {
        ensure!(key.labels().get(name).map(String::as_str) == Some("true"), "{:?}", key.metadata);
    }
    let pem = key.data.unwrap_or_default().remove("tls.key").context("the Secret holds a key")?;
    ensure!(pem.0.starts_with(b"-----BEGIN PRIVATE KEY-----"), "the next key is in PKCS #8");

    stage.self_signed_issuer("later").await?;
    stage.ready("web").await?;
    let secret = stage.api::<Secret>().get("web-tls").await?;
    ensure!(secret.type_.as_deref() == Some("kubernetes.io/tls"), "{:?}", secret.type_);
    ensure!(secret.owner_references().is_empty(), "the Secret outlives its Certificate: {:?}", secret.metadata);
    ensure!(secret.labels().get(labels::WATCHED).map(String::as_str) == Some("true"), "{:?}", secret.metadata);
    for (name, value) in [
        (labels::CERTIFICATE_NAME, "web"),
        (labels::ISSUER_NAME, "later"),
        (labels::ISSUER_KIND, "Issuer"),
        (labels::ISSUER_GROUP, "cert-manager.io"),
        (labels::COMMON_NAME, ""),
        (labels::ALT_NAMES, &stage.domain),
        (labels::IP_SANS, ""),
        (labels::URI_SANS, ""),
    ] {
        ensure!(annotation(&secret, name) == Some(value), "{name}: {:?}", secret.metadata);
    }
    ensure!(annotation(&secret, labels::EMAIL_SANS).is_none(), "{:?}", secret.metadata);
    stage
        .eventually("the next key is gone", async || {
            Ok(stage.api::<Secret>().get_opt(&next).await?.is_none().then_some(()))
        })
        .await
}

/// An order that waits for a name that leads elsewhere.
#[tokio::test]
async fn an_order_and_its_challenge() -> Result<()> {
    let stage = Stage::shared("marks").await?;
    stage.issuer("issuer", json!({ "http01": { "ingress": { "ingressClassName": "nginx" } } })).await?;
    stage.lab.add_a(&stage.domain, "127.0.0.1").await?;
    stage.certificate("web", json!({ "dnsNames": [stage.domain], "commonName": stage.domain })).await?;
    let challenge = stage.only::<Challenge>().await?;
    let order = stage.only::<Order>().await?;
    let request = stage.only::<CertificateRequest>().await?;

    ensure!(is_controlled(&order, &request) && is_controlled(&challenge, &order), "{:?}", challenge.metadata);
    let tail = |name: &str, head: &str| {
        let number = name.strip_prefix(head).and_then(|rest| rest.strip_prefix('-')).map(str::parse::<u32>);
        number.is_some_and(|number| number.is_ok())
    };
    ensure!(tail(&order.name_any(), "web-1"), "Order {}", order.name_any());
    ensure!(tail(&challenge.name_any(), &order.name_any()), "Challenge {}", challenge.name_any());
    ensure!(challenge.finalizers() == ["acme.cert-manager.io/finalizer"], "{:?}", challenge.metadata);
    for object in [order.metadata.clone(), challenge.metadata.clone()] {
        let annotations = object.annotations.clone().unwrap_or_default();
        ensure!(annotations.get(labels::CERTIFICATE_NAME).map(String::as_str) == Some("web"), "{object:?}");
    }
    ensure!(order.spec.dns_names == [stage.domain.clone()], "{:?}", order.spec);
    ensure!(order.spec.common_name.as_ref() == Some(&stage.domain), "{:?}", order.spec);
    ensure!(order.spec.request == request.spec.request, "the Order asks for what the request asks for");
    let spec = &challenge.spec;
    ensure!(spec.type_ == ChallengeType::Http01 && spec.dns_name == stage.domain && !spec.wildcard, "{spec:?}");
    ensure!(spec.key.starts_with(&format!("{}.", spec.token)), "the key of HTTP-01 is a key authorization: {spec:?}");

    stage.lab.clear_a(&stage.domain).await?;
    stage.ready("web").await?;
    stage.none_left::<Challenge>().await?;
    let order = stage.only::<Order>().await?;
    let said = order.status.context("an Order has a status")?;
    ensure!(said.url.is_some() && said.finalize_url.is_some() && said.certificate.is_some(), "{said:?}");
    Ok(())
}
