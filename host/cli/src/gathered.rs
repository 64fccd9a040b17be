//! What the story of a Certificate is told from: facts, read and parsed by [`crate::gather`].

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use signet_api::certificate::condition::{ISSUING, READY};
use signet_api::meta::condition;
use signet_api::{
    Certificate, CertificateRequest, CertificateStatus, Challenge, Condition, ConditionStatus, IssuerSpec,
    IssuerStatus, Order, labels,
};
use signet_core::certificate::backoff_after;
use signet_core::revocation::{Record, Request, read_records};

/// Something that was looked for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Seen<T> {
    There(T),
    Missing,
    /// This person may not see it, or it could not be read; why.
    Hidden(String),
}

impl<T> Seen<T> {
    pub(crate) fn there(&self) -> Option<&T> {
        match self {
            Self::There(found) => Some(found),
            Self::Missing | Self::Hidden(_) => None,
        }
    }

    pub(crate) fn map<U>(self, told: impl FnOnce(T) -> U) -> Seen<U> {
        self.and_then(|found| Some(told(found)))
    }

    /// What is made from it; missing when that is nothing.
    pub(crate) fn and_then<U>(self, told: impl FnOnce(T) -> Option<U>) -> Seen<U> {
        match self {
            Self::There(found) => told(found).map_or(Seen::Missing, Seen::There),
            Self::Missing => Seen::Missing,
            Self::Hidden(why) => Seen::Hidden(why),
        }
    }
}

/// A Certificate and what stands behind it.
#[derive(Clone, Debug)]
pub(crate) struct Gathered {
    pub(crate) certificate: Certificate,
    pub(crate) issuer: SeenIssuer,
    pub(crate) secret: Seen<SecretFacts>,
    /// The Secret that `status.nextPrivateKeySecretName` names; missing when it names none, too.
    pub(crate) next_key: Seen<()>,
    /// The request of the revision to come, else the latest.
    pub(crate) request: Seen<CertificateRequest>,
    /// The Order of that request.
    pub(crate) order: Seen<Order>,
    /// The Challenges of that Order.
    pub(crate) challenges: Seen<Vec<Challenge>>,
    /// What happened to these objects lately, the oldest first.
    pub(crate) happenings: Seen<Vec<Happening>>,
}

/// The issuer that `spec.issuerRef` means.
#[expect(clippy::large_enum_variant, reason = "there is one for each run of the program")]
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum SeenIssuer {
    Ours(Seen<IssuerFacts>),
    /// Of another API group, which that group's own controller serves.
    Foreign,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct IssuerFacts {
    /// `Issuer` or `ClusterIssuer`, resolved.
    pub(crate) kind: &'static str,
    pub(crate) spec: IssuerSpec,
    pub(crate) status: IssuerStatus,
    /// Whether it is to keep a list of revoked certificates.
    pub(crate) keeps_list: bool,
}

/// The target Secret. The private key in it is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SecretFacts {
    pub(crate) type_: String,
    /// Which of tls.crt and tls.key it has not.
    pub(crate) lacks: Vec<&'static str>,
    /// What tls.crt says; why it can not be read, else.
    pub(crate) leaf: Option<Result<Leaf, String>>,
    /// The Certificate that it was written for, by its annotation.
    pub(crate) certificate_name: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Leaf {
    pub(crate) subject: String,
    /// Names and addresses that it is for.
    pub(crate) names: Vec<String>,
    pub(crate) issuer: String,
    pub(crate) serial: String,
    pub(crate) not_after: Timestamp,
}

/// One event, or a series of the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Happening {
    pub(crate) at: Timestamp,
    /// `Normal` or `Warning`.
    pub(crate) severity: String,
    pub(crate) reason: String,
    /// Kind and name.
    pub(crate) object: String,
    pub(crate) message: String,
    pub(crate) count: i32,
}

impl Gathered {
    pub(crate) fn name(&self) -> &str {
        self.certificate.metadata.name.as_deref().unwrap_or_default()
    }

