//! What a decision returns: actions to take in order, the status to write, when to look again.
//!
//! A plan is plain data with no choices left in it. Applying it and deciding again gives an
//! empty plan, or one that waits; the tables beside each `decide` hold that to be so.

use std::time::Duration;

/// The outcome of one decision about one object.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan<Action, Status> {
    /// What to do, in this order. The first that fails ends the attempt; what was done stays
    /// done, and the next decision carries on from there.
    pub actions: Vec<Action>,
    /// The whole status to write when it differs from what the API server holds.
    pub status: Option<Status>,
    /// What tells the person who watches that something happened.
    pub events: Vec<Event>,
    /// When to look again even if nothing changes; never, when none.
    pub requeue: Option<Duration>,
}

/// A line for `kubectl describe`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub severity: Severity,
    pub reason: &'static str,
    pub message: String,
}

/// The two types of event that Kubernetes knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    Normal,
    Warning,
}

impl<Action, Status> Default for Plan<Action, Status> {
    fn default() -> Self {
        Self { actions: Vec::new(), status: None, events: Vec::new(), requeue: None }
    }
}

impl<Action, Status> Plan<Action, Status> {
    /// Nothing to do until something changes.
    pub fn rest() -> Self {
        Self::default()
    }

    /// Nothing to do until `after` has passed.
    pub fn wait(after: Duration) -> Self {
        Self { requeue: Some(after), ..Self::default() }
    }

    /// Whether applying this plan changes nothing anywhere.
    pub fn is_converged(&self) -> bool {
        self.actions.is_empty() && self.status.is_none() && self.events.is_empty()
    }
}
