//! Links a component to everything that a solver may import, and compares what it exports with
//! what its manifest says.

use std::sync::LazyLock;

use wasmtime::Engine;
use wasmtime::component::{Component, InstancePre, Linker};

use crate::bindings::{dns01::Dns01GuestPre, http01::Http01GuestPre, tls_alpn01::TlsAlpn01GuestPre};
use crate::imports;
use crate::manifest::{ChallengeKind, Manifest};
use crate::state::State;

/// Why a component can not be linked.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// It imports what this host does not have.
    #[error("link the component: it imports {}, which this host does not offer", .0.join(", "))]
    Import(Vec<String>),
    /// Its manifest promises what it does not export.
    #[error("link the component: its manifest lists {challenge}, and it does not export {interface}")]
    Export {
        /// The challenge.
        challenge: &'static str,
        /// The interface that solves it.
        interface: String,
    },
    /// The engine refuses it: a type differs.
    #[error("link the component")]
    Link(#[source] wasmtime::Error),
}

/// A component ready to be instantiated.
pub(crate) struct Linked {
    pub(crate) dns01: Option<Dns01GuestPre<State>>,
    pub(crate) http01: Option<Http01GuestPre<State>>,
    pub(crate) tls_alpn01: Option<TlsAlpn01GuestPre<State>>,
    pub(crate) instance: InstancePre<State>,
}

/// A linker with all of WASI 0.2, wasi:http through our own way out, and the contract's imports.
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    imports::http::add_to_linker(&mut linker)?;
    imports::log::add_to_linker(&mut linker)?;
    imports::secrets::add_to_linker(&mut linker)?;
    imports::kube::add_to_linker(&mut linker)?;
    imports::dns::add_to_linker(&mut linker)?;
    imports::responder::add_to_linker(&mut linker)?;
    Ok(linker)
}

/// Links `component` and checks it against its manifest.
pub(crate) fn link(component: &Component, manifest: &Manifest) -> Result<Linked, LinkError> {
    let engine = component.engine();
    let unknown = unknown_imports(component);
    if !unknown.is_empty() {
        return Err(LinkError::Import(unknown));
    }
    check_exports(component, manifest)?;
    let linker = linker(engine).map_err(LinkError::Link)?;
    let instance = linker.instantiate_pre(component).map_err(LinkError::Link)?;
    let solves = |kind| manifest.challenges.contains(&kind).then(|| instance.clone());
    Ok(Linked {
        dns01: solves(ChallengeKind::Dns01).map(Dns01GuestPre::new).transpose().map_err(LinkError::Link)?,
        http01: solves(ChallengeKind::Http01).map(Http01GuestPre::new).transpose().map_err(LinkError::Link)?,
        tls_alpn01: solves(ChallengeKind::TlsAlpn01)
            .map(TlsAlpn01GuestPre::new)
            .transpose()
            .map_err(LinkError::Link)?,
        instance,
    })
}

fn check_exports(component: &Component, manifest: &Manifest) -> Result<(), LinkError> {
    let version = manifest.wit.rsplit('@').next().unwrap_or_default();
    for kind in &manifest.challenges {
        let interface = format!("signet:solver/{}@{version}", kind.interface());
        if component.get_export_index(None, &interface).is_none() {
            return Err(LinkError::Export { challenge: kind.as_str(), interface });
        }
    }
    Ok(())
}

/// The packages whose interfaces may be imported.
static KNOWN: LazyLock<Vec<String>> = LazyLock::new(|| {
    let wasi = ["cli", "clocks", "filesystem", "http", "io", "random", "sockets"];
    let wasi = wasi.map(|package| format!("wasi:{package}/"));
    let own = ["types", "log", "secrets", "kube", "dns", "responder"];
    wasi.into_iter().chain(own.map(|interface| format!("signet:solver/{interface}@0.1."))).collect()
});

fn unknown_imports(component: &Component) -> Vec<String> {
    let engine = component.engine();
    let ty = component.component_type();
    let unknown = ty.imports(engine).filter(|(name, _)| !KNOWN.iter().any(|known| name.starts_with(known.as_str())));
    unknown.map(|(name, _)| name.to_owned()).collect()
}
