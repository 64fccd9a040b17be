//! Leader election: of several replicas, the one that holds the Lease takes decisions. The Lease
//! has cert-manager's name, so that the two never work on the same cluster at the same time.
//!
//! It also carries, in an annotation, what the next leader could not see of the CAs' limits: the Lease is
//! written anyway, so that costs no write.
//!
//! Clocks of replicas are not compared: a holder is taken for gone when its Lease has not changed
//! for as long as it said, by our own clock.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::PostParams;
use kube::{Api, Client};
use signet_api::labels::{LEASE as NAME, SPENT};
use tokio::time::{Instant, sleep, timeout_at};

use crate::error::sentence;
use crate::limits::Limits;
use crate::writer::is_code;

/// How long a Lease is good for when it is not renewed, and how often it is.
///
/// A replica that takes over from one that was killed does so within the duration and one retry, which
/// is to leave it time for its first write within 15 s.
const DURATION: Duration = Duration::from_secs(13);
const RENEWAL: Duration = Duration::from_secs(4);
const RETRY: Duration = Duration::from_secs(1);
/// How long before its end a Lease that could not be renewed is given up.
const MARGIN: Duration = Duration::from_secs(1);

/// The Lease, held or wanted.
pub(crate) struct Leadership {
    leases: Api<Lease>,
    identity: String,
    limits: Arc<Limits>,
}

impl Leadership {
    pub(crate) fn new(client: Client, namespace: &str, identity: &str, limits: Arc<Limits>) -> Self {
        Self { leases: Api::namespaced(client, namespace), identity: identity.to_owned(), limits }
    }

    /// Returns once the Lease is ours.
    pub(crate) async fn acquire(&self) {
        let mut seen: Option<(Option<String>, Instant)> = None;
        let mut told = false;
        loop {
            match self.try_acquire(&mut seen).await {
                Ok(true) => {
                    tracing::info!(identity = self.identity, lease = NAME, "leading");
                    return;
                }
                Ok(false) if !told => {
                    told = true;
                    tracing::info!(lease = NAME, "another replica leads; waiting for its Lease");
                }
                Ok(false) => {}
                Err(error) => tracing::warn!(lease = NAME, error = sentence(&error), "could not take the Lease"),
            }
            sleep(RETRY).await;
        }
    }

    /// Renews the Lease until that fails for too long, and returns then: somebody else may lead.
    pub(crate) async fn keep(&self) {
        let mut ours_until = Instant::now() + DURATION - MARGIN;
        let mut wait = RENEWAL;
        loop {
            sleep(wait).await;
            let asked = Instant::now();
            if asked >= ours_until {
                return tracing::error!(lease = NAME, "could not renew the Lease; another replica may lead soon");
            }
            // An answer that does not come must not keep us beyond the end.
            match timeout_at(ours_until.min(asked + RENEWAL), self.renew()).await {
                Ok(Ok(true)) => {
                    (ours_until, wait) = (asked + DURATION - MARGIN, RENEWAL);
                    continue;
                }
                Ok(Ok(false)) => return tracing::error!(lease = NAME, "another replica took the Lease"),
                Ok(Err(error)) => tracing::warn!(lease = NAME, error = sentence(&error), "could not renew the Lease"),
                Err(_) => tracing::warn!(lease = NAME, "could not renew the Lease in time"),
            }
            wait = RETRY;
        }
    }

    /// Lets go of the Lease, so that another replica need not wait for its end.
    pub(crate) async fn release(&self) {
        let released = async {
            let mut lease = self.leases.get(NAME).await?;
            if holder(&lease) != Some(self.identity.as_str()) {
                return Ok(());
            }
            let spec = lease.spec.get_or_insert_default();
            spec.holder_identity = None;
            spec.lease_duration_seconds = Some(1);
            self.note(&mut lease);
            self.leases.replace(NAME, &PostParams::default(), &lease).await.map(drop)
        };
        if let Err(error) = released.await {
            tracing::warn!(lease = NAME, error = sentence(&error), "could not release the Lease");
        }
    }

    async fn renew(&self) -> kube::Result<bool> {
        let mut lease = self.leases.get(NAME).await?;
        if holder(&lease) != Some(self.identity.as_str()) {
            return Ok(false);
        }
        lease.spec.get_or_insert_default().renew_time = Some(MicroTime(Timestamp::now()));
        self.note(&mut lease);
        self.leases.replace(NAME, &PostParams::default(), &lease).await.map(|_| true)
    }

    async fn try_acquire(&self, seen: &mut Option<(Option<String>, Instant)>) -> kube::Result<bool> {
        let Some(mut lease) = self.leases.get_opt(NAME).await? else {
            let lease = Lease {
                metadata: ObjectMeta { name: Some(NAME.to_owned()), ..ObjectMeta::default() },
                spec: Some(self.held(0)),
            };
            return match self.leases.create(&PostParams::default(), &lease).await {
                Err(error) if is_code(&error, 409) => Ok(false),
                other => other.map(|_| true),
            };
        };
        let version = lease.metadata.resource_version.clone();
        if seen.as_ref().is_none_or(|(known, _)| *known != version) {
            *seen = Some((version, Instant::now()));
        }
        let spec = lease.spec.clone().unwrap_or_default();
        let taken = holder(&lease).is_some_and(|holder| !holder.is_empty() && holder != self.identity);
        let age = seen.as_ref().map(|(_, since)| since.elapsed()).unwrap_or_default();
        let lasts = spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
        if taken && age < lasts.map_or(DURATION, Duration::from_secs) {
            return Ok(false);
        }
        lease.spec = Some(self.held(spec.lease_transitions.unwrap_or(0) + i32::from(taken)));
        match self.leases.replace(NAME, &PostParams::default(), &lease).await {
            Err(error) if is_code(&error, 409) => Ok(false),
            other => other.map(|_| {
                let noted = lease.metadata.annotations.as_ref().and_then(|annotations| annotations.get(SPENT));
                self.limits.inherit(noted.map_or("", String::as_str));
                true
            }),
        }
    }

    /// Writes down what the next leader could not see.
    fn note(&self, lease: &mut Lease) {
        let annotations = lease.metadata.annotations.get_or_insert_default();
        match self.limits.ledger() {
            Some(ledger) if !ledger.is_empty() => drop(annotations.insert(SPENT.to_owned(), ledger)),
            Some(_) => drop(annotations.remove(SPENT)),
            // Nothing was asked of any CA yet: what is there stays.
            None => {}
        }
    }

    fn held(&self, transitions: i32) -> LeaseSpec {
        let now = MicroTime(Timestamp::now());
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(DURATION.as_secs()).ok(),
            acquire_time: Some(now.clone()),
            renew_time: Some(now),
            lease_transitions: Some(transitions),
            ..LeaseSpec::default()
        }
    }
}

fn holder(lease: &Lease) -> Option<&str> {
    lease.spec.as_ref()?.holder_identity.as_deref()
}
