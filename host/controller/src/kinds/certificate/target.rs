//! The target Secret: what it should hold, whether it does, and writing it.
//!
//! It is written by server-side apply under the name that cert-manager uses for its own, so that
//! a Secret of cert-manager's is taken over whole and what is no longer wanted in it goes.

use std::collections::{BTreeMap, BTreeSet};

use base64::prelude::{BASE64_STANDARD, Engine};
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use serde_json::{Value, json};
use signet_api::certificate::OutputFormatType;
use signet_api::{Certificate, labels};
use signet_core::certificate::Observed;
use signet_core::pki::{self, Chain};
use signet_pki::PrivateKey;

use super::beside;
use super::observe::current_request;
use crate::context::Context;
use crate::error::Error;
use crate::issuers::AnyIssuer;
use crate::secrets::{self, CA_CRT, TLS_CRT, TLS_KEY};
use crate::stores::children;
use crate::writer::controlled_by;

/// The name under which the fields of target Secrets are managed.
const MANAGER: &str = "cert-manager-certificates-issuing";
const KEY_DER: &str = "key.der";
const COMBINED_PEM: &str = "tls-combined.pem";

/// What the Secret should hold.
struct Content {
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    data: BTreeMap<String, Vec<u8>>,
}

/// Key, certificate and authority, in PEM.
struct Parts<'a> {
    key: &'a [u8],
    chain: Chain,
    authority: Option<Vec<u8>>,
}

/// Writes what `request` was issued, and the key in `key_secret`. Returns the name that its CA may be asked
/// about the certificate by.
pub(super) async fn write(
    cx: &Context,
    certificate: &Certificate,
    observed: &Observed,
    request: &str,
    key_secret: &str,
) -> Result<Option<String>, Error> {
    let failed = |why: String| not_made(certificate, why);
    let issued = cx.stores.requests.get(&beside(certificate, request));
    let issued = issued.and_then(|request| request.status.clone());
    let issued = issued.ok_or_else(|| failed(format!("CertificateRequest {request} is gone")))?;
    let pem = issued.certificate.ok_or_else(|| failed(format!("CertificateRequest {request} has no certificate")))?;
    let chain = Chain::parse(&pem.0).map_err(|error| failed(error.to_string()))?;
    let secret = secrets::read(cx, &beside(certificate, key_secret)).await?;
    let key = secret.as_deref().and_then(|secret| secrets::value(secret, TLS_KEY));
    let key = key.ok_or_else(|| failed(format!("Secret {key_secret} has no {TLS_KEY}")))?;
    let parts = Parts { key, chain, authority: issued.ca.map(|authority| authority.0) };
    apply(cx, certificate, observed, &parts).await?;
    Ok(signet_acme::certificate_id(parts.chain.chain_pem.as_bytes()))
}

/// Writes labels, annotations and derived formats again; key and certificate stay.
pub(super) async fn repair(cx: &Context, certificate: &Certificate, observed: &Observed) -> Result<(), Error> {
    let Some(secret) = secrets::read(cx, &beside(certificate, &certificate.spec.secret_name)).await? else {
        return Ok(());
    };
    let parts = parts(cx, certificate, &secret).map_err(|why| not_made(certificate, why))?;
    apply(cx, certificate, observed, &parts).await
}

/// Whether the Secret lacks what the spec asks for beside key and certificate, or still has what
/// it once asked for.
pub(super) fn is_drifted(cx: &Context, certificate: &Certificate, secret: &Secret) -> bool {
    let Ok(parts) = parts(cx, certificate, secret) else { return false };
    let Ok(wanted) = content(certificate, &issuer_kind(cx, certificate), &parts) else { return false };
    let managed = Managed::of(secret);
    let data = secret.data.clone().unwrap_or_default();
    let lacks = wanted.labels.iter().any(|(key, value)| secret.labels().get(key) != Some(value))
        || wanted.annotations.iter().any(|(key, value)| secret.annotations().get(key) != Some(value))
        || wanted.data.iter().any(|(key, value)| data.get(key).map(|bytes| &bytes.0) != Some(value));
    let stale = managed.labels.iter().any(|key| !wanted.labels.contains_key(key))
        || managed.annotations.iter().any(|key| !wanted.annotations.contains_key(key))
        || managed.data.iter().any(|key| !wanted.data.contains_key(key));
    let owned = secret.owner_references().iter().any(|owner| Some(&owner.uid) == certificate.uid().as_ref());
    lacks || stale || owned != cx.settings.certificate_owner_ref
}

/// What the Secret holds. Its authority may have been damaged like anything that is derived, so the
/// request by which the certificate was issued is asked first.
fn parts<'a>(cx: &Context, certificate: &Certificate, secret: &'a Secret) -> Result<Parts<'a>, String> {
    let of = |key| secrets::value(secret, key).ok_or_else(|| format!("it has no {key}"));
    let chain = Chain::parse(of(TLS_CRT)?).map_err(|error| error.to_string())?;
    let authority = match issued_authority(cx, certificate, &chain) {
        Some(issued) => issued,
        None => secrets::value(secret, CA_CRT).map(<[u8]>::to_vec),
    };
    Ok(Parts { key: of(TLS_KEY)?, chain, authority })
}

