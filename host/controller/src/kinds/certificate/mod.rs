//! Certificate: reads the Secrets and CertificateRequests around it; makes keys, requests and the
//! target Secret.

mod observe;
pub(crate) mod renewal;
mod target;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt;
use signet_api::certificate::KeyEncoding;
use signet_api::{Certificate, CertificateRequest, CertificateRequestSpec, CertificateStatus, State, labels};
use signet_core::certificate::{Action, CertificatePlan, Observed, decide};
use signet_pki::PrivateKey;

use self::renewal::Renewals;
use crate::context::{Context, Memories};
use crate::error::Error;
use crate::key::Key;
use crate::queue::Queue;
use crate::reconcile::Kind;
use crate::secrets::{self, TLS_KEY};
use crate::stores::children;
use crate::writer::{Contested, controlled_by};

/// Annotations that are for other programs, or about what was issued before, and stay on the Certificate.
const NOT_COPIED: [&str; 4] = ["kubectl.kubernetes.io/", "fluxcd.io/", "argocd.argoproj.io/", labels::REVOKE];

/// The edge of Certificates.
#[derive(Default)]
pub(crate) struct Certificates {
    /// The uid of the request that this process made last; one with another was made before it began.
    made: Memories<Option<String>>,
    renewals: Renewals,
}

#[async_trait]
impl Kind for Certificates {
    const NAME: &'static str = "certificates";
    const CONTESTED: Contested = Contested::Yes;
    type Object = Certificate;
    type Observed = Observed;
    type Action = Action;
    type Status = CertificateStatus;

    fn queue(cx: &Context) -> &Queue {
        &cx.queues.certificates
    }

    fn status(certificate: &Certificate) -> CertificateStatus {
        certificate.status.clone().unwrap_or_default()
    }

    async fn observe(&self, cx: &Context, certificate: &Arc<Certificate>) -> Result<Observed, Error> {
        let ari = self.renewals.of(cx, certificate);
        observe::observe(cx, certificate, self.made.get(&**certificate).as_deref(), ari).await
    }

    fn decide(observed: &Observed, now: Timestamp) -> CertificatePlan {
        decide(observed, now)
    }

    async fn act(
        &self,
        cx: &Context,
        certificate: &Arc<Certificate>,
        observed: &Observed,
        action: Action,
    ) -> Result<(), Error> {
        match action {
            Action::CreateNextKey { secret, copy_current } => {
                let key = if copy_current { current_key(cx, certificate).await? } else { new_key(certificate).await? };
                cx.writer.create(&key_secret(certificate, &secret, key)).await
            }
            Action::CreateRequest { name, revision, key_secret, replaces } => {
                let mut request = new_request(cx, certificate, &name, revision, &key_secret).await?;
                let annotations = request.annotations_mut();
                annotations.remove(labels::REPLACES);
                annotations.extend(replaces.map(|id| (labels::REPLACES.to_owned(), id)));
                cx.writer.create(&request).await?;
                let made = cx.stores.requests.get(&Key::of(&request)).and_then(|request| request.uid());
                self.made.change(&**certificate, |known| *known = made);
                Ok(())
            }
            Action::DeleteRequest { name } => match cx.stores.requests.get(&beside(certificate, &name)) {
                Some(request) => delete_request(cx, &request).await,
                None => Ok(()),
            },
            Action::WriteSecret { request, key_secret } => {
                let id = target::write(cx, certificate, observed, &request, &key_secret).await?;
                self.renewals.written(certificate, id.as_deref());
                Ok(())
            }
            Action::RepairSecret => target::repair(cx, certificate, observed).await,
            Action::AskRenewal { id } => {
                self.renewals.ask(cx, certificate, id).await;
                Ok(())
            }
            Action::DeleteNextKey { secret } => match secrets::read(cx, &beside(certificate, &secret)).await? {
                Some(secret) => cx.writer.delete(&*secret).await,
                None => Ok(()),
            },
        }
    }

    fn forget(&self, _: &Context, key: &Key) {
        self.made.forget(key);
        self.renewals.forget(key);
    }
}

/// Deletes a request, and before it an Order that failed: the next request has its name, and so
/// may the next Order, which must not have to wait for the garbage collector.
async fn delete_request(cx: &Context, request: &CertificateRequest) -> Result<(), Error> {
    for order in children(&cx.stores.orders, request) {
        if order.status.as_ref().and_then(|status| status.state) != Some(State::Valid) {
            cx.writer.delete(&*order).await?;
        }
    }
    cx.writer.delete(request).await
}

