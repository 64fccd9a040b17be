//! Why a call failed, in the contract's own six cases: the case says whether the host tries again,
//! the text is for the person who reads the Challenge.

use std::fmt;
use std::time::Duration;

use crate::bindings::types;

/// What a solver returns: a value, or why there is none.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call failed.
///
/// The text SHOULD say what was attempted, what answered and what to change. It MUST NOT hold a
/// credential. `?` makes one of an [`http::Error`](crate::http::Error) by its status, and of a
/// `serde_json::Error`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// The configuration is wrong. Not tried again until the Issuer changes.
    Config(String),
    /// Credentials are missing, wrong, or not allowed to do this. Tried again with a long back-off.
    Auth(String),
    /// Something that the call needs does not exist. Tried again with a long back-off.
    NotFound(String),
    /// The provider asks to be left alone.
    RateLimited {
        /// What the provider said.
        message: String,
        /// How long to wait before the next call; whole seconds count.
        retry_after: Duration,
    },
    /// A fault that is likely to pass. Tried again soon.
    Transient(String),
    /// Trying again can not help. The Challenge fails.
    Permanent(String),
}

impl Error {
    /// [`Error::Config`] with this text.
    pub fn config(message: impl fmt::Display) -> Self {
        Self::Config(message.to_string())
    }

    /// [`Error::Auth`] with this text.
    pub fn auth(message: impl fmt::Display) -> Self {
        Self::Auth(message.to_string())
    }

    /// [`Error::NotFound`] with this text.
    pub fn not_found(message: impl fmt::Display) -> Self {
        Self::NotFound(message.to_string())
    }

    /// [`Error::RateLimited`] with this text and wait.
    pub fn rate_limited(message: impl fmt::Display, retry_after: Duration) -> Self {
        Self::RateLimited { message: message.to_string(), retry_after }
    }

    /// [`Error::Transient`] with this text.
    pub fn transient(message: impl fmt::Display) -> Self {
        Self::Transient(message.to_string())
    }

    /// [`Error::Permanent`] with this text.
    pub fn permanent(message: impl fmt::Display) -> Self {
        Self::Permanent(message.to_string())
    }

    /// The text.
    pub fn message(&self) -> &str {
        match self {
            Self::Config(message)
            | Self::Auth(message)
            | Self::NotFound(message)
            | Self::RateLimited { message, .. }
            | Self::Transient(message)
            | Self::Permanent(message) => message,
        }
    }

    /// The same case with `what` and a colon before its text.
    pub fn context(mut self, what: impl fmt::Display) -> Self {
        match &mut self {
            Self::Config(message)
            | Self::Auth(message)
            | Self::NotFound(message)
            | Self::RateLimited { message, .. }
            | Self::Transient(message)
            | Self::Permanent(message) => *message = format!("{what}: {message}"),
        }
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl std::error::Error for Error {}

/// Adds what was attempted to an error on its way up.
pub trait Context<T> {
    /// Puts `what` and a colon before the error's text.
    fn context(self, what: impl fmt::Display) -> Result<T>;
}

impl<T, E: Into<Error>> Context<T> for Result<T, E> {
    fn context(self, what: impl fmt::Display) -> Result<T> {
        self.map_err(|error| error.into().context(what))
    }
}

/// A body that is not the JSON that was expected is most often a proxy's or an outage's page, so
/// it counts as a fault that passes.
impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::Transient(format!("the JSON is not as expected: {error}"))
    }
}

impl From<types::Error> for Error {
    fn from(error: types::Error) -> Self {
        match error {
            types::Error::Config(message) => Self::Config(message),
            types::Error::Auth(message) => Self::Auth(message),
            types::Error::NotFound(message) => Self::NotFound(message),
            types::Error::RateLimited(types::RateLimit { message, retry_after_seconds }) => {
                Self::RateLimited { message, retry_after: Duration::from_secs(retry_after_seconds.into()) }
            }
            types::Error::Transient(message) => Self::Transient(message),
            types::Error::Permanent(message) => Self::Permanent(message),
        }
    }
}

impl From<Error> for types::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Config(message) => Self::Config(message),
            Error::Auth(message) => Self::Auth(message),
            Error::NotFound(message) => Self::NotFound(message),
            Error::RateLimited { message, retry_after } => Self::RateLimited(types::RateLimit {
                message,
                retry_after_seconds: retry_after.as_secs().try_into().unwrap_or(u32::MAX),
            }),
            Error::Transient(message) => Self::Transient(message),
            Error::Permanent(message) => Self::Permanent(message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crosses_the_contract_unchanged() {
        let all = [
            Error::config("a"),
            Error::auth("b"),
            Error::not_found("c"),
            Error::rate_limited("d", Duration::from_secs(7)),
            Error::transient("e"),
            Error::permanent("f"),
        ];
        for error in all {
            assert_eq!(Error::from(types::Error::from(error.clone())), error);
        }
    }

    #[test]
    fn context_keeps_the_case() {
        let failed: Result<()> = Err(Error::auth("the token is wrong"));
        assert_eq!(failed.context("adding a record"), Err(Error::auth("adding a record: the token is wrong")));
    }
}
