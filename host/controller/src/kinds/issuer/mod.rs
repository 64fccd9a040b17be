//! Issuer and ClusterIssuer: checks the solvers against the plugins, sees to the account, and looks
//! at the key pair of a CA.

mod solvers;

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::json;
use signet_acme::AccountKey;
use signet_api::{ClusterIssuer, Issuer, IssuerStatus};
use signet_core::failure::{Failure, Retry};
use signet_core::issuer::{self, Action, IssuerPlan, Memory, Observed, Registered, decide};

use crate::accounts::KeyState;
use crate::authority;
use crate::changes::{Kept, Surroundings};
use crate::context::{Context, Memories};
use crate::crl;
use crate::error::Error;
use crate::issuers::AnyIssuer;
use crate::key::Key;
use crate::queue::Queue;
use crate::reconcile::Kind;
use crate::secrets;
use crate::stores::Stored;
use crate::writer::{Contested, MANAGER};

pub(crate) use solvers::{stanza, unknown};

/// The edge of Issuers.
#[derive(Default)]
pub(crate) struct Issuers {
    memories: Memories<Kept<Memory>>,
}

/// The edge of ClusterIssuers.
#[derive(Default)]
pub(crate) struct ClusterIssuers {
    memories: Memories<Kept<Memory>>,
}

macro_rules! issuer_kind {
    ($edge:ident, $kind:ident, $name:literal, $queue:ident) => {
        #[async_trait]
        impl Kind for $edge {
            const NAME: &'static str = $name;
            const CONTESTED: Contested = Contested::No;
            type Object = $kind;
            type Observed = Observed;
            type Action = Action;
            type Status = IssuerStatus;

            fn queue(cx: &Context) -> &Queue {
                &cx.queues.$queue
            }

            fn status(issuer: &$kind) -> IssuerStatus {
                issuer.status.clone().unwrap_or_default()
            }

            async fn observe(&self, cx: &Context, issuer: &Arc<$kind>) -> Result<Observed, Error> {
                let any = AnyIssuer::$kind(issuer.clone());
                observe(cx, &any, &**issuer, &self.memories).await
            }

            fn decide(observed: &Observed, now: Timestamp) -> IssuerPlan {
                decide(observed, now)
            }

            async fn act(
                &self,
                cx: &Context,
                issuer: &Arc<$kind>,
                observed: &Observed,
                action: Action,
            ) -> Result<(), Error> {
                let any = AnyIssuer::$kind(issuer.clone());
                act(cx, &any, &**issuer, &self.memories, observed, action).await
            }

            fn forget(&self, _: &Context, key: &Key) {
                self.memories.forget(key);
            }
        }
    };
}

issuer_kind!(Issuers, Issuer, "issuers", issuers);
issuer_kind!(ClusterIssuers, ClusterIssuer, "clusterissuers", cluster_issuers);

async fn observe<K: Stored>(
    cx: &Context,
    any: &AnyIssuer,
    object: &K,
    memories: &Memories<Kept<Memory>>,
) -> Result<Observed, Error> {
    let surroundings = Surroundings::of_issuer(cx, object.meta());
    let memory = memories.change(object, |kept| kept.recall(surroundings, |memory| [&mut memory.failure]));
    let account_key = match cx.accounts.key(cx, any).await? {
        KeyState::Missing => issuer::AccountKey::Missing,
        KeyState::Invalid(why) => issuer::AccountKey::Invalid(why),
        KeyState::Present(key) => issuer::AccountKey::Present { hash: key.thumbprint().to_owned() },
    };
    let secrets_in = any.secrets_in(&cx.settings);
    let key_pair = match &any.spec().ca {
        Some(ca) => authority::read(cx, &secrets_in, ca).await?.map(|authority| authority.not_after()),
        None => Err(issuer::BadKeyPair::NoSecret),
    };
    Ok(Observed {
        kind: any.kind(),
        name: any.name(),
        secrets_in,
        generation: object.meta().generation.unwrap_or(0),
        spec: any.spec().clone(),
        status: any.status().cloned().unwrap_or_default(),
        solver_errors: any.acme().map(|acme| solvers::errors(&cx.registry, &acme.solvers)).unwrap_or_default(),
        account_key,
        key_pair,
        list: crl::state(cx, any).await?,
        memory,
    })
}

async fn act<K: Stored>(
    cx: &Context,
    any: &AnyIssuer,
    object: &K,
    memories: &Memories<Kept<Memory>>,
    observed: &Observed,
    action: Action,
) -> Result<(), Error> {
    match action {
        Action::CreateAccountKey { secret, key } => {
            let place = Key::new(&observed.secrets_in, &secret);
            create_account_key(cx, &place, &key).await
        }
        Action::Register => {
            let outcome = register(cx, any, observed).await?;
            memories.change(object, |kept| match outcome {
                Ok(registered) => kept.memory = Memory { registered: Some(registered), failure: None },
                Err(failure) => kept.memory.failure = Some(failure),
            });
            Ok(())
        }
        Action::WriteList => {
            let what = format!("the list of revoked certificates of {} {}", any.kind(), any.name());
            crl::write(cx, any, None).await?.map_err(|why| Error::Make { what, why })
        }
    }
}

/// Puts a new account key into a Secret, which may exist without it.
async fn create_account_key(cx: &Context, place: &Key, field: &str) -> Result<(), Error> {
    let (_, pem) = AccountKey::generate()
        .map_err(|error| Error::Make { what: format!("the account key in Secret {place}"), why: error.sentence() })?;
    if secrets::read(cx, place).await?.is_some() {
        let fields = json!({ "apiVersion": "v1", "kind": "Secret", "stringData": { field: pem } });
        return cx.writer.apply::<Secret>(place, MANAGER, &fields).await;
    }
    let secret = Secret {
        metadata: ObjectMeta {
            name: Some(place.name.clone()),
            namespace: Some(place.namespace.clone()),
            labels: Some([secrets::ours()].into()),
            ..ObjectMeta::default()
        },
        type_: Some("Opaque".to_owned()),
        data: Some([(field.to_owned(), ByteString(pem.into_bytes()))].into()),
        ..Secret::default()
    };
    cx.writer.create(&secret).await
}

async fn register(cx: &Context, any: &AnyIssuer, observed: &Observed) -> Result<Result<Registered, Failure>, Error> {
    let (Some(acme), KeyState::Present(key)) = (any.acme(), cx.accounts.key(cx, any).await?) else {
        let message = "the account key has gone since it was looked at".to_owned();
        let reason = "ErrVerifyACMEAccount".to_owned();
        return Ok(Err(Failure { reason, message, retry: Retry::OnChange, at: Timestamp::now() }));
    };
    let registered = cx.accounts.register(cx, any, acme, &key).await?;
    Ok(registered.map(|registration| Registered {
        generation: observed.generation,
        uri: registration.uri,
        email: acme.email.clone().filter(|email| !email.is_empty()),
        key_hash: key.thumbprint().to_owned(),
    }))
}
