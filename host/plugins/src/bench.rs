//! What a plugin costs: the time to make an instance, and of a whole call.

use std::time::{Duration, Instant};

use crate::backend::Backend;
use crate::bucket::Bucket;
use crate::call::Call;
use crate::error::CallError;
use crate::imports::log::CallLog;
use crate::plugin::{Plugin, new_state};
use crate::scope::Scope;
use crate::state::{self, Refusals};
use std::sync::Arc;

/// The 99th percentiles of many runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figures {
    /// From an empty store to an instance.
    pub instantiate_p99: Duration,
    /// A whole `present`: store, instance, call, and everything dropped.
    pub call_p99: Duration,
}

/// Times `runs` instances and `runs` calls, after a tenth as many to warm up. `call` should do
/// nothing, in a plugin that does nothing.
pub async fn measure(plugin: &Plugin, call: &Call, runs: usize) -> Result<Figures, CallError> {
    let mut instances = Vec::with_capacity(runs);
    let mut calls = Vec::with_capacity(runs);
    for run in 0..runs + runs / 10 {
        let instance = instance(plugin, call).await?;
        let started = Instant::now();
        plugin.present(call.clone()).await?;
        if run >= runs / 10 {
            instances.push(instance);
            calls.push(started.elapsed());
        }
    }
    Ok(Figures { instantiate_p99: p99(instances), call_p99: p99(calls) })
}

async fn instance(plugin: &Plugin, call: &Call) -> Result<Duration, CallError> {
    let engine = plugin.engine();
    let _running = engine.run();
    let backend: Arc<dyn Backend> = call.backend.clone();
    let scope = Arc::new(Scope::new(plugin.grants(), &call.config, &call.challenge, &call.label));
    let bucket = Arc::new(Bucket::new(1, 1));
    let log = CallLog::new("bench".to_owned(), call.label.clone(), engine.limits, bucket, backend.clone());
    let wasi = state::empty_wasi(&log);
    let mut store = state::store(engine, new_state(engine, scope, backend, log, Refusals::default(), wasi));
    let started = Instant::now();
    plugin.instantiate(&mut store).await?;
    Ok(started.elapsed())
}

fn p99(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len().saturating_sub(1) * 99 / 100).copied().unwrap_or_default()
}
