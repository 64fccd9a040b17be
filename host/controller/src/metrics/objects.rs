//! The state of objects as metrics: read from the caches at each scrape, so that nothing has to be
//! kept in step with them.

use std::fmt;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use signet_api::meta::condition;
use signet_api::{Certificate, CertificateStatus, Challenge, Condition, ConditionStatus};

use crate::stores::Stores;

const READY: &str = "Ready";
const STATUSES: [ConditionStatus; 3] = [ConditionStatus::True, ConditionStatus::False, ConditionStatus::Unknown];

/// Reads the caches.
pub(super) struct Objects(Arc<Stores>);

/// A name and a value.
type Label = (&'static str, String);
/// One line: its labels and its value.
type Line = (Vec<Label>, i64);
/// A metric of Certificates: its name, what it means, and the time that it tells.
type TimeOf = (&'static str, &'static str, fn(&CertificateStatus) -> Option<&Time>);

const TIMES: [TimeOf; 4] = [
    ("certificate_expiration_timestamp_seconds", "When the certificate expires", |status| status.not_after.as_ref()),
    ("certificate_not_after_timestamp_seconds", "End of the certificate's lifetime", |status| {
        status.not_after.as_ref()
    }),
    ("certificate_not_before_timestamp_seconds", "Start of the certificate's lifetime", |status| {
        status.not_before.as_ref()
    }),
    ("certificate_renewal_timestamp_seconds", "When the certificate is renewed", |status| status.renewal_time.as_ref()),
];

impl Objects {
    pub(super) fn new(stores: Arc<Stores>) -> Self {
        Self(stores)
    }
}

impl fmt::Debug for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Objects")
    }
}

impl Collector for Objects {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let stores = &self.0;
        let certificates = stores.certificates.all();
        let ready = certificates.iter().flat_map(|certificate| {
            let status = certificate.status.as_ref();
            ready_lines(&labels(certificate), status.map(|status| status.conditions.as_slice()).unwrap_or_default())
        });
        gauge(&mut encoder, "certificate_ready_status", "Whether the certificate is ready", ready)?;
        for (name, help, time) in TIMES {
            let lines = certificates.iter().map(|certificate| {
                let told = certificate.status.as_ref().and_then(time).map_or(0, |time| time.0.as_second());
                (labels(certificate), told)
            });
            gauge(&mut encoder, name, help, lines)?;
        }
        let issuers = stores.issuers.all();
        let lines = issuers.iter().flat_map(|issuer| issuer_lines(&**issuer, issuer.status.as_ref()));
        gauge(&mut encoder, "issuer_ready_status", "Whether the Issuer is ready", lines)?;
        let issuers = stores.cluster_issuers.all();
        let lines = issuers.iter().flat_map(|issuer| issuer_lines(&**issuer, issuer.status.as_ref()));
        gauge(&mut encoder, "clusterissuer_ready_status", "Whether the ClusterIssuer is ready", lines)?;
        let challenges = stores.challenges.all();
        let lines = challenges.iter().map(|challenge| (challenge_labels(challenge), 1));
        gauge(&mut encoder, "certificate_challenge_status", "Challenges and where they stand", lines)?;
        let now = jiff::Timestamp::now().as_second();
        gauge(&mut encoder, "clock_time_seconds_gauge", "The controller's clock", [(Vec::new(), now)].into_iter())
    }
}

/// Writes one metric. One without lines is left out.
fn gauge(
    encoder: &mut DescriptorEncoder,
    name: &'static str,
    help: &str,
    lines: impl Iterator<Item = Line>,
) -> fmt::Result {
    let mut lines = lines.peekable();
    if lines.peek().is_none() {
        return Ok(());
    }
    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (labels, value) in lines {
        ConstGauge::new(value).encode(metric.encode_family(&labels)?)?;
    }
    Ok(())
}

fn labels(certificate: &Certificate) -> Vec<Label> {
    let issuer = &certificate.spec.issuer_ref;
    vec![
        ("name", certificate.name_any()),
        ("namespace", certificate.namespace().unwrap_or_default()),
        ("issuer_name", issuer.name.clone()),
        ("issuer_kind", issuer.kind_if_set().unwrap_or_default().to_owned()),
        ("issuer_group", issuer.group_or_default().to_owned()),
    ]
}

fn issuer_lines<K: ResourceExt>(issuer: &K, status: Option<&signet_api::IssuerStatus>) -> Vec<Line> {
    let labels = [("name", issuer.name_any()), ("namespace", issuer.namespace().unwrap_or_default())];
    ready_lines(&labels, status.map(|status| status.conditions.as_slice()).unwrap_or_default())
}

/// A line for each status that the Ready condition may have: 1 for the one that it has.
fn ready_lines(labels: &[Label], conditions: &[Condition]) -> Vec<Line> {
    let is = condition(conditions, READY).map_or(ConditionStatus::Unknown, |ready| ready.status);
    let line = |status: ConditionStatus| {
        let mut labels = labels.to_vec();
        labels.push(("condition", format!("{status:?}")));
        (labels, i64::from(status == is))
    };
    STATUSES.into_iter().map(line).collect()
}

fn challenge_labels(challenge: &Challenge) -> Vec<Label> {
    let status = challenge.status.clone().unwrap_or_default();
    let state = status.state.and_then(|state| serde_json::to_value(state).ok());
    vec![
        ("name", challenge.name_any()),
        ("namespace", challenge.namespace().unwrap_or_default()),
        ("domain", challenge.spec.dns_name.clone()),
        ("type", challenge.spec.type_.acme_name().to_owned()),
        ("processing", status.processing.to_string()),
        ("status", state.as_ref().and_then(|state| state.as_str()).unwrap_or_default().to_owned()),
    ]
}
