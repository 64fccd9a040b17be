//! One issuance from its first write to its end, as the audit log and the cluster show it.

use std::fmt;
use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use k8s_openapi::api::core::v1::{Secret, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::Ingress;
use kube::ResourceExt;
use serde_json::{Value, json};
use signet_api::meta::has_condition;
use signet_api::{Certificate, CertificateRequest, Challenge, ConditionStatus, Order, labels};
use signet_e2e::{BOUND, Kind, Stage};
use signet_lab::{AuditOfSignet, Entry, Lab};

/// The hosted zone of DNS-01. It has no addresses, so HTTP-01 is elsewhere.
const ZONE: &str = "crash.example";
const NAME: &str = "site";

/// A way to a certificate; its name is that of a ClusterIssuer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Http01,
    Dns01,
    TlsAlpn01,
    SelfSigned,
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http01 => "http01",
            Self::Dns01 => "dns01",
            Self::TlsAlpn01 => "tlsalpn01",
            Self::SelfSigned => "selfsigned",
        })
    }
}

/// Makes the ClusterIssuer of a way, and waits until it is Ready.
pub(crate) async fn make_issuer(lab: &Lab, way: Way) -> Result<()> {
    let (stage, name) = (Stage::on(lab, "issuer").await?, way.to_string());
    let spec = match way {
        Way::SelfSigned => json!({ "selfSigned": {} }),
        Way::Http01 => {
            json!({ "acme": stage.acme(&name, json!({ "http01": { "ingress": { "ingressClassName": "nginx" } } })) })
        }
        Way::Dns01 => json!({ "acme": stage.acme(&name, route53(lab).await?) }),
        Way::TlsAlpn01 => json!({ "acme": stage.acme(&name, json!({ "tlsALPN01": { "service": {} } })) }),
    };
    let issuer = json!({
        "apiVersion": "cert-manager.io/v1",
        "kind": "ClusterIssuer",
        "metadata": { "name": name },
        "spec": spec,
    });
    lab.apply(&issuer.to_string()).await?;
    stage.cluster_issuer_ready(&name).await
}

/// A solver that may change the one hosted zone, made now.
async fn route53(lab: &Lab) -> Result<Value> {
    let zone = lab.create_hosted_zone(ZONE).await?;
    let allow = json!({ "Effect": "Allow", "Action": "route53:*", "Resource": "*" });
    let key = lab.create_iam_user("crash", &json!({ "Version": "2012-10-17", "Statement": [allow] })).await?;
    let secret = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": { "name": "aws", "namespace": "cert-manager" },
        "stringData": { "id": key.access_key_id, "secret": key.secret_access_key },
    });
    lab.apply(&secret.to_string()).await?;
    Ok(signet_e2e::route53_solver(&zone))
}

/// One Certificate in a namespace of its own, and what Signet writes there.
pub(crate) struct Issuance<'a> {
    stage: Stage<'a>,
    way: Way,
    dns_name: String,
    ordered_before: usize,
    audit: AuditOfSignet,
    pub(crate) writes: Vec<Entry>,
}

impl<'a> Issuance<'a> {
    pub(crate) async fn begin(lab: &'a Lab, way: Way) -> Result<Self> {
        let stage = Stage::on(lab, &way.to_string()).await?;
        let dns_name = if way == Way::Dns01 { format!("{}.{ZONE}", stage.namespace) } else { stage.domain.clone() };
        if way == Way::TlsAlpn01 {
            lab.add_a(&dns_name, &lab.site().tls_alpn01().ip().to_string()).await?;
        }
        let (ordered_before, audit) = (new_orders(lab), lab.watch_audit_of_signet());
        let issuer = json!({ "name": way.to_string(), "kind": "ClusterIssuer" });
        let spec = json!({
            "secretName": NAME,
            "issuerRef": issuer,
            "dnsNames": [dns_name],
            "privateKey": { "algorithm": "ECDSA" },
        });
        stage.certificate(NAME, spec).await?;
        Ok(Self { stage, way, dns_name, ordered_before, audit, writes: Vec::new() })
    }

