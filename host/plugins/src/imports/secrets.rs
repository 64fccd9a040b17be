//! `signet:solver/secrets`: values of the Secrets that the call's own config names.

use std::sync::Arc;

use wasmtime::component::{HasData, Linker};

use crate::backend::Backend;
use crate::bindings::types::Error;
use crate::redact::Redactor;
use crate::scope::Scope;
use crate::state::{Refusals, State};

mod bindings {
    wasmtime::component::bindgen!({
        inline: "
            package signet:host;
            world secrets-import { import signet:solver/secrets@0.1.1; }
        ",
        path: "../../wit/solver-0.1.1",
        imports: { default: async },
        with: { "signet:solver/types@0.1.1": crate::bindings::types },
        require_store_data_send: true,
    });
}
use bindings::signet::solver::secrets as wit;

struct Secrets;

impl HasData for Secrets {
    type Data<'a> = View<'a>;
}

struct View<'a> {
    scope: &'a Scope,
    backend: &'a Arc<dyn Backend>,
    redactor: Redactor,
    refusals: &'a Refusals,
}

impl wit::Host for View<'_> {
    async fn read(&mut self, name: String, key: String) -> Result<Vec<u8>, Error> {
        if let Err(why) = self.scope.check_secret(&name, &key) {
            self.refusals.add(why.clone());
            return Err(Error::Auth(why));
        }
        match self.backend.secret(&name, &key).await {
            Ok(Some(value)) => {
                self.redactor.remember(&value);
                Ok(value)
            }
            Ok(None) => Err(Error::NotFound(format!("there is no Secret {name:?} with a key {key:?}"))),
            Err(error) => Err(error.into_wit()),
        }
    }
}

pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    wit::add_to_linker::<State, Secrets>(linker, |state| View {
        scope: &state.scope,
        backend: &state.backend,
        redactor: state.log.redactor(),
        refusals: &state.refusals,
    })
}
