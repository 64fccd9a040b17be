//! TLS-ALPN-01 through a real gateway, which passes the CA's handshake through and goes on serving everyone else.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::networking::v1::Ingress;
use serde_json::{Value, json};
use signet_api::Challenge;
use signet_e2e::{Stage, TlsRoute};

use crate::guide::https;
use crate::stage;

fn route() -> Value {
    let parent = json!({ "name": "contour", "namespace": "projectcontour", "sectionName": "tls" });
    json!({ "tlsALPN01": { "tlsroute": { "parentRefs": [parent] } } })
}

/// Serves `www` of the stage's domain over HTTPS, with a certificate by HTTP-01.
async fn serve(stage: &Stage<'_>, www: &str, root: &str) -> Result<()> {
    stage.issuer("http01", json!({ "http01": { "ingress": { "ingressClassName": "nginx" } } })).await?;
    stage.lab.deploy_web(&stage.namespace).await?;
    stage.issue("www", json!({ "dnsNames": [www], "issuerRef": { "name": "http01" } })).await?;
    stage.create::<Ingress>("www", https(www, "www-tls")).await?;
    stage.eventually("the page is served", async || stage.lab.page(www, root).await.map(Some)).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_passes_the_proof_and_serves_everyone_else() -> Result<()> {
    let stage = stage("tlsalpn").await?;
    let (root, www) = (stage.lab.pebble_root_pem().await?, format!("www.{}", stage.domain));
    serve(&stage, &www, &root).await?;
    stage.issuer("issuer", route()).await?;
    let routes = stage.watch::<TlsRoute>().await?;

    let issued = AtomicBool::new(false);
    let visitor = async {
        let mut visits = 0;
        while !issued.load(Ordering::Relaxed) {
            let page = stage.lab.page(&www, &root).await.context("a visitor was sent away")?;
            ensure!(page.status == 200, "a visitor saw {}", page.status);
            visits += 1;
        }
        Ok::<_, anyhow::Error>(visits)
    };
    let owner = async {
        let names = [stage.domain.clone(), format!("shop.{}", stage.domain)];
        stage.issue("web", json!({ "dnsNames": names })).await?;
        stage.none_left::<Challenge>().await?;
        issued.store(true, Ordering::Relaxed);
        stage.key_pair("web-tls").await?.verify(&root, &names.each_ref().map(String::as_str))
    };
    let (visits, ()) = tokio::try_join!(visitor, owner)?;
    ensure!(visits > 5, "only {visits} visits were made");
    stage.none_left::<TlsRoute>().await?;
    ensure!(routes.so_far().len() == 2, "{:?}", routes.so_far().keys());
    Ok(())
}
