//! Objects that come and go faster than anybody polls.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use futures::{StreamExt, pin_mut};
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Every object of a kind that was there since the watch began, as it last stood.
pub struct Seen<K> {
    objects: Arc<Mutex<BTreeMap<String, K>>>,
    task: JoinHandle<()>,
}

impl<K> Seen<K> {
    pub(crate) async fn start(api: Api<K>) -> Result<Self>
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
    {
        let objects = Arc::<Mutex<BTreeMap<String, K>>>::default();
        let (begun, begins) = oneshot::channel();
        let (kept, mut begun) = (objects.clone(), Some(begun));
        let task = tokio::spawn(async move {
            let events = watcher(api, watcher::Config::default());
            pin_mut!(events);
            while let Some(event) = events.next().await {
                match event {
                    Ok(Event::Apply(object) | Event::InitApply(object)) => {
                        kept.lock().unwrap_or_else(PoisonError::into_inner).insert(object.name_any(), object);
                    }
                    Ok(Event::InitDone) => drop(begun.take().map(|begun| begun.send(()))),
                    Ok(Event::Init | Event::Delete(_)) | Err(_) => {}
                }
            }
        });
        begins.await.context("the watch ended before it began")?;
        Ok(Self { objects, task })
    }

    /// What was seen so far, by name.
    pub fn so_far(&self) -> BTreeMap<String, K>
    where
        K: Clone,
    {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl<K> Drop for Seen<K> {
    fn drop(&mut self) {
        self.task.abort();
    }
}
