//! Where plugins come from: the directory of the image, read at the start, and labelled ConfigMaps,
//! watched.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use futures::{StreamExt, pin_mut};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, ResourceExt};
use signet_plugins::{LABEL, Origin, Registry, from_config_map};
use tokio::sync::watch;

use crate::error::sentence;

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

/// Loads, replaces and forgets plugins as ConfigMaps come, change and go. `loaded` is told once
/// those that there are at the start are loaded.
pub(crate) async fn watch_config_maps(
    registry: Arc<Registry>,
    client: Client,
    namespace: String,
    loaded: watch::Sender<bool>,
) {
    let api = Api::<ConfigMap>::namespaced(client, &namespace);
    let events = watcher(api, watcher::Config::default().labels(LABEL)).default_backoff();
    pin_mut!(events);
    let mut listed: Vec<Origin> = Vec::new();
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Init) => listed.clear(),
            Ok(Event::InitApply(map)) => {
                listed.push(origin(&map));
                load(&registry, map).await;
            }
            Ok(Event::InitDone) => {
                let known = registry.states().into_iter().map(|state| state.origin);
                for gone in
                    known.filter(|origin| matches!(origin, Origin::ConfigMap { .. }) && !listed.contains(origin))
                {
                    registry.remove(&gone);
                }
                loaded.send_replace(true);
            }
            Ok(Event::Apply(map)) => load(&registry, map).await,
            Ok(Event::Delete(map)) => registry.remove(&origin(&map)),
            Err(error) => tracing::warn!(error = sentence(&error), "the watch of plugins broke and starts again"),
        }
    }
}

fn origin(map: &ConfigMap) -> Origin {
    Origin::ConfigMap { namespace: map.namespace().unwrap_or_default(), name: map.name_any() }
}

async fn load(registry: &Registry, map: ConfigMap) {
    let origin = origin(&map);
    let name = format!("{}/{}", map.namespace().unwrap_or_default(), map.name_any());
    let binary: BTreeMap<_, _> =
        map.binary_data.clone().unwrap_or_default().into_iter().map(|(key, bytes)| (key, bytes.0)).collect();
    let data = map.data.clone().unwrap_or_default();
    let source = from_config_map(&name, map.labels(), map.annotations(), &binary, &data);
    let outcome = match source {
        Ok(source) => {
            registry.load(origin.clone(), source).await.map(drop).map_err(|error| (error.reason(), error.message()))
        }
        Err(error) => {
            registry.refuse(origin.clone(), &sentence(&error));
            Err((error.reason(), sentence(&error)))
        }
    };
    if let Err((reason, error)) = outcome {
        tracing::error!(%origin, reason, error, "could not load a plugin; what it held before goes on");
    }
}
