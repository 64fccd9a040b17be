//! `signet:solver/responder`: Signet's own HTTP endpoint, for the current challenge only.

use std::sync::Arc;

use wasmtime::component::{HasData, Linker};

use crate::backend::{Backend, Endpoint};
use crate::bindings::types::Error;
use crate::scope::Scope;
use crate::state::{Refusals, State};

mod bindings {
    wasmtime::component::bindgen!({
        inline: "
            package signet:host;
            world responder-import { import signet:solver/responder@0.1.1; }
        ",
        path: "../../wit/solver-0.1.1",
        imports: { default: async },
        with: { "signet:solver/types@0.1.1": crate::bindings::types },
        require_store_data_send: true,
    });
}
#[allow(unreachable_pub, reason = "generated code re-exports it, for the interface that shares its endpoint")]
pub use bindings::signet::solver::responder as wit;

struct Responder;

impl HasData for Responder {
    type Data<'a> = View<'a>;
}

struct View<'a> {
    scope: &'a Scope,
    backend: &'a Arc<dyn Backend>,
    refusals: &'a Refusals,
}

impl wit::Host for View<'_> {
    /// The controller answers with the key authorization that it knows itself, so the third
    /// argument is not used: a component can not make Signet say anything else.
    async fn answer(&mut self, host: String, token: String, _: String) -> Result<wit::Endpoint, Error> {
        if let Err(why) = self.scope.check_responder(&host, &token) {
            self.refusals.add(why.clone());
            return Err(Error::Auth(why));
        }
        Ok(self.backend.responder().await.map_err(|error| error.into_wit())?.into())
    }
}

impl From<Endpoint> for wit::Endpoint {
    fn from(Endpoint { addresses, port }: Endpoint) -> Self {
        Self { addresses, port }
    }
}

pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    wit::add_to_linker::<State, Responder>(linker, |state| View {
        scope: &state.scope,
        backend: &state.backend,
        refusals: &state.refusals,
    })
}
