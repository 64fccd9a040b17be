//! What a failure may have come from, as a number that differs once any of it has changed: then
//! what waits for a change is tried again.

use std::sync::atomic::{AtomicU64, Ordering};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use signet_api::IssuerRef;
use signet_core::failure::Failure;

use crate::context::Context;
use crate::issuers::AnyIssuer;

/// Counts changes of Secrets that issuers name.
#[derive(Default)]
pub(crate) struct SecretChanges(AtomicU64);

impl SecretChanges {
    pub(crate) fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// The state of the issuer, of the Secrets that issuers name, and of the plugins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Surroundings {
    issuer: Option<(String, i64, bool)>,
    secrets: u64,
    plugins: u64,
}

impl Surroundings {
    /// As they are now, for an object in `namespace` with this `issuerRef`.
    pub(crate) fn of(cx: &Context, namespace: &str, reference: &IssuerRef) -> Self {
        let issuer = AnyIssuer::find(&cx.stores, namespace, reference).ok();
        Self {
            issuer: issuer.as_ref().map(|issuer| {
                let metadata = issuer.metadata();
                (
                    metadata.uid.clone().unwrap_or_default(),
                    metadata.generation.unwrap_or(0),
                    issuer.takes_more().is_ok(),
                )
            }),
            ..Self::of_plugins_and_secrets(cx)
        }
    }

    /// As they are now, for the issuer itself.
    pub(crate) fn of_issuer(cx: &Context, issuer: &ObjectMeta) -> Self {
        let spec = (issuer.uid.clone().unwrap_or_default(), issuer.generation.unwrap_or(0), true);
        Self { issuer: Some(spec), ..Self::of_plugins_and_secrets(cx) }
    }

    fn of_plugins_and_secrets(cx: &Context) -> Self {
        let secrets = cx.secret_changes.0.load(Ordering::Relaxed);
        Self { issuer: None, secrets, plugins: *cx.registry.changes().borrow() }
    }
}

/// What a CA or a provider calls asking for patience: no change of ours makes it shorter.
const RATE_LIMITED: &str = "RateLimited";

/// Whether a failure counts whatever has changed since.
pub(crate) fn outlives_changes(failure: &Failure) -> bool {
    failure.reason == RATE_LIMITED
}

/// A memory that came about in some surroundings.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kept<M> {
    pub(crate) memory: M,
    surroundings: Surroundings,
}

impl<M: Clone> Kept<M> {
    /// The memory as it counts in the surroundings of now: failures that may have come from what
    /// has changed since are forgotten.
    pub(crate) fn recall<const N: usize>(
        &mut self,
        now: Surroundings,
        failures: impl FnOnce(&mut M) -> [&mut Option<Failure>; N],
    ) -> M {
        self.recall_with(now, |memory| {
            for failure in failures(memory) {
                failure.take_if(|failure| !outlives_changes(failure));
            }
        })
    }

    /// The same for a memory that keeps its failures in another way, and forgets them itself.
    pub(crate) fn recall_with(&mut self, now: Surroundings, forget: impl FnOnce(&mut M)) -> M {
        if self.surroundings != now {
            forget(&mut self.memory);
            self.surroundings = now;
        }
        self.memory.clone()
    }
}
