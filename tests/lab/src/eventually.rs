//! Waiting on what must become true, with a bound, and saying everything when it does not.

use std::fmt::Write;
use std::time::Duration;

use anyhow::{Result, bail};
use tokio::time::Instant;

use crate::lab::Lab;

/// The objects that tell a certificate's story, beside the lab's own state.
const STORY: &str = "issuers,clusterissuers,certificates,certificaterequests,orders,challenges,events";

impl Lab {
    /// Asks `condition` until it gives a value, for at most `bound`.
    ///
    /// `Ok(None)` and an error both mean "not yet"; the last error is told if time runs out.
    ///
    /// # Errors
    /// Time ran out: the message holds what was waited for and the state of the lab.
    pub async fn eventually<T>(
        &self,
        what: &str,
        bound: Duration,
        mut condition: impl AsyncFnMut() -> Result<Option<T>>,
    ) -> Result<T> {
        let deadline = Instant::now() + bound;
        let mut last = String::new();
        loop {
            match tokio::time::timeout_at(deadline, condition()).await {
                Ok(Ok(Some(value))) => return Ok(value),
                Ok(Ok(None)) => last.clear(),
                Ok(Err(error)) => last = format!(" (last: {error:#})"),
                // Time ran out in the middle: what the try before said tells more.
                Err(_) if last.is_empty() => " (the last try did not end)".clone_into(&mut last),
                Err(_) => {}
            }
            if Instant::now() >= deadline {
                bail!("not within {bound:?}: {what}{last}\n{}", self.dump().await);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The state of the lab, for a failure message: what runs, the objects of certificates, and
    /// the ends of the logs that matter.
    pub async fn dump(&self) -> String {
        let mut text = String::new();
        for status in self.status().await.unwrap_or_default() {
            let state = status.pid.map_or(format!("ended: {:?}", status.ended), |pid| format!("pid {pid}"));
            let _ = writeln!(text, "{:20} {state}", status.name);
        }
        for kind in STORY.split(',') {
            let listed = self.kubectl(["get", kind, "-A", "-o", "wide", "--ignore-not-found"]).await;
            let _ = writeln!(text, "--- {kind}\n{}", listed.unwrap_or_else(|error| error.to_string()));
        }
        for component in ["controller", "pebble"] {
            let _ = writeln!(text, "--- log of {component}\n{}", self.log_tail(component, 40));
        }
        text
    }
}
