//! What a component may import, a module for each: its private bindings, a view that borrows from
//! the store, and one `add_to_linker`.

pub(crate) mod dns;
pub(crate) mod http;
pub(crate) mod kube;
pub(crate) mod log;
pub(crate) mod responder;
pub(crate) mod secrets;
