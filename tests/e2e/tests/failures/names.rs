//! Names that the CA does not sign, or that can not be proven.

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::networking::v1::Ingress;
use kube::ResourceExt;
use serde_json::{Value, json};
use signet_api::{Certificate, CertificateRequest, Challenge, Order, State};
use signet_e2e::Stage;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

fn ingress() -> Value {
    json!({ "http01": { "ingress": { "ingressClassName": "nginx" } } })
}

/// The first failure waits an hour, and an edit of the spec does not.
#[tokio::test]
async fn a_name_that_the_ca_refuses() -> Result<()> {
    let stage = Stage::shared("refused").await?;
    stage.issuer("issuer", ingress()).await?;
    stage.certificate("web", json!({ "dnsNames": [stage.domain, "refused.example"] })).await?;
    let because = "refused.example";
    let advice = ["attempt 1 failed, the next one is at", "kubectl signet renew web", "edit of the spec"];
    stage.says::<Certificate>("web", &[&["Issuing=False Failed", because], &advice[..]].concat()).await?;
    stage.says::<CertificateRequest>("web-1", &["Ready=False Failed", because]).await?;
    let order = stage.only::<Order>().await?;
    let status = order.status.context("an Order has a status")?;
    ensure!(status.state == Some(State::Errored) && status.reason.is_some_and(|why| why.contains(because)));
    let status = stage.api::<Certificate>().get("web").await?.status.context("a Certificate has a status")?;
    ensure!(status.failed_issuance_attempts == Some(1) && status.last_failure_time.is_some(), "{status:?}");
    ensure!(status.revision.is_none() && status.next_private_key_secret_name.is_none(), "{status:?}");

    stage.patch::<Certificate>("web", json!({ "spec": { "dnsNames": [stage.domain] } })).await?;
    let status = stage.ready("web").await?.status.context("a Certificate has a status")?;
    ensure!(status.revision == Some(1) && status.failed_issuance_attempts.is_none(), "{status:?}");
    ensure!(status.last_failure_time.is_none(), "{status:?}");
    stage.key_pair("web-tls").await?.verify(&stage.lab.pebble_root_pem().await?, &[&stage.domain])
}

/// Without a look of our own, the CA is the first to see that the name leads elsewhere.
#[tokio::test]
async fn a_proof_that_the_ca_does_not_find() -> Result<()> {
    let stage = Stage::shared("unproven").await?;
    let mut solver = ingress();
    solver["waitInsteadOfSelfCheck"] = json!("1s");
    stage.issuer("issuer", solver).await?;
    stage.lab.add_a(&stage.domain, "127.0.0.1").await?;
    stage.certificate("web", json!({ "dnsNames": [stage.domain] })).await?;
    let because = format!("The CA does not accept the proof for {}", stage.domain);
    stage.says::<Certificate>("web", &["Issuing=False Failed", &because, "attempt 1 failed"]).await?;
    let order = stage.only::<Order>().await?.status.context("an Order has a status")?;
    ensure!(order.state == Some(State::Invalid), "{order:?}");
    stage.none_left::<Challenge>().await?;
    stage.none_left::<Ingress>().await
}

#[tokio::test]
async fn a_name_that_leads_elsewhere() -> Result<()> {
    let stage = Stage::shared("elsewhere").await?;
    stage.issuer("issuer", ingress()).await?;
    stage.lab.add_a(&stage.domain, "127.0.0.1").await?;
    stage.certificate("web", json!({ "dnsNames": [stage.domain] })).await?;
    let challenge = stage.only::<Challenge>().await?;
    let tried = format!("GET http://{}/.well-known/acme-challenge/{}", stage.domain, challenge.spec.token);
    let name = challenge.name_any();
    stage.says::<Challenge>(&name, &["pending", &tried, "onnection refused", "Signet goes on looking"]).await?;
    let class = "has no address in its status: check that an ingress controller serves class nginx";
    stage.says::<Challenge>(&name, &[&tried, class]).await?;
    stage.told(class).await?;
    stage.lab.set_servfail(&stage.domain, true).await?;
    stage.says::<Challenge>(&name, &[&tried, "SERVFAIL"]).await?;

    stage.lab.set_servfail(&stage.domain, false).await?;
    stage.lab.clear_a(&stage.domain).await?;
    stage.ready("web").await.map(drop)
}

