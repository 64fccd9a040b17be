//! Runs a test program (a `wasi:cli/command` component, as `cargo test --target wasm32-wasip2`
//! makes) inside the engine that runs plugins: the same imports, the same checks, with Secrets in
//! memory and output on the terminal.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use signet_package::OperatorGrants;
use wasmtime_wasi::p2::bindings::Command;
use wasmtime_wasi::{I32Exit, WasiCtxBuilder};

use crate::backend::{Backend, BackendError, Endpoint, LogLevel, RecordType};
use crate::bucket::Bucket;
use crate::call::Challenge;
use crate::engine::{Engine, EngineError};
use crate::grants;
use crate::imports::log::CallLog;
use crate::manifest::Manifest;
use crate::pattern::PatternError;
use crate::scope::Scope;
use crate::state::{self, Refusals};
use crate::{linker, plugin, source};

/// What surrounds a test program; the form of the file or variable that a test gives.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct TestHost {
    /// Values by Secret and key; the program may read each of them.
    pub secrets: BTreeMap<String, BTreeMap<String, String>>,
    /// The hosts that it may reach, as patterns.
    pub hosts: Vec<String>,
    /// Networks that it may reach although they are special: `127.0.0.0/8` for a server of its own.
    pub networks: Vec<ipnet::IpNet>,
    /// Answers by `TYPE name`: `TXT _acme-challenge.example.com.`.
    pub dns: BTreeMap<String, Vec<String>>,
}

/// Why a test program could not be run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// It does not compile.
    #[error(transparent)]
    Engine(EngineError),
    /// A host pattern is wrong.
    #[error("read the hosts of the test")]
    ReadHosts(#[source] PatternError),
    /// It can not be linked or instantiated.
    #[error("start the test program")]
    Start(#[source] wasmtime::Error),
    /// It trapped: a test failed under panic = "abort", or it crashed.
    #[error("run the test program")]
    Run(#[source] wasmtime::Error),
}

/// Runs `wasm` with `args` (the program's name is added before them) and returns its exit code.
///
/// The engine's limits hold, so give it one with more time than a plugin's call has.
pub async fn run_command(engine: &Engine, wasm: &[u8], args: &[String], host: TestHost) -> Result<i32, RunError> {
    let _running = engine.run();
    let scope = Arc::new(scope(&host)?);
    let backend: Arc<dyn Backend> = Arc::new(InMemory(host));
    let bucket = Arc::new(Bucket::new(u32::MAX, u32::MAX));
    let log = CallLog::new("test".to_owned(), "test".to_owned(), engine.limits, bucket, backend.clone());
    let mut wasi = WasiCtxBuilder::new();
    wasi.inherit_stdout().inherit_stderr().arg("test").args(args).allow_tcp(false).allow_udp(false);
    // A test that fails aborts the program, and what the harness had captured of it would be lost.
    wasi.env("RUST_TEST_NOCAPTURE", "1");
    let state = plugin::new_state(engine, scope, backend, log, Refusals::default(), wasi.build());
    let mut store = state::store(engine, state);
    let component = engine.compile(wasm, &source::digest(wasm)).map_err(RunError::Engine)?;
    let linker = linker::linker(&engine.wasmtime).map_err(RunError::Start)?;
    let command = Command::instantiate_async(&mut store, &component, &linker).await.map_err(RunError::Start)?;
    match command.wasi_cli_run().call_run(&mut store).await {
        Ok(Ok(())) => Ok(0),
        Ok(Err(())) => Ok(1),
        Err(error) => match error.downcast_ref::<I32Exit>() {
            Some(exit) => Ok(exit.0),
            None => Err(RunError::Run(error)),
        },
    }
}

/// The scope of a plugin whose config names every Secret of the test.
fn scope(host: &TestHost) -> Result<Scope, RunError> {
    let keys = |(name, keys): (&String, &BTreeMap<String, String>)| -> Vec<Value> {
        keys.keys().map(|key| json!({ "testSecretRef": { "name": name, "key": key } })).collect()
    };
    let config = json!({ "secrets": host.secrets.iter().flat_map(keys).collect::<Vec<_>>() });
    let manifest = Manifest {
        name: "test".to_owned(),
        version: String::new(),
        wit: String::new(),
        challenges: vec![],
        config: json!(true),
        hosts: host.hosts.clone(),
        secrets: vec![],
        kubernetes: vec![],
        homepage: None,
        description: None,
    };
    let operator = OperatorGrants { networks: host.networks.clone(), ..OperatorGrants::default() };
    let grants = grants::decide(&manifest, &operator).map_err(RunError::ReadHosts)?;
    let challenge =
        Challenge::Http01 { host: "test".to_owned(), token: "test".to_owned(), key_authorization: String::new() };
    Ok(Scope::new(&grants, &config, &challenge, "test/test"))
}

struct InMemory(TestHost);

fn absent<T>() -> Result<T, BackendError> {
    Err(BackendError::Allow("there is no cluster behind a test program".to_owned()))
}

#[async_trait]
impl Backend for InMemory {
    async fn secret(&self, name: &str, key: &str) -> Result<Option<Vec<u8>>, BackendError> {
        Ok(self.0.secrets.get(name).and_then(|keys| keys.get(key)).map(|value| value.clone().into_bytes()))
    }

    async fn kube_apply(&self, _: Value) -> Result<Value, BackendError> {
        absent()
    }

    async fn kube_get(&self, _: &str, _: &str, _: &str) -> Result<Option<Value>, BackendError> {
        absent()
    }

    async fn kube_patch(&self, _: &str, _: &str, _: &str, _: Value) -> Result<Value, BackendError> {
        absent()
    }

    async fn kube_delete(&self, _: &str, _: &str, _: &str) -> Result<(), BackendError> {
        absent()
    }

    async fn service_account_token(&self, _: &str, _: &[String]) -> Result<String, BackendError> {
        absent()
    }

    async fn dns_lookup(&self, name: &str, record_type: RecordType) -> Result<Vec<String>, BackendError> {
        let key = format!("{} {name}", record_type.as_str());
        Ok(self.0.dns.get(&key).cloned().unwrap_or_default())
    }

    async fn responder(&self) -> Result<Endpoint, BackendError> {
        Ok(Endpoint { addresses: vec!["192.0.2.1".to_owned()], port: 8089 })
    }

    async fn tls_responder(&self) -> Result<Endpoint, BackendError> {
        Ok(Endpoint { addresses: vec!["192.0.2.1".to_owned()], port: 8443 })
    }

    fn log(&self, level: LogLevel, message: &str) {
        eprintln!("{level:?}: {message}");
    }
}
