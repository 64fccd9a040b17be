//! Looks at every state that a Secret is ever in.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, ensure};
use futures::{StreamExt, pin_mut};
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use kube::runtime::watcher::{self, Event, watcher};
use signet_e2e::{KeyPair, Stage};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A watch of the Secrets of one name and namespace, which holds what was wrong with any.
pub(crate) struct Witness {
    faults: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Witness {
    /// Looks from now on.
    pub(crate) async fn of(stage: &Stage<'_>, name: &'static str) -> Result<Self> {
        let (begun, begins) = oneshot::channel();
        let (faults, mut begun, api) = (Arc::<Mutex<Vec<String>>>::default(), Some(begun), stage.api::<Secret>());
        let told = faults.clone();
        let task = tokio::spawn(async move {
            let events = watcher(api, watcher::Config::default());
            pin_mut!(events);
            while let Some(event) = events.next().await {
                match event {
                    Ok(Event::Apply(secret) | Event::InitApply(secret)) if secret.name_any() == name => {
                        if let Some(fault) = fault(&secret) {
                            told.lock().unwrap_or_else(PoisonError::into_inner).push(fault);
                        }
                    }
                    Ok(Event::InitDone) => drop(begun.take().map(|begun| begun.send(()))),
                    Ok(Event::Init | Event::Apply(_) | Event::InitApply(_) | Event::Delete(_)) | Err(_) => {}
                }
            }
        });
        begins.await.context("the watch ended before it began")?;
        Ok(Self { faults, task })
    }

    /// Fails if a key was ever beside a certificate that is not its own.
    pub(crate) fn swears(&self) -> Result<()> {
        let faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        ensure!(faults.is_empty(), "a Secret was wrong for a while: {}", faults.join("; "));
        Ok(())
    }
}

fn fault(secret: &Secret) -> Option<String> {
    let data = secret.data.as_ref()?;
    let is_empty = |key: &str| data.get(key).is_none_or(|value| value.0.is_empty());
    if is_empty("tls.crt") && is_empty("tls.key") {
        return None;
    }
    let version = secret.resource_version().unwrap_or_default();
    KeyPair::read(secret).err().map(|error| format!("at version {version}: {error:#}"))
}
