//! What the API server takes and refuses, by the CRDs alone: no controller runs here. The tables
//! beside this file are sent with dry-run; changes to stored objects are tried one by one.

use anyhow::{Context, Result};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams};
use kube::runtime::wait::{await_condition, conditions};
use serde_json::{Value, json};
use signet_lab::{Config, Lab};
use tokio::sync::OnceCell;

/// The lab with the CRDs in it, and a namespace.
struct Cluster {
    client: kube::Client,
    namespace: String,
}

async fn cluster() -> Result<Cluster> {
    // Not the shared lab: its controller would approve requests and answer challenges of its own accord.
    static LAB: OnceCell<Lab> = OnceCell::const_new();
    let lab = LAB.get_or_try_init(start).await?;
    Ok(Cluster { client: lab.client().await, namespace: lab.namespace("api").await? })
}

async fn start() -> Result<Lab> {
    let lab = Lab::start(Config::bare()).await?;
    let api = Api::<CustomResourceDefinition>::all(lab.client().await);
    for crd in signet_api::crds() {
        let name = crd.metadata.name.clone().context("a CRD has a name")?;
        api.patch(&name, &PatchParams::apply("signet").force(), &Patch::Apply(&crd)).await?;
        await_condition(api.clone(), &name, conditions::is_crd_established()).await?;
    }
    Ok(lab)
}

impl Cluster {
    fn api(&self, kind: &str) -> Api<DynamicObject> {
        let group = if matches!(kind, "Order" | "Challenge") { "acme.cert-manager.io" } else { "cert-manager.io" };
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, "v1", kind));
        match kind {
            "ClusterIssuer" => Api::all_with(self.client.clone(), &resource),
            _ => Api::namespaced_with(self.client.clone(), &self.namespace, &resource),
        }
    }

    fn object(&self, kind: &str, spec: &Value) -> DynamicObject {
        let group = if matches!(kind, "Order" | "Challenge") { "acme.cert-manager.io" } else { "cert-manager.io" };
        serde_json::from_value(json!({
            "apiVersion": format!("{group}/v1"), "kind": kind,
            "metadata": {"generateName": "case-"}, "spec": spec,
        }))
        .expect("a spec makes an object")
    }

    async fn dry_run(&self, kind: &str, spec: &Value) -> kube::Result<DynamicObject> {
        let params = PostParams { dry_run: true, ..PostParams::default() };
        self.api(kind).create(&params, &self.object(kind, spec)).await
    }

    async fn create(&self, kind: &str, spec: &Value) -> Result<String> {
        let made = self.api(kind).create(&PostParams::default(), &self.object(kind, spec)).await?;
        made.metadata.name.context("a created object has a name")
    }

    async fn change(&self, kind: &str, name: &str, patch: &Value) -> kube::Result<DynamicObject> {
        self.api(kind).patch(name, &PatchParams::default(), &Patch::Merge(patch)).await
    }

    async fn change_status(&self, kind: &str, name: &str, status: &Value) -> kube::Result<DynamicObject> {
        let patch = json!({ "status": status });
        self.api(kind).patch_status(name, &PatchParams::default(), &Patch::Merge(&patch)).await
    }
}

fn assert_refused<T: std::fmt::Debug>(result: kube::Result<T>, words: &str) {
    let refused = matches!(&result, Err(kube::Error::Api(status)) if status.message.contains(words));
    assert!(refused, "expected a refusal with {words:?}, got {result:?}");
}

/// Sends each case of a table; returns those that went otherwise than the table says.
async fn surprises(kind: &str, table: &str) -> Result<Vec<String>> {
    let cluster = cluster().await?;
    let cases: Vec<Value> = serde_yaml::from_str(table)?;
    assert!(!cases.is_empty(), "the table for {kind} has cases");
    let mut found = Vec::new();
    for case in cases {
        let name = case["case"].as_str().context("a case has a name")?;
        let result = cluster.dry_run(kind, &case["spec"]).await;
        match (result, case["refused"].as_str()) {
            (Ok(_), None) => {}
            (Err(error), Some(words)) if error.to_string().contains(words) => {}
            (Ok(_), Some(words)) => found.push(format!("{name}: accepted, expected {words:?}")),
            (Err(error), _) => found.push(format!("{name}: {error}")),
        }
    }
    Ok(found)
}

#[tokio::test]
async fn certificates_of_the_table() -> Result<()> {
    assert_eq!(surprises("Certificate", include_str!("api/certificate.yaml")).await?, [""; 0]);
    Ok(())
}

#[tokio::test]
async fn issuers_of_the_table() -> Result<()> {
    for kind in ["Issuer", "ClusterIssuer"] {
        assert_eq!(surprises(kind, include_str!("api/issuer.yaml")).await?, [""; 0], "{kind}");
    }
    Ok(())
}

#[tokio::test]
async fn certificate_requests_of_the_table() -> Result<()> {
    let table = include_str!("api/certificaterequest.yaml");
    assert_eq!(surprises("CertificateRequest", table).await?, [""; 0]);
    Ok(())
}