    /// Returns true as soon as the audit log shows the write of this number; false when the
    /// issuance is over before.
    pub(crate) async fn reaches(&mut self, number: usize) -> Result<bool> {
        let deadline = Instant::now() + BOUND;
        let mut asked = Instant::now();
        while Instant::now() < deadline {
            self.read_audit()?;
            if self.writes.len() >= number {
                return Ok(true);
            }
            if asked.elapsed() > Duration::from_millis(250) {
                asked = Instant::now();
                if self.is_over().await.is_ok_and(|over| over.is_some()) {
                    self.read_audit()?;
                    return Ok(self.writes.len() >= number);
                }
            }
            // The write must be seen when it happens, not some time after.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // It says all that there is to say.
        self.ends().await.map(|()| false)
    }

    fn read_audit(&mut self) -> Result<()> {
        let own = |entry: &Entry| entry.namespace == self.stage.namespace && entry.resource != "events";
        let new = self.audit.read_on().context("could not read the audit log")?;
        self.writes.extend(new.into_iter().filter(own));
        Ok(())
    }

    /// The last write that was seen, for the reader of a failure.
    pub(crate) fn last_write(&self) -> String {
        self.writes.last().map_or("none".to_owned(), |last| {
            format!("{} {}/{} ({})", last.verb, last.resource, last.subresource, last.code)
        })
    }

    /// Waits for the end and checks it. `orders` is how many the CA may have been asked for.
    pub(crate) async fn ends_well(&self, orders: usize) -> Result<()> {
        let stage = &self.stage;
        self.ends().await?;
        let pair = stage.key_pair(NAME).await?;
        ensure!(pair.leaf.names.has_dns(&self.dns_name), "the certificate is for {:?}", pair.leaf.names.dns);
        let requests = left::<CertificateRequest>(stage, |_| true).await?;
        ensure!(requests.len() == 1, "not one CertificateRequest but {requests:?}");
        let made = left::<Order>(stage, |_| true).await?;
        let (least, most) = if self.way == Way::SelfSigned { (0, 0) } else { (1, orders) };
        ensure!(made.len() == least, "Orders: {made:?}");
        let ordered = new_orders(stage.lab) - self.ordered_before;
        ensure!((least..=most).contains(&ordered), "the CA was asked for {ordered} orders, not {least} to {most}");
        let zones = fs::read_to_string(stage.lab.site().path("zones.json"))?;
        ensure!(!zones.contains("_acme-challenge"), "a TXT record is left: {zones}");
        Ok(())
    }

    async fn ends(&self) -> Result<()> {
        let what = format!("the Certificate of {} is Ready and all is tidy", self.stage.namespace);
        self.stage.eventually(&what, async || self.is_over().await).await
    }

    /// Whether the Certificate is Ready and nothing that was made for its issuance is left.
    async fn is_over(&self) -> Result<Option<()>> {
        let certificate = self.stage.api::<Certificate>().get(NAME).await?;
        let conditions = certificate.status.unwrap_or_default().conditions;
        if !has_condition(&conditions, "Ready", ConditionStatus::True) {
            return Ok(None);
        }
        let mut found = left::<Challenge>(&self.stage, |_| true).await?;
        let is_spare_key = |secret: &Secret| secret.labels().contains_key(labels::NEXT_PRIVATE_KEY);
        found.extend(left::<Secret>(&self.stage, is_spare_key).await?);
        found.extend(left::<Ingress>(&self.stage, |_| true).await?);
        found.extend(left::<Service>(&self.stage, |_| true).await?);
        found.extend(left::<EndpointSlice>(&self.stage, |_| true).await?);
        if found.is_empty() { Ok(Some(())) } else { bail!("left over: {}", found.join(", ")) }
    }
}

/// The objects of a kind that `counts`, by kind and name.
async fn left<K: Kind>(stage: &Stage<'_>, counts: impl Fn(&K) -> bool) -> Result<Vec<String>> {
    let found = stage.list::<K>().await?;
    Ok(found.iter().filter(|object| counts(object)).map(|o| format!("{} {}", K::kind(&()), o.name_any())).collect())
}

fn new_orders(lab: &Lab) -> usize {
    lab.acme_requests().get("POST /order-plz").copied().unwrap_or(0)
}
