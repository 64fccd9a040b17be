//! The types that every interface of the contract shares, and the exports that are called.
//!
//! They are made from the newest version of the contract. Components of an older one fit: the engine
//! takes an interface of the same name for another when only the last part of its version differs. What
//! each import needs is generated beside it, in `imports`.
#![allow(unreachable_pub, missing_docs, reason = "generated code re-exports what it shares")]

mod generated {
    wasmtime::component::bindgen!({
        inline: "
            package signet:host;
            world shared { import signet:solver/types@0.1.1; }
        ",
        path: "../../wit/solver-0.1.1",
        require_store_data_send: true,
    });
}

pub use generated::signet::solver::types;

pub(crate) mod dns01 {
    wasmtime::component::bindgen!({
        inline: "
            package signet:host;
            world dns01-guest { export signet:solver/dns01@0.1.1; }
        ",
        path: "../../wit/solver-0.1.1",
        exports: { default: async },
        with: { "signet:solver/types@0.1.1": crate::bindings::types },
        require_store_data_send: true,
    });
    pub(crate) use self::exports::signet::solver::dns01::Challenge;
}

pub(crate) mod http01 {
    wasmtime::component::bindgen!({
        inline: "
            package signet:host;
            world http01-guest { export signet:solver/http01@0.1.1; }
        ",
        path: "../../wit/solver-0.1.1",
        exports: { default: async },
        with: { "signet:solver/types@0.1.1": crate::bindings::types },
        require_store_data_send: true,
    });
    pub(crate) use self::exports::signet::solver::http01::Challenge;
}

pub(crate) mod tls_alpn01 {
    wasmtime::component::bindgen!({
        inline: "
            package signet:host;
            world tls-alpn01-guest { export signet:solver/tls-alpn01@0.1.1; }
        ",
        path: "../../wit/solver-0.1.1",
        exports: { default: async },
        with: {
            "signet:solver/types@0.1.1": crate::bindings::types,
            "signet:solver/responder@0.1.1": crate::imports::responder::wit,
        },
        require_store_data_send: true,
    });
    pub(crate) use self::exports::signet::solver::tls_alpn01::Challenge;
}
