//! The one loop: observe, decide, apply, and decide again until nothing is left to do.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use kube::Resource;
use serde::Serialize;
use signet_core::plan::Plan;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use crate::context::Context;
use crate::error::Error;
use crate::key::Key;
use crate::queue::Queue;
use crate::stores::Stored;
use crate::writer::Contested;

/// How many plans are applied to an object before others have their turn.
const MAX_STEPS: usize = 32;

/// A kind of object that decisions are taken about: what the edge of each kind has to say.
#[async_trait]
pub(crate) trait Kind: Send + Sync + Sized + 'static {
    /// Of the label of metrics and logs.
    const NAME: &'static str;
    /// Whether others write its status too.
    const CONTESTED: Contested;
    type Object: Stored;
    type Observed: Send + Sync;
    type Action: Debug + Send + Sync;
    type Status: Serialize + Default + PartialEq + Send + Sync;

    fn queue(cx: &Context) -> &Queue;

    /// What stands in the status now.
    fn status(object: &Self::Object) -> Self::Status;

    /// Reads everything that a decision is made from.
    async fn observe(&self, cx: &Context, object: &Arc<Self::Object>) -> Result<Self::Observed, Error>;

    fn decide(observed: &Self::Observed, now: Timestamp) -> Plan<Self::Action, Self::Status>;

    /// Does one thing. What the world outside the cluster answers, good or bad, goes into the
    /// memory of the kind and is part of the next observation; an error is the cluster's.
    async fn act(
        &self,
        cx: &Context,
        object: &Arc<Self::Object>,
        observed: &Self::Observed,
        action: Self::Action,
    ) -> Result<(), Error>;

    /// The object is gone.
    fn forget(&self, _cx: &Context, _key: &Key) {}

    /// The process is about to end: what can not wait for the next one is done now.
    async fn leave(&self, _cx: &Context) {}
}

/// Takes plans and applies them until the plan is to wait. Returns when to look again.
async fn reconcile<K: Kind>(kind: &K, cx: &Context, key: &Key) -> Result<Option<Duration>, Error> {
    for _ in 0..MAX_STEPS {
        let Some(object) = K::Object::cache(&cx.stores).get(key) else {
            kind.forget(cx, key);
            return Ok(None);
        };
        let observed = kind.observe(cx, &object).await?;
        let plan = K::decide(&observed, Timestamp::now());
        if plan.is_converged() {
            return Ok(plan.requeue);
        }
        let Plan { actions, status, events, requeue: _ } = plan;
        for action in actions {
            tracing::debug!(?action, "acting");
            kind.act(cx, &object, &observed, action).await?;
        }
        if let Some(status) = status {
            cx.writer.status(&*object, &K::status(&object), &status, K::CONTESTED).await?;
        }
        for event in events {
            cx.events.publish(&*object, event);
        }
    }
    Ok(Some(Duration::ZERO))
}

/// Looks at the objects of a kind as they become due, `at_once` of them at the same time, until
/// it is told to stop; then takes its leave and waits for those that it has begun.
pub(crate) async fn run<K: Kind>(kind: K, cx: Arc<Context>, at_once: usize, stop: CancellationToken) {
    let (kind, permits, tasks) = (Arc::new(kind), Arc::new(Semaphore::new(at_once)), TaskTracker::new());
    loop {
        let permit = permits.clone().acquire_owned().await.expect("the semaphore is never closed");
        let key = tokio::select! {
            () = stop.cancelled() => break,
            key = K::queue(&cx).next() => key,
        };
        let (kind, cx) = (kind.clone(), cx.clone());
        tasks.spawn(async move {
            one(kind, cx, key).await;
            drop(permit);
        });
    }
    tasks.close();
    tokio::join!(tasks.wait(), kind.leave(&cx));
}

/// Looks at one object. A panic is its own and nobody else's.
async fn one<K: Kind>(kind: Arc<K>, cx: Arc<Context>, key: Key) {
    let generation = K::Object::cache(&cx.stores).get(&key).and_then(|object| object.meta().generation);
    let span = tracing::info_span!("reconcile", kind = K::NAME, object = %key, generation);
    let (context, place) = (cx.clone(), key.clone());
    let task = tokio::spawn(async move { reconcile(&*kind, &context, &place).await }.instrument(span.clone()));
    let result = task.await;
    let _entered = span.enter();
    cx.metrics.reconciled(K::NAME, result.as_ref().is_ok_and(|result| result.is_ok()));
    match result {
        Ok(Ok(requeue)) => K::queue(&cx).done(&key, requeue),
        Ok(Err(Error::Conflict { what })) => {
            tracing::debug!(what, "changed meanwhile, deciding again");
            K::queue(&cx).done(&key, Some(Duration::ZERO));
        }
        Ok(Err(error)) => {
            let wait = K::queue(&cx).failed(&key);
            tracing::warn!(reason = error.reason(), error = error.sentence(), ?wait, "retrying");
        }
        Err(panic) => {
            let wait = K::queue(&cx).failed(&key);
            tracing::error!(%panic, ?wait, "the reconcile panicked; this is a bug in Signet");
        }
    }
}
