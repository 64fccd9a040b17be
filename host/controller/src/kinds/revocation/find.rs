//! The certificates of a Certificate: what its CertificateRequests were issued, and what the target
//! Secret holds with its key.
//!
//! Certificates are public, and who may write Secrets of a namespace is not who may speak for the issuer's
//! account. So one that only the Secret has counts as the Certificate's own only when its private key is
//! there too: whoever holds that may have it revoked anyway (RFC 8555, section 7.6). The status of a
//! CertificateRequest is written by the controller alone.

use kube::ResourceExt;
use signet_acme::AccountKey;
use signet_api::{Certificate, IssuerRef, labels};
use signet_core::pki::{Link, public_key_matches};
use signet_core::revocation::{Authority, Identity, Known, Observed, inability};

use crate::context::Context;
use crate::crl;
use crate::error::Error;
use crate::issuers::AnyIssuer;
use crate::key::Key;
use crate::secrets::{self, TLS_CRT, TLS_KEY};
use crate::stores::children;

/// A certificate, and who signed it.
pub(super) struct Found {
    pub(super) known: Known,
    pub(super) certificate: Link,
    pub(super) issuer: IssuerRef,
}

/// What the target Secret holds.
struct Target {
    certificate: Option<Link>,
    /// The public key of its private key.
    spki_der: Option<Vec<u8>>,
    issuer: Option<IssuerRef>,
}

/// All of them, each once.
pub(super) async fn find(cx: &Context, certificate: &Certificate) -> Result<Vec<Found>, Error> {
    let namespace = certificate.namespace().unwrap_or_default();
    let target = target(cx, certificate).await?;
    let has_key = |link: &Link| {
        target.spki_der.as_ref().is_some_and(|spki_der| public_key_matches(&link.facts.public_key, spki_der))
    };
    let in_secret = target.certificate.as_ref().filter(|link| has_key(link));
    let mut all: Vec<Found> = Vec::new();
    let mut add = |certificate: Link, request: Option<(String, i64)>, issuer: IssuerRef| {
        let known = Known {
            identity: Identity::of(&certificate.facts, &certificate.der),
            request,
            in_secret: in_secret.is_some_and(|link| link.der == certificate.der),
            has_key: has_key(&certificate),
            authority: authority(cx, &namespace, &issuer),
        };
        if !all.iter().any(|found| found.known.identity == known.identity) {
            all.push(Found { known, certificate, issuer });
        }
    };
    for request in children(&cx.stores.requests, certificate) {
        let issued = request.status.as_ref().and_then(|status| leaf(&status.certificate.as_ref()?.0));
        let revision = request.annotations().get(labels::CERTIFICATE_REVISION).and_then(|number| number.parse().ok());
        if let (Some(issued), Some(revision)) = (issued, revision) {
            add(issued, Some((request.name_any(), revision)), request.spec.issuer_ref.clone());
        }
    }
    if let Some(link) = in_secret {
        let issuer = target.issuer.clone().unwrap_or_else(|| certificate.spec.issuer_ref.clone());
        add(link.clone(), None, issuer);
    }
    Ok(all)
}

async fn target(cx: &Context, certificate: &Certificate) -> Result<Target, Error> {
    let place = Key::new(certificate.namespace().unwrap_or_default(), &certificate.spec.secret_name);
    let secret = secrets::read(cx, &place).await?;
    let annotation = |name: &str| secret.as_ref()?.annotations().get(name).cloned();
    // What was written for another Certificate is that one's.
    let is_ours = annotation(labels::CERTIFICATE_NAME).is_none_or(|name| name == certificate.name_any());
    let value = |key| secret.as_deref().filter(|_| is_ours).and_then(|secret| secrets::value(secret, key));
    Ok(Target {
        certificate: value(TLS_CRT).and_then(leaf),
        spki_der: value(TLS_KEY).and_then(|pem| signet_pki::key_facts(pem).ok()).map(|key| key.spki_der),
        issuer: annotation(labels::ISSUER_NAME).map(|name| IssuerRef {
            name,
            kind: annotation(labels::ISSUER_KIND),
            group: annotation(labels::ISSUER_GROUP),
        }),
    })
}

fn leaf(pem: &[u8]) -> Option<Link> {
    Link::parse_chain(pem).ok()?.into_iter().next()
}

/// Who can be asked to revoke what the issuer of this reference signed.
fn authority(cx: &Context, namespace: &str, reference: &IssuerRef) -> Authority {
    if !reference.is_ours() {
        let group = reference.group_or_default();
        return Authority::Unable(format!(
            "its issuer {} is of the group {group}, and only the controller of that group can revoke its certificates",
            reference.name
        ));
    }
    let issuer = match AnyIssuer::find(&cx.stores, namespace, reference) {
        Ok(issuer) => issuer,
        Err(sentence) => return Authority::Gone(sentence),
    };
    match inability(issuer.kind(), &issuer.name(), issuer.spec(), crl::is_kept(&issuer)) {
        Some(why) => Authority::Unable(why),
        None if issuer.acme().is_some() => Authority::Acme,
        None => Authority::List,
    }
}

/// Why the issuer of the spec can not revoke.
pub(super) fn policy_trouble(cx: &Context, certificate: &Certificate) -> Option<String> {
    match authority(cx, &certificate.namespace().unwrap_or_default(), &certificate.spec.issuer_ref) {
        Authority::Unable(why) => Some(format!("metadata.annotations[{}] can not be done: {why}", labels::REVOKE_WHEN)),
        Authority::Acme | Authority::List | Authority::Gone(_) => None,
    }
}

/// The private key in the target Secret, as one that signs requests to a CA; else why it can not.
pub(super) async fn private_key(
    cx: &Context,
    certificate: &Certificate,
    observed: &Observed,
) -> Result<Result<AccountKey, String>, Error> {
    let place = Key::new(certificate.namespace().unwrap_or_default(), &observed.secret);
    let secret = secrets::read(cx, &place).await?;
    let pem = secret.as_deref().and_then(|secret| secrets::value(secret, TLS_KEY));
    let text = pem.and_then(|pem| std::str::from_utf8(pem).ok());
    let Some(text) = text else { return Ok(Err(format!("Secret {place} has no {TLS_KEY}"))) };
    Ok(AccountKey::from_pem(text).map_err(|error| format!("{TLS_KEY} in Secret {place}: {}", error.sentence())))
}
