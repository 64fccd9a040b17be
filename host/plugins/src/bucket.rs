//! A token bucket: how many log lines a plugin may write a second, over all its calls.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

pub(crate) struct Bucket {
    per_second: f64,
    burst: f64,
    state: Mutex<(f64, Instant)>,
}

impl Bucket {
    pub(crate) fn new(per_second: u32, burst: u32) -> Bucket {
        let burst = f64::from(burst);
        Bucket { per_second: f64::from(per_second), burst, state: Mutex::new((burst, Instant::now())) }
    }

    /// Takes one token if there is one.
    pub(crate) fn take(&self) -> bool {
        self.take_at(Instant::now())
    }

    fn take_at(&self, now: Instant) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (tokens, last) = *state;
        let filled = (tokens + now.saturating_duration_since(last).as_secs_f64() * self.per_second).min(self.burst);
        let taken = filled >= 1.0;
        *state = (if taken { filled - 1.0 } else { filled }, now);
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn refills_with_time_up_to_the_burst() {
        let bucket = Bucket::new(1, 2);
        let start = Instant::now();
        let taken: Vec<bool> =
            [0, 0, 0, 1, 1, 10, 10, 10].map(|seconds| bucket.take_at(start + Duration::from_secs(seconds))).to_vec();
        assert_eq!(taken, [true, true, false, true, false, true, true, false]);
    }
}
