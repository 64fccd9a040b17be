//! What a call of a plugin costs, in the engine that the controller has.

use std::sync::Arc;

use anyhow::{Context, Result};
use async_trait::async_trait;
use serde_json::{Value, json};
use signet_lab::build_guests;
use signet_plugins::{
    Backend, BackendError, Call, Challenge, ChallengeKind, Endpoint, Engine, EngineConfig, Origin, PluginSource,
    RecordType, Registry, RegistryConfig, bench,
};

use crate::figures::Figures;

const RUNS: usize = 5000;

pub(crate) async fn measure(figures: &mut Figures) -> Result<()> {
    let guests = concat!(env!("CARGO_MANIFEST_DIR"), "/../hostile");
    let wasm = std::fs::read(build_guests(guests.as_ref(), "hostile")?.join("examples/noop.wasm"))?;
    let registry = Registry::new(Engine::new(EngineConfig::default())?, RegistryConfig::default());
    registry.load(Origin::File("noop.wasm".to_owned()), PluginSource { wasm, grants: None }).await?;
    let plugin = registry.plugin(ChallengeKind::Dns01, "noop").context("noop solves DNS-01")?;
    let challenge = Challenge::Dns01 {
        dns_name: "a.example".to_owned(),
        fqdn: "_acme-challenge.a.example.".to_owned(),
        zone: "a.example.".to_owned(),
        value: "value".to_owned(),
        ambient_credentials: false,
    };
    let call = Call { config: json!({}), challenge, backend: Arc::new(Nothing), label: "bench/noop".to_owned() };
    let measured = bench::measure(&plugin, &call, RUNS).await?;
    figures.add("plugin_instantiate_p99_us", measured.instantiate_p99.as_nanos() as f64 / 1000.0, "µs");
    figures.add("plugin_noop_call_p99_us", measured.call_p99.as_nanos() as f64 / 1000.0, "µs");
    Ok(())
}

/// Lends nothing: the plugin that is measured asks for nothing.
struct Nothing;

fn refuse<T>() -> Result<T, BackendError> {
    Err(BackendError::Allow("there is nothing here".to_owned()))
}

#[async_trait]
impl Backend for Nothing {
    async fn secret(&self, _: &str, _: &str) -> Result<Option<Vec<u8>>, BackendError> {
        refuse()
    }
    async fn kube_apply(&self, _: Value) -> Result<Value, BackendError> {
        refuse()
    }
    async fn kube_get(&self, _: &str, _: &str, _: &str) -> Result<Option<Value>, BackendError> {
        refuse()
    }
    async fn kube_patch(&self, _: &str, _: &str, _: &str, _: Value) -> Result<Value, BackendError> {
        refuse()
    }
    async fn kube_delete(&self, _: &str, _: &str, _: &str) -> Result<(), BackendError> {
        refuse()
    }
    async fn service_account_token(&self, _: &str, _: &[String]) -> Result<String, BackendError> {
        refuse()
    }
    async fn dns_lookup(&self, _: &str, _: RecordType) -> Result<Vec<String>, BackendError> {
        refuse()
    }
    async fn responder(&self) -> Result<Endpoint, BackendError> {
        refuse()
    }
    async fn tls_responder(&self) -> Result<Endpoint, BackendError> {
        refuse()
    }
}
