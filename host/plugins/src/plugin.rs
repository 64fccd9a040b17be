//! A loaded plugin: a component that is compiled, linked and checked, with its grants.
//!
//! Each call runs in a store of its own, so nothing of one call is left for the next, and a trap
//! poisons only itself.

use std::sync::Arc;

use serde_json::Value;
use wasmtime::Store;
use wasmtime_wasi_http::WasiHttpCtx;

use crate::bindings::types::Error as WitError;
use crate::bucket::Bucket;
use crate::call::{Call, WitChallenge};
use crate::engine::{Engine, Limits};
use crate::error::{self, CallError, GuestError, HostError, Stop};
use crate::grants::Grants;
use crate::imports::http::Outgoing;
use crate::imports::log::CallLog;
use crate::linker::Linked;
use crate::manifest::{ChallengeKind, Manifest};
use crate::scope::Scope;
use crate::state::{self, Meter, Refusals, State};

/// The longest receipt, in bytes.
pub const MAX_RECEIPT: usize = 4096;
const LOG_LINES_PER_SECOND: u32 = 50;
const LOG_LINES_BURST: u32 = 1000;

/// What is wrong with a solver's stanza.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// Path of the field in the stanza, with dots; empty for the stanza itself.
    pub path: String,
    /// What is wrong there.
    pub message: String,
}

/// A loaded plugin.
pub struct Plugin {
    engine: Engine,
    manifest: Manifest,
    digest: String,
    grants: Grants,
    schema: jsonschema::Validator,
    linked: Linked,
    log_bucket: Arc<Bucket>,
}

impl std::fmt::Debug for Plugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plugin")
            .field("name", &self.manifest.name)
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}

/// Which function of the contract is called.
enum Step {
    Present,
    Cleanup(Option<Vec<u8>>),
}

type Answer = Result<Result<Vec<u8>, WitError>, CallFailure>;

enum CallFailure {
    Unsolved(ChallengeKind),
    Instantiate(wasmtime::Error),
    Trap(wasmtime::Error),
}

impl Plugin {
    pub(crate) fn new(
        engine: Engine,
        manifest: Manifest,
        digest: String,
        grants: Grants,
        linked: Linked,
    ) -> Result<Plugin, String> {
        let schema = jsonschema::validator_for(&manifest.config).map_err(|error| error.to_string())?;
        let log_bucket = Arc::new(Bucket::new(LOG_LINES_PER_SECOND, LOG_LINES_BURST));
        Ok(Plugin { engine, manifest, digest, grants, schema, linked, log_bucket })
    }

    /// What it says of itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// SHA-256 of the component, in hexadecimal.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// What it may do.
    pub fn grants(&self) -> &Grants {
        &self.grants
    }