    pub(crate) fn namespace(&self) -> &str {
        self.certificate.metadata.namespace.as_deref().unwrap_or_default()
    }

    /// The status; an empty one where the controller has written none yet.
    pub(crate) fn status(&self) -> CertificateStatus {
        self.certificate.status.clone().unwrap_or_default()
    }

    pub(crate) fn ready(&self) -> Option<&Condition> {
        condition(&self.certificate.status.as_ref()?.conditions, READY)
    }

    pub(crate) fn issuing(&self) -> Option<&Condition> {
        condition(&self.certificate.status.as_ref()?.conditions, ISSUING)
    }

    pub(crate) fn is_issuing(&self) -> bool {
        self.issuing().is_some_and(Condition::is_true)
    }

    /// The issuer in words: kind and name, or what both could be.
    pub(crate) fn issuer_name(&self) -> String {
        let wanted = &self.certificate.spec.issuer_ref;
        let name = &wanted.name;
        match (&self.issuer, wanted.kind_if_set()) {
            (SeenIssuer::Ours(Seen::There(facts)), _) => format!("{} {name}", facts.kind),
            (SeenIssuer::Foreign, kind) => {
                format!("{} {name} of {}", kind.unwrap_or("issuer"), wanted.group_or_default())
            }
            (SeenIssuer::Ours(_), Some(kind)) => format!("{kind} {name}"),
            (SeenIssuer::Ours(_), None) => format!("Issuer or ClusterIssuer {name}"),
        }
    }

    /// The revocation that is asked for; else what is wrong with the annotation that asks.
    pub(crate) fn revocation(&self) -> Option<Result<Request, String>> {
        Some(Request::parse(self.annotation(labels::REVOKE)?))
    }

    /// What was revoked, the latest last.
    pub(crate) fn records(&self) -> Vec<Record> {
        read_records(self.annotation(labels::REVOKED))
    }

    fn annotation(&self, name: &str) -> Option<&str> {
        self.certificate.metadata.annotations.as_ref()?.get(name).map(String::as_str)
    }

    /// When a failed issuance is tried again; none when none failed, or the spec changed since.
    pub(crate) fn next_attempt(&self) -> Option<Timestamp> {
        let status = self.certificate.status.as_ref()?;
        let attempts = status.failed_issuance_attempts.filter(|attempts| *attempts > 0)?;
        let Time(failed) = status.last_failure_time.as_ref()?;
        let issuing = self.issuing()?;
        let current = issuing.observed_generation == self.certificate.metadata.generation;
        (issuing.status == ConditionStatus::False && current).then(|| *failed + backoff_after(attempts))
    }
}

/// Of the requests of a Certificate, the one of the revision to come, else the latest.
pub(crate) fn current_request(
    certificate: &Certificate,
    requests: Vec<CertificateRequest>,
) -> Option<CertificateRequest> {
    let next = certificate.status.as_ref().and_then(|status| status.revision).unwrap_or(0) + 1;
    requests.into_iter().filter(|request| belongs_to(request, certificate)).max_by_key(|request| {
        let revision = revision(request);
        (revision == Some(next), revision, request.metadata.creation_timestamp.clone())
    })
}

/// The revision that a request is for.
pub(crate) fn revision(request: &CertificateRequest) -> Option<i64> {
    request.metadata.annotations.as_ref()?.get(labels::CERTIFICATE_REVISION)?.parse().ok()
}

fn belongs_to(request: &CertificateRequest, certificate: &Certificate) -> bool {
    let named = request.metadata.annotations.as_ref().and_then(|all| all.get(labels::CERTIFICATE_NAME));
    is_owned(request, certificate.metadata.uid.as_deref()) || named == certificate.metadata.name.as_ref()
}

/// Whether the object with this uid owns another.
pub(crate) fn is_owned<K: kube::Resource>(object: &K, uid: Option<&str>) -> bool {
    object.meta().owner_references.iter().flatten().any(|owner| Some(owner.uid.as_str()) == uid)
}
