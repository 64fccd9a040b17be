//! What a store holds: the call's scope, its limits, and what it has used of them.

use std::sync::Arc;
use std::sync::{Mutex, PoisonError};

use wasmtime::component::ResourceTable;
use wasmtime::{ResourceLimiter, Store, UpdateDeadline};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::backend::Backend;
use crate::engine::{Engine, Limits, TICK};
use crate::imports::http::Outgoing;
use crate::imports::log::{CallLog, Stdio};
use crate::scope::Scope;

/// Values that a component may pass to the host in one call of an import, in bytes.
const HOSTCALL_BYTES: usize = 32 * 1024 * 1024;
const MAX_HANDLES: usize = 4096;
const MAX_TABLE_ELEMENTS: usize = 100_000;
const MAX_INSTANCES: usize = 64;
const MAX_RANDOM: u64 = 1024 * 1024;

/// What a store holds.
pub(crate) struct State {
    pub(crate) table: ResourceTable,
    pub(crate) wasi: WasiCtx,
    pub(crate) http: WasiHttpCtx,
    pub(crate) outgoing: Outgoing,
    pub(crate) scope: Arc<Scope>,
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) log: Arc<CallLog>,
    pub(crate) refusals: Refusals,
    pub(crate) meter: Meter,
}

/// What the host refused during a call; clones share it.
#[derive(Clone, Default)]
pub(crate) struct Refusals(Arc<Mutex<Vec<String>>>);

impl Refusals {
    const MAX: usize = 4;

    pub(crate) fn add(&self, refusal: String) {
        let mut list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if list.len() < Self::MAX && !list.contains(&refusal) {
            list.push(refusal);
        }
    }

    pub(crate) fn note(&self) -> String {
        let list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if list.is_empty() { String::new() } else { format!(" (Signet refused: {})", list.join("; ")) }
    }
}

/// How much of its limits a call has used.
pub(crate) struct Meter {
    limits: Limits,
    memory: usize,
    ticks: u128,
    pub(crate) out_of_memory: bool,
    pub(crate) out_of_cpu: bool,
}

impl Meter {
    pub(crate) fn new(limits: Limits) -> Meter {
        Meter { limits, memory: 0, ticks: 0, out_of_memory: false, out_of_cpu: false }
    }

    fn tick(&mut self) -> UpdateDeadline {
        self.ticks += 1;
        self.out_of_cpu = self.ticks * TICK.as_millis() > self.limits.cpu.as_millis();
        if self.out_of_cpu { UpdateDeadline::Interrupt } else { UpdateDeadline::Yield(1) }
    }
}

impl ResourceLimiter for Meter {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let total = self.memory.saturating_add(desired.saturating_sub(current));
        self.out_of_memory |= total > self.limits.memory;
        if total <= self.limits.memory {
            self.memory = total;
        }
        Ok(total <= self.limits.memory)
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= MAX_TABLE_ELEMENTS)
    }

    fn instances(&self) -> usize {
        MAX_INSTANCES
    }

    fn tables(&self) -> usize {
        MAX_INSTANCES
    }

    fn memories(&self) -> usize {
        MAX_INSTANCES
    }
}

/// The sandbox's own WASI: no environment, arguments, files or sockets; output goes to the log.
pub(crate) fn empty_wasi(log: &Arc<CallLog>) -> WasiCtx {
    let mut builder = WasiCtxBuilder::new();
    builder.stdout(Stdio::out(log)).stderr(Stdio::err(log)).max_random_size(MAX_RANDOM);
    builder.allow_tcp(false).allow_udp(false).allow_ip_name_lookup(false);
    builder.build()
}

/// A store with every limit armed.
pub(crate) fn store(engine: &Engine, state: State) -> Store<State> {
    let mut store = Store::new(&engine.wasmtime, state);
    store.limiter(|state| &mut state.meter);
    store.set_hostcall_fuel(HOSTCALL_BYTES);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|mut store| Ok(store.data_mut().meter.tick()));
    store
}

pub(crate) fn table() -> ResourceTable {
    let mut table = ResourceTable::new();
    table.set_max_capacity(MAX_HANDLES);
    table
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.outgoing, table: &mut self.table, ctx: &mut self.http }
    }
}
