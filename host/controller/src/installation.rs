//! `signet test-installation`: what `helm test` runs in a pod of its own. The API server knows the kinds,
//! the replicas answer HTTP-01 through their Service, and a self-signed Certificate becomes a Secret:
//! so a replica leads, its role lets it, and the admission policies do not stand in its way.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{DeleteParams, PostParams};
use kube::{Api, Client, Resource};
use reqwest::StatusCode;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use signet_api::{Certificate, Condition, ConditionStatus, Issuer};
use signet_core::pki::{Chain, public_key_matches};

use crate::controller;
use crate::error::sentence;
use crate::secrets::{TLS_CRT, TLS_KEY, value};
use crate::serve::NO_CHALLENGE;

/// What is served, by group and version.
const KINDS: [(&str, &[&str]); 2] = [
    ("cert-manager.io/v1", &["certificaterequests", "certificates", "clusterissuers", "issuers"]),
    ("acme.cert-manager.io/v1", &["challenges", "orders"]),
];
/// A name that nobody can have (RFC 2606).
const DNS_NAME: &str = "test.invalid";
const PAUSE: Duration = Duration::from_millis(250);

/// Tests an installation from inside the cluster, as helm test does.
#[derive(Args, Clone, Debug)]
pub struct TestInstallation {
    /// A kubeconfig; without it, that of KUBECONFIG or of the pod.
    #[arg(long)]
    kubeconfig: Option<PathBuf>,
    /// Where the Issuer, the Certificate and the Secret of the test are made, and removed again.
    #[arg(long, env = "POD_NAMESPACE")]
    namespace: String,
    /// The name of all three.
    #[arg(long, default_value = "signet-test")]
    name: String,
    /// Where the replicas answer HTTP-01, as HOST:PORT.
    #[arg(long)]
    http01_service: String,
    /// How many seconds each of the steps may take.
    #[arg(long, default_value_t = 60)]
    timeout_seconds: u64,
}

/// Runs the test and prints each step that went well.
///
/// # Errors
/// A step did not; the error says which, and what to look at.
pub async fn test_installation(test: TestInstallation) -> Result<()> {
    let client = controller::client(test.kubeconfig.as_deref()).await?;
    served(&client).await?;
    println!("ok: the API server serves cert-manager.io/v1 and acme.cert-manager.io/v1");
    test.answered().await?;
    println!("ok: {} answers HTTP-01", test.http01_service);
    let started = Instant::now();
    test.remove(&client).await?;
    let issued = test.issued(&client).await;
    test.remove(&client).await?;
    issued?;
    println!("ok: a Certificate in {} became Ready in {:.1} s", test.namespace, started.elapsed().as_secs_f64());
    Ok(())
}

async fn served(client: &Client) -> Result<()> {
    for (group, plurals) in KINDS {
        let advice = "install the CRDs (crds.enabled of the chart, or charts/signet/files/crds.yaml)";
        let listed = client.list_api_group_resources(group).await;
        let listed = listed.with_context(|| format!("the API server does not serve {group}: {advice}"))?;
        for plural in plurals {
            let known = listed.resources.iter().any(|resource| resource.name == *plural);
            ensure!(known, "the API server serves {group} without {plural}: {advice}");
        }
    }
    Ok(())
}

impl TestInstallation {
    /// Asks for a token that nobody was given, as a CA would. The Service leads to replicas that are ready.
    async fn answered(&self) -> Result<()> {
        let url = format!("http://{}/.well-known/acme-challenge/{}", self.http01_service, self.name);
        let client = reqwest::Client::builder().timeout(Duration::from_secs(5)).no_proxy().build()?;
        let look = async || {
            let answer = client.get(&url).send().await.map_err(|error| sentence(&error.without_url()))?;
            let status = answer.status();
            let text = answer.text().await.map_err(|error| sentence(&error.without_url()))?;
            match status == StatusCode::NOT_FOUND && text.starts_with(NO_CHALLENGE) {
                true => Ok(()),
                false => Err(format!("somebody else answers, with {status}")),
            }
        };
        self.until(look).await.map_err(|why| {
            anyhow::anyhow!(
                "GET {url}: {why}; look at the pods (are they ready?), at the Service, and at NetworkPolicies between"
            )
        })
    }

