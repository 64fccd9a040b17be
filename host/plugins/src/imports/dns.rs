//! `signet:solver/dns`: lookups through the host's resolver, for every solver.

use std::sync::Arc;

use wasmtime::component::{HasData, Linker};

use crate::backend::{Backend, RecordType};
use crate::bindings::types::Error;
use crate::state::State;

mod bindings {
    wasmtime::component::bindgen!({
        inline: "
            package signet:host;
            world dns-import { import signet:solver/dns@0.1.1; }
        ",
        path: "../../wit/solver-0.1.1",
        imports: { default: async },
        with: { "signet:solver/types@0.1.1": crate::bindings::types },
        require_store_data_send: true,
    });
}
use bindings::signet::solver::dns as wit;

/// The longest name that the DNS can hold, with a dot at its end.
const MAX_NAME: usize = 254;

struct Dns;

impl HasData for Dns {
    type Data<'a> = View<'a>;
}

struct View<'a> {
    backend: &'a Arc<dyn Backend>,
}

impl wit::Host for View<'_> {
    async fn lookup(&mut self, name: String, record_type: wit::RecordType) -> Result<Vec<String>, Error> {
        if name.is_empty() || name.len() > MAX_NAME {
            return Err(Error::Config(format!("a name of {} bytes can not be looked up", name.len())));
        }
        self.backend.dns_lookup(&name, record_type.into()).await.map_err(|error| error.into_wit())
    }
}

impl From<wit::RecordType> for RecordType {
    fn from(record_type: wit::RecordType) -> RecordType {
        match record_type {
            wit::RecordType::A => RecordType::A,
            wit::RecordType::Aaaa => RecordType::Aaaa,
            wit::RecordType::Cname => RecordType::Cname,
            wit::RecordType::Mx => RecordType::Mx,
            wit::RecordType::Ns => RecordType::Ns,
            wit::RecordType::Soa => RecordType::Soa,
            wit::RecordType::Txt => RecordType::Txt,
        }
    }
}

pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    wit::add_to_linker::<State, Dns>(linker, |state| View { backend: &state.backend })
}
