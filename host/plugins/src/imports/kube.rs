//! `signet:solver/kube`: objects of the granted kinds in the Challenge's namespace.

use std::sync::Arc;

use serde_json::Value;
use signet_package::Verb;
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
            world kube-import { import signet:solver/kube@0.1.1; }
        ",
        path: "../../wit/solver-0.1.1",
        imports: { default: async },
        with: { "signet:solver/types@0.1.1": crate::bindings::types },
        require_store_data_send: true,
    });
}
use bindings::signet::solver::kube as wit;

struct Kube;

impl HasData for Kube {
    type Data<'a> = View<'a>;
}

struct View<'a> {
    scope: &'a Scope,
    backend: &'a Arc<dyn Backend>,
    redactor: Redactor,
    refusals: &'a Refusals,
}

impl View<'_> {
    fn check(&self, verdict: Result<(), String>) -> Result<(), Error> {
        verdict.map_err(|why| {
            self.refusals.add(why.clone());
            Error::Auth(why)
        })
    }
}

fn parse(json: &str, what: &str) -> Result<Value, Error> {
    serde_json::from_str(json).map_err(|error| Error::Config(format!("{what} is not JSON: {error}")))
}

fn field<'a>(object: &'a Value, pointer: &str) -> Result<&'a str, Error> {
    let missing = || Error::Config(format!("the object has no {}", pointer.trim_start_matches('/').replace('/', ".")));
    object.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty()).ok_or_else(missing)
}

impl wit::Host for View<'_> {
    async fn apply(&mut self, object: String) -> Result<String, Error> {
        let object = parse(&object, "the object")?;
        let (api_version, kind) = (field(&object, "/apiVersion")?, field(&object, "/kind")?);
        field(&object, "/metadata/name")?;
        self.check(self.scope.check_kind(api_version, kind, Verb::Apply))?;
        self.check(self.scope.check_namespace(&object))?;
        let stored = self.backend.kube_apply(object).await.map_err(|error| error.into_wit())?;
        Ok(stored.to_string())
    }

    async fn get(&mut self, api_version: String, kind: String, name: String) -> Result<Option<String>, Error> {
        self.check(self.scope.check_kind(&api_version, &kind, Verb::Get))?;
        let found = self.backend.kube_get(&api_version, &kind, &name).await.map_err(|error| error.into_wit())?;
        Ok(found.map(|object| object.to_string()))
    }

    async fn patch(&mut self, api_version: String, kind: String, name: String, patch: String) -> Result<String, Error> {
        self.check(self.scope.check_kind(&api_version, &kind, Verb::Patch))?;
        let patch = parse(&patch, "the patch")?;
        let patched = self.backend.kube_patch(&api_version, &kind, &name, patch).await;
        Ok(patched.map_err(|error| error.into_wit())?.to_string())
    }

    async fn delete(&mut self, api_version: String, kind: String, name: String) -> Result<(), Error> {
        self.check(self.scope.check_kind(&api_version, &kind, Verb::Delete))?;
        self.backend.kube_delete(&api_version, &kind, &name).await.map_err(|error| error.into_wit())
    }

    async fn service_account_token(&mut self, name: String, audiences: Vec<String>) -> Result<String, Error> {
        self.check(self.scope.check_service_account(&name))?;
        let token = self.backend.service_account_token(&name, &audiences).await.map_err(|error| error.into_wit())?;
        self.redactor.remember(token.as_bytes());
        Ok(token)
    }
}

pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    wit::add_to_linker::<State, Kube>(linker, |state| View {
        scope: &state.scope,
        backend: &state.backend,
        redactor: state.log.redactor(),
        refusals: &state.refusals,
    })
}
