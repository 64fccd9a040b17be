//! `Retry-After` (RFC 9110, section 10.2.3): seconds or a date.

use std::time::Duration;

use http::HeaderMap;
use http::header::RETRY_AFTER;
use jiff::Timestamp;
use jiff::fmt::rfc2822;

/// No CA means longer than this; a value beyond it is a mistake.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    parse(headers.get(RETRY_AFTER)?.to_str().ok()?, Timestamp::now())
}

fn parse(value: &str, now: Timestamp) -> Option<Duration> {
    let wait = match value.trim().parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let at = rfc2822::DateTimeParser::new().parse_timestamp(value.trim()).ok()?;
            Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO)
        }
    };
    Some(wait.min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_seconds_and_dates() {
        let now: Timestamp = "2026-11-24T10:00:00Z".parse().expect("a timestamp");
        let table = [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Tue, 24 Nov 2026 10:01:30 GMT", Some(90)),
            ("Tue, 24 Nov 2026 09:00:00 GMT", Some(0)),
            ("99999999999", Some(7 * 24 * 3600)),
            ("-3", None),
            ("soon", None),
            ("", None),
        ];
        for (value, seconds) in table {
            assert_eq!(parse(value, now), seconds.map(Duration::from_secs), "{value:?}");
        }
    }
}
