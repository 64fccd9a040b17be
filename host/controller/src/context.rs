//! What every reconcile shares.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use jiff::Timestamp;
use kube::{Resource, ResourceExt};
use signet_dns::Dns;
use signet_plugins::Registry;

use crate::accounts::Accounts;
use crate::changes::SecretChanges;
use crate::events::Events;
use crate::key::Key;
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::replicas::Replicas;
use crate::self_check::SelfCheck;
use crate::stores::{Queues, Stores};
use crate::tls_alpn01;
use crate::writer::Writer;

/// What every reconcile shares.
pub(crate) struct Context {
    pub(crate) settings: Settings,
    pub(crate) stores: Arc<Stores>,
    pub(crate) queues: Queues,
    pub(crate) writer: Writer,
    pub(crate) events: Events,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) accounts: Accounts,
    pub(crate) limits: Arc<Limits>,
    pub(crate) dns: Dns,
    pub(crate) registry: Arc<Registry>,
    pub(crate) secret_changes: SecretChanges,
    pub(crate) self_check: SelfCheck,
    pub(crate) tls_look: tls_alpn01::Look,
    pub(crate) replicas: Arc<Replicas>,
    /// When this process began to take decisions.
    pub(crate) started: OnceLock<Timestamp>,
}

/// What the operator chose, as far as reconciles go by it.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Where Secrets of ClusterIssuers are.
    pub(crate) cluster_resource_namespace: String,
    /// How many Challenges are worked on at once.
    pub(crate) max_challenges: usize,
    /// Whether a Secret goes when its Certificate goes.
    pub(crate) certificate_owner_ref: bool,
    /// Whether Signet approves requests that nobody else has.
    pub(crate) auto_approve: bool,
    /// Whether solvers of Issuers, and of ClusterIssuers, may use the credentials of Signet's environment.
    pub(crate) issuer_ambient: bool,
    pub(crate) cluster_issuer_ambient: bool,
    /// Whether CAA records are looked at before an order is made.
    pub(crate) check_caa: bool,
    /// The ports at which each replica answers HTTP-01 and TLS-ALPN-01.
    pub(crate) responder_port: u16,
    pub(crate) tls_responder_port: u16,
}

/// Results of earlier actions, by the object that they are about. An object that was made anew
/// under an old name starts without.
pub(crate) struct Memories<M>(Mutex<HashMap<Key, (String, M)>>);

impl<M> Default for Memories<M> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<M: Clone + Default> Memories<M> {
    pub(crate) fn get<K: Resource>(&self, object: &K) -> M {
        let uid = object.uid().unwrap_or_default();
        let kept = self.lock().get(&Key::of(object)).filter(|(of, _)| *of == uid).map(|(_, memory)| memory.clone());
        kept.unwrap_or_default()
    }

    pub(crate) fn change<K: Resource, R>(&self, object: &K, change: impl FnOnce(&mut M) -> R) -> R {
        let uid = object.uid().unwrap_or_default();
        let mut memories = self.lock();
        let entry = memories.entry(Key::of(object)).or_default();
        if entry.0 != uid {
            *entry = (uid, M::default());
        }
        change(&mut entry.1)
    }

    pub(crate) fn forget(&self, key: &Key) {
        self.lock().remove(key);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, (String, M)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
