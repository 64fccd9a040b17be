//! Revocation of a Certificate's certificates: has the issuer do it, and writes down what was done.

mod find;

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use kube::ResourceExt;
use serde_json::{Value, json};
use signet_acme::Revocation;
use signet_api::labels::{REVOKE, REVOKE_FINALIZER, REVOKE_WHEN, REVOKED};
use signet_api::{Certificate, CertificateStatus};
use signet_core::failure::{Failure, Retry};
use signet_core::revocation::{
    Action, Memory, Observed, Policy, Reason, Request, RevocationPlan, Target, decide, read_records, write_records,
};

use self::find::{Found, find};
use crate::accounts::Work;
use crate::changes::{Kept, Surroundings, outlives_changes};
use crate::context::{Context, Memories};
use crate::crl;
use crate::error::Error;
use crate::issuers::AnyIssuer;
use crate::key::Key;
use crate::queue::Queue;
use crate::reconcile::Kind;
use crate::writer::Contested;

/// The edge of revocations.
#[derive(Default)]
pub(crate) struct Revocations {
    memories: Memories<Kept<Memory>>,
}

#[async_trait]
impl Kind for Revocations {
    const NAME: &'static str = "revocations";
    const CONTESTED: Contested = Contested::Yes;
    type Object = Certificate;
    type Observed = Observed;
    type Action = Action;
    type Status = CertificateStatus;

    fn queue(cx: &Context) -> &Queue {
        &cx.queues.revocations
    }

    fn status(certificate: &Certificate) -> CertificateStatus {
        certificate.status.clone().unwrap_or_default()
    }

    async fn observe(&self, cx: &Context, certificate: &Arc<Certificate>) -> Result<Observed, Error> {
        let namespace = certificate.namespace().unwrap_or_default();
        let surroundings = Surroundings::of(cx, &namespace, &certificate.spec.issuer_ref);
        let memory = self.memories.change(&**certificate, |kept| {
            kept.recall_with(surroundings, |Memory { answers }| {
                answers.retain(|(_, answer)| answer.as_ref().err().is_none_or(outlives_changes));
            })
        });
        Ok(Observed { memory, ..observe(cx, certificate).await? })
    }

    fn decide(observed: &Observed, now: Timestamp) -> RevocationPlan {
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
            Action::Hold => {
                let finalizers: Vec<_> =
                    certificate.finalizers().iter().map(String::as_str).chain([REVOKE_FINALIZER]).collect();
                cx.writer.patch(&**certificate, json!({ "metadata": { "finalizers": finalizers } })).await
            }
            Action::LetGo => cx.writer.remove_finalizers(&**certificate, &[REVOKE_FINALIZER]).await,
            Action::Record { records, done, let_go } => {
                let mut metadata = json!({ "annotations": { REVOKED: write_records(&records) } });
                if done {
                    metadata["annotations"][REVOKE] = Value::Null;
                }
                if let_go {
                    let kept = certificate.finalizers().iter().filter(|name| *name != REVOKE_FINALIZER);
                    metadata["finalizers"] = json!(kept.collect::<Vec<_>>());
                }
                cx.writer.patch(&**certificate, json!({ "metadata": metadata })).await
            }
            Action::Revoke(target) => {
                let found = find(cx, certificate).await?;
                let found = found.into_iter().find(|found| found.known.identity == target.identity);
                let answer = match found {
                    Some(found) => revoke(cx, certificate, observed, &found, &target).await?,
                    None => Err(failure("CertificateNotFound", "it has gone since it was looked at".to_owned())),
                };
                if answer.is_ok() {
                    let serial = &target.identity.serial;
                    tracing::info!(serial, reason = target.reason.name(), "revoked a certificate");
                }
                self.memories.change(&**certificate, |kept| kept.memory.keep(target, answer));
                Ok(())
            }
        }
    }

    fn forget(&self, _: &Context, key: &Key) {
        self.memories.forget(key);
    }
}

/// Everything but what this process remembers.
pub(super) async fn observe(cx: &Context, certificate: &Certificate) -> Result<Observed, Error> {
    let annotation = |name| certificate.annotations().get(name).map(String::as_str);
    let request = annotation(REVOKE).map(Request::parse);
    let policy = Policy::parse(annotation(REVOKE_WHEN));
    let has_policy = policy.as_ref().is_ok_and(|policy| *policy != Policy::default());
    let is_wanted = matches!(request, Some(Ok(_))) || has_policy;
    let found = if is_wanted { find(cx, certificate).await? } else { Vec::new() };
    Ok(Observed {
        secret: certificate.spec.secret_name.clone(),
        generation: certificate.metadata.generation.unwrap_or(0),
        status: certificate.status.clone().unwrap_or_default(),
        deleted: certificate.metadata.deletion_timestamp.as_ref().map(|time| time.0),
        held: certificate.finalizers().iter().any(|name| name == REVOKE_FINALIZER),
        policy_trouble: if has_policy { find::policy_trouble(cx, certificate) } else { None },
        records: read_records(annotation(REVOKED)),
        certificates: found.into_iter().map(|found| found.known).collect(),
        memory: Memory::default(),
        request,
        policy,
    })
}

/// Has the issuer of a certificate revoke it. The inner error is part of the next observation.
async fn revoke(
    cx: &Context,
    certificate: &Certificate,
    observed: &Observed,
    found: &Found,
    target: &Target,
) -> Result<Result<Timestamp, Failure>, Error> {
    let namespace = certificate.namespace().unwrap_or_default();
    let issuer = match AnyIssuer::find(&cx.stores, &namespace, &found.issuer) {
        Ok(issuer) => issuer,
        Err(sentence) => return Ok(Err(failure("IssuerNotFound", sentence))),
    };
    if issuer.spec().ca.is_some() {
        return crl::revoke(cx, &issuer, &found.certificate, target).await;
    }
    let Some(acme) = issuer.acme() else {
        let message = format!("{} {} is no longer of type acme", issuer.kind(), issuer.name());
        return Ok(Err(failure("CanNotRevoke", message)));
    };
    let (der, reason): (&[u8], Reason) = (&found.certificate.der, target.reason);
    let answer = if target.with_certificate_key {
        let key = find::private_key(cx, certificate, observed).await?;
        match key {
            Ok(key) => cx.accounts.revoke_with_key(acme, &key, der, reason).await,
            Err(why) => return Ok(Err(failure("KeyNotFound", why))),
        }
    } else {
        match cx.accounts.account(cx, &namespace, &found.issuer, Work::New).await? {
            Ok(account) => account.revoke(der, reason).await.map_err(|error| crate::accounts::failure(&error)),
            Err(failure) => return Ok(Err(failure)),
        }
    };
    Ok(answer.map(|revocation| {
        if revocation == Revocation::Already {
            tracing::debug!(serial = target.identity.serial, "it had been revoked before");
        }
        Timestamp::now()
    }))
}

/// A failure that a change may mend.
fn failure(reason: &str, message: String) -> Failure {
    Failure { reason: reason.to_owned(), message, retry: Retry::OnChange, at: Timestamp::now() }
}
