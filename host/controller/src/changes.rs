//! What a failure may have come from, as a number that differs once any of it has changed: then
//! what waits for a change is tried again.

use std::sync::atomic::{AtomicU64, Ordering};

use signet_api::IssuerRef;

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
                let metadata = match issuer {
                    AnyIssuer::Issuer(issuer) => &issuer.metadata,
                    AnyIssuer::ClusterIssuer(issuer) => &issuer.metadata,
                };
                (metadata.uid.clone().unwrap_or_default(), metadata.generation.unwrap_or(0), issuer.ready().is_ok())
            }),
            ..Self::of_plugins_and_secrets(cx)
        }
    }

    /// The same without an issuer: for the issuer itself.
    pub(crate) fn of_plugins_and_secrets(cx: &Context) -> Self {
        let secrets = cx.secret_changes.0.load(Ordering::Relaxed);
        Self { issuer: None, secrets, plugins: *cx.registry.changes().borrow() }
    }
}

/// A memory that came about in some surroundings.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kept<M> {
    pub(crate) memory: M,
    pub(crate) surroundings: Surroundings,
}
