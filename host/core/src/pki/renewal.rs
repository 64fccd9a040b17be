//! When a certificate is due.

use jiff::{SignedDuration, Timestamp};

/// The time to renew at, in whole seconds: so long before the end of the lifetime as
/// `renew_before` says, or `renew_before_percentage` of the lifetime, or a third of it. What is
/// not inside the lifetime does not count, and the third holds.
pub fn renewal_time(
    not_before: Timestamp,
    not_after: Timestamp,
    renew_before: Option<SignedDuration>,
    renew_before_percentage: Option<i32>,
) -> Timestamp {
    let lifetime = not_after.duration_since(not_before).max(SignedDuration::ZERO);
    let share = renew_before_percentage.map(|percent| {
        let seconds = i128::from(lifetime.as_secs()) * i128::from(percent) / 100;
        SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX))
    });
    let inside = |before: &SignedDuration| before.is_positive() && *before < lifetime;
    let before = renew_before.or(share).filter(inside).unwrap_or(lifetime / 3);
    // Within the lifetime, so within what a timestamp can say.
    let due = not_after.checked_sub(before).unwrap_or(not_before);
    Timestamp::from_second(due.as_second()).unwrap_or(due)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contract_as_a_table() {
        let hours = SignedDuration::from_hours;
        let day = 24 * 3600;
        for (lifetime, before, percent, expected) in [
            (90 * day, None, None, 60 * day),
            (90 * day, Some(hours(24)), None, 89 * day),
            (90 * day, None, Some(10), 81 * day),
            (90 * day, Some(hours(90 * 24)), None, 60 * day),
            (90 * day, Some(hours(9000)), None, 60 * day),
            (90 * day, Some(SignedDuration::ZERO), None, 60 * day),
            (90 * day, None, Some(100), 60 * day),
            (90 * day, None, Some(-5), 60 * day),
            (10, None, None, 6),
            (0, None, None, 0),
            (-5, None, None, -5),
        ] {
            let start = 1_800_000_000;
            let time = |offset: i64| Timestamp::from_second(start + offset).unwrap();
            let due = renewal_time(time(0), time(lifetime), before, percent);
            assert_eq!(due, time(expected), "{lifetime} {before:?} {percent:?}");
        }
    }

    #[test]
    fn the_ends_of_time_do_not_panic() {
        let due = renewal_time(Timestamp::MIN, Timestamp::MAX, None, Some(99));
        assert!(due < Timestamp::MAX);
        renewal_time(Timestamp::MAX, Timestamp::MIN, Some(SignedDuration::MAX), None);
    }
}
