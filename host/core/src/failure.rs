//! A step that did not work, and what is left of the wait before it is tried again.

use std::time::Duration;

use jiff::Timestamp;

/// A step that did not work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// One word for programs.
    pub reason: String,
    /// What was attempted and what answered, for people.
    pub message: String,
    pub retry: Retry,
    pub at: Timestamp,
}

/// Whether trying again can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// After this long.
    Later(Duration),
    /// When the issuer has changed.
    OnChange,
    /// It can not.
    Never,
}

/// What is left at `now` of a wait that began at `since`; none when it is over.
pub(crate) fn remaining(since: Timestamp, wait: Duration, now: Timestamp) -> Option<Duration> {
    let elapsed = Duration::try_from(now.duration_since(since)).unwrap_or_default();
    wait.checked_sub(elapsed).filter(|left| !left.is_zero())
}
