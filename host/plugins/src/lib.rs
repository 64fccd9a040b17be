//! The home of solver components: it loads them, says what each may do, and calls them.
//!
//! Bytes come in as a [`PluginSource`] (from a ConfigMap or a directory), a [`Registry`] turns
//! them into a [`Plugin`] through the [`Engine`], and a [`Call`] runs one `present` or `cleanup` in
//! a fresh store. Every import of a component passes a check here, against its [`Grants`], before
//! it reaches the network or the controller's [`Backend`].
//!
//! This crate knows no provider by name and no Kubernetes client: reading objects is the
//! controller's work, behind [`Backend`].

mod backend;
pub mod bench;
mod bindings;
mod bucket;
mod cache;
mod call;
mod directory;
mod egress;
mod engine;
mod error;
mod grants;
mod imports;
mod linker;
mod plugin;
mod redact;
mod registry;
mod runner;
mod scope;
mod state;

pub use backend::{Backend, BackendError, Endpoint, LogLevel, RecordType};
pub use call::{Call, Challenge};
pub use egress::{Egress, EgressConfig, EgressError};
pub use engine::{Engine, EngineConfig, EngineError, Limits};
pub use error::{Blame, CallError, GuestError, HostError, Retry, Stop};
pub use grants::{Grants, decide};
pub use plugin::{ConfigError, MAX_RECEIPT, Plugin};
pub use registry::{LoadError, Loaded, Origin, Registry, RegistryConfig, State};
pub use runner::{RunError, TestHost, run_command};
pub use signet_package::{
    Artifact, ArtifactError, ChallengeKind, Content, DIGEST, GRANTS, KindGrant, LABEL, Layer, Login, Manifest,
    ManifestError, OperatorGrants, PluginSource, SourceError, Verb, from_config_map,
};
use signet_package::{authority, manifest, pattern, source};
