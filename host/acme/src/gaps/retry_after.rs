//! `Retry-After` (RFC 9110, section 10.2.3): seconds or a date.

use std::time::Duration;

use http::HeaderMap;
use http::header::{DATE, RETRY_AFTER};
use jiff::Timestamp;
use jiff::fmt::rfc2822;

/// No CA means longer than this; a value beyond it is a mistake.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

/// A date is by the CA's clock, so it is counted from the date of the answer where that has one.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let sent = headers.get(DATE).and_then(|date| time(date.to_str().ok()?));
    parse(headers.get(RETRY_AFTER)?.to_str().ok()?, sent.unwrap_or_else(Timestamp::now))
}

fn time(text: &str) -> Option<Timestamp> {
    rfc2822::DateTimeParser::new().parse_timestamp(text.trim()).ok()
}

fn parse(value: &str, now: Timestamp) -> Option<Duration> {
    let wait = match value.trim().parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => Duration::try_from(time(value)?.duration_since(now)).unwrap_or(Duration::ZERO),
    };
    Some(wait.min(LONGEST))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_date_is_by_the_clock_of_the_ca() {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_static("Tue, 24 Nov 2015 10:01:30 GMT"));
        assert_eq!(retry_after(&headers), Some(Duration::ZERO), "without a date of its own it is long ago");
        headers.insert(DATE, HeaderValue::from_static("Tue, 24 Nov 2015 10:00:00 GMT"));
        assert_eq!(retry_after(&headers), Some(Duration::from_secs(90)));
    }

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
