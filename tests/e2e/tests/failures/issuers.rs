//! Issuers that are not there, not right, or not for this.

use anyhow::Result;
use serde_json::json;
use signet_api::{Certificate, CertificateRequest, Issuer};
use signet_e2e::Stage;

#[tokio::test]
async fn an_issuer_that_comes_later() -> Result<()> {
    let stage = Stage::shared("later").await?;
    let namespace = &stage.namespace;
    stage.certificate("any", json!({ "dnsNames": [stage.domain] })).await?;
    stage
        .certificate("one", json!({ "dnsNames": [stage.domain], "issuerRef": { "name": "issuer", "kind": "Issuer" } }))
        .await?;
    let neither = format!("There is neither an Issuer issuer in namespace {namespace} nor a ClusterIssuer issuer");
    stage.says::<CertificateRequest>("any-1", &["Ready=False Pending", &neither]).await?;
    let none = format!("There is no Issuer issuer in namespace {namespace}");
    stage.says::<CertificateRequest>("one-1", &["Ready=False Pending", &none]).await?;
    stage.says::<Certificate>("any", &["Issuing=True DoesNotExist", "Ready=False DoesNotExist", "any-tls"]).await?;

    stage.self_signed_issuer("issuer").await?;
    stage.ready("any").await?;
    stage.ready("one").await.map(drop)
}

#[tokio::test]
async fn a_plugin_that_nobody_installed() -> Result<()> {
    let stage = Stage::shared("plugin").await?;
    for (name, solver, words) in [
        (
            "dns",
            json!({ "dns01": { "cumulus": { "a": 1 } } }),
            ["dns01.cumulus: no plugin cumulus solves DNS-01", "route53"],
        ),
        (
            "http",
            json!({ "http01": { "stratus": {} } }),
            ["http01.stratus: no plugin stratus solves HTTP-01", "ingress"],
        ),
        ("other", json!({ "dns01": { "ingress": {} } }), ["dns01.ingress: no plugin ingress solves DNS-01", "route53"]),
    ] {
        stage.create::<Issuer>(name, json!({ "acme": stage.acme(name, solver) })).await?;
        let [what, known] = words;
        let words = [
            "Ready=False InvalidSolver",
            "spec.acme.solvers[0]",
            what,
            known,
            "install the plugin or correct the name",
        ];
        stage.says::<Issuer>(name, &words).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_config_that_breaks_the_plugins_schema() -> Result<()> {
    let stage = Stage::shared("config").await?;
    let solvers = json!([
        { "http01": { "ingress": { "ingressClassName": "nginx" } } },
        { "dns01": { "route53": { "region": "US EAST" } } },
    ]);
    let mut acme = stage.acme("issuer", json!({}));
    acme["solvers"] = solvers;
    stage.create::<Issuer>("issuer", json!({ "acme": acme })).await?;
    let field = "spec.acme.solvers[1].dns01.route53.region: ";
    stage.says::<Issuer>("issuer", &["Ready=False InvalidSolver", field, "US EAST"]).await?;
    stage.certificate("web", json!({ "dnsNames": [stage.domain] })).await?;
    stage.says::<CertificateRequest>("web-1", &["Issuer issuer is not ready", field]).await?;

    acme["solvers"][1]["dns01"]["route53"]["region"] = json!("us-east-1");
    stage.patch::<Issuer>("issuer", json!({ "spec": { "acme": acme } })).await?;
    stage.issuer_ready("issuer").await?;
    stage.ready("web").await.map(drop)
}

#[tokio::test]
async fn a_type_that_is_not_served() -> Result<()> {
    let stage = Stage::shared("type").await?;
    let vault = json!({ "vault": { "server": "https://vault.example", "path": "pki/sign/web",
        "auth": { "tokenSecretRef": { "name": "vault", "key": "token" } } } });
    stage.create::<Issuer>("issuer", vault).await?;
    stage.says::<Issuer>("issuer", &["Ready=False NotSupported", "vault"]).await.map(drop)
}

/// What the API server refuses never becomes an object, and kubectl shows its words.
#[tokio::test]
async fn manifests_that_the_api_server_refuses() -> Result<()> {
    let stage = Stage::shared("manifest").await?;
    for (kind, spec, words) in [
        ("Certificate", json!({ "secretName": "s", "issuerRef": { "name": "i" } }), "the certificate is for no name"),
        (
            "Certificate",
            json!({ "secretName": "s", "issuerRef": { "name": "i" }, "dnsNames": ["a.example"], "privateKey": { "algorithm": "ECDSA", "size": 257 } }),
            "size of an ECDSA key must be 256, 384 or 521",
        ),
        (
            "Certificate",
            json!({ "secretName": "s", "issuerRef": { "name": "i" }, "dnsNames": ["a.example"], "duration": "1h", "renewBefore": "1h" }),
            "renewBefore must be shorter than duration",
        ),
        ("Issuer", json!({}), "exactly one of acme, ca, vault, selfSigned and venafi must be set"),
        ("Issuer", json!({ "acme": { "server": "", "privateKeySecretRef": { "name": "a" } } }), "spec.acme.server"),
    ] {
        let manifest = json!({ "apiVersion": "cert-manager.io/v1", "kind": kind,
            "metadata": { "name": "refused", "namespace": stage.namespace }, "spec": spec });
        let answer = stage.lab.apply(&manifest.to_string()).await;
        let said = answer.err().map(|error| error.to_string()).unwrap_or_default();
        anyhow::ensure!(said.contains(words), "{words:?} is not in {said:?}");
    }
    Ok(())
}

/// What the API server can not see, the controller says, and waits for an edit.
#[tokio::test]
async fn specs_that_signet_can_not_serve() -> Result<()> {
    let stage = Stage::shared("spec").await?;
    stage.self_signed_issuer("issuer").await?;
    let spec = json!({ "dnsNames": [stage.domain], "privateKey": { "size": 2500 }, "uris": ["no scheme"] });
    stage.certificate("web", spec).await?;
    let words = ["Ready=False InvalidSpec", "spec.uris[0]: \"no scheme\" is not a URI", "spec.privateKey.size", "2500"];
    stage.says::<Certificate>("web", &words).await?;
    stage.patch::<Certificate>("web", json!({ "spec": { "privateKey": null, "uris": null } })).await?;
    stage.ready("web").await.map(drop)
}
