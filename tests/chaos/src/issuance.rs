//! One Certificate in a namespace of its own, from what is asked of it to the end, as the cluster and the CA show it.

use std::fs;

use anyhow::{Context, Result, bail, ensure};
use k8s_openapi::api::core::v1::{Secret, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::Ingress;
use kube::ResourceExt;
use serde_json::json;
use signet_api::meta::{condition, has_condition};
use signet_api::{Certificate, CertificateRequest, Challenge, ConditionStatus, Order, labels};
use signet_e2e::{Kind, Stage};

use crate::operation::Operation;
use crate::way::{Way, ZONE};
use crate::witness::Witness;
use crate::world::{AtCa, World};

/// What the Certificate and its Secret are called.
pub(crate) const NAME: &str = "site";

/// A Certificate, and what was there before it was touched last.
pub struct Issuance<'a> {
    world: &'a World,
    pub(crate) stage: Stage<'a>,
    pub(crate) way: Way,
    dns_name: String,
    pub(crate) more_names: bool,
    pub(crate) serial: String,
    operation: Operation,
    revision: i64,
    before: AtCa,
    witness: Witness,
}

impl<'a> Issuance<'a> {
    /// A namespace in which there is no Certificate yet.
    ///
    /// # Errors
    /// The API server or the DNS refuses.
    pub async fn prepare(world: &'a World, way: Way) -> Result<Self> {
        let stage = Stage::on(&world.lab, &way.to_string()).await?;
        let dns_name = if way == Way::Dns01 { format!("{}.{ZONE}", stage.namespace) } else { stage.domain.clone() };
        let witness = Witness::of(&stage, NAME).await?;
        let (operation, before, serial) = (Operation::Issue, world.at_ca(), String::new());
        let more_names = false;
        let this = Self { world, stage, way, dns_name, more_names, serial, operation, revision: 0, before, witness };
        if way == Way::TlsAlpn01 {
            let address = world.lab.site().tls_alpn01().ip().to_string();
            for name in this.all_names() {
                world.lab.add_a(&name, &address).await?;
            }
        }
        Ok(this)
    }

    /// Does something to it, and returns before Signet has.
    ///
    /// # Errors
    /// The API server refuses.
    pub async fn begin(&mut self, operation: Operation) -> Result<()> {
        self.operation = operation;
        if operation != Operation::Delete {
            self.before = self.world.at_ca();
        }
        let issues = !matches!(operation, Operation::Revoke) || self.way != Way::SelfSigned;
        self.revision += i64::from(issues);
        self.ask(operation).await
    }

    /// The namespace that it has to itself.
    pub fn namespace(&self) -> &str {
        &self.stage.namespace
    }

    pub(crate) fn dns_names(&self) -> Vec<String> {
        let mut names = self.all_names();
        names.truncate(1 + usize::from(self.more_names));
        names
    }

    fn all_names(&self) -> Vec<String> {
        vec![self.dns_name.clone(), format!("more.{}", self.dns_name)]
    }

    pub(crate) async fn create(&self) -> Result<()> {
        let issuer = json!({ "name": self.way.to_string(), "kind": "ClusterIssuer" });
        let spec = json!({
            "secretName": NAME,
            "issuerRef": issuer,
            "dnsNames": self.dns_names(),
            "privateKey": { "algorithm": "ECDSA" },
        });
        self.stage.certificate(NAME, spec).await
    }

    /// Returns once all is as it was asked for and nothing that was made for it is left.
    ///
    /// # Errors
    /// It is not within the bound.
    pub async fn ends(&self) -> Result<()> {
        let what = format!("the {} of {} is over and all is tidy", self.operation, self.stage.namespace);
        self.stage.eventually(&what, async || self.is_over().await.map(Some)).await
    }

    /// Waits for the end and checks it, where nothing else is issued. `deaths` is how often the controller was
    /// killed meanwhile.
    ///
    /// # Errors
    /// It does not end, or not as it must.
    pub async fn ends_well(&self, deaths: usize) -> Result<()> {
        self.ends_right().await?;
        self.asked_no_more_than_needed(self.world.at_ca() - self.before, deaths)
    }

    /// Waits for the end and checks what the cluster has of it.
    ///
    /// # Errors
    /// It does not end, or not as it must.
    pub(crate) async fn ends_right(&self) -> Result<()> {
        self.ends().await?;
        self.witness.swears()?;
        if self.operation == Operation::Delete {
            return Ok(());
        }
        let pair = self.stage.key_pair(NAME).await?;
        let names = self.dns_names();
        let has_all =
            names.iter().all(|name| pair.leaf.names.has_dns(name)) && pair.leaf.names.dns.len() == names.len();
        ensure!(has_all, "the certificate is for {:?}, not {names:?}", pair.leaf.names.dns);
        if self.operation == Operation::Revoke && self.way != Way::SelfSigned {
            self.is_revoked().await?;
        }
        Ok(())
    }

