//! Durations as Go writes them, `2160h0m0s`: the text is kept, so that an object reads back as it
//! was written.

use std::fmt;
use std::str::FromStr;

use jiff::SignedDuration;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The grammar that the schema demands: what Go accepts, without a sign.
pub const PATTERN: &str = r"^(0|([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+$";

/// The longest duration that Go can hold: 2^63 - 1 nanoseconds, some 292 years.
const LONGEST: SignedDuration = SignedDuration::from_nanos(i64::MAX);

/// A length of time, together with the text that it was read from. Two of the same length are
/// equal, whatever their text.
#[derive(Clone, Debug)]
pub struct Duration {
    text: String,
    length: SignedDuration,
}

/// Why a text is no duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DurationError {
    /// It is empty, or a number or a unit is missing.
    Malformed,
    /// The unit is none of ns, us, ms, s, m and h. Go has no day.
    UnknownUnit,
}

impl fmt::Display for DurationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "expected a duration such as 2160h, 90m or 1h30m",
            Self::UnknownUnit => "unknown unit in duration, expected h, m, s, ms, us or ns (a day is 24h)",
        })
    }
}

impl std::error::Error for DurationError {}

impl Duration {
    /// A duration of whole seconds, written as Go writes it.
    pub fn from_secs(seconds: i64) -> Self {
        SignedDuration::from_secs(seconds).into()
    }

    /// A duration of whole hours, written as Go writes it.
    pub fn from_hours(hours: i64) -> Self {
        SignedDuration::from_hours(hours).into()
    }

    /// The length. Never negative when the API server has validated the object.
    pub fn get(&self) -> SignedDuration {
        self.length
    }

    /// The text as it stands in the object.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl From<SignedDuration> for Duration {
    fn from(length: SignedDuration) -> Self {
        Self { text: go_text(length), length }
    }
}

impl FromStr for Duration {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, DurationError> {
        Ok(Self { text: text.to_owned(), length: parse(text)? })
    }
}

impl PartialEq for Duration {
    fn eq(&self, other: &Self) -> bool {
        self.length == other.length
    }
}

impl Eq for Duration {}

impl PartialOrd for Duration {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Duration {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.length.cmp(&other.length)
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Duration {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }
}

/// Reads Go's syntax. What is longer than Go could hold becomes the longest that it can.
fn parse(text: &str) -> Result<SignedDuration, DurationError> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Ok(SignedDuration::ZERO);
    }
    if rest.is_empty() {
        return Err(DurationError::Malformed);
    }
    let mut nanos: i128 = 0;
    while !rest.is_empty() {
        let (term, after) = parse_term(rest)?;
        nanos = nanos.saturating_add(term);
        rest = after;
    }
    let capped = i64::try_from(nanos).map_or(LONGEST, SignedDuration::from_nanos);
    Ok(if negative { -capped } else { capped })
}

/// Reads one number with its unit; returns it in nanoseconds, and what follows.
fn parse_term(text: &str) -> Result<(i128, &str), DurationError> {
    let is_number = |c: char| c.is_ascii_digit() || c == '.';
    let unit_at = text.find(|c| !is_number(c)).ok_or(DurationError::Malformed)?;
    let (number, rest) = text.split_at(unit_at);
    let after_at = rest.find(is_number).unwrap_or(rest.len());
    let (unit, after) = rest.split_at(after_at);
    let scale: i128 = match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60 * 1_000_000_000,
        "h" => 3_600 * 1_000_000_000,
        _ => return Err(DurationError::UnknownUnit),
    };
    Ok((scaled(number, scale)?, after))
}

/// A decimal number times a scale, without floating point.
fn scaled(number: &str, scale: i128) -> Result<i128, DurationError> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return Err(DurationError::Malformed);
    }
    let whole: i128 = match whole {
        "" => 0,
        digits => digits.parse().unwrap_or(i128::from(i64::MAX)),
    };
    let mut sum = whole.saturating_mul(scale);
    let mut place = scale;
    for digit in fraction.bytes().take(18) {
        place /= 10;
        sum = sum.saturating_add(i128::from(digit - b'0') * place);
    }
    Ok(sum)
}

/// Writes Go's canonical text: hours, minutes and seconds, from the largest that is not zero.
fn go_text(length: SignedDuration) -> String {
    let sign = if length.is_negative() { "-" } else { "" };
    let nanos = length.as_nanos().unsigned_abs();
    let (seconds, fraction) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
    let tail = format!("{fraction:09}");
    let tail = tail.trim_end_matches('0');
    let point = if tail.is_empty() { "" } else { "." };
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{sign}{seconds}{point}{tail}s"),
        (0, _) => format!("{sign}{minutes}m{seconds}{point}{tail}s"),
        _ => format!("{sign}{hours}h{minutes}m{seconds}{point}{tail}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_go_reads() {
        for (text, seconds, nanos) in [
            ("2160h", 7_776_000, 0),
            ("2160h0m0s", 7_776_000, 0),
            ("1h30m", 5_400, 0),
            ("1.5h", 5_400, 0),
            (".5s", 0, 500_000_000),
            ("10ms", 0, 10_000_000),
            ("3µs", 0, 3_000),
            ("0", 0, 0),
            ("-5m", -300, 0),
            ("+5m", 300, 0),
        ] {
            let parsed: Duration = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(parsed.get(), SignedDuration::new(seconds, nanos), "{text}");
            assert_eq!(parsed.as_str(), text);
        }
    }

    #[test]
    fn refuses_what_go_refuses() {
        use DurationError::{Malformed, UnknownUnit};
        for (text, error) in [
            ("", Malformed),
            ("-", Malformed),
            ("90", Malformed),
            ("90d", UnknownUnit),
            ("h", Malformed),
            (".s", Malformed),
            ("1.2.3s", Malformed),
            ("1 h", UnknownUnit),
        ] {
            assert_eq!(text.parse::<Duration>().map(|d| d.text), Err(error), "{text:?}");
        }
    }

    #[test]
    fn what_go_can_not_hold_is_capped() {
        let parsed: Duration = "99999999999999999999h".parse().unwrap();
        assert_eq!(parsed.get(), LONGEST);
    }

    #[test]
    fn writes_what_go_writes() {
        assert_eq!(Duration::from_hours(2160).as_str(), "2160h0m0s");
        assert_eq!(Duration::from_secs(90).as_str(), "1m30s");
        assert_eq!(Duration::from(SignedDuration::from_millis(1500)).as_str(), "1.5s");
    }

    #[test]
    fn text_survives_a_round_trip() {
        let json = serde_json::to_string(&"90m".parse::<Duration>().unwrap()).unwrap();
        assert_eq!(json, "\"90m\"");
        assert_eq!(serde_json::from_str::<Duration>(&json).unwrap(), Duration::from_secs(5400));
    }
}