/// The authority that the request of the current revision was told, if that request issued `chain`.
fn issued_authority(cx: &Context, certificate: &Certificate, chain: &Chain) -> Option<Option<Vec<u8>>> {
    let requests = children(&cx.stores.requests, certificate);
    let issued = current_request(certificate, &requests)?.status.clone()?;
    let leaf = Chain::parse(&issued.certificate?.0).ok()?.leaf;
    (leaf == chain.leaf).then(|| issued.ca.map(|authority| authority.0))
}

fn not_made(certificate: &Certificate, why: String) -> Error {
    Error::Make { what: format!("Secret {}", certificate.spec.secret_name), why }
}

fn issuer_kind(cx: &Context, certificate: &Certificate) -> String {
    let reference = &certificate.spec.issuer_ref;
    if let Some(kind) = reference.kind_if_set() {
        return kind.to_owned();
    }
    let found = AnyIssuer::find(&cx.stores, &certificate.namespace().unwrap_or_default(), reference);
    match found.ok().filter(|_| reference.is_ours()) {
        Some(issuer) => issuer.kind().to_owned(),
        None => "Issuer".to_owned(),
    }
}

fn content(certificate: &Certificate, issuer_kind: &str, parts: &Parts<'_>) -> Result<Content, String> {
    let spec = &certificate.spec;
    let template = spec.secret_template.clone().unwrap_or_default();
    let mut labels = template.labels;
    labels.extend([secrets::ours()]);
    let mut annotations = template.annotations;
    annotations.extend(pki::secret_annotations(&parts.chain.leaf));
    for (name, value) in [
        (labels::CERTIFICATE_NAME, certificate.name_any().as_str()),
        (labels::ISSUER_NAME, spec.issuer_ref.name.as_str()),
        (labels::ISSUER_KIND, issuer_kind),
        (labels::ISSUER_GROUP, spec.issuer_ref.group_or_default()),
    ] {
        annotations.insert(name.to_owned(), value.to_owned());
    }
    let key = PrivateKey::from_pem(parts.key).map_err(|error| error.to_string())?;
    let encoding = spec.private_key.clone().unwrap_or_default().encoding_or_default();
    let key = key.to_pem(encoding).map_err(|error| error.to_string())?.as_bytes().to_vec();
    let chain = parts.chain.chain_pem.clone().into_bytes();
    let mut data = BTreeMap::new();
    for format in &spec.additional_output_formats {
        match format.type_ {
            OutputFormatType::Der => {
                let der = pem::parse(&key).map_err(|error| error.to_string())?.into_contents();
                data.insert(KEY_DER.to_owned(), der);
            }
            OutputFormatType::CombinedPem => {
                data.insert(COMBINED_PEM.to_owned(), [key.as_slice(), b"\n", &chain].concat());
            }
        }
    }
    data.insert(TLS_KEY.to_owned(), key);
    data.insert(TLS_CRT.to_owned(), chain);
    data.extend(parts.authority.clone().map(|authority| (CA_CRT.to_owned(), authority)));
    Ok(Content { labels, annotations, data })
}

async fn apply(cx: &Context, certificate: &Certificate, observed: &Observed, parts: &Parts<'_>) -> Result<(), Error> {
    let kind = observed.issuer_kind.clone().unwrap_or_else(|| issuer_kind(cx, certificate));
    let content = content(certificate, &kind, parts).map_err(|why| not_made(certificate, why))?;
    let key = beside(certificate, &certificate.spec.secret_name);
    // The type of a Secret can not be changed.
    let there = secrets::read(cx, &key).await?;
    let type_ = there.and_then(|secret| secret.type_.clone()).unwrap_or_else(|| "kubernetes.io/tls".to_owned());
    let data: BTreeMap<_, _> = content.data.iter().map(|(name, bytes)| (name, BASE64_STANDARD.encode(bytes))).collect();
    let mut metadata = json!({
        "name": key.name,
        "namespace": key.namespace,
        "labels": content.labels,
        "annotations": content.annotations,
    });
    if cx.settings.certificate_owner_ref {
        metadata["ownerReferences"] = json!(controlled_by(certificate));
    }
    let fields = json!({ "apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": type_, "data": data });
    cx.writer.apply::<Secret>(&key, MANAGER, &fields).await
}

/// The names of the fields that we applied earlier.
#[derive(Default)]
struct Managed {
    labels: BTreeSet<String>,
    annotations: BTreeSet<String>,
    data: BTreeSet<String>,
}

impl Managed {
    fn of(secret: &Secret) -> Self {
        let ours = secret
            .managed_fields()
            .iter()
            .find(|entry| entry.manager.as_deref() == Some(MANAGER) && entry.operation.as_deref() == Some("Apply"));
        let Some(fields) = ours.and_then(|entry| entry.fields_v1.as_ref()) else { return Self::default() };
        let names = |path: &str| -> BTreeSet<String> {
            let below = fields.0.pointer(path).and_then(Value::as_object);
            below.into_iter().flatten().filter_map(|(name, _)| name.strip_prefix("f:").map(str::to_owned)).collect()
        };
        Self {
            labels: names("/f:metadata/f:labels"),
            annotations: names("/f:metadata/f:annotations"),
            data: names("/f:data"),
        }
    }
}
