//! `signet:solver/log`, and standard output and error: lines in the host's log, capped in length
//! and number, with handed-out values redacted.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use wasmtime::component::{HasData, Linker};
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

use crate::backend::{Backend, LogLevel};
use crate::bucket::Bucket;
use crate::engine::Limits;
use crate::redact::Redactor;
use crate::state::State;

mod bindings {
    wasmtime::component::bindgen!({
        inline: "
            package signet:host;
            world log-import { import signet:solver/log@0.1.1; }
        ",
        path: "../../wit/solver-0.1.1",
        require_store_data_send: true,
    });
}
use bindings::signet::solver::log as wit;

/// The lines of one call.
pub(crate) struct CallLog {
    plugin: String,
    label: String,
    limits: Limits,
    bucket: Arc<Bucket>,
    backend: Arc<dyn Backend>,
    redactor: Redactor,
    written: Mutex<Written>,
}

#[derive(Default)]
struct Written {
    lines: usize,
    dropped: usize,
    /// The last two errors: a panic is a place, and then a message.
    last: [String; 2],
}

impl CallLog {
    pub(crate) fn new(
        plugin: String,
        label: String,
        limits: Limits,
        bucket: Arc<Bucket>,
        backend: Arc<dyn Backend>,
    ) -> Arc<CallLog> {
        let (redactor, written) = (Redactor::default(), Mutex::default());
        Arc::new(CallLog { plugin, label, limits, bucket, backend, redactor, written })
    }

    /// Shares what is redacted.
    pub(crate) fn redactor(&self) -> Redactor {
        self.redactor.clone()
    }

    /// The last error that was logged, as a part of a sentence: what a component says before it
    /// crashes is often the cause.
    pub(crate) fn last_words(&self) -> String {
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        match written.last.join(" ").trim() {
            "" => String::new(),
            words => format!("; its last words: {words}"),
        }
    }

    fn line(&self, level: LogLevel, message: &str) {
        let message = self.redactor.clean(message);
        let limit = self.limits.log_line_bytes;
        let message = match message.len() > limit {
            true => format!("{}…", &message[..message.floor_char_boundary(limit)]),
            false => message,
        };
        if self.admit(level, &message) {
            self.emit(level, &message);
            self.backend.log(level, &message);
        }
    }

    fn admit(&self, level: LogLevel, message: &str) -> bool {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        if level == LogLevel::Error {
            written.last.rotate_left(1);
            message.clone_into(&mut written.last[1]);
        }
        let admitted = written.lines < self.limits.log_lines && self.bucket.take();
        match admitted {
            true => written.lines += 1,
            false => written.dropped += 1,
        }
        admitted
    }

    fn emit(&self, level: LogLevel, message: &str) {
        let (plugin, challenge) = (&self.plugin, &self.label);
        match level {
            LogLevel::Debug => tracing::debug!(plugin, challenge, message, "plugin says"),
            LogLevel::Info => tracing::info!(plugin, challenge, message, "plugin says"),
            LogLevel::Warn => tracing::warn!(plugin, challenge, message, "plugin says"),
            LogLevel::Error => tracing::error!(plugin, challenge, message, "plugin says"),
        }
    }

    /// Says at the call's end how many lines are missing.
    pub(crate) fn close(&self) {
        let dropped = self.written.lock().unwrap_or_else(PoisonError::into_inner).dropped;
        if dropped > 0 {
            let message = format!("{dropped} more log lines of this call were dropped");
            self.emit(LogLevel::Warn, &message);
            self.backend.log(LogLevel::Warn, &message);
        }
    }
}

struct Log;

impl HasData for Log {
    type Data<'a> = View<'a>;
}

struct View<'a> {
    log: &'a CallLog,
}

impl wit::Host for View<'_> {
    fn log(&mut self, level: wit::Level, message: String) {
        let level = match level {
            wit::Level::Debug => LogLevel::Debug,
            wit::Level::Info => LogLevel::Info,
            wit::Level::Warn => LogLevel::Warn,
            wit::Level::Error => LogLevel::Error,
        };
        self.log.line(level, &message);
    }
}

pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    wit::add_to_linker::<State, Log>(linker, |state| View { log: &state.log })
}

/// Standard output (debug) or error (an error: there a panic prints its message).
pub(crate) struct Stdio {
    log: Arc<CallLog>,
    level: LogLevel,
    partial: Arc<Mutex<Vec<u8>>>,
}

impl Stdio {
    pub(crate) fn out(log: &Arc<CallLog>) -> Stdio {
        Stdio { log: log.clone(), level: LogLevel::Debug, partial: Arc::default() }
    }

    pub(crate) fn err(log: &Arc<CallLog>) -> Stdio {
        Stdio { level: LogLevel::Error, ..Stdio::out(log) }
    }
}

impl IsTerminal for Stdio {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Stdio {
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(Lines { log: self.log.clone(), level: self.level, partial: self.partial.clone() })
    }
}

/// Cuts what is written into lines.
struct Lines {
    log: Arc<CallLog>,
    level: LogLevel,
    partial: Arc<Mutex<Vec<u8>>>,
}

impl Lines {
    fn line(&self, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        // Advice that no one can follow here.
        if !text.trim().is_empty() && !text.starts_with("note: run with `RUST_BACKTRACE") {
            self.log.line(self.level, text.trim_end());
        }
    }
}

impl OutputStream for Lines {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        let mut partial = self.partial.lock().unwrap_or_else(PoisonError::into_inner);
        partial.extend_from_slice(&bytes);
        while let Some(end) = partial.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = partial.drain(..=end).collect();
            self.line(&line);
        }
        if partial.len() > self.log.limits.log_line_bytes {
            self.line(&std::mem::take(&mut *partial));
        }
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(8192)
    }
}

#[async_trait::async_trait]
impl Pollable for Lines {
    async fn ready(&mut self) {}
}
