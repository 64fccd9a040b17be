//! The loaded plugins, by name.
//!
//! Each source (a ConfigMap, a file) holds at most one plugin. Replacing it compiles and checks
//! the new one first and keeps the old one when that fails; calls that run finish on the plugin
//! that they began with. When two sources hold plugins of one name, the cluster's own (a
//! ConfigMap) stands before a file, and then the first by name.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use signet_package::OperatorGrants;
use tokio::sync::watch;

use crate::engine::{Engine, EngineError};
use crate::grants;
use crate::linker::{self, LinkError};
use crate::manifest::{ChallengeKind, Manifest, ManifestError};
use crate::pattern::PatternError;
use crate::plugin::Plugin;
use crate::source::{self, PluginSource};

/// Where a plugin came from. The order is the order of precedence.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// A labelled ConfigMap.
    ConfigMap {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// A file of the plugin directory.
    File(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::ConfigMap { namespace, name } => write!(f, "ConfigMap {namespace}/{name}"),
            Origin::File(name) => write!(f, "file {name}"),
        }
    }
}

/// What the controller's configuration grants.
#[derive(Debug, Clone, Default)]
pub struct RegistryConfig {
    /// By plugin name; stands before what lies beside the plugin.
    pub grants: BTreeMap<String, OperatorGrants>,
    /// For a plugin that neither names.
    pub defaults: OperatorGrants,
}

/// Why a plugin was not loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Its manifest.
    #[error(transparent)]
    Manifest(ManifestError),
    /// Its operator's grants.
    #[error("read the grants of plugin {name}")]
    ReadGrants {
        /// The plugin.
        name: String,
        /// The pattern that is wrong.
        source: PatternError,
    },
    /// It does not compile.
    #[error(transparent)]
    Engine(EngineError),
    /// It does not fit the contract.
    #[error(transparent)]
    Link(LinkError),
    /// Its config schema.
    #[error("read the config schema of plugin {0}: {1}")]
    ReadSchema(String, String),
    /// The source holds nothing that could be loaded.
    #[error(transparent)]
    Source(source::SourceError),
    /// The directory or the file can not be read.
    #[error("read {0}")]
    ReadFile(String, #[source] std::io::Error),
    /// The compiler panicked.
    #[error("finish compiling")]
    Compile(#[source] tokio::task::JoinError),
}

impl LoadError {
    /// A word for a condition's reason or a metric's label.
    pub fn reason(&self) -> &'static str {
        match self {
            LoadError::Manifest(_) | LoadError::ReadSchema(..) => "InvalidManifest",
            LoadError::ReadGrants { .. } => "InvalidGrants",
            LoadError::Engine(_) | LoadError::Compile(_) => "NotCompiled",
            LoadError::Link(_) => "NotLinked",
            LoadError::Source(error) => error.reason(),
            LoadError::ReadFile(..) => "NotRead",
        }
    }

    /// The whole chain of causes in one line.
    pub fn message(&self) -> String {
        let mut text = self.to_string();
        let mut next = std::error::Error::source(self);
        while let Some(cause) = next {
            text = format!("{text}: {cause}");
            next = cause.source();
        }
        text
    }
}

/// What a load did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// The plugin.
    pub name: String,
    /// Its own version.
    pub version: String,
    /// SHA-256 of the component, in hexadecimal.
    pub digest: String,
    /// False when that source held the same component and grants already.
    pub changed: bool,
}

/// The state of one source, for status and metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// Where it came from.
    pub origin: Origin,
    /// The plugin's name; none when nothing was ever loaded from there.
    pub name: Option<String>,
    /// Its own version.
    pub version: Option<String>,
    /// SHA-256 of the component that runs, in hexadecimal.
    pub digest: Option<String>,
    /// What it solves.
    pub challenges: Vec<ChallengeKind>,
    /// The hosts that it may reach.
    pub hosts: Vec<String>,
    /// Whether calls go to it, and not to one of the same name from elsewhere.
    pub active: bool,
    /// Why the newest content of the source is not what runs.
    pub error: Option<String>,
}

#[derive(Default)]
struct Slot {
    plugin: Option<Arc<Plugin>>,
    source: Option<(String, Option<OperatorGrants>)>,
    error: Option<String>,
    /// Counts loads, so that a slow compile does not undo a later one.
    generation: u64,
}

/// The loaded plugins. Share it in an `Arc`.
pub struct Registry {
    engine: Engine,
    config: RegistryConfig,
    slots: RwLock<BTreeMap<Origin, Slot>>,
    changes: watch::Sender<u64>,
}

impl Registry {
    /// An empty registry.
    pub fn new(engine: Engine, config: RegistryConfig) -> Registry {
        Registry { engine, config, slots: RwLock::default(), changes: watch::Sender::new(0) }
    }

    /// The plugin that solves challenges of `kind` under `name`.
    pub fn plugin(&self, kind: ChallengeKind, name: &str) -> Option<Arc<Plugin>> {
        let slots = self.slots.read().unwrap_or_else(PoisonError::into_inner);
        let mut plugins = slots.values().filter_map(|slot| slot.plugin.as_ref());
        plugins.find(|plugin| plugin.manifest().name == name && plugin.manifest().challenges.contains(&kind)).cloned()
    }

    /// The names of the plugins that solve challenges of `kind`, sorted.
    pub fn names(&self, kind: ChallengeKind) -> Vec<String> {
        let slots = self.slots.read().unwrap_or_else(PoisonError::into_inner);
        let plugins = slots.values().filter_map(|slot| slot.plugin.as_ref());
        let mut names: Vec<String> = plugins
            .filter(|plugin| plugin.manifest().challenges.contains(&kind))
            .map(|plugin| plugin.manifest().name.clone())
            .collect();
        names.sort();
        names.dedup();
        names
    }

