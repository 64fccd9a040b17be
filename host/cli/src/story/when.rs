//! Times in words.

use jiff::{SignedDuration, Timestamp};
use signet_api::meta::whole_seconds;

/// A time, and how far it is: `2027-01-15T08:00:00Z (in 59 days)`.
pub(crate) fn at(time: Timestamp, now: Timestamp) -> String {
    format!("{} ({})", whole_seconds(time), relative(time, now))
}

/// How far a time is: `in 59 days`, `3 minutes ago`.
pub(crate) fn relative(time: Timestamp, now: Timestamp) -> String {
    let distance = time.duration_since(now);
    match distance.as_secs() {
        0 => "now".to_owned(),
        1.. => format!("in {}", length(distance)),
        ..0 => format!("{} ago", length(distance)),
    }
}

/// A length of time by its greatest fitting unit; a unit fits when there are two of it.
pub(crate) fn length(duration: SignedDuration) -> String {
    let seconds = duration.as_secs().unsigned_abs();
    let units = [(86_400, "days"), (3_600, "hours"), (60, "minutes")];
    let fitting = units.into_iter().find(|(unit, _)| seconds >= 2 * unit);
    match fitting {
        Some((unit, name)) => format!("{} {name}", seconds / unit),
        None if seconds == 1 => "1 second".to_owned(),
        None => format!("{seconds} seconds"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_by_the_unit_that_fits() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        for (seconds, wanted) in [
            (0, "now"),
            (1, "in 1 second"),
            (-1, "1 second ago"),
            (119, "in 119 seconds"),
            (120, "in 2 minutes"),
            (-7_199, "119 minutes ago"),
            (7_200, "in 2 hours"),
            (172_799, "in 47 hours"),
            (59 * 86_400 + 3_600, "in 59 days"),
            (-800 * 86_400, "800 days ago"),
        ] {
            assert_eq!(relative(now + SignedDuration::from_secs(seconds), now), wanted);
        }
    }
}
