//! What a decision about a Certificate is made from.

use jiff::Timestamp;
use signet_api::certificate::RotationPolicy;
use signet_api::certificate::condition::ISSUING;
use signet_api::meta::condition;
use signet_api::{CertificateSpec, CertificateStatus, Condition};

use super::renewal::Ari;
use super::revoke;
use crate::revocation::Standing;

/// A Certificate and what stands around it, read and parsed by the edge.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    pub name: String,
    pub uid: String,
    pub generation: i64,
    /// Whether it is being deleted.
    pub deleting: bool,
    pub spec: CertificateSpec,
    pub status: CertificateStatus,
    /// What is wrong with the spec that the API server can not see, as `field: what` sentences.
    pub spec_errors: Vec<String>,
    /// The Certificate that owns the target Secret, when it is another one.
    pub rival: Option<String>,
    /// The kind of the issuer that `issuerRef` means, once resolved.
    pub issuer_kind: Option<String>,
    /// The target Secret; none when it does not exist.
    pub secret: Option<TargetSecret>,
    /// Keys that were made for an issuance and not yet used up.
    pub next_keys: Vec<NextKey>,
    /// The request of the revision to come.
    pub request: Option<Request>,
    /// Fields of the spec (`spec.dnsNames`) in which the request of the current revision differs;
    /// none when that request is gone.
    pub current_request_mismatches: Option<Vec<String>>,
    /// Requests of old revisions beyond `revisionHistoryLimit`.
    pub surplus_requests: Vec<String>,
    /// The CA that may be asked when to renew; none where there is none.
    pub ari: Option<Ari>,
    /// When the certificate that is there was asked for, if it took another's place.
    pub replaced_at: Option<Timestamp>,
}

/// The target Secret, as far as it matters.
#[derive(Clone, Debug, PartialEq)]
pub struct TargetSecret {
    pub data: SecretData,
    /// `cert-manager.io/issuer-{name,kind,group}` as they stand on the Secret.
    pub issuer: Option<(String, String, String)>,
    /// `cert-manager.io/certificate-name` as it stands on the Secret.
    pub certificate_name: Option<String>,
    /// Whether labels, annotations or derived formats are not what the spec asks for.
    pub drifted: bool,
}

/// What the target Secret holds.
#[derive(Clone, Debug, PartialEq)]
pub enum SecretData {
    /// One of these keys is missing or empty.
    Missing(Vec<&'static str>),
    InvalidKey(String),
    InvalidCertificate(String),
    Pair(Pair),
}

/// A certificate and whether a key belongs to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Pair {
    /// SHA-256 of the certificate in DER.
    pub sha256: String,
    pub not_before: Timestamp,
    pub not_after: Timestamp,
    /// By the lifetime and the spec alone.
    pub renewal_time: Timestamp,
    /// The name by which the CA is asked about it (RFC 9773, section 4.1); none where nobody is asked.
    pub ari_id: Option<String>,
    pub key_matches: bool,
    /// How the key breaks `spec.privateKey`, if it does.
    pub key_violation: Option<String>,
    /// Fields of the spec (`spec.dnsNames`) that the certificate does not agree with.
    pub spec_mismatches: Vec<String>,
    /// What was revoked of it.
    pub standing: Box<Standing>,
}

/// A key waiting for its certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextKey {
    pub secret: String,
    /// Whether it parses, keeps to `spec.privateKey`, and nobody else may hold it.
    pub usable: bool,
}

/// The request of the revision to come.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    pub name: String,
    pub key_secret: String,
    /// Fields of the spec that the request does not agree with, `privateKey` among them when it
    /// was signed with another key.
    pub mismatches: Vec<String>,
    /// Whether it was made before this process began: a failure may come from the time in between,
    /// when nobody answered the CA.
    pub interrupted: bool,
    pub outcome: Outcome,
}

/// How far a request has come.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Made at this time, and nobody has said anything of it yet.
    New(Timestamp),
    /// Somebody says that it waits, and for what.
    Pending(Option<String>),
    Failed(Failure),
    Issued(Pair),
}

/// Why a request was not signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub at: Timestamp,
    pub reason: String,
    pub message: String,
}

fn next_revision(status: &CertificateStatus) -> i64 {
    status.revision.unwrap_or(0) + 1
}

/// The Secret for the next key of a Certificate: what its status names, else a name that the same attempt at
/// the same revision always gives.
pub fn next_key_secret(name: &str, uid: &str, status: &CertificateStatus) -> String {
    let attempt = status.failed_issuance_attempts.unwrap_or(0);
    let fact = format!("{uid}/{}/{attempt}", next_revision(status));
    let head = &name[..name.len().min(240)];
    let fresh = format!("{}-{}", head.trim_end_matches(['-', '.']), &crate::digest::short_hex(fact.as_bytes())[..8]);
    status.next_private_key_secret_name.clone().unwrap_or(fresh)
}

impl Observed {
    pub(super) fn spec(&self) -> &CertificateSpec {
        &self.spec
    }

    pub(super) fn status(&self) -> &CertificateStatus {
        &self.status
    }

    pub(super) fn condition(&self, type_: &str) -> Option<&Condition> {
        condition(&self.status.conditions, type_)
    }

    pub(super) fn is_issuing(&self) -> bool {
        self.condition(ISSUING).is_some_and(Condition::is_true)
    }

    pub(super) fn key(&self, secret: &str) -> Option<&NextKey> {
        self.next_keys.iter().find(|key| key.secret == secret)
    }

    pub(super) fn next_revision(&self) -> i64 {
        next_revision(&self.status)
    }

    pub(super) fn rotation(&self) -> RotationPolicy {
        if revoke::is_compromised(self) {
            return RotationPolicy::Always;
        }
        self.spec.private_key.clone().unwrap_or_default().rotation_policy_or_default()
    }

    /// The key that is in use, by how it breaks `spec.privateKey`; none when there is no key.
    pub(super) fn current_key(&self) -> Option<Option<&str>> {
        match &self.secret.as_ref()?.data {
            SecretData::Pair(pair) => Some(pair.key_violation.as_deref()),
            SecretData::Missing(_) | SecretData::InvalidKey(_) | SecretData::InvalidCertificate(_) => None,
        }
    }

    /// What the request was issued, when it is in the target Secret already.
    pub(super) fn in_place(&self) -> Option<&Pair> {
        let (SecretData::Pair(held), Outcome::Issued(issued)) =
            (&self.secret.as_ref()?.data, &self.request.as_ref()?.outcome)
        else {
            return None;
        };
        (held.sha256 == issued.sha256).then_some(held)
    }

    pub(super) fn next_key_secret(&self) -> String {
        next_key_secret(&self.name, &self.uid, &self.status)
    }

    /// Whether the status already counts this failure.
    pub(super) fn is_accounted(&self, failure: &Failure) -> bool {
        self.status.last_failure_time.as_ref().is_some_and(|time| time.0 >= failure.at)
    }
}
