//! What a decision about a Certificate is made from, out of the cluster.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use signet_api::certificaterequest::{condition as of_request, reason};
use signet_api::labels::PRIVATE_KEY_SECRET_NAME;
use signet_api::meta::{condition, has_condition};
use signet_api::{Certificate, CertificateRequest, CertificateSpec, ConditionStatus, labels};
use signet_core::certificate::{
    Ari, Failure, NextKey, Observed, Outcome, Pair, Request, SecretData, TargetSecret, next_key_secret,
};
use signet_core::digest::sha256_hex;
use signet_core::pki::{self, Chain, Csr, KeyFacts};
use signet_core::revocation::{self, Identity, Record, Standing, compromise, read_records};

use super::{beside, renewal, target};
use crate::context::Context;
use crate::error::Error;
use crate::issuers::AnyIssuer;
use crate::key::Key;
use crate::kinds::revocation::observe as of_revocations;
use crate::secrets::{self, TLS_CRT, TLS_KEY};
use crate::stores::{children, uses_secret};

/// How many requests of past issuances are kept unless the spec says.
const HISTORY: usize = 1;

/// `made` is the uid of the request that this process made last.
pub(super) async fn observe(
    cx: &Context,
    certificate: &Arc<Certificate>,
    made: Option<&str>,
    ari: Option<Ari>,
) -> Result<Observed, Error> {
    let namespace = certificate.namespace().unwrap_or_default();
    let (spec, status) = (certificate.spec.clone(), certificate.status.clone().unwrap_or_default());
    let revision = status.revision.unwrap_or(0);
    let secret = secrets::read(cx, &beside(certificate, &spec.secret_name)).await?;
    let requests = children(&cx.stores.requests, &**certificate);
    let current = current_request(certificate, &requests);
    let request = match requests.iter().find(|request| revision_of(request) == Some(revision + 1)) {
        Some(request) => Some(observe_request(cx, certificate, request, made).await?),
        None => None,
    };
    let retained = revocation::retained(&of_revocations(cx, certificate).await?, Timestamp::now());
    let issuer = AnyIssuer::find(&cx.stores, &namespace, &spec.issuer_ref).ok();
    let issuer_kind = if spec.issuer_ref.is_ours() { issuer.map(|issuer| issuer.kind().to_owned()) } else { None };
    Ok(Observed {
        name: certificate.name_any(),
        uid: certificate.uid().unwrap_or_default(),
        generation: certificate.metadata.generation.unwrap_or(0),
        deleting: certificate.metadata.deletion_timestamp.is_some(),
        spec_errors: pki::spec_errors(&spec).iter().map(ToString::to_string).collect(),
        rival: rival(cx, certificate, secret.as_deref()),
        issuer_kind,
        secret: secret.as_deref().map(|secret| observe_target(cx, certificate, secret)),
        next_keys: next_keys(cx, certificate, &requests).await?,
        request,
        current_request_mismatches: current.map(|request| mismatches(&spec, request)),
        surplus_requests: surplus(&spec, revision, &requests, &retained),
        replaced_at: current.and_then(|request| renewal::replaced_at(request)),
        ari,
        spec,
        status,
    })
}

/// The request by which the current revision was issued.
pub(super) fn current_request<'a>(
    certificate: &Certificate,
    requests: &'a [Arc<CertificateRequest>],
) -> Option<&'a Arc<CertificateRequest>> {
    let revision = certificate.status.as_ref().and_then(|status| status.revision).filter(|revision| *revision > 0)?;
    requests.iter().find(|request| revision_of(request) == Some(revision))
}

fn revision_of(request: &CertificateRequest) -> Option<i64> {
    request.annotations().get(labels::CERTIFICATE_REVISION)?.parse().ok()
}

/// The Certificate that owns the target Secret, when it is another one: the one that the Secret
/// says, else the oldest.
fn rival(cx: &Context, certificate: &Certificate, secret: Option<&Secret>) -> Option<String> {
    let group = uses_secret(&certificate.namespace().unwrap_or_default(), &certificate.spec.secret_name);
    let claimants = cx.stores.certificates.group(&group);
    let written_for = secret.and_then(|secret| secret.annotations().get(labels::CERTIFICATE_NAME));
    let owner = claimants
        .iter()
        .find(|claimant| Some(&claimant.name_any()) == written_for)
        .or_else(|| claimants.iter().min_by_key(|claimant| (claimant.creation_timestamp(), claimant.name_any())));
    owner.map(|owner| owner.name_any()).filter(|owner| *owner != certificate.name_any())
}

