//! The lists of CA issuers, judged by openssl.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Secret;
use serde_json::{Value, json};
use signet_api::{Certificate, Issuer, labels};
use signet_e2e::Stage;
use signet_lab::Port;

use crate::{annotate, revoke, serial, told};

/// An authority that may sign lists, and Issuer `ca` with these annotations.
async fn ca(stage: &Stage<'_>, usages: &[&str], annotations: Value) -> Result<()> {
    stage.self_signed_issuer("first").await?;
    let root = json!({ "isCA": true, "commonName": "root", "issuerRef": { "name": "first" }, "usages": usages,
        "privateKey": { "algorithm": "ECDSA" } });
    stage.issue("root", root).await?;
    stage.create::<Issuer>("ca", json!({ "ca": { "secretName": "root-tls" } })).await?;
    stage.patch::<Issuer>("ca", json!({ "metadata": { "annotations": annotations } })).await?;
    stage.issuer_ready("ca").await
}

async fn leaf(stage: &Stage<'_>, name: &str) -> Result<String> {
    let spec =
        json!({ "dnsNames": [stage.domain], "issuerRef": { "name": "ca" }, "privateKey": { "algorithm": "ECDSA" } });
    stage.issue(name, spec).await?;
    serial(stage, name).await
}

/// The values of a Secret, as text.
async fn values(stage: &Stage<'_>, secret: &str) -> Result<BTreeMap<String, String>> {
    let data = stage.api::<Secret>().get(secret).await?.data.unwrap_or_default();
    data.into_iter().map(|(name, value)| Ok((name, String::from_utf8(value.0)?))).collect()
}

/// The number of the list, once `condition` holds of what it says.
async fn list(stage: &Stage<'_>, what: &str, condition: impl Fn(&Value) -> bool) -> Result<u64> {
    stage
        .eventually(&format!("the list {what}"), async || {
            let said: Value =
                serde_json::from_str(values(stage, "revoked").await?.get("list.json").context("no list")?)?;
            ensure!(condition(&said), "it says {said}");
            Ok(Some(said["number"].as_u64().context("a list has a number")?))
        })
        .await
}

/// A folder with the files that openssl is to read.
struct Folder(PathBuf);

