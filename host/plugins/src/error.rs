//! The three ways a call fails, kept apart: the component said so, the component was stopped, or
//! the host could not do its part.

use std::time::Duration;

use crate::bindings::types::Error as WitError;

/// Longer than any message that helps.
const MAX_TEXT: usize = 1024;

/// Whose fault a failure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The component, its configuration, or the provider behind it.
    Plugin,
    /// Signet or the machine it runs on.
    Host,
}

impl Blame {
    /// `plugin` or `host`.
    pub fn as_str(self) -> &'static str {
        match self {
            Blame::Plugin => "plugin",
            Blame::Host => "host",
        }
    }
}

/// When a failed call is worth repeating.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Never: the Challenge fails.
    Never,
    /// When the Issuer, or the plugin, has changed.
    OnChange,
    /// Soon, with a short back-off.
    Soon,
    /// With a long back-off.
    Later,
    /// Not before this has passed.
    After(Duration),
}

/// What the component itself answered. Texts are capped, and secrets in them redacted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the variants are those of the contract, and documented there")]
pub enum GuestError {
    #[error("{0}")]
    Config(String),
    #[error("{0}")]
    Auth(String),
    #[error("{0}")]
    NotFound(String),
    #[error("{message}")]
    RateLimited { message: String, retry_after: Duration },
    #[error("{0}")]
    Transient(String),
    #[error("{0}")]
    Permanent(String),
    /// It answered something that the contract forbids.
    #[error("{0}")]
    Contract(String),
}

/// Why the component was stopped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Stop {
    /// It asked for more memory than it may have.
    #[error("the plugin was stopped: it needs more than its limit of {limit_mib} MiB of memory{note}")]
    Memory {
        /// The limit.
        limit_mib: usize,
        /// What the component last said, or nothing.
        note: String,
    },
    /// It computed for too long.
    #[error("the plugin was stopped: it computed for more than its limit of {limit:?}{note}")]
    Cpu {
        /// The limit.
        limit: Duration,
        /// What the component last said, or nothing.
        note: String,
    },
    /// It took too long, mostly waiting.
    #[error("the plugin was stopped: it did not answer within {limit:?}{note}")]
    Timeout {
        /// The limit.
        limit: Duration,
        /// What the component last said, or nothing.
        note: String,
    },
    /// It crashed.
    #[error("the plugin crashed: {trap}{note}")]
    Trap {
        /// The trap, in the engine's words.
        trap: String,
        /// What the component last said, or nothing.
        note: String,
    },
}

/// Why the host could not run the call.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// No instance could be made.
    #[error("instantiate the plugin")]
    Instantiate(#[source] wasmtime::Error),
    /// The plugin does not solve this type of challenge.
    #[error("call the plugin: it does not solve {0} challenges")]
    Call(&'static str),
}

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The component answered with an error.
    #[error(transparent)]
    Guest(GuestError),
    /// The component was stopped or crashed.
    #[error(transparent)]
    Stopped(Stop),
    /// The host failed.
    #[error(transparent)]
    Host(HostError),
}

impl CallError {
    /// A word for a condition's reason, an Event, a metric's label.
    pub fn reason(&self) -> &'static str {
        match self {
            CallError::Guest(GuestError::Config(_)) => "InvalidConfig",
            CallError::Guest(GuestError::Auth(_)) => "NotAuthorized",
            CallError::Guest(GuestError::NotFound(_)) => "NotFound",
            CallError::Guest(GuestError::RateLimited { .. }) => "RateLimited",
            CallError::Guest(GuestError::Transient(_)) => "Transient",
            CallError::Guest(GuestError::Permanent(_)) => "Permanent",
            CallError::Guest(GuestError::Contract(_)) => "ContractBroken",
            CallError::Stopped(Stop::Memory { .. }) => "OutOfMemory",
            CallError::Stopped(Stop::Cpu { .. }) => "OutOfCpuTime",
            CallError::Stopped(Stop::Timeout { .. }) => "TimedOut",
            CallError::Stopped(Stop::Trap { .. }) => "Crashed",
            CallError::Host(_) => "HostFailed",
        }
    }

    /// Whose fault it is.
    pub fn blame(&self) -> Blame {
        match self {
            CallError::Guest(_) | CallError::Stopped(_) => Blame::Plugin,
            CallError::Host(_) => Blame::Host,
        }
    }

    /// When to try again.
    pub fn retry(&self) -> Retry {
        match self {
            CallError::Guest(GuestError::Config(_)) => Retry::OnChange,
            CallError::Guest(GuestError::Auth(_) | GuestError::NotFound(_) | GuestError::Contract(_)) => Retry::Later,
            CallError::Guest(GuestError::RateLimited { retry_after, .. }) => Retry::After(*retry_after),
            CallError::Guest(GuestError::Transient(_)) => Retry::Soon,
            CallError::Guest(GuestError::Permanent(_)) => Retry::Never,
            CallError::Stopped(Stop::Timeout { .. }) => Retry::Soon,
            CallError::Stopped(_) => Retry::Later,
            CallError::Host(HostError::Call(_)) => Retry::OnChange,
            CallError::Host(_) => Retry::Soon,
        }
    }
}

/// Turns what a component answered into what is reported: `clean` redacts, `note` says what the
/// host refused meanwhile.
pub(crate) fn from_guest(error: WitError, clean: impl Fn(&str) -> String, note: &str) -> GuestError {
    let text = |text: String| format!("{}{note}", cap(&clean(&text)));
    match error {
        WitError::Config(message) => GuestError::Config(text(message)),
        WitError::Auth(message) => GuestError::Auth(text(message)),
        WitError::NotFound(message) => GuestError::NotFound(text(message)),
        WitError::RateLimited(limit) => GuestError::RateLimited {
            message: text(limit.message),
            retry_after: Duration::from_secs(limit.retry_after_seconds.into()),
        },
        WitError::Transient(message) => GuestError::Transient(text(message)),
        WitError::Permanent(message) => GuestError::Permanent(text(message)),
    }
}

/// Cuts a text at a length that fits a condition, on a character.
pub(crate) fn cap(text: &str) -> String {
    if text.len() <= MAX_TEXT {
        return text.to_owned();
    }
    format!("{}…", &text[..text.floor_char_boundary(MAX_TEXT)])
}
