//! What wit-bindgen makes of the contract: an implementation detail, public only for the macros.
//!
//! There is one set for each world, so that a component exports nothing but what its solver
//! implements. The others share the imports and types of the first that has them.
#![allow(missing_docs, reason = "the contract documents itself, in wit/solver.wit")]
#![allow(clippy::all, reason = "generated code")]

pub mod dns01 {
    //! The world of a DNS-01 solver.
    wit_bindgen::generate!({
        world: "dns01-solver",
        path: "wit",
        pub_export_macro: true,
        export_macro_name: "export_dns01",
    });
}

pub mod http01 {
    //! The world of an HTTP-01 solver.
    wit_bindgen::generate!({
        world: "http01-solver",
        path: "wit",
        pub_export_macro: true,
        export_macro_name: "export_http01",
        with: {
            "signet:solver/types@0.1.1": super::dns01::signet::solver::types,
            "signet:solver/log@0.1.1": super::dns01::signet::solver::log,
            "signet:solver/secrets@0.1.1": super::dns01::signet::solver::secrets,
            "signet:solver/kube@0.1.1": super::dns01::signet::solver::kube,
            "signet:solver/dns@0.1.1": super::dns01::signet::solver::dns,
        },
    });
}

pub mod tls_alpn01 {
    //! The world of a TLS-ALPN-01 solver.
    wit_bindgen::generate!({
        world: "tls-alpn01-solver",
        path: "wit",
        pub_export_macro: true,
        export_macro_name: "export_tls_alpn01",
        with: {
            "signet:solver/types@0.1.1": super::dns01::signet::solver::types,
            "signet:solver/log@0.1.1": super::dns01::signet::solver::log,
            "signet:solver/secrets@0.1.1": super::dns01::signet::solver::secrets,
            "signet:solver/kube@0.1.1": super::dns01::signet::solver::kube,
            "signet:solver/dns@0.1.1": super::dns01::signet::solver::dns,
            "signet:solver/responder@0.1.1": super::http01::signet::solver::responder,
        },
    });
}

pub use dns01::signet::solver::{dns, kube, log, secrets, types};
pub use http01::signet::solver::responder;