/// The Secrets with keys that the Certificate owns. Where Secrets are not watched, those of them that an attempt
/// of now or the requests that are left would have.
async fn next_keys(
    cx: &Context,
    certificate: &Certificate,
    requests: &[Arc<CertificateRequest>],
) -> Result<Vec<NextKey>, Error> {
    let is_next = |secret: &&Arc<Secret>| secret.labels().contains_key(labels::NEXT_PRIVATE_KEY);
    let owned = if cx.stores.scope.watches_secrets() {
        children(&cx.stores.secrets, certificate)
    } else {
        named_keys(cx, certificate, requests).await?
    };
    let records = records(certificate);
    let next = owned.iter().filter(is_next).map(|secret| NextKey {
        secret: secret.name_any(),
        usable: key_facts(secret).is_ok_and(|key| {
            let digest = sha256_hex(&key.spki_der);
            key_violation(&certificate.spec, &key).is_none() && compromise(&records, &digest).is_none()
        }),
    });
    Ok(next.collect())
}

async fn named_keys(
    cx: &Context,
    certificate: &Certificate,
    requests: &[Arc<CertificateRequest>],
) -> Result<Vec<Arc<Secret>>, Error> {
    let status = certificate.status.clone().unwrap_or_default();
    let next = next_key_secret(&certificate.name_any(), &certificate.uid().unwrap_or_default(), &status);
    let of_request = |request: &Arc<CertificateRequest>| request.annotations().get(PRIVATE_KEY_SECRET_NAME).cloned();
    let names: BTreeSet<String> = requests.iter().filter_map(of_request).chain([next]).collect();
    let mut owned = Vec::new();
    for name in names {
        let secret = secrets::read(cx, &beside(certificate, &name)).await?;
        let is_owned = |secret: &Arc<Secret>| {
            secret.owner_references().iter().any(|owner| Some(&owner.uid) == certificate.metadata.uid.as_ref())
        };
        owned.extend(secret.filter(is_owned));
    }
    Ok(owned)
}

fn key_facts(secret: &Secret) -> Result<KeyFacts, String> {
    let pem = secrets::value(secret, TLS_KEY).ok_or("it has no tls.key")?;
    signet_pki::key_facts(pem).map_err(|error| error.to_string())
}

/// How a key breaks the spec. Its form on paper is not compared: that is written anew each time.
fn key_violation(spec: &CertificateSpec, key: &KeyFacts) -> Option<String> {
    pki::key_violation(spec.private_key.as_ref(), key)
}

fn observe_target(cx: &Context, certificate: &Certificate, secret: &Secret) -> TargetSecret {
    let annotation = |name| secret.annotations().get(name).cloned();
    let issuer =
        match (annotation(labels::ISSUER_NAME), annotation(labels::ISSUER_KIND), annotation(labels::ISSUER_GROUP)) {
            (Some(name), kind, group) => Some((
                name,
                kind.unwrap_or_else(|| "Issuer".to_owned()),
                group.filter(|group| !group.is_empty()).unwrap_or_else(|| signet_api::GROUP.to_owned()),
            )),
            _ => None,
        };
    TargetSecret {
        data: secret_data(certificate, secret),
        issuer,
        certificate_name: annotation(labels::CERTIFICATE_NAME),
        drifted: target::is_drifted(cx, certificate, secret),
    }
}

fn secret_data(certificate: &Certificate, secret: &Secret) -> SecretData {
    let missing: Vec<_> = [TLS_KEY, TLS_CRT].into_iter().filter(|key| secrets::value(secret, key).is_none()).collect();
    if !missing.is_empty() {
        return SecretData::Missing(missing);
    }
    let key = match key_facts(secret) {
        Ok(key) => key,
        Err(why) => return SecretData::InvalidKey(why),
    };
    match Chain::parse(secrets::value(secret, TLS_CRT).unwrap_or_default()) {
        Ok(chain) => SecretData::Pair(pair(certificate, &chain, Some(&key))),
        Err(error) => SecretData::InvalidCertificate(error.to_string()),
    }
}

fn pair(certificate: &Certificate, chain: &Chain, key: Option<&KeyFacts>) -> Pair {
    let (spec, leaf) = (&certificate.spec, &chain.leaf);
    let ari_id = signet_acme::certificate_id(chain.chain_pem.as_bytes());
    let renew_before: Option<SignedDuration> = spec.renew_before.as_ref().map(|before| before.get());
    let identity = Identity::of(leaf, &chain.leaf_der);
    Pair {
        not_before: leaf.not_before,
        not_after: leaf.not_after,
        renewal_time: pki::renewal_time(leaf.not_before, leaf.not_after, renew_before, spec.renew_before_percentage),
        ari_id,
        key_matches: key.is_some_and(|key| pki::public_key_matches(&leaf.public_key, &key.spki_der)),
        key_violation: key.and_then(|key| key_violation(spec, key)),
        spec_mismatches: names(pki::secret_mismatch(spec, leaf)),
        standing: Box::new(Standing::of(&records(certificate), &identity)),
        sha256: identity.sha256,
    }
}

