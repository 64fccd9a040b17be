//! Log lines, in the host's log with the Challenge's name beside them. They are capped in size and
//! number, and credentials that the host handed out are redacted.

use std::fmt::Display;

use crate::bindings::log::{Level, log};

/// Writes why something is done; shown when a person asks for it.
pub fn debug(message: impl Display) {
    log(Level::Debug, &message.to_string());
}

/// Writes what was changed at the provider.
pub fn info(message: impl Display) {
    log(Level::Info, &message.to_string());
}

/// Writes what went wrong and was got round, or what keeps others from seeing what is presented. It is
/// shown on the Challenge too: as an event, and while the proof can not be seen in its reason. `present`
/// is called again now and then for HTTP-01, and has the occasion to look at what became of its objects.
pub fn warn(message: impl Display) {
    log(Level::Warn, &message.to_string());
}

/// Writes what a person must mend. Shown as a warning is.
pub fn error(message: impl Display) {
    log(Level::Error, &message.to_string());
}
