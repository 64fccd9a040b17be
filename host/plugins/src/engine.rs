//! The engine: how components are compiled and what a call may use up.
//!
//! One per process. Memory, processor time, wall-clock time, tables, handles and log lines of a
//! call are all bounded; the epoch that bounds processor time ticks only while calls run.

use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use wasmtime::component::Component;
use wasmtime::{Config, EngineWeak};

use crate::cache::Cache;
use crate::egress::{Egress, EgressConfig, EgressError};

/// How often the epoch ticks while a call runs: the grain of the processor time limit.
pub(crate) const TICK: Duration = Duration::from_millis(10);

/// What one call may use up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Linear memory of all the component's instances together, in bytes.
    pub memory: usize,
    /// Processor time.
    pub cpu: Duration,
    /// Time on the clock, waiting included.
    pub timeout: Duration,
    /// Log lines.
    pub log_lines: usize,
    /// Bytes of one log line.
    pub log_line_bytes: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            memory: 64 * 1024 * 1024,
            cpu: Duration::from_secs(2),
            timeout: Duration::from_secs(60),
            log_lines: 100,
            log_line_bytes: 1024,
        }
    }
}

/// How the engine is set up.
#[derive(Debug, Clone, Default)]
pub struct EngineConfig {
    /// What each call may use up.
    pub limits: Limits,
    /// How plugins reach the network.
    pub egress: EgressConfig,
    /// A directory of ours alone for compiled code; none compiles at each start.
    pub cache_dir: Option<PathBuf>,
}

/// Why there is no engine.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The engine's own configuration is refused.
    #[error("set up the WebAssembly engine")]
    SetUp(#[source] wasmtime::Error),
    /// The way to the network can not be set up.
    #[error("set up the plugins' network access")]
    SetUpEgress(#[source] EgressError),
    /// The thread that bounds processor time can not be started.
    #[error("start the thread that bounds processor time")]
    StartTicker(#[source] std::io::Error),
    /// The directory for compiled code can not be used.
    #[error("open the cache directory for compiled plugins")]
    OpenCache(#[source] crate::cache::CacheError),
    /// The component does not compile.
    #[error("compile the component")]
    Compile(#[source] wasmtime::Error),
}

/// Compiles components and bounds their calls. Clones share everything.
#[derive(Clone)]
pub struct Engine {
    pub(crate) wasmtime: wasmtime::Engine,
    pub(crate) limits: Limits,
    pub(crate) egress: Arc<Egress>,
    cache: Option<Arc<Cache>>,
    running: Arc<Running>,
}

impl Engine {
    /// Sets up the engine and its ticker.
    pub fn new(config: EngineConfig) -> Result<Engine, EngineError> {
        let wasmtime = wasmtime::Engine::new(&features()).map_err(EngineError::SetUp)?;
        let cache = config.cache_dir.map(|path| Cache::open(&path, &wasmtime)).transpose();
        let running = Arc::new(Running::default());
        start_ticker(wasmtime.weak(), running.clone())?;
        Ok(Engine {
            limits: config.limits,
            egress: Arc::new(Egress::new(config.egress).map_err(EngineError::SetUpEgress)?),
            cache: cache.map_err(EngineError::OpenCache)?.map(Arc::new),
            wasmtime,
            running,
        })
    }

    /// Compiles, or takes from the cache what this engine compiled before. Takes seconds of
    /// processor time: not for an async thread.
    pub(crate) fn compile(&self, wasm: &[u8], digest: &str) -> Result<Component, EngineError> {
        if let Some(component) = self.cache.as_ref().and_then(|cache| cache.load(&self.wasmtime, digest)) {
            return Ok(component);
        }
        let component = Component::new(&self.wasmtime, wasm).map_err(EngineError::Compile)?;
        if let Some(cache) = &self.cache {
            cache.store(&component, digest);
        }
        Ok(component)
    }

    /// The epoch ticks while the guard lives.
    pub(crate) fn run(&self) -> RunGuard {
        self.running.change(1);
        RunGuard(self.running.clone())
    }
}

fn features() -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .concurrency_support(false)
        .memory_init_cow(true)
        // Off what solvers do not need. Function references stay: what Go makes needs them.
        .wasm_memory64(false)
        .wasm_multi_memory(false)
        .wasm_relaxed_simd(false)
        .wasm_wide_arithmetic(false)
        .wasm_custom_page_sizes(false);
    config
}

/// How many calls run now.
#[derive(Default)]
struct Running {
    count: Mutex<isize>,
    changed: Condvar,
}

impl Running {
    fn change(&self, by: isize) {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner) += by;
        if by > 0 {
            self.changed.notify_one();
        }
    }

    /// Waits until a call runs, for a bounded time, so that the thread notices the engine's end.
    fn wait(&self) -> bool {
        let count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = |count: &mut isize| *count == 0;
        let waited = self.changed.wait_timeout_while(count, Duration::from_secs(5), idle);
        let (count, _) = waited.unwrap_or_else(PoisonError::into_inner);
        *count > 0
    }
}

/// Counts as a running call while it lives.
pub(crate) struct RunGuard(Arc<Running>);

impl Drop for RunGuard {
    fn drop(&mut self) {
        self.0.change(-1);
    }
}

fn start_ticker(engine: EngineWeak, running: Arc<Running>) -> Result<(), EngineError> {
    let tick = move || {
        loop {
            let busy = running.wait();
            let Some(engine) = engine.upgrade() else { return };
            if busy {
                engine.increment_epoch();
                drop(engine);
                std::thread::sleep(TICK);
            }
        }
    };
    std::thread::Builder::new().name("plugin-epoch".to_owned()).spawn(tick).map(drop).map_err(EngineError::StartTicker)
}