/// What has this name in the Certificate's namespace.
fn beside(certificate: &Certificate, name: &str) -> Key {
    Key::new(certificate.namespace().unwrap_or_default(), name)
}

/// A new private key by the rules of the spec, in the form that temporary Secrets have.
async fn new_key(certificate: &Certificate) -> Result<Vec<u8>, Error> {
    let wanted = certificate.spec.private_key.clone().unwrap_or_default();
    let (algorithm, size) = (wanted.algorithm_or_default(), wanted.size_or_default().unwrap_or(0));
    // A long RSA key takes seconds of a processor.
    let made = tokio::task::spawn_blocking(move || {
        let key = signet_pki::generate_key(algorithm, size)?;
        key.to_pem(KeyEncoding::Pkcs8).map(|pem| pem.as_bytes().to_vec())
    });
    let failed = |why: String| Error::Make { what: "a private key".to_owned(), why };
    made.await.map_err(|error| failed(error.to_string()))?.map_err(|error| failed(error.to_string()))
}

async fn current_key(cx: &Context, certificate: &Certificate) -> Result<Vec<u8>, Error> {
    let target = beside(certificate, &certificate.spec.secret_name);
    let secret = secrets::read(cx, &target).await?;
    let key = secret.as_deref().and_then(|secret| secrets::value(secret, TLS_KEY)).map(<[u8]>::to_vec);
    key.ok_or_else(|| Error::Make { what: "the next private key".into(), why: format!("Secret {target} has none") })
}

/// The temporary Secret that holds the key of an issuance under way.
fn key_secret(certificate: &Certificate, name: &str, key: Vec<u8>) -> Secret {
    let labels = [secrets::ours(), (labels::NEXT_PRIVATE_KEY.to_owned(), "true".to_owned())];
    Secret {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            namespace: certificate.namespace(),
            labels: Some(labels.into()),
            owner_references: controlled_by(certificate),
            ..ObjectMeta::default()
        },
        type_: Some("Opaque".to_owned()),
        data: Some([(TLS_KEY.to_owned(), ByteString(key))].into()),
        ..Secret::default()
    }
}

async fn new_request(
    cx: &Context,
    certificate: &Certificate,
    name: &str,
    revision: i64,
    key_secret: &str,
) -> Result<CertificateRequest, Error> {
    let failed = |why: String| Error::Make { what: format!("CertificateRequest {name}"), why };
    let secret = secrets::read(cx, &beside(certificate, key_secret)).await?;
    let pem = secret.as_deref().and_then(|secret| secrets::value(secret, TLS_KEY));
    let pem = pem.ok_or_else(|| failed(format!("Secret {key_secret} has no {TLS_KEY}")))?;
    let key = PrivateKey::from_pem(pem).map_err(|error| failed(error.to_string()))?;
    let spec = &certificate.spec;
    let csr = signet_pki::create_csr(spec, &key).map_err(|error| failed(error.to_string()))?;
    let mut annotations = copied_annotations(certificate);
    annotations.insert(labels::CERTIFICATE_NAME.to_owned(), certificate.name_any());
    annotations.insert(labels::CERTIFICATE_REVISION.to_owned(), revision.to_string());
    annotations.insert(labels::PRIVATE_KEY_SECRET_NAME.to_owned(), key_secret.to_owned());
    Ok(CertificateRequest {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            namespace: certificate.namespace(),
            annotations: Some(annotations),
            labels: Some(certificate.labels().clone()),
            owner_references: controlled_by(certificate),
            ..ObjectMeta::default()
        },
        spec: CertificateRequestSpec {
            request: ByteString(csr.into_bytes()),
            issuer_ref: spec.issuer_ref.clone(),
            duration: spec.duration.clone(),
            is_ca: spec.is_ca,
            usages: spec.usages.clone(),
            ..CertificateRequestSpec::default()
        },
        status: None,
    })
}

fn copied_annotations(certificate: &Certificate) -> BTreeMap<String, String> {
    let kept = |name: &str| !NOT_COPIED.iter().any(|prefix| name.starts_with(prefix));
    certificate
        .annotations()
        .iter()
        .filter(|(name, _)| kept(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}