    /// What is wrong with a stanza, by the manifest's JSON Schema; empty when nothing is.
    pub fn validate(&self, config: &Value) -> Vec<ConfigError> {
        let error = |error: jsonschema::ValidationError<'_>| ConfigError {
            path: error.instance_path().as_str().trim_start_matches('/').replace('/', "."),
            message: error.to_string(),
        };
        self.schema.iter_errors(config).map(error).collect()
    }

    /// Asks the component to make the challenge's proof visible. Returns its receipt, at most
    /// [`MAX_RECEIPT`] bytes.
    pub async fn present(&self, call: Call) -> Result<Vec<u8>, CallError> {
        let receipt = self.call(call, Step::Present).await?;
        if receipt.len() > MAX_RECEIPT {
            let length = receipt.len();
            let message = format!("the plugin returned a receipt of {length} bytes; at most {MAX_RECEIPT} are allowed");
            return Err(CallError::Guest(GuestError::Contract(message)));
        }
        Ok(receipt)
    }

    /// Asks the component to remove what `present` made. `receipt` is what `present` returned.
    pub async fn cleanup(&self, call: Call, receipt: Option<Vec<u8>>) -> Result<(), CallError> {
        self.call(call, Step::Cleanup(receipt)).await.map(drop)
    }

    async fn call(&self, call: Call, step: Step) -> Result<Vec<u8>, CallError> {
        let _running = self.engine.run();
        let Call { config, challenge, backend, label } = call;
        let limits = self.engine.limits;
        let scope = Arc::new(Scope::new(&self.grants, &config, &challenge, &label));
        let name = self.manifest.name.clone();
        let log = CallLog::new(name, label, limits, self.log_bucket.clone(), backend.clone());
        let refusals = Refusals::default();
        let state = new_state(&self.engine, scope, backend, log.clone(), refusals.clone(), state::empty_wasi(&log));
        let mut store = state::store(&self.engine, state);
        let running = self.run(&mut store, challenge.into_wit(&config), step);
        let answer = tokio::time::timeout(limits.timeout, running).await;
        log.close();
        let note = || format!("{}{}", log.last_words(), refusals.note());
        match answer {
            Ok(Ok(Ok(receipt))) => Ok(receipt),
            Ok(Ok(Err(said))) => {
                let redactor = log.redactor();
                Err(CallError::Guest(error::from_guest(said, |text| redactor.clean(text), &refusals.note())))
            }
            Ok(Err(CallFailure::Unsolved(kind))) => Err(CallError::Host(HostError::Call(kind.as_str()))),
            Ok(Err(CallFailure::Instantiate(error))) if !store.data().meter.out_of_memory => {
                Err(CallError::Host(HostError::Instantiate(error)))
            }
            Ok(Err(CallFailure::Instantiate(trap) | CallFailure::Trap(trap))) => {
                Err(CallError::Stopped(stop(&trap, &store.data().meter, limits, note())))
            }
            Err(_) => Err(CallError::Stopped(Stop::Timeout { limit: limits.timeout, note: note() })),
        }
    }

    async fn run(&self, store: &mut Store<State>, challenge: WitChallenge, step: Step) -> Answer {
        // The interfaces differ in their generated types alone, which no trait spans.
        macro_rules! solve {
            ($pre:ident, $kind:ident, $guest:ident, $challenge:ident $(, $argument:ident)?) => {{
                let pre = self.linked.$pre.as_ref().ok_or(CallFailure::Unsolved(ChallengeKind::$kind))?;
                let guest = pre.instantiate_async(&mut *store).await.map_err(CallFailure::Instantiate)?;
                let guest = guest.$guest();
                match step {
                    Step::Present => {
                        $(let $argument = match store.data().backend.clone().tls_responder().await {
                            Ok($argument) => $argument.into(),
                            Err(error) => return Ok(Err(error.into_wit())),
                        };)?
                        guest.call_present(store, &$challenge $(, &$argument)?).await
                    }
                    Step::Cleanup(receipt) => {
                        let done = guest.call_cleanup(store, &$challenge, receipt.as_ref()).await;
                        done.map(|done| done.map(|()| vec![]))
                    }
                }
            }};
        }
        match challenge {
            WitChallenge::Dns01(challenge) => solve!(dns01, Dns01, signet_solver_dns01, challenge),
            WitChallenge::Http01(challenge) => solve!(http01, Http01, signet_solver_http01, challenge),
            WitChallenge::TlsAlpn01(challenge) => {
                solve!(tls_alpn01, TlsAlpn01, signet_solver_tls_alpn01, challenge, endpoint)
            }
        }
        .map_err(CallFailure::Trap)
    }

    /// Makes an instance and drops it: what the benchmark times.
    pub(crate) async fn instantiate(&self, store: &mut Store<State>) -> Result<(), CallError> {
        let made = self.linked.instance.instantiate_async(store).await;
        made.map(drop).map_err(|error| CallError::Host(HostError::Instantiate(error)))
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }
}

pub(crate) fn new_state(
    engine: &Engine,
    scope: Arc<Scope>,
    backend: Arc<dyn crate::Backend>,
    log: Arc<CallLog>,
    refusals: Refusals,
    wasi: wasmtime_wasi::WasiCtx,
) -> State {
    State {
        table: state::table(),
        wasi,
        http: WasiHttpCtx::new(),
        outgoing: Outgoing { egress: engine.egress.clone(), hosts: scope.hosts.clone(), refusals: refusals.clone() },
        scope,
        backend,
        log,
        refusals,
        meter: Meter::new(engine.limits),
    }
}

/// Says why the component stopped: a limit that was hit explains a trap better than the trap.
fn stop(trap: &wasmtime::Error, meter: &Meter, limits: Limits, note: String) -> Stop {
    if meter.out_of_cpu {
        return Stop::Cpu { limit: limits.cpu, note };
    }
    if meter.out_of_memory {
        return Stop::Memory { limit_mib: limits.memory >> 20, note };
    }
    Stop::Trap { trap: trap.root_cause().to_string(), note }
}
