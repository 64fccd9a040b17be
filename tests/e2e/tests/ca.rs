//! CA issuers: the usual bootstrap out of a self-signed certificate, what an issuance costs, and a
//! key pair that comes late, changes, or is none.

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};
use signet_api::{Certificate, CertificateRequest, Issuer, labels};
use signet_e2e::Stage;

/// What Signet writes for a certificate: the next key and its removal, the request and its outcome,
/// the Secret, and the status.
const WRITES: usize = 6;

/// A root that somebody made without Signet, as the values of its Secret.
struct Root {
    certificate: String,
    key: String,
}

impl Root {
    fn new(name: &str) -> Result<Self> {
        let key = KeyPair::generate()?;
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.distinguished_name.push(DnType::CommonName, name);
        Ok(Self { certificate: parameters.self_signed(&key)?.pem(), key: key.serialize_pem() })
    }
}

/// Puts a certificate and a key into Secret `root`.
async fn put(stage: &Stage<'_>, certificate: &str, key: &str) -> Result<()> {
    stage.secret("root", &[("tls.crt", certificate), ("tls.key", key)]).await
}

/// Makes Issuer `name` of the authority in a Secret, and waits until it is Ready.
async fn issuer(stage: &Stage<'_>, name: &str, secret: &str) -> Result<()> {
    stage.create::<Issuer>(name, json!({ "ca": { "secretName": secret } })).await?;
    stage.issuer_ready(name).await
}

fn leaf(stage: &Stage<'_>, issuer: &str) -> Value {
    json!({ "dnsNames": [stage.domain], "issuerRef": { "name": issuer }, "privateKey": { "algorithm": "ECDSA" } })
}

fn authority(issuer: &Value, name: &str) -> Value {
    json!({ "isCA": true, "commonName": name, "issuerRef": issuer, "privateKey": { "algorithm": "ECDSA" } })
}

/// Checks that a client who trusts `root` takes what is in Secret `<name>-tls`, which names the root.
async fn verify(stage: &Stage<'_>, name: &str, root: &str, links: usize) -> Result<()> {
    let pair = stage.key_pair(&format!("{name}-tls")).await?;
    ensure!(pair.authority_pem.as_deref() == Some(root), "ca.crt is {:?}", pair.authority_pem);
    let sent = pair.chain_pem.matches("BEGIN CERTIFICATE").count();
    ensure!(sent == links, "tls.crt has {sent} certificates, not {links}");
    pair.verify(root, &[&stage.domain])
}

fn writes(stage: &Stage<'_>) -> Vec<String> {
    let own = |entry: &signet_lab::Entry| entry.namespace == stage.namespace && entry.resource != "events";
    let written = stage.lab.audit_of_signet().into_iter().filter(own);
    written.map(|one| format!("{} {}/{} {}", one.verb, one.resource, one.subresource, one.name)).collect()
}

/// Waits until no key of an issuance is left, which is the last thing that is taken away.
async fn tidy(stage: &Stage<'_>) -> Result<()> {
    let what = format!("no spare key is left in {}", stage.namespace);
    stage
        .eventually(&what, async || {
            let left = stage.list::<Secret>().await?;
            Ok((!left.iter().any(|secret| secret.labels().contains_key(labels::NEXT_PRIVATE_KEY))).then_some(()))
        })
        .await
}

#[tokio::test]
async fn the_usual_bootstrap() -> Result<()> {
    let stage = Stage::shared("bootstrap").await?;
    let first = &stage.namespace;
    let manifest = json!({ "apiVersion": "cert-manager.io/v1", "kind": "ClusterIssuer",
        "metadata": { "name": first }, "spec": { "selfSigned": {} } });
    stage.lab.apply(&manifest.to_string()).await?;
    stage.cluster_issuer_ready(first).await?;
    stage.issue("root", authority(&json!({ "name": first, "kind": "ClusterIssuer" }), "the root")).await?;
    let root = stage.key_pair("root-tls").await?;
    issuer(&stage, "issuer", "root-tls").await?;
    tidy(&stage).await?;

    let before = writes(&stage).len();
    stage.issue("web", leaf(&stage, "issuer")).await?;
    tidy(&stage).await?;
    let written = writes(&stage).split_off(before);
    ensure!(written.len() == WRITES, "{written:#?}");
    verify(&stage, "web", &root.chain_pem, 1).await?;

    // An authority below it is sent along; the root stays what clients trust.
    stage.issue("below", authority(&json!({ "name": "issuer" }), "below the root")).await?;
    issuer(&stage, "below", "below-tls").await?;
    stage.issue("deep", leaf(&stage, "below")).await?;
    verify(&stage, "deep", &root.chain_pem, 2).await
}

