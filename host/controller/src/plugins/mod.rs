//! Where plugins come from: the directory of the image, read at the start, and labelled ConfigMaps,
//! watched, each of which holds a plugin or names what a registry holds.

mod pull;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use futures::{StreamExt, pin_mut};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, ResourceExt};
use signet_core::plan::{self, Severity};
use signet_plugins::{Artifact, Content, LABEL, Origin, PluginSource, Registry, from_config_map};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use crate::error::sentence;
use crate::events::Events;
pub(crate) use pull::Puller;

/// How long after a failure a registry is asked again, at first and at most.
const FIRST_RETRY: Duration = Duration::from_secs(5);
const LONGEST_RETRY: Duration = Duration::from_secs(300);

/// Loads what is in the directory. A file that can not be loaded keeps no other from it.
pub(crate) async fn load_directory(registry: &Registry, path: &Path) {
    match registry.load_directory(path).await {
        Ok(outcomes) => {
            for (origin, outcome) in outcomes {
                if let Err(error) = outcome {
                    tracing::error!(%origin, reason = error.reason(), error = error.message(), "could not load a plugin");
                }
            }
        }
        Err(error) => {
            tracing::error!(path = %path.display(), error = error.message(), "could not read the plugin directory");
        }
    }
}

/// Loads plugins from ConfigMaps as they come, change and go.
pub(crate) struct ConfigMaps {
    pub(crate) registry: Arc<Registry>,
    pub(crate) client: Client,
    pub(crate) namespace: String,
    pub(crate) events: Events,
    pub(crate) puller: Puller,
}

/// What is fetched from registries, or was.
type Pulls = HashMap<Origin, Pull>;

/// Dropping it ends the attempts.
struct Pull {
    artifact: Artifact,
    task: JoinHandle<()>,
}

impl Drop for Pull {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl ConfigMaps {
    /// `loaded` is told once those that there are at the start are loaded, or can not be for now.
    pub(crate) async fn watch(self, loaded: watch::Sender<bool>) {
        let maps = Arc::new(self);
        let api = Api::<ConfigMap>::namespaced(maps.client.clone(), &maps.namespace);
        let events = watcher(api, watcher::Config::default().labels(LABEL)).default_backoff();
        pin_mut!(events);
        let (mut listed, mut pulls, mut first_tries) = (Vec::new(), Pulls::new(), Vec::new());
        while let Some(event) = events.next().await {
            match event {
                Ok(Event::Init) => listed.clear(),
                Ok(Event::InitApply(map)) => {
                    listed.push(origin(&map));
                    first_tries.extend(maps.take_up(map, &mut pulls).await);
                }
                Ok(Event::InitDone) => {
                    maps.forget_all_but(&listed, &mut pulls);
                    join_all(first_tries.drain(..)).await;
                    loaded.send_replace(true);
                }
                Ok(Event::Apply(map)) => drop(maps.take_up(map, &mut pulls).await),
                Ok(Event::Delete(map)) => maps.forget(&origin(&map), &mut pulls),
                Err(error) => tracing::warn!(error = sentence(&error), "the watch of plugins broke and starts again"),
            }
        }
    }

    fn forget_all_but(&self, listed: &[Origin], pulls: &mut Pulls) {
        let known = self.registry.states().into_iter().map(|state| state.origin);
        for gone in known.filter(|origin| matches!(origin, Origin::ConfigMap { .. }) && !listed.contains(origin)) {
            self.forget(&gone, pulls);
        }
    }

    fn forget(&self, origin: &Origin, pulls: &mut Pulls) {
        pulls.remove(origin);
        self.registry.remove(origin);
    }

    /// Loads what a ConfigMap has, or begins to fetch it. Then the answer says when the first try is over.
    async fn take_up(self: &Arc<Self>, map: ConfigMap, pulls: &mut Pulls) -> Option<oneshot::Receiver<()>> {
        let origin = origin(&map);
        let content = content(&map);
        if let Ok(Content::Elsewhere(artifact)) = &content
            && pulls.get(&origin).is_some_and(|pull| pull.artifact == *artifact)
        {
            return None;
        }
        pulls.remove(&origin);
        match content {
            Ok(Content::Held(source)) => self.load(&origin, &map, source).await,
            Ok(Content::Elsewhere(artifact)) => {
                let (tried, first_try) = oneshot::channel();
                let task = tokio::spawn(self.clone().fetch(origin.clone(), map, artifact.clone(), tried));
                pulls.insert(origin, Pull { artifact, task });
                return Some(first_try);
            }
            Err((reason, error)) => self.refuse(&origin, &map, reason, &error),
        }
        None
    }

    /// Asks the registry until it gives the component, and loads that.
    async fn fetch(self: Arc<Self>, origin: Origin, map: ConfigMap, artifact: Artifact, tried: oneshot::Sender<()>) {
        let (mut tried, mut wait) = (Some(tried), FIRST_RETRY);
        loop {
            let pulled = self.puller.pull(&artifact, &self.namespace).await;
            match pulled {
                Ok(source) => return self.load(&origin, &map, source).await,
                Err(error) => {
                    let error_and_next = format!("{}. Signet tries again in {} s", error.sentence(), wait.as_secs());
                    self.refuse(&origin, &map, error.reason(), &error_and_next);
                }
            }
            // Nobody waits for it when that was long ago.
            let _ = tried.take().map(|tried| tried.send(()));
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(LONGEST_RETRY);
        }
    }

    async fn load(&self, origin: &Origin, map: &ConfigMap, source: PluginSource) {
        if let Err(error) = self.registry.load(origin.clone(), source).await {
            self.tell(origin, map, error.reason(), &error.message());
        }
    }

    /// There is nothing to load; what was loaded from there before goes on.
    fn refuse(&self, origin: &Origin, map: &ConfigMap, reason: &'static str, error: &str) {
        self.registry.refuse(origin.clone(), error);
        self.tell(origin, map, reason, error);
    }

    fn tell(&self, origin: &Origin, map: &ConfigMap, reason: &'static str, error: &str) {
        tracing::error!(%origin, reason, error, "could not load a plugin; what it held before goes on");
        let message = format!("The plugin is not loaded, and what it held before goes on: {error}");
        self.events.publish(map, plan::Event { severity: Severity::Warning, reason, message });
    }
}

fn origin(map: &ConfigMap) -> Origin {
    Origin::ConfigMap { namespace: map.namespace().unwrap_or_default(), name: map.name_any() }
}

fn content(map: &ConfigMap) -> Result<Content, (&'static str, String)> {
    let name = format!("{}/{}", map.namespace().unwrap_or_default(), map.name_any());
    let binary: BTreeMap<_, _> =
        map.binary_data.clone().unwrap_or_default().into_iter().map(|(key, bytes)| (key, bytes.0)).collect();
    let data = map.data.clone().unwrap_or_default();
    let content = from_config_map(&name, map.labels(), map.annotations(), &binary, &data);
    content.map_err(|error| (error.reason(), sentence(&error)))
}