    /// At most one order more for each death, and never a certificate more.
    pub(crate) fn asked_no_more_than_needed(&self, asked: AtCa, deaths: usize) -> Result<()> {
        let AtCa { orders, certificates, revocations } = asked;
        let (least, most) = match (self.way, self.operation) {
            (Way::SelfSigned, _) => (0, 0),
            (_, Operation::Delete) => (0, 1),
            _ => (1, 1),
        };
        ensure!(
            (least..=most).contains(&certificates),
            "the CA issued {certificates} certificates, not {least} to {most}"
        );
        let extra = if most == 0 { 0 } else { deaths };
        ensure!((least..=most + extra).contains(&orders), "the CA was asked for {orders} orders after {deaths} deaths");
        let revoked = usize::from(self.operation == Operation::Revoke && self.way != Way::SelfSigned);
        let enough = (revoked..=revoked * (1 + deaths)).contains(&revocations);
        ensure!(enough, "the CA was asked for {revocations} revocations after {deaths} deaths");
        Ok(())
    }

    async fn is_over(&self) -> Result<()> {
        let certificate = self.stage.api::<Certificate>().get_opt(NAME).await?;
        match (self.operation, certificate) {
            (Operation::Delete, None) => {}
            (Operation::Delete, Some(_)) => bail!("the Certificate is still there"),
            (_, None) => bail!("there is no Certificate"),
            (_, Some(certificate)) => self.is_settled(&certificate)?,
        }
        let is_spare_key = |secret: &Secret| secret.labels().contains_key(labels::NEXT_PRIVATE_KEY);
        let mut found = left::<Challenge>(&self.stage, |_| true).await?;
        found.extend(left::<Secret>(&self.stage, is_spare_key).await?);
        found.extend(left::<Ingress>(&self.stage, |_| true).await?);
        found.extend(left::<Service>(&self.stage, |_| true).await?);
        found.extend(left::<EndpointSlice>(&self.stage, |_| true).await?);
        ensure!(found.is_empty(), "left over: {}", found.join(", "));
        let (requests, orders) = match self.operation {
            Operation::Delete => (0, 0),
            _ => (1, usize::from(self.way != Way::SelfSigned)),
        };
        let found = left::<CertificateRequest>(&self.stage, |_| true).await?;
        ensure!(found.len() == requests, "not {requests} CertificateRequests but {found:?}");
        let found = left::<Order>(&self.stage, |_| true).await?;
        ensure!(found.len() == orders, "not {orders} Orders but {found:?}");
        let zones = fs::read_to_string(self.stage.lab.site().path("zones.json"))?;
        ensure!(!zones.contains(&format!("_acme-challenge.{}", self.dns_name)), "a TXT record is left: {zones}");
        ensure!(!zones.contains(&format!("_acme-challenge.more.{}", self.dns_name)), "a TXT record is left: {zones}");
        Ok(())
    }

    /// Whether the Certificate is Ready as it stands, at the revision that was asked for, and rests.
    fn is_settled(&self, certificate: &Certificate) -> Result<()> {
        let status = certificate.status.as_ref().context("it has no status")?;
        let told = || serde_json::to_string(status).unwrap_or_default();
        let ready = condition(&status.conditions, "Ready").with_context(told)?;
        let is_current = ready.is_true() && ready.observed_generation == certificate.metadata.generation;
        ensure!(is_current && condition(&status.conditions, "Issuing").is_none(), "it says {}", told());
        ensure!(status.revision == Some(self.revision), "it is at {:?}, not {}", status.revision, self.revision);
        if self.operation == Operation::Revoke {
            let told_in_vain = has_condition(&status.conditions, "Revoked", ConditionStatus::False);
            let revoked = has_condition(&status.conditions, "Revoked", ConditionStatus::True);
            ensure!(if self.way == Way::SelfSigned { told_in_vain } else { revoked }, "it says {}", told());
            let is_asked = certificate.annotations().contains_key(labels::REVOKE);
            ensure!(is_asked == (self.way == Way::SelfSigned), "the request stands: {is_asked}");
        }
        Ok(())
    }

    /// Takes back what was asked for in vain.
    pub(crate) async fn take_back(&self) -> Result<()> {
        if self.operation == Operation::Revoke && self.way == Way::SelfSigned {
            let patch = json!({ "metadata": { "annotations": { labels::REVOKE: null } } });
            self.stage.patch::<Certificate>(NAME, patch).await?;
            let is_clean = |certificate: &Certificate| {
                let conditions = &certificate.status.as_ref()?.conditions;
                condition(conditions, "Revoked").is_none().then_some(())
            };
            self.stage.until(NAME, "is as it was", is_clean).await?;
        }
        Ok(())
    }
}

/// The objects of a kind that `counts`, by kind and name.
async fn left<K: Kind>(stage: &Stage<'_>, counts: impl Fn(&K) -> bool) -> Result<Vec<String>> {
    let found = stage.list::<K>().await?;
    Ok(found.iter().filter(|object| counts(object)).map(|o| format!("{} {}", K::kind(&()), o.name_any())).collect())
}
