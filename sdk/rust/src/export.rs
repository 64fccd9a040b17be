//! `export!`: what turns a type into a component, and the manifest into a section of its file.

use crate::log;

/// Exports a solver, and puts the manifest `solver.json`, which stands beside Cargo.toml, into the
/// component.
///
/// ```text
/// signet_solver::export!(dns01: MyDnsSolver);
/// signet_solver::export!(http01: MyHttpSolver);
/// signet_solver::export!(tls_alpn01: MyTlsSolver);
/// signet_solver::export!(dns01: MyDnsSolver, http01: MyHttpSolver);
/// ```
///
/// The manifest's `version` is the crate's, and its `wit` is this crate's contract; `solver.json`
/// must not give them again. Unit tests and native builds export nothing.
#[macro_export]
macro_rules! export {
    ($($interface:ident: $solver:ty),+ $(,)?) => {
        $crate::export!(@manifest);
        $($crate::export!(@$interface $solver);)+
    };
    (@dns01 $dns01:ty) => {
        const _: () = {
            type Component = $crate::dns01::Export<$dns01>;
            const _: std::marker::PhantomData<Component> = std::marker::PhantomData;
            #[cfg(all(target_arch = "wasm32", not(test)))]
            $crate::bindings::dns01::export_dns01!(Component with_types_in $crate::bindings::dns01);
        };
    };
    (@http01 $http01:ty) => {
        const _: () = {
            type Component = $crate::http01::Export<$http01>;
            const _: std::marker::PhantomData<Component> = std::marker::PhantomData;
            #[cfg(all(target_arch = "wasm32", not(test)))]
            $crate::bindings::http01::export_http01!(Component with_types_in $crate::bindings::http01);
        };
    };
    (@tls_alpn01 $tls_alpn01:ty) => {
        const _: () = {
            type Component = $crate::tls_alpn01::Export<$tls_alpn01>;
            const _: std::marker::PhantomData<Component> = std::marker::PhantomData;
            #[cfg(all(target_arch = "wasm32", not(test)))]
            $crate::bindings::tls_alpn01::export_tls_alpn01!(Component with_types_in $crate::bindings::tls_alpn01);
        };
    };
    (@manifest) => {
        const _: () = {
            const FILE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/solver.json"));
            const VERSION: &str = env!("CARGO_PKG_VERSION");
            const LENGTH: usize = $crate::manifest::length(FILE, VERSION);
            const COMPLETE: [u8; LENGTH] = $crate::manifest::complete(FILE, VERSION);
            #[cfg(all(target_arch = "wasm32", not(test)))]
            #[unsafe(link_section = "signet-solver-manifest")]
            static MANIFEST: [u8; LENGTH] = COMPLETE;
        };
    };
}

/// Runs at the start of each call: a panic can not be caught in a component, so its message goes
/// to the log, where the host's report of the trap stands.
pub(crate) fn report_panics() {
    std::panic::set_hook(Box::new(|panic| log::error(format_args!("the solver panicked: {panic}"))));
}
