//! What a decision about revocations is made from.

use jiff::Timestamp;
use signet_api::CertificateStatus;
use signet_api::IssuerSpec;
use signet_api::labels::CRL_SECRET_NAME;

use super::marks::{Policy, Record, Request, plain_serial};
use super::reason::Reason;
use crate::digest;
use crate::failure::Failure;
use crate::pki::CertificateFacts;

/// A Certificate, as far as it is about revocation.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    /// `spec.secretName`.
    pub secret: String,
    pub generation: i64,
    pub status: CertificateStatus,
    /// Since when it is being deleted.
    pub deleted: Option<Timestamp>,
    /// Whether it has our finalizer.
    pub held: bool,
    /// What is asked for; else what is wrong with the annotation, as a sentence.
    pub request: Option<Result<Request, String>>,
    /// The policy; else what is wrong with the annotation, as a sentence.
    pub policy: Result<Policy, String>,
    /// Why the issuer of `spec.issuerRef` can not do what the policy says, as a sentence.
    pub policy_trouble: Option<String>,
    /// What was revoked, the latest last.
    pub records: Vec<Record>,
    /// Every certificate of this Certificate that can be found. Empty when neither a request nor a
    /// policy needs it.
    pub certificates: Vec<Known>,
    pub memory: Memory,
}

/// What tells one certificate from all others, and what outlives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Serial number in hexadecimal, as its certificate has it.
    pub serial: String,
    /// SHA-256 of the certificate in DER.
    pub sha256: String,
    /// SHA-256 of its public key.
    pub key: String,
    pub not_after: Timestamp,
}

impl Identity {
    /// That of a certificate, which is `der`.
    pub fn of(facts: &CertificateFacts, der: &[u8]) -> Self {
        Self {
            serial: facts.serial.clone(),
            sha256: digest::sha256_hex(der),
            key: digest::sha256_hex(&facts.public_key.spki_der),
            not_after: facts.not_after,
        }
    }

    fn is_meant_by(&self, request: &Request) -> bool {
        plain_serial(&self.serial).as_ref() == Some(&request.serial)
            && request.sha256.as_ref().is_none_or(|digest| *digest == self.sha256)
    }
}

/// A certificate that was issued for the Certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    pub identity: Identity,
    /// The CertificateRequest that was issued it, with its revision.
    pub request: Option<(String, i64)>,
    /// Whether it is the one in the target Secret.
    pub in_secret: bool,
    /// Whether the target Secret holds its private key.
    pub has_key: bool,
    pub authority: Authority,
}

/// The issuer that signed a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authority {
    /// A CA that speaks ACME.
    Acme,
    /// A CA issuer that keeps a list.
    List,
    /// One that can not revoke; why, as a sentence.
    Unable(String),
    /// It does not exist any more, as a sentence.
    Gone(String),
}

/// Why an issuer can not revoke what it has signed, as a sentence that begins with its kind and name.
/// `keeps_list` is whether it has the annotation that makes it keep one.
pub fn inability(kind: &str, name: &str, spec: &IssuerSpec, keeps_list: bool) -> Option<String> {
    let IssuerSpec { acme, ca, vault: _, self_signed, venafi: _ } = spec;
    if acme.is_some() || ca.is_some() && keeps_list {
        return None;
    }
    Some(if ca.is_some() {
        format!(
            "{kind} {name} keeps no list of revoked certificates; set its annotation {CRL_SECRET_NAME} to the name of a \
             Secret that is to hold one"
        )
    } else if self_signed.is_some() {
        format!(
            "{kind} {name} is of type selfSigned, and nobody can tell clients that a self-signed certificate is revoked; \
             take it from where it is trusted"
        )
    } else {
        format!("{kind} {name} is of a type that this version of Signet can not revoke certificates of")
    })
}

/// The revocation of one certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub identity: Identity,
    pub reason: Reason,
    pub with_certificate_key: bool,
}

/// What came of asking, lost with the process. The edge forgets failures when the issuer or a
/// Secret that it names changes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Memory {
    /// The last answer for each.
    pub answers: Vec<(Target, Result<Timestamp, Failure>)>,
}

impl Memory {
    /// Keeps an answer in place of an earlier one.
    pub fn keep(&mut self, target: Target, answer: Result<Timestamp, Failure>) {
        self.answers.retain(|(known, _)| *known != target);
        self.answers.push((target, answer));
    }

    /// What counts for a target: that it is revoked, whoever wanted it and why; a failure only when it
    /// was of the same kind of request.
    pub(super) fn of(&self, target: &Target) -> Option<&Result<Timestamp, Failure>> {
        let about = |(known, answer): &&(Target, _)| match answer {
            Ok(_) => known.identity == target.identity,
            Err(_) => known == target,
        };
        self.answers.iter().rfind(about).map(|(_, answer)| answer)
    }
}

impl Observed {
    /// The certificate that a request means.
    pub(super) fn find(&self, request: &Request) -> Option<&Known> {
        self.certificates.iter().find(|known| known.identity.is_meant_by(request))
    }

    /// The record of the certificate that a request means.
    pub(super) fn recorded(&self, request: &Request) -> Option<&Record> {
        self.records.iter().find(|record| {
            !record.refused
                && plain_serial(&record.serial).as_ref() == Some(&request.serial)
                && request.sha256.as_ref().is_none_or(|digest| *digest == record.sha256)
        })
    }

    pub(super) fn is_revoked(&self, sha256: &str) -> bool {
        self.records.iter().any(|record| !record.refused && record.sha256 == sha256)
    }

    /// Certificates whose place in the target Secret another one with another key has taken, as far as
    /// the policy cares and somebody can be asked.
    pub(super) fn superseded(&self, now: Timestamp) -> impl Iterator<Item = &Known> {
        let current = self.certificates.iter().find(|known| known.in_secret).map(|known| known.identity.key.as_str());
        let revision = self.status.revision.unwrap_or(0);
        let wanted = self.policy.as_ref().is_ok_and(|policy| policy.replaced);
        self.certificates.iter().filter(move |known| {
            let Known { identity, request, in_secret, has_key: _, authority } = known;
            wanted
                && !in_secret
                && request.as_ref().is_some_and(|(_, of)| *of <= revision)
                && current.is_some_and(|current| current != identity.key)
                && identity.not_after > now
                && !self.is_revoked(&identity.sha256)
                && matches!(authority, Authority::Acme | Authority::List)
        })
    }
}