impl Folder {
    fn new(stage: &Stage<'_>) -> Result<Self> {
        let path = stage.lab.site().path(format!("openssl-{}", stage.namespace));
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    fn put(&self, name: &str, content: impl AsRef<[u8]>) -> Result<()> {
        Ok(fs::write(self.0.join(name), content)?)
    }

    /// What openssl says, and whether it was content.
    fn openssl(&self, arguments: &[&str]) -> Result<(bool, String)> {
        let output = Command::new("openssl").args(arguments).current_dir(&self.0).output().context("run openssl")?;
        let text = [output.stdout, output.stderr].concat();
        Ok((output.status.success(), String::from_utf8_lossy(&text).into_owned()))
    }

    /// Checks a certificate against the list, as a client does.
    fn verify(&self, certificate: &str) -> Result<(bool, String)> {
        self.openssl(&["verify", "-crl_check", "-CAfile", "root.pem", "-CRLfile", "list.pem", certificate])
    }
}

/// A GET at the address where HTTP-01 is answered.
fn get(stage: &Stage<'_>, path: &str) -> Result<(String, Vec<u8>)> {
    let mut stream = TcpStream::connect(stage.lab.site().at(Port::Http01))?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: crl.example\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let end = answer.windows(4).position(|part| part == b"\r\n\r\n").context("an answer has a head")?;
    Ok((String::from_utf8(answer[..end].to_vec())?.to_ascii_lowercase(), answer.split_off(end + 4)))
}

#[tokio::test]
async fn what_is_revoked_is_listed_signed_and_served() -> Result<()> {
    let stage = Stage::shared("list").await?;
    let annotations = json!({ labels::CRL_SECRET_NAME: "revoked", labels::CRL_SERVED: "true" });
    ca(&stage, &["cert sign", "crl sign"], annotations).await?;
    let path = format!("/crl/{}/ca.crl", stage.namespace);
    stage.says::<Issuer>("ca", &["RevocationList=True Kept", "ca.crl of Secret", &path]).await?;
    let (bad, good) = (leaf(&stage, "bad").await?, leaf(&stage, "good").await?);
    let folder = Folder::new(&stage)?;
    folder.put("root.pem", stage.key_pair("root-tls").await?.chain_pem)?;
    for name in ["bad", "good"] {
        folder.put(name, stage.key_pair(&format!("{name}-tls")).await?.chain_pem)?;
    }
    let first = list(&stage, "is empty", |list| list["revoked"] == json!([])).await?;
    folder.put("list.pem", &values(&stage, "revoked").await?["ca.crl"])?;
    ensure!(folder.verify("bad")?.0, "{:?}", folder.verify("bad")?);

    let error = revoke(&stage, "bad", &["--with-certificate-key"]).await;
    ensure!(error.is_ok(), "what only the controller knows is told by the controller");
    stage
        .says::<Certificate>("bad", &["Revoked=False CanNotRevoke", "withCertificateKey is for issuers of type acme"])
        .await?;
    revoke(&stage, "bad", &["--reason", "keyCompromise"]).await?;
    told(&stage, "bad", &bad, "keyCompromise").await?;
    let second = list(&stage, "has one entry", |list| list["revoked"][0]["serial"] == bad.as_str()).await?;
    ensure!(second > first, "the list after {first} is {second}");
    let pem = values(&stage, "revoked").await?["ca.crl"].clone();
    folder.put("list.pem", &pem)?;
    let (taken, said) = folder.verify("bad")?;
    ensure!(!taken && said.contains("certificate revoked"), "openssl says: {said}");
    ensure!(folder.verify("good")?.0, "{:?}", folder.verify("good")?);
    let (_, text) = folder.openssl(&["crl", "-in", "list.pem", "-noout", "-text"])?;
    let number = format!("X509v3 CRL Number: \n                {second}");
    ensure!(text.contains("Key Compromise") && text.contains(&number), "{text}");

    let (head, der) = get(&stage, &path)?;
    ensure!(head.starts_with("http/1.0 200") && head.contains("application/pkix-crl"), "{head}");
    folder.put("list.der", der)?;
    let (_, read) = folder.openssl(&["crl", "-inform", "der", "-in", "list.der"])?;
    ensure!(read.trim() == pem.trim(), "what is served is not what is kept: {read}");
    let (head, _) = get(&stage, &format!("/crl/{}/first.crl", stage.namespace))?;
    ensure!(head.starts_with("http/1.0 404"), "{head}");

    // With the Certificate, and through a new Issuer of the same name.
    annotate(&stage, "good", labels::REVOKE_WHEN, Some("deleted")).await?;
    let held = |certificate: &Certificate| certificate.metadata.finalizers.clone();
    stage.until("good", "is held", held).await?;
    stage.delete::<Certificate>("good").await?;
    list(&stage, "has two entries", |list| list["revoked"][1]["serial"] == good.as_str()).await?;
    stage.revision("bad", 2).await?;
    let again = stage.key_pair("bad-tls").await?;
    folder.put("again", again.chain_pem)?;
    folder.put("list.pem", &values(&stage, "revoked").await?["ca.crl"])?;
    ensure!(folder.verify("again")?.0 && !folder.verify("good")?.0, "{:?}", folder.verify("good")?);
    Ok(())
}

#[tokio::test]
async fn a_cluster_issuer_keeps_its_list_where_its_key_is() -> Result<()> {
    let stage = Stage::shared("cluster-list").await?;
    let name = &stage.namespace;
    let first = json!({ "apiVersion": "cert-manager.io/v1", "kind": "ClusterIssuer",
        "metadata": { "name": format!("{name}-first") }, "spec": { "selfSigned": {} } });
    let root = json!({ "apiVersion": "cert-manager.io/v1", "kind": "Certificate",
        "metadata": { "name": name, "namespace": "cert-manager" },
        "spec": { "secretName": name, "isCA": true, "commonName": name, "usages": ["cert sign", "crl sign"],
            "issuerRef": { "name": format!("{name}-first"), "kind": "ClusterIssuer" } } });
    let annotations = json!({ labels::CRL_SECRET_NAME: format!("{name}-crl"), labels::CRL_SERVED: "true" });
    let issuer = json!({ "apiVersion": "cert-manager.io/v1", "kind": "ClusterIssuer",
        "metadata": { "name": name, "annotations": annotations }, "spec": { "ca": { "secretName": name } } });
    for object in [first, root, issuer] {
        stage.lab.apply(&object.to_string()).await?;
    }
    stage.cluster_issuer_ready(name).await?;
    let reference = json!({ "name": name, "kind": "ClusterIssuer" });
    stage.issue("web", json!({ "dnsNames": [stage.domain], "issuerRef": reference })).await?;
    let old = serial(&stage, "web").await?;
    let path = format!("/crl/{name}.crl");
    let (head, before) = get(&stage, &path)?;
    ensure!(head.starts_with("http/1.0 200"), "{head}");
    revoke(&stage, "web", &["--reason", "superseded"]).await?;
    told(&stage, "web", &old, "superseded").await?;
    let (_, after) = get(&stage, &path)?;
    ensure!(after.len() > before.len(), "the list that is served has not grown");
    stage.lab.kubectl(["get", "secret", &format!("{name}-crl"), "--namespace=cert-manager"]).await.map(drop)
}

#[tokio::test]
async fn a_list_is_renewed_before_it_ends_and_needs_an_authority_that_may_sign_it() -> Result<()> {
    let stage = Stage::shared("renewed").await?;
    let annotations = json!({ labels::CRL_SECRET_NAME: "revoked", labels::CRL_DURATION: "soon" });
    ca(&stage, &["cert sign"], annotations).await?;
    let words = ["Ready=True", "RevocationList=False", "metadata.annotations[signet.dev/crl-duration]"];
    stage.says::<Issuer>("ca", &words).await?;
    let brief = json!({ "metadata": { "annotations": { labels::CRL_DURATION: "1m" } } });
    stage.patch::<Issuer>("ca", brief).await?;
    let words = ["Ready=True", "RevocationList=False", "key usages without `crl sign`", "root-tls"];
    stage.says::<Issuer>("ca", &words).await?;

    let usages = json!({ "spec": { "usages": ["cert sign", "crl sign"] } });
    stage.patch::<Certificate>("root", usages).await?;
    stage.says::<Issuer>("ca", &["RevocationList=True Kept"]).await?;
    let first = list(&stage, "is there", |_| true).await?;
    // It is good for a minute, and renewed after half of that.
    list(&stage, "is renewed", |list| list["number"].as_u64() > Some(first)).await?;

    // A Secret that is something else is left alone.
    stage.secret("precious", &[("a", "b")]).await?;
    let other = json!({ "metadata": { "annotations": { labels::CRL_SECRET_NAME: "precious" } } });
    stage.patch::<Issuer>("ca", other).await?;
    stage
        .says::<Issuer>("ca", &["RevocationList=False", "/precious is there and is not the list of Issuer ca"])
        .await?;
    ensure!(values(&stage, "precious").await?.len() == 1);
    let none = json!({ "metadata": { "annotations": { labels::CRL_SECRET_NAME: null } } });
    stage.patch::<Issuer>("ca", none).await?;
    let is_forgotten = |issuer: &Issuer| (issuer.status.as_ref()?.conditions.len() == 1).then_some(());
    stage.until("ca", "says nothing of a list", is_forgotten).await
}
