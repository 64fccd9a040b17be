//! CertificateRequest: finds who signs, makes the Order or signs by itself.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt;
use signet_api::issuer::AcmeIssuer;
use signet_api::{CertificateRequest, CertificateRequestStatus, Order, labels};
use signet_core::failure::{Failure, Retry};
use signet_core::pki::Csr;
use signet_core::request::{self, Action, Issuer, Memory, Observed, RequestPlan, Signed, decide};
use signet_pki::{PrivateKey, Signing};

use crate::context::{Context, Memories};
use crate::error::Error;
use crate::issuers::AnyIssuer;
use crate::key::Key;
use crate::queue::Queue;
use crate::reconcile::Kind;
use crate::secrets::{self, TLS_KEY};
use crate::stores::children;
use crate::writer::{Contested, controlled_by};

/// The edge of CertificateRequests.
#[derive(Default)]
pub(crate) struct Requests {
    memories: Memories<Memory>,
}

#[async_trait]
impl Kind for Requests {
    const NAME: &'static str = "certificaterequests";
    const CONTESTED: Contested = Contested::Yes;
    type Object = CertificateRequest;
    type Observed = Observed;
    type Action = Action;
    type Status = CertificateRequestStatus;

    fn queue(cx: &Context) -> &Queue {
        &cx.queues.requests
    }

    fn status(request: &CertificateRequest) -> CertificateRequestStatus {
        request.status.clone().unwrap_or_default()
    }

    async fn observe(&self, cx: &Context, request: &Arc<CertificateRequest>) -> Result<Observed, Error> {
        Ok(Observed {
            name: request.name_any(),
            created: request.creation_timestamp().map_or(Timestamp::UNIX_EPOCH, |time| time.0),
            status: Self::status(request),
            invalid: request::invalid(&request.spec).or_else(|| bad_signature(request)),
            auto_approve: cx.settings.auto_approve,
            issuer: issuer(cx, request),
            memory: self.memories.get(&**request),
        })
    }

    fn decide(observed: &Observed, now: Timestamp) -> RequestPlan {
        decide(observed, now)
    }

    async fn act(
        &self,
        cx: &Context,
        request: &Arc<CertificateRequest>,
        _: &Observed,
        action: Action,
    ) -> Result<(), Error> {
        match action {
            Action::CreateOrder { name, spec } => {
                let order = Order {
                    metadata: ObjectMeta {
                        name: Some(name),
                        namespace: request.namespace(),
                        annotations: Some(request.annotations().clone()),
                        labels: Some(request.labels().clone()),
                        owner_references: controlled_by(&**request),
                        ..ObjectMeta::default()
                    },
                    spec: *spec,
                    status: None,
                };
                cx.writer.create(&order).await
            }
            Action::SelfSign { key_secret } => {
                let signed = self_sign(cx, request, &key_secret).await?;
                self.memories.change(&**request, |memory| match signed {
                    Ok(signed) => memory.signed = Some(signed),
                    Err(failure) => memory.failure = Some(failure),
                });
                Ok(())
            }
        }
    }

    fn forget(&self, _: &Context, key: &Key) {
        self.memories.forget(key);
    }
}

fn issuer(cx: &Context, request: &CertificateRequest) -> Issuer {
    let reference = &request.spec.issuer_ref;
    if !reference.is_ours() {
        return Issuer::Foreign;
    }
    let namespace = request.namespace().unwrap_or_default();
    let issuer = match AnyIssuer::find(&cx.stores, &namespace, reference) {
        Ok(issuer) => issuer,
        Err(sentence) => return Issuer::Missing(sentence),
    };
    if let Err(sentence) = issuer.ready() {
        return Issuer::NotReady(sentence);
    }
    if let Some(acme) = issuer.acme() {
        return of_acme(cx, request, acme);
    }
    match request.annotations().get(labels::PRIVATE_KEY_SECRET_NAME) {
        Some(secret) => Issuer::SelfSigned { key_secret: secret.clone() },
        None => Issuer::Refuses {
            reason: "MissingAnnotation",
            message: format!(
                "A SelfSigned issuer signs with the request's own key: the annotation {} must name the Secret that holds it",
                labels::PRIVATE_KEY_SECRET_NAME
            ),
        },
    }
}

/// The Order that is under way, else the one to make.
fn of_acme(cx: &Context, request: &CertificateRequest, acme: &AcmeIssuer) -> Issuer {
    if let Some(order) = children(&cx.stores.orders, request).first() {
        let status = order.status.clone().unwrap_or_default();
        return Issuer::Acme { name: order.name_any(), spec: Box::new(order.spec.clone()), order: Some(status) };
    }
    // A request that can not be read is refused before anyone asks for its issuer.
    let Ok(csr) = Csr::parse(&request.spec.request.0) else {
        return Issuer::NotReady("The request can not be read".to_owned());
    };
    match request::order_spec(&request.spec, &csr, acme, request.spec.issuer_ref.clone()) {
        Ok(spec) => {
            let name = request::order_name(&request.name_any(), &spec);
            Issuer::Acme { name, spec: Box::new(spec), order: None }
        }
        Err(message) => Issuer::Refuses { reason: "InvalidOrder", message },
    }
}

fn bad_signature(request: &CertificateRequest) -> Option<String> {
    let csr = Csr::parse(&request.spec.request.0).ok()?;
    let error = signet_pki::verify_request(&csr).err()?;
    Some(format!("spec.request: {error}"))
}

async fn self_sign(
    cx: &Context,
    request: &CertificateRequest,
    key_secret: &str,
) -> Result<Result<Signed, Failure>, Error> {
    let place = Key::new(request.namespace().unwrap_or_default(), key_secret);
    let secret = secrets::read(cx, &place).await?;
    let Some(pem) = secret.as_deref().and_then(|secret| secrets::value(secret, TLS_KEY)) else {
        let message = format!("Secret {place} does not exist or has no {TLS_KEY}, which must hold the request's key");
        let retry = Retry::Later(std::time::Duration::from_secs(30));
        return Ok(Err(failure("SecretNotFound", message, retry)));
    };
    let crl = AnyIssuer::find(&cx.stores, &place.namespace, &request.spec.issuer_ref).ok();
    let crl = crl.and_then(|issuer| issuer.spec().self_signed.clone()).unwrap_or_default().crl_distribution_points;
    let wanted = Signing {
        not_before: Timestamp::now(),
        duration: request.spec.duration.as_ref().map(signet_api::Duration::get),
        is_ca: request.spec.is_ca,
        usages: &request.spec.usages,
        crl_distribution_points: &crl,
        ocsp_servers: &[],
        issuing_certificate_urls: &[],
    };
    let signed =
        PrivateKey::from_pem(pem).and_then(|key| signet_pki::self_sign(&request.spec.request.0, &key, &wanted));
    Ok(match signed {
        Ok(pem) => {
            let certificate = ByteString(pem.into_bytes());
            Ok(Signed { authority: Some(certificate.clone()), certificate })
        }
        Err(error) => Err(failure("SigningFailed", format!("Secret {place}: {error}"), Retry::Never)),
    })
}

fn failure(reason: &str, message: String, retry: Retry) -> Failure {
    Failure { reason: reason.to_owned(), message, retry, at: Timestamp::now() }
}
