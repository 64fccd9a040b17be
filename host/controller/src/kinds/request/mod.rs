//! CertificateRequest: finds who signs, makes the Order or signs by itself.

mod sign;

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt;
use signet_api::issuer::AcmeIssuer;
use signet_api::{CertificateRequest, CertificateRequestStatus, IssuerRef, Order, labels};
use signet_core::pki::Csr;
use signet_core::request::{self, Action, Issuer, Memory, Observed, RequestPlan, decide};

use crate::changes::{Kept, Surroundings};
use crate::context::{Context, Memories};
use crate::error::Error;
use crate::issuers::AnyIssuer;
use crate::key::Key;
use crate::kinds::certificate::renewal::is_asked;
use crate::queue::Queue;
use crate::reconcile::Kind;
use crate::stores::children;
use crate::writer::{Contested, controlled_by};

/// The edge of CertificateRequests.
#[derive(Default)]
pub(crate) struct Requests {
    memories: Memories<Kept<Memory>>,
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
        let surroundings = Surroundings::of(cx, &request.namespace().unwrap_or_default(), &request.spec.issuer_ref);
        let recall = |kept: &mut Kept<Memory>| kept.recall(surroundings, |memory| [&mut memory.failure]);
        Ok(Observed {
            name: request.name_any(),
            created: request.creation_timestamp().map_or(Timestamp::UNIX_EPOCH, |time| time.0),
            status: Self::status(request),
            invalid: request::invalid(&request.spec).or_else(|| bad_signature(request)),
            auto_approve: cx.settings.auto_approve,
            issuer: issuer(cx, request),
            memory: self.memories.change(&**request, recall),
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
        let signed = match action {
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
                return cx.writer.create(&order).await;
            }
            Action::SelfSign { key_secret } => sign::with_own_key(cx, request, &key_secret).await?,
            Action::CaSign { namespace, ca } => sign::with_authority(cx, request, &namespace, &ca).await?,
        };
        self.memories.change(&**request, |kept| match signed {
            Ok(signed) => kept.memory.signed = Some(signed),
            Err(failure) => kept.memory.failure = Some(failure),
        });
        Ok(())
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
        Err(sentence) if cluster_issuers_are_unserved(cx, reference) => return Issuer::Unserved(sentence),
        Err(sentence) => return Issuer::Missing(sentence),
    };
    if let Err(sentence) = issuer.takes_more() {
        return Issuer::NotReady(sentence);
    }
    if let Some(acme) = issuer.acme() {
        return of_acme(cx, request, acme);
    }
    if let Some(ca) = &issuer.spec().ca {
        return Issuer::Ca { namespace: issuer.secrets_in(&cx.settings), ca: ca.clone() };
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

fn cluster_issuers_are_unserved(cx: &Context, reference: &IssuerRef) -> bool {
    reference.kind_if_set() == Some("ClusterIssuer") && cx.stores.cluster_issuers.parts().is_empty()
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
        Ok(mut spec) => {
            let replaces = request.annotations().get(labels::REPLACES).filter(|_| is_asked(acme));
            spec.replaces = replaces.cloned();
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