#[tokio::test]
async fn a_stanza_of_an_unknown_plugin_is_kept() -> Result<()> {
    let cluster = cluster().await?;
    let stanza = json!({"tokenSecretRef": {"name": "t", "key": "k"}, "deep": [1, {"a": "b"}]});
    let spec = json!({"acme": {"server": "https://acme.example/directory", "privateKeySecretRef": {"name": "a"},
        "solvers": [{"dns01": {"cumulus": stanza}}]}});
    let stored = cluster.dry_run("Issuer", &spec).await?;
    assert_eq!(stored.data["spec"]["acme"]["solvers"][0]["dns01"]["cumulus"], stanza);

    let issuer: signet_api::Issuer = serde_json::from_value(serde_json::to_value(stored)?)?;
    let acme = issuer.spec.acme.context("the issuer is an ACME one")?;
    let dns01 = acme.solvers[0].dns01.as_ref().context("the solver is a DNS-01 one")?;
    assert_eq!(dns01.stanza()?.plugin, "cumulus");
    Ok(())
}

#[tokio::test]
async fn issuer_references_get_no_default() -> Result<()> {
    let cluster = cluster().await?;
    let spec = json!({"secretName": "s", "issuerRef": {"name": "ca"}, "dnsNames": ["a.example"], "privateKey": {}});
    let stored = cluster.dry_run("Certificate", &spec).await?;
    assert_eq!(stored.data["spec"], spec);
    Ok(())
}

#[tokio::test]
async fn a_request_can_not_be_changed() -> Result<()> {
    let cluster = cluster().await?;
    let name = cluster.create("CertificateRequest", &json!({"request": "YQ==", "issuerRef": {"name": "ca"}})).await?;
    let other = cluster.change("CertificateRequest", &name, &json!({"spec": {"isCA": true}})).await;
    assert_refused(other, "a request can not be changed");
    cluster.change("CertificateRequest", &name, &json!({"metadata": {"labels": {"a": "b"}}})).await?;
    Ok(())
}

fn condition(kind: &str, status: &str, reason: &str) -> Value {
    json!({"type": kind, "status": status, "reason": reason, "message": "said so"})
}

#[tokio::test]
async fn an_approval_stands() -> Result<()> {
    let cluster = cluster().await?;
    let kind = "CertificateRequest";
    let name = cluster.create(kind, &json!({"request": "YQ==", "issuerRef": {"name": "ca"}})).await?;
    let approved = condition("Approved", "True", "policy");
    let set = async |conditions: Value| cluster.change_status(kind, &name, &json!({ "conditions": conditions })).await;

    assert_refused(set(json!([condition("Approved", "False", "no")])).await, "can only be True");
    assert_refused(set(json!([approved, condition("Denied", "True", "no")])).await, "not both");
    set(json!([approved])).await?;
    set(json!([approved, condition("Ready", "False", "Pending")])).await?;
    for changed in
        [json!([]), json!([condition("Denied", "True", "policy")]), json!([condition("Approved", "True", "another")])]
    {
        assert_refused(set(changed).await, "can not be taken back or changed");
    }
    let nothing = Patch::Merge(json!({ "status": null }));
    let gone = cluster.api(kind).patch_status(&name, &PatchParams::default(), &nothing).await;
    assert_refused(gone, "can not be taken back or changed");
    Ok(())
}

#[tokio::test]
async fn a_challenge_can_not_be_changed() -> Result<()> {
    let cluster = cluster().await?;
    let spec = json!({"url": "u", "authorizationURL": "a", "dnsName": "d", "type": "DNS-01", "token": "t", "key": "k",
        "issuerRef": {"name": "i"}, "solver": {"dns01": {"cumulus": {"a": 1}}}});
    let name = cluster.create("Challenge", &spec).await?;
    for changed in [json!({"key": "z"}), json!({"solver": {"dns01": {"cumulus": {"a": 2}}}})] {
        let result = cluster.change("Challenge", &name, &json!({ "spec": changed })).await;
        assert_refused(result, "a challenge can not be changed");
    }
    let status = json!({"presented": true, "receipt": "cmVjZWlwdA==", "state": "pending"});
    let stored = cluster.change_status("Challenge", &name, &status).await?;
    assert_eq!(stored.data["status"], status);
    Ok(())
}

#[tokio::test]
async fn what_the_ca_said_of_an_order_stands() -> Result<()> {
    let cluster = cluster().await?;
    let name = cluster.create("Order", &json!({"request": "YQ==", "issuerRef": {"name": "ca"}})).await?;
    let other = cluster.change("Order", &name, &json!({"spec": {"request": "Yg=="}})).await;
    assert_refused(other, "the request of an order can not be changed");

    let said = json!({"url": "https://ca/order/1", "finalizeURL": "https://ca/finalize/1", "certificate": "YQ==",
        "authorizations": [{"url": "https://ca/authz/1", "identifier": "a.example", "initialState": "pending"}]});
    cluster.change_status("Order", &name, &said).await?;
    cluster.change_status("Order", &name, &json!({"state": "valid"})).await?;
    for (field, value) in [
        ("url", json!("https://ca/order/2")),
        ("url", Value::Null),
        ("finalizeURL", json!("https://ca/finalize/2")),
        ("certificate", json!("Yg==")),
        ("authorizations", json!([])),
    ] {
        let result = cluster.change_status("Order", &name, &json!({ field: value })).await;
        assert_refused(result, &format!("{field} can not be changed once it is set"));
    }
    Ok(())
}