async fn observe_request(
    cx: &Context,
    certificate: &Certificate,
    request: &CertificateRequest,
    made: Option<&str>,
) -> Result<Request, Error> {
    let key_secret = request.annotations().get(PRIVATE_KEY_SECRET_NAME).cloned().unwrap_or_default();
    let secret = match key_secret.as_str() {
        "" => None,
        name => secrets::read(cx, &Key::new(certificate.namespace().unwrap_or_default(), name)).await?,
    };
    let key = secret.and_then(|secret| key_facts(&secret).ok());
    let mut mismatches = mismatches(&certificate.spec, request);
    if let (Some(key), Ok(csr)) = (&key, Csr::parse(&request.spec.request.0))
        && !pki::public_key_matches(&csr.public_key, &key.spki_der)
    {
        mismatches.push("spec.privateKey".to_owned());
    }
    let outcome = outcome(certificate, request, key.as_ref());
    // By its uid, not its time: that the API server tells in whole seconds only.
    let interrupted = request.uid().as_deref() != made;
    Ok(Request { name: request.name_any(), key_secret, mismatches, interrupted, outcome })
}

/// The fields of the Certificate that a request does not agree with.
fn mismatches(spec: &CertificateSpec, request: &CertificateRequest) -> Vec<String> {
    match Csr::parse(&request.spec.request.0) {
        Ok(csr) => {
            let fields = pki::spec_mismatch(spec, &csr).into_iter();
            let mut fields = names(fields.chain(pki::request_mismatch(spec, &request.spec)).collect());
            fields.dedup();
            fields
        }
        Err(_) => vec!["spec".to_owned()],
    }
}

fn names(fields: Vec<&'static str>) -> Vec<String> {
    fields.into_iter().map(str::to_owned).collect()
}

fn outcome(certificate: &Certificate, request: &CertificateRequest, key: Option<&KeyFacts>) -> Outcome {
    let status = request.status.clone().unwrap_or_default();
    let failed = |reason: &str, message: String| {
        let at = status.failure_time.as_ref().map(|time| time.0).or_else(|| Some(request.creation_timestamp()?.0));
        Outcome::Failed(Failure { at: at.unwrap_or(Timestamp::UNIX_EPOCH), reason: reason.to_owned(), message })
    };
    let said = |type_: &str| {
        let message = condition(&status.conditions, type_).and_then(|condition| condition.message.clone());
        format!("CertificateRequest {}: {}", request.name_any(), message.unwrap_or_else(|| "it failed".to_owned()))
    };
    if has_condition(&status.conditions, of_request::INVALID_REQUEST, ConditionStatus::True) {
        return failed("InvalidRequest", said(of_request::INVALID_REQUEST));
    }
    if has_condition(&status.conditions, of_request::DENIED, ConditionStatus::True) {
        return failed(reason::DENIED, said(of_request::DENIED));
    }
    let Some(ready) = condition(&status.conditions, of_request::READY) else {
        return Outcome::New(request.creation_timestamp().map_or(Timestamp::UNIX_EPOCH, |time| time.0));
    };
    match (&status.certificate, ready.is_true(), ready.reason.as_deref()) {
        (Some(issued), true, _) => match Chain::parse(&issued.0) {
            Ok(chain) => Outcome::Issued(pair(certificate, &chain, key)),
            Err(error) => {
                failed("InvalidCertificate", format!("{} returned no certificate: {error}", request.name_any()))
            }
        },
        (_, false, Some(why @ (reason::FAILED | reason::DENIED))) => failed(why, said(of_request::READY)),
        _ => Outcome::Pending(ready.message.clone()),
    }
}

/// What was revoked of a Certificate.
fn records(certificate: &Certificate) -> Vec<Record> {
    read_records(certificate.annotations().get(labels::REVOKED).map(String::as_str))
}

/// Requests of this and past revisions beyond those that the spec wants kept, the oldest first; not those
/// that are `retained`.
fn surplus(
    spec: &CertificateSpec,
    revision: i64,
    requests: &[Arc<CertificateRequest>],
    retained: &BTreeSet<String>,
) -> Vec<String> {
    let kept = spec.revision_history_limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(HISTORY).max(1);
    let mut past: Vec<_> = requests
        .iter()
        .filter_map(|request| Some((revision_of(request)?, request.name_any())))
        .filter(|(number, _)| *number <= revision)
        .collect();
    past.sort();
    let surplus = past.len().saturating_sub(kept);
    past.into_iter().take(surplus).map(|(_, name)| name).filter(|name| !retained.contains(name)).collect()
}