    /// A self-signed certificate, and that the Secret holds it with its key.
    async fn issued(&self, client: &Client) -> Result<()> {
        self.create::<Issuer>(client, json!({ "selfSigned": {} })).await?;
        let issuer = json!({ "name": self.name, "kind": "Issuer" });
        let spec = json!({ "dnsNames": [DNS_NAME], "secretName": self.name, "issuerRef": issuer });
        self.create::<Certificate>(client, spec).await?;
        let certificates = self.api::<Certificate>(client);
        let look = async || {
            let certificate = certificates.get(&self.name).await.map_err(|error| sentence(&error))?;
            ready(&certificate.status.unwrap_or_default().conditions)
        };
        self.until(look)
            .await
            .map_err(|why| anyhow::anyhow!("the Certificate {}/{} is not Ready: {why}", self.namespace, self.name))?;
        let secret =
            self.api::<Secret>(client).get(&self.name).await.context("could not read the Certificate's Secret")?;
        fits(&secret).with_context(|| format!("the Secret {}/{}", self.namespace, self.name))
    }

    /// Removes what the test makes, and what an earlier one left.
    async fn remove(&self, client: &Client) -> Result<()> {
        self.delete::<Certificate>(client).await?;
        self.delete::<Issuer>(client).await?;
        self.delete::<Secret>(client).await
    }

    fn api<K: Resource<DynamicType = (), Scope = NamespaceResourceScope>>(&self, client: &Client) -> Api<K> {
        Api::namespaced(client.clone(), &self.namespace)
    }

    async fn create<K>(&self, client: &Client, spec: Value) -> Result<()>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + Serialize
            + DeserializeOwned
            + std::fmt::Debug,
    {
        let object = json!({
            "apiVersion": K::api_version(&()), "kind": K::kind(&()),
            "metadata": { "name": self.name }, "spec": spec,
        });
        let created = self.api::<K>(client).create(&PostParams::default(), &serde_json::from_value(object)?).await;
        created
            .map(drop)
            .with_context(|| format!("could not create the {} {}/{}", K::kind(&()), self.namespace, self.name))
    }

    async fn delete<K>(&self, client: &Client) -> Result<()>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + std::fmt::Debug,
    {
        match self.api::<K>(client).delete(&self.name, &DeleteParams::default()).await {
            Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
            Err(error) => Err(error)
                .with_context(|| format!("could not delete the {} {}/{}", K::kind(&()), self.namespace, self.name)),
            Ok(_) => Ok(()),
        }
    }

    /// Looks until it sees what it wants; else what it saw last.
    async fn until(&self, mut look: impl AsyncFnMut() -> Result<(), String>) -> Result<(), String> {
        let end = Instant::now() + Duration::from_secs(self.timeout_seconds);
        loop {
            match look().await {
                Ok(()) => return Ok(()),
                Err(seen) if Instant::now() >= end => return Err(seen),
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }
}

fn ready(conditions: &[Condition]) -> Result<(), String> {
    let said = |condition: &Condition| condition.message.clone().unwrap_or_default();
    match conditions.iter().find(|condition| condition.type_ == "Ready") {
        Some(condition) if condition.status == ConditionStatus::True => Ok(()),
        Some(condition) => Err(said(condition)),
        None => Err("it has no condition Ready: does a replica lead? The controller's log says so".to_owned()),
    }
}

fn fits(secret: &Secret) -> Result<()> {
    let part = |key: &str| value(secret, key).with_context(|| format!("has no {key}"));
    let leaf = Chain::parse(part(TLS_CRT)?)?.leaf;
    let key = signet_pki::key_facts(part(TLS_KEY)?)?;
    if !public_key_matches(&leaf.public_key, &key.spki_der) || !leaf.names.has_dns(DNS_NAME) {
        bail!("holds a certificate for another key or name than the Certificate's");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition(status: ConditionStatus) -> Condition {
        serde_json::from_value(json!({ "type": "Ready", "status": status, "message": "why" })).unwrap()
    }

    #[test]
    fn a_condition_says_why_not() {
        assert_eq!(ready(&[condition(ConditionStatus::True)]), Ok(()));
        assert_eq!(ready(&[condition(ConditionStatus::False)]), Err("why".to_owned()));
        assert!(ready(&[]).unwrap_err().contains("no condition Ready"));
    }

    #[test]
    fn an_empty_secret_fits_nothing() {
        let error = fits(&Secret::default()).unwrap_err();
        assert_eq!(error.to_string(), "has no tls.crt");
    }
}
