//! Keeps the values of Secrets that a call was given out of its logs and errors.

use std::sync::{Arc, Mutex, PoisonError};

/// Shorter values would blank out ordinary words.
const MIN_LENGTH: usize = 4;

/// The values that one call was given; clones share them.
#[derive(Clone, Default)]
pub(crate) struct Redactor {
    values: Arc<Mutex<Vec<String>>>,
}

impl Redactor {
    /// Remembers a value, its lines too: a key in PEM may be printed line by line.
    pub(crate) fn remember(&self, value: &[u8]) {
        let Ok(text) = std::str::from_utf8(value) else { return };
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = text.lines().map(str::trim).filter(|line| !line.starts_with("-----"));
        for part in std::iter::once(text.trim()).chain(lines) {
            if part.len() >= MIN_LENGTH && !values.iter().any(|known| known == part) {
                values.push(part.to_owned());
            }
        }
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
    }

    /// The text without any remembered value.
    pub(crate) fn clean(&self, text: &str) -> String {
        let values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        values.iter().fold(text.to_owned(), |text, value| text.replace(value.as_str(), "[redacted]"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_values_and_their_lines() {
        let redactor = Redactor::default();
        redactor.remember(b"hunter2-token\n");
        redactor.remember(b"-----BEGIN KEY-----\nAAAABBBB\nCCCCDDDD\n-----END KEY-----");
        redactor.remember(b"ab");
        redactor.remember(&[0xff, 0xfe]);
        assert_eq!(redactor.clean("auth hunter2-token ab CCCCDDDD"), "auth [redacted] ab [redacted]");
    }
}