/// Something else answers at the name's address, in two ways.
#[tokio::test]
async fn a_name_that_another_server_has() -> Result<()> {
    let stage = Stage::shared("another").await?;
    stage.issuer("issuer", ingress()).await?;
    let (missing, page) = (format!("a.{}", stage.domain), format!("b.{}", stage.domain));
    let address = Other::start(vec![(missing.clone(), "404 Not Found"), (page.clone(), "200 OK")]).await?;
    for (name, words) in [(&missing, "answered 404 Not Found"), (&page, "another server has the name")] {
        stage.lab.add_a(name, &address).await?;
        let certificate = &name[..1];
        stage.certificate(certificate, json!({ "dnsNames": [name] })).await?;
        let of_it = |challenge: &Challenge| challenge.spec.dns_name == *name;
        let found = async || Ok(stage.list::<Challenge>().await?.into_iter().find(of_it));
        let challenge = stage.eventually("the Challenge is there", found).await?.name_any();
        let tried = format!("GET http://{name}/.well-known/acme-challenge/");
        stage.says::<Challenge>(&challenge, &[&tried, words, "Signet goes on looking"]).await?;
    }
    Ok(())
}

/// A web server at a loopback address of its own, on port 80, which answers each host with a status.
struct Other;

impl Other {
    async fn start(hosts: Vec<(String, &'static str)>) -> Result<String> {
        let [_, _, high, low] = std::process::id().to_be_bytes();
        let address = format!("127.254.{high}.{low}");
        let listener = TcpListener::bind((address.as_str(), 80)).await?;
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = vec![0; 4096];
                let read = stream.read(&mut request).await.unwrap_or(0);
                let request = String::from_utf8_lossy(&request[..read]).to_lowercase();
                let status =
                    hosts.iter().find(|(host, _)| request.contains(host)).map_or("500 Odd", |(_, status)| status);
                let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 4\r\nConnection: close\r\n\r\npage");
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        Ok(address)
    }
}

/// A common name that could be a name becomes one; what can not is refused before any order.
#[tokio::test]
async fn common_names_of_acme_certificates() -> Result<()> {
    let stage = Stage::shared("common").await?;
    stage.issuer("issuer", ingress()).await?;
    let other = format!("other.{}", stage.domain);
    stage.certificate("name", json!({ "dnsNames": [stage.domain], "commonName": other })).await?;
    stage.certificate("words", json!({ "dnsNames": [stage.domain], "commonName": "a web server" })).await?;
    let words = ["Ready=False Failed", "a web server is not", "add it there, or leave it out"];
    stage.says::<CertificateRequest>("words-1", &words).await?;
    stage.says::<Certificate>("words", &["Issuing=False Failed", "a web server is not"]).await?;
    stage.ready("name").await?;
    stage.key_pair("name-tls").await?.verify(&stage.lab.pebble_root_pem().await?, &[&stage.domain, &other])?;
    ensure!(stage.list::<Order>().await?.len() == 1, "the other one was ordered");
    Ok(())
}

#[tokio::test]
async fn names_that_acme_does_not_know() -> Result<()> {
    let stage = Stage::shared("kinds").await?;
    stage.issuer("issuer", ingress()).await?;
    let spec = json!({ "dnsNames": [stage.domain], "emailAddresses": [format!("a@{}", stage.domain)] });
    stage.certificate("web", spec).await?;
    stage.says::<Certificate>("web", &["Issuing=False Failed", "the request has email addresses too"]).await?;
    let spec = json!({ "dnsNames": [format!("*.{}", stage.domain)] });
    stage.certificate("wild", spec).await?;
    let words = ["Issuing=False Failed", "No solver of the issuer fits *.", "http01 ingress"];
    stage.says::<Certificate>("wild", &words).await.map(drop)
}