    /// Compiles (off the async threads), checks and swaps in what `source` holds. On failure what
    /// `origin` held before goes on, and its [`State`] says why.
    pub async fn load(&self, origin: Origin, source: PluginSource) -> Result<Loaded, LoadError> {
        let digest = source::digest(&source.wasm);
        let key = (digest, source.grants.clone());
        let (generation, same) = self.begin(&origin, &key);
        if let Some(plugin) = same {
            return Ok(loaded(&plugin, false));
        }
        let (engine, config, (digest, _)) = (self.engine.clone(), self.config.clone(), key.clone());
        let building = tokio::task::spawn_blocking(move || build(engine, &config, source, digest));
        let built = building.await.map_err(LoadError::Compile).and_then(|built| built);
        match built {
            Ok(plugin) => {
                let plugin = Arc::new(plugin);
                let done = loaded(&plugin, true);
                self.finish(&origin, generation, |slot| {
                    *slot = Slot { plugin: Some(plugin), source: Some(key), error: None, generation };
                });
                tracing::info!(%origin, plugin = done.name, version = done.version, digest = done.digest, "loaded plugin");
                Ok(done)
            }
            Err(error) => {
                self.finish(&origin, generation, |slot| slot.error = Some(error.message()));
                Err(error)
            }
        }
    }

    /// Notes that `origin` holds nothing that can be loaded; what it held before goes on.
    pub fn refuse(&self, origin: Origin, error: &str) {
        let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
        let slot = slots.entry(origin).or_default();
        slot.generation += 1;
        let new = slot.error.as_deref() != Some(error);
        slot.error = Some(error.to_owned());
        drop(slots);
        if new {
            self.changed();
        }
    }

    /// Forgets `origin`. Calls that run finish.
    pub fn remove(&self, origin: &Origin) {
        let removed = self.slots.write().unwrap_or_else(PoisonError::into_inner).remove(origin);
        if removed.is_some() {
            tracing::info!(%origin, "removed plugin");
            self.changed();
        }
    }

    /// Counts changes of what [`Registry::plugin`] and [`Registry::states`] answer.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// The state of every source, in the order of precedence.
    pub fn states(&self) -> Vec<State> {
        let slots = self.slots.read().unwrap_or_else(PoisonError::into_inner);
        let mut seen = std::collections::BTreeSet::new();
        let state = |(origin, slot): (&Origin, &Slot)| {
            let manifest = slot.plugin.as_ref().map(|plugin| plugin.manifest());
            // Sources come in the order of precedence: the first to solve a kind under a name does.
            let mut first = |m: &Manifest| {
                let new = m.challenges.iter().filter(|kind| seen.insert((**kind, m.name.clone())));
                new.count() > 0
            };
            let active = manifest.is_some_and(&mut first);
            State {
                origin: origin.clone(),
                name: manifest.map(|m| m.name.clone()),
                version: manifest.map(|m| m.version.clone()),
                digest: slot.plugin.as_ref().map(|plugin| plugin.digest().to_owned()),
                challenges: manifest.map(|m| m.challenges.clone()).unwrap_or_default(),
                hosts: slot.plugin.as_ref().map(|plugin| plugin.grants().hosts()).unwrap_or_default(),
                active,
                error: slot.error.clone(),
            }
        };
        slots.iter().map(state).collect()
    }

    fn begin(&self, origin: &Origin, key: &(String, Option<OperatorGrants>)) -> (u64, Option<Arc<Plugin>>) {
        let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
        let slot = slots.entry(origin.clone()).or_default();
        slot.generation += 1;
        let same = slot.source.as_ref() == Some(key);
        let healed = same && slot.error.take().is_some();
        let answer = (slot.generation, slot.plugin.clone().filter(|_| same));
        drop(slots);
        if healed {
            self.changed();
        }
        answer
    }

    /// Writes the outcome unless a later load or a removal came between.
    fn finish(&self, origin: &Origin, generation: u64, write: impl FnOnce(&mut Slot)) {
        let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
        match slots.get_mut(origin).filter(|slot| slot.generation == generation) {
            Some(slot) => write(slot),
            None => return,
        }
        drop(slots);
        self.changed();
    }

    fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }
}

fn loaded(plugin: &Plugin, changed: bool) -> Loaded {
    let manifest = plugin.manifest();
    let (name, version) = (manifest.name.clone(), manifest.version.clone());
    Loaded { name, version, digest: plugin.digest().to_owned(), changed }
}

fn build(engine: Engine, config: &RegistryConfig, source: PluginSource, digest: String) -> Result<Plugin, LoadError> {
    let PluginSource { wasm, grants: beside } = source;
    let manifest = Manifest::of_component(&wasm).map_err(LoadError::Manifest)?;
    let name = manifest.name.clone();
    let operator = config.grants.get(&name).or(beside.as_ref()).unwrap_or(&config.defaults);
    let grants =
        grants::decide(&manifest, operator).map_err(|source| LoadError::ReadGrants { name: name.clone(), source })?;
    let component = engine.compile(&wasm, &digest).map_err(LoadError::Engine)?;
    let linked = linker::link(&component, &manifest).map_err(LoadError::Link)?;
    Plugin::new(engine, manifest, digest, grants, linked).map_err(|error| LoadError::ReadSchema(name, error))
}
