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

/// How long to wait before the CA is asked again how something stands. A `Retry-After` that is shorter than
/// what is usual changes nothing: zero would be a loop.
pub(crate) fn until_next_look(asked: Option<Duration>, usual: Duration) -> Duration {
    asked.unwrap_or(usual).max(usual)
}

/// A wait that is worth telling the end of. That of a shorter one would be a new sentence too often.
const LONG: Duration = Duration::from_secs(5 * 60);

impl Failure {
    /// What failed, and what happens next.
    pub(crate) fn told(&self) -> String {
        let message = self.message.trim_end_matches('.');
        match self.retry {
            Retry::Later(wait) if wait >= LONG => match self.at.checked_add(wait) {
                Ok(at) => format!("{message}; Signet asks again at {}", signet_api::meta::whole_seconds(at)),
                Err(_) => self.message.clone(),
            },
            Retry::Later(_) => format!("{message}; Signet asks again by itself"),
            Retry::OnChange | Retry::Never => self.message.clone(),
        }
    }
}

/// What is left at `now` of a wait that began at `since`; none when it is over.
pub(crate) fn remaining(since: Timestamp, wait: Duration, now: Timestamp) -> Option<Duration> {
    let elapsed = Duration::try_from(now.duration_since(since)).unwrap_or_default();
    wait.checked_sub(elapsed).filter(|left| !left.is_zero())
}