#[tokio::test]
async fn a_key_pair_that_comes_late_and_changes() -> Result<()> {
    let stage = Stage::shared("late").await?;
    stage.create::<Issuer>("issuer", json!({ "ca": { "secretName": "root" } })).await?;
    let place = format!("{}/root", stage.namespace);
    stage.says::<Issuer>("issuer", &["Ready=False ErrGetKeyPair", "There is no Secret", &place]).await?;
    stage.certificate("web", leaf(&stage, "issuer")).await?;
    stage.says::<CertificateRequest>("web-1", &["Ready=False Pending", "Issuer issuer is not ready", &place]).await?;
    let (one, two) = (Root::new("one")?, Root::new("two")?);
    put(&stage, &one.certificate, &one.key).await?;
    stage.says::<Issuer>("issuer", &["Ready=True KeyPairVerified", &place]).await?;
    stage.ready("web").await?;
    verify(&stage, "web", &one.certificate, 1).await?;

    // Rotated: what is issued from now on is of the new one, and what is issued stays.
    put(&stage, &two.certificate, &two.key).await?;
    stage.issue("new", leaf(&stage, "issuer")).await?;
    verify(&stage, "new", &two.certificate, 1).await?;
    verify(&stage, "web", &one.certificate, 1).await?;

    let plain = CertificateParams::new([stage.domain.clone()])?;
    let plain = plain.self_signed(&KeyPair::from_pem(&two.key)?)?.pem();
    for (name, certificate, key, words) in [
        ("a", two.certificate.as_str(), one.key.as_str(), "is not the one of the certificate"),
        ("b", plain.as_str(), two.key.as_str(), "may not sign others"),
        ("c", "no PEM", two.key.as_str(), "tls.crt in Secret"),
        ("d", two.certificate.as_str(), "no PEM", "tls.key in Secret"),
    ] {
        put(&stage, certificate, key).await?;
        stage.says::<Issuer>("issuer", &["Ready=False ErrInvalidKeyPair", words, &place]).await?;
        stage.certificate(name, leaf(&stage, "issuer")).await?;
        let request = format!("{name}-1");
        stage.says::<CertificateRequest>(&request, &["Ready=False Pending", words]).await?;
        put(&stage, &one.certificate, &one.key).await?;
        stage.ready(name).await?;
        verify(&stage, name, &one.certificate, 1).await?;
    }
    stage.delete::<Secret>("root").await?;
    stage.says::<Issuer>("issuer", &["Ready=False ErrGetKeyPair", &place]).await.map(drop)
}

#[tokio::test]
async fn an_authority_that_is_issued_anew_signs_at_once() -> Result<()> {
    let stage = Stage::shared("anew").await?;
    stage.self_signed_issuer("first").await?;
    stage.issue("root", authority(&json!({ "name": "first" }), "one")).await?;
    issuer(&stage, "issuer", "root-tls").await?;
    stage.patch::<Certificate>("root", json!({ "spec": { "commonName": "two" } })).await?;
    stage.revision("root", 2).await?;
    let root = stage.key_pair("root-tls").await?;
    ensure!(root.leaf.subject.to_string() == "CN=two", "{}", root.leaf.subject);
    stage.issue("web", leaf(&stage, "issuer")).await?;
    verify(&stage, "web", &root.chain_pem, 1).await?;
    // Also when somebody else puts another pair into a Secret that is Signet's.
    let other = Root::new("other")?;
    stage.delete::<Certificate>("root").await?;
    stage.secret("root-tls", &[("tls.crt", &other.certificate), ("tls.key", "no PEM")]).await?;
    stage.says::<Issuer>("issuer", &["Ready=False ErrInvalidKeyPair", "tls.key in Secret"]).await?;
    stage.secret("root-tls", &[("tls.crt", &other.certificate), ("tls.key", &other.key)]).await?;
    stage.issuer_ready("issuer").await?;
    stage.issue("new", leaf(&stage, "issuer")).await?;
    stage.key_pair("new-tls").await?.verify(&other.certificate, &[&stage.domain])
}

#[tokio::test]
async fn a_cluster_issuer_with_addresses_and_an_end() -> Result<()> {
    let stage = Stage::shared("cluster").await?;
    let name = &stage.namespace;
    let root = json!({ "apiVersion": "cert-manager.io/v1", "kind": "Certificate",
        "metadata": { "name": name, "namespace": "cert-manager" },
        "spec": { "secretName": name, "isCA": true, "commonName": "short", "duration": "2h",
            "issuerRef": { "name": format!("{name}-first"), "kind": "ClusterIssuer" } } });
    let url = |path: &str| format!("http://pki.example/{name}/{path}");
    let ca = json!({ "secretName": name, "crlDistributionPoints": [url("crl")], "ocspServers": [url("ocsp")],
        "issuingCertificateURLs": [url("ca")] });
    for (name, spec) in [(format!("{name}-first"), json!({ "selfSigned": {} })), (name.clone(), json!({ "ca": ca }))] {
        let issuer = json!({ "apiVersion": "cert-manager.io/v1", "kind": "ClusterIssuer",
            "metadata": { "name": name }, "spec": spec });
        stage.lab.apply(&issuer.to_string()).await?;
    }
    stage.lab.apply(&root.to_string()).await?;
    stage.cluster_issuer_ready(name).await?;
    let reference = json!({ "name": name, "kind": "ClusterIssuer" });
    stage.issue("web", json!({ "dnsNames": [stage.domain], "issuerRef": reference })).await?;
    let pair = stage.key_pair("web-tls").await?;
    let root = pair.authority_pem.as_deref().context("there is no ca.crt")?;
    pair.verify(root, &[&stage.domain])?;
    let end =
        signet_core::pki::CertificateFacts::from_der(&CertificateDer::from_pem_slice(root.as_bytes())?)?.not_after;
    ensure!(pair.leaf.not_after == end, "it ends at {}, its authority at {end}", pair.leaf.not_after);
    let der = CertificateDer::from_pem_slice(pair.chain_pem.as_bytes())?;
    for url in ["crl", "ocsp", "ca"].map(url) {
        ensure!(der.windows(url.len()).any(|part| part == url.as_bytes()), "{url} is not in the certificate");
    }
    Ok(())
}
