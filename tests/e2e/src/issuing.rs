//! Issuers, Certificates and Secrets on a [`Stage`], with what most tests do not care about filled in.

use anyhow::{Result, bail};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use signet_api::{Certificate, Challenge, ClusterIssuer, Issuer};
use signet_lab::AccessKey;

use crate::key_pair::KeyPair;
use crate::stage::{Stage, said};

impl Stage<'_> {
    /// Makes an Issuer of ACME with one solver, and waits until it is Ready.
    ///
    /// # Errors
    /// It is not Ready within the bound.
    pub async fn issuer(&self, name: &str, solver: Value) -> Result<()> {
        self.create::<Issuer>(name, json!({ "acme": self.acme(name, solver) })).await?;
        self.issuer_ready(name).await
    }

    /// `spec.acme` of an issuer of the lab's CA with one solver.
    pub fn acme(&self, name: &str, solver: Value) -> Value {
        json!({ "server": self.lab.directory_url(), "privateKeySecretRef": { "name": format!("{name}-account") },
            "solvers": [solver] })
    }

    /// Makes an Issuer whose certificates sign themselves, and waits until it is Ready.
    ///
    /// # Errors
    /// It is not Ready within the bound.
    pub async fn self_signed_issuer(&self, name: &str) -> Result<()> {
        self.create::<Issuer>(name, json!({ "selfSigned": {} })).await?;
        self.issuer_ready(name).await
    }

    /// Waits until an Issuer is Ready.
    ///
    /// # Errors
    /// It is not Ready within the bound.
    pub async fn issuer_ready(&self, name: &str) -> Result<()> {
        self.until(name, "is Ready", |issuer: &Issuer| {
            is_ready(issuer.metadata.generation, issuer.status.as_ref().map(|status| status.conditions.as_slice()))
        })
        .await
    }

    /// Waits until a ClusterIssuer is Ready.
    ///
    /// # Errors
    /// It is not Ready within the bound.
    pub async fn cluster_issuer_ready(&self, name: &str) -> Result<()> {
        let api = Api::<ClusterIssuer>::all(self.client.clone());
        self.eventually(&format!("ClusterIssuer {name} is Ready"), async || {
            let issuer = api.get(name).await?;
            let conditions = issuer.status.as_ref().map(|status| status.conditions.as_slice());
            match is_ready(issuer.metadata.generation, conditions) {
                Some(()) => Ok(Some(())),
                None => bail!("it says: {}", said(&issuer)),
            }
        })
        .await
    }

    /// A Challenge that `solver` has presented and that stays so, as its name leads to `elsewhere`: of Certificate
    /// `web` for the stage's domain, by Issuer `issuer`.
    ///
    /// # Errors
    /// It is not presented within the bound.
    pub async fn pending(&self, solver: Value, elsewhere: &str) -> Result<Challenge> {
        self.issuer("issuer", solver).await?;
        self.lab.add_a(&self.domain, elsewhere).await?;
        self.certificate("web", json!({ "dnsNames": [self.domain] })).await?;
        let challenge = self.only::<Challenge>().await?;
        let presented = |challenge: &Challenge| challenge.status.as_ref()?.presented.then_some(());
        self.until(&challenge.name_any(), "is presented", presented).await?;
        Ok(challenge)
    }

    /// Makes a Certificate of Issuer `issuer` for Secret `<name>-tls`, unless `spec` says otherwise.
    ///
    /// # Errors
    /// The API server refuses it.
    pub async fn certificate(&self, name: &str, spec: Value) -> Result<()> {
        let mut whole = json!({ "secretName": format!("{name}-tls"), "issuerRef": { "name": "issuer" } });
        if let (Some(whole), Value::Object(spec)) = (whole.as_object_mut(), spec) {
            whole.extend(spec);
        }
        self.create::<Certificate>(name, whole).await
    }

    /// Makes a Certificate as [`Stage::certificate`] does, and waits until it is Ready.
    ///
    /// # Errors
    /// It is not Ready within the bound.
    pub async fn issue(&self, name: &str, spec: Value) -> Result<Certificate> {
        self.certificate(name, spec).await?;
        self.ready(name).await
    }

    /// The Certificate, once it is Ready as it stands and nothing is under way.
    ///
    /// # Errors
    /// It is not within the bound.
    pub async fn ready(&self, name: &str) -> Result<Certificate> {
        self.revision(name, 1).await
    }

    /// The Certificate, once it is Ready at this revision or a later one.
    ///
    /// # Errors
    /// It is not within the bound.
    pub async fn revision(&self, name: &str, revision: i64) -> Result<Certificate> {
        self.until(name, &format!("is Ready at revision {revision}"), |certificate: &Certificate| {
            let status = certificate.status.as_ref()?;
            is_ready(certificate.metadata.generation, Some(&status.conditions))?;
            let is_issuing = signet_api::meta::condition(&status.conditions, "Issuing").is_some();
            let settled = !is_issuing && status.revision >= Some(revision);
            settled.then(|| certificate.clone())
        })
        .await
    }

    /// What a Secret holds.
    ///
    /// # Errors
    /// There is no such Secret, or what it holds can not be read.
    pub async fn key_pair(&self, secret: &str) -> Result<KeyPair> {
        KeyPair::read(&self.api::<Secret>().get(secret).await?)
    }

    /// Makes or replaces a Secret.
    ///
    /// # Errors
    /// The API server refuses it.
    pub async fn secret(&self, name: &str, values: &[(&str, &str)]) -> Result<()> {
        let values: serde_json::Map<_, _> = values.iter().map(|(key, value)| ((*key).into(), json!(value))).collect();
        let fields =
            json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": name }, "stringData": values });
        self.api::<Secret>().patch(name, &PatchParams::apply("test").force(), &Patch::Apply(fields)).await?;
        Ok(())
    }

    /// Puts an AWS key into Secret `aws`, where [`Stage::route53`] finds it.
    ///
    /// # Errors
    /// The API server refuses it.
    pub async fn aws_secret(&self, key: &AccessKey) -> Result<()> {
        self.secret("aws", &[("id", &key.access_key_id), ("secret", &key.secret_access_key)]).await
    }

    /// Makes a hosted zone of the domain and an IAM user who may do all with it, and returns a
    /// solver that uses them.
    ///
    /// # Errors
    /// The cloud or the API server refuses.
    pub async fn route53(&self) -> Result<Value> {
        let zone = self.lab.create_hosted_zone(&self.domain).await?;
        let policy = json!({ "Version": "2012-10-17",
            "Statement": [{ "Effect": "Allow", "Action": "route53:*", "Resource": "*" }] });
        self.aws_secret(&self.lab.create_iam_user(&self.namespace, &policy).await?).await?;
        Ok(route53_solver(&zone))
    }

    /// The TXT records that the DNS has at a name.
    ///
    /// # Errors
    /// The DNS does not answer.
    pub async fn txt(&self, name: &str) -> Result<Vec<String>> {
        let server = std::net::SocketAddr::from(self.lab.dns_address());
        let config = signet_dns::DnsConfig { recursive_nameservers: vec![server.into()], recursive_only: true };
        let dns = signet_dns::Dns::new(config)?;
        Ok(dns.lookup(name, signet_dns::RecordType::TXT).await?)
    }
}

/// A Route 53 solver with the key in Secret `aws`.
pub fn route53_solver(zone: &str) -> Value {
    json!({ "dns01": { "route53": { "hostedZoneID": zone, "accessKeyIDSecretRef": { "name": "aws", "key": "id" },
        "secretAccessKeySecretRef": { "name": "aws", "key": "secret" } } } })
}

/// Whether conditions say Ready of this generation.
fn is_ready(generation: Option<i64>, conditions: Option<&[signet_api::Condition]>) -> Option<()> {
    let ready = signet_api::meta::condition(conditions?, "Ready")?;
    (ready.is_true() && ready.observed_generation == generation).then_some(())
}
