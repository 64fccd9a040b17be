//! A solver as it travels: one WebAssembly component with its manifest inside, the ConfigMap that
//! carries it or names the registry's artifact that does, and what an operator grants it.
//!
//! Pure functions over bytes: nothing here runs or compiles a component, so that whoever only looks
//! at one (`kubectl signet`) needs no engine. `signet-plugins` decides and enforces what it may do.

pub mod artifact;
pub mod authority;
mod grants;
pub mod manifest;
pub mod pattern;
mod section;
pub mod source;

pub use artifact::{Artifact, ArtifactError, Layer, Login};
pub use grants::{KindGrant, OperatorGrants, Verb};
pub use manifest::{ChallengeKind, Manifest, ManifestError};
pub use section::SectionError;
pub use source::{
    Content, DIGEST, GRANTS, LABEL, MAX_COMPONENT, PULL_SECRET, PluginSource, REFERENCE, SourceError, from_config_map,
};
