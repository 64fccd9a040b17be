//! Issuer and ClusterIssuer: checks the solvers against the plugins, sees to the account, and looks
//! at the key pair of a CA.

mod account;
mod solvers;

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
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
use crate::stores::Stored;
use crate::writer::Contested;

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
            /// `kubectl signet account` asks by a condition.
            const CONTESTED: Contested = Contested::Yes;
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
    let next_account_key = match any.is_account_to_change() {
        true => described(cx.accounts.next_key(cx, any).await?),
        false => issuer::AccountKey::Missing,
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
        account_key: described(cx.accounts.key(cx, any).await?),
        next_account_key,
        orders_under_way: if any.is_account_to_change() { account::orders_under_way(cx, any) } else { 0 },
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
            account::create_key(cx, &place, &key).await
        }
        Action::Register => {
            let outcome = register(cx, any, observed).await?;
            memories.change(object, |kept| match outcome {
                Ok(registered) => kept.memory = Memory { registered: Some(registered), ..Memory::default() },
                Err(failure) => kept.memory.failure = Some(failure),
            });
            Ok(())
        }
        Action::CreateNextAccountKey { secret, key } => {
            account::create_next_key(cx, &Key::new(&observed.secrets_in, &secret), &key).await
        }
        Action::TakeNextAccountKey { secret, key, next, hash } => {
            account::take_next_key(cx, &Key::new(&observed.secrets_in, &secret), &key, &next, &hash).await
        }
        Action::RollOver { hash } => {
            let outcome = account::roll_over(cx, any, &hash).await?;
            memories.change(object, |kept| match outcome {
                Ok(()) => (kept.memory.rolled_over, kept.memory.change_failure) = (Some(hash), None),
                Err(failure) => kept.memory.change_failure = Some(failure),
            });
            Ok(())
        }
        Action::Deactivate { hash } => {
            let outcome = account::deactivate(cx, any, &hash).await?;
            memories.change(object, |kept| match outcome {
                Ok(()) => (kept.memory.deactivated, kept.memory.change_failure) = (Some(hash), None),
                Err(failure) => kept.memory.change_failure = Some(failure),
            });
            Ok(())
        }
        Action::WriteList => {
            let what = format!("the list of revoked certificates of {} {}", any.kind(), any.name());
            crl::write(cx, any, None).await?.map_err(|why| Error::Make { what, why })
        }
    }
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
        terms_of_service: registration.terms_of_service,
        caa_identities: registration.caa_identities,
    }))
}

/// What a decision is told of a key.
fn described(key: KeyState) -> issuer::AccountKey {
    match key {
        KeyState::Missing => issuer::AccountKey::Missing,
        KeyState::Invalid(why) => issuer::AccountKey::Invalid(why),
        KeyState::Present(key) => issuer::AccountKey::Present { hash: key.thumbprint().to_owned() },
    }
}
