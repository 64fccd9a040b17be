//! What a decision about a Challenge is made from.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;
use signet_api::ChallengeStatus;

use super::Standing;
use crate::acme::AuthorizationStatus;
use crate::failure::Failure;

/// One Challenge, and what this process knows of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    /// The name to prove.
    pub dns_name: String,
    pub created: Timestamp,
    pub deleting: bool,
    pub finalizer: bool,
    pub status: ChallengeStatus,
    /// Whether it is one of those that are worked on ([`super::Admission`]).
    pub slot: bool,
    /// Whether its issuer is gone: then nobody can say how to clean up, should that fail.
    pub orphaned: bool,
    /// Another Challenge, as namespace/name, whose proof of the same name is shown first. A handshake
    /// (RFC 8737) asks for a name alone, so there is one proof at a time.
    pub behind: Option<String>,
    /// How long to wait after showing the proof instead of looking for it.
    pub wait_instead_of_check: Option<Duration>,
    /// Whether Signet serves the proof itself: then looking for it, and showing it again, cost
    /// little. A record in the DNS is asked of others.
    pub served: bool,
    /// Where Signet serves proofs now: at each replica that is ready.
    pub replicas: BTreeSet<IpAddr>,
    /// When this process began to take decisions: memory is complete for what was created later.
    pub process_started: Timestamp,
    pub memory: Memory,
}

/// Results of earlier actions, lost with the process.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Memory {
    /// Whether `Present` was begun, whatever came of it.
    pub tried: bool,
    /// Whether each of them was refused before anything was shown, as far as the solver says.
    pub refused: bool,
    pub presented: Option<Presented>,
    pub check: Option<Check>,
    /// When the CA was told to look.
    pub accepted: Option<Timestamp>,
    pub looked: Option<Looked>,
    /// Why the last step failed. The edge forgets it when a step succeeds or the issuer changes.
    pub failure: Option<Failure>,
    pub clean_up_failure: Option<Failure>,
    pub cleaned_up: bool,
}

/// What `Present` returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presented {
    /// The first time, in this process.
    pub at: Timestamp,
    /// In base64.
    pub receipt: Option<String>,
    /// Where the solver was told that Signet serves the proof, if it asked.
    pub leads_to: Option<BTreeSet<IpAddr>>,
    /// What the solver warned of.
    pub warnings: Vec<String>,
    /// How many looks in a row had failed when it was last shown, or tried to be.
    pub looks: u32,
    /// Why it could not be shown again.
    pub again: Option<Failure>,
}

impl Presented {
    /// Shown for the first time.
    pub fn new(at: Timestamp, receipt: Option<String>) -> Self {
        Self { at, receipt, leads_to: None, warnings: Vec::new(), looks: 0, again: None }
    }
}

/// What `Check` saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    Passed,
    /// How often it failed in a row, what answered, and when.
    Failed {
        attempts: u32,
        message: String,
        at: Timestamp,
    },
}

/// What `Poll` was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Looked {
    pub at: Timestamp,
    pub status: AuthorizationStatus,
    /// Whether the CA has been told already to look at this challenge: it is no longer `pending`.
    pub validating: bool,
    pub problem: Option<String>,
    pub retry_after: Option<Duration>,
}

impl Memory {
    /// How a Challenge stands that this is known of.
    pub fn standing(&self, status: &ChallengeStatus) -> Standing {
        let asked = self.accepted.is_some() || self.looked.as_ref().is_some_and(|looked| looked.validating);
        let failed = self.failure.is_some() || matches!(self.check, Some(Check::Failed { .. }));
        match (failed && !asked, self.tried || asked, status.processing) {
            (true, _, _) => Standing::Idle,
            (false, true, _) => Standing::Busy,
            (false, false, true) => Standing::Begun,
            (false, false, false) => Standing::New,
        }
    }

    /// How many looks in a row have failed.
    pub fn looks(&self) -> u32 {
        match &self.check {
            Some(Check::Failed { attempts, .. }) => *attempts,
            Some(Check::Passed) | None => 0,
        }
    }

    /// Takes in what `Present` returned, for the first time or once more.
    pub fn shown(&mut self, shown: Presented) {
        let at = self.presented.as_ref().map_or(shown.at, |before| before.at);
        self.presented = Some(Presented { at, looks: self.looks(), again: None, ..shown });
        self.failure = None;
    }

    /// Takes in why `Present` failed. What was shown before is there all the same, and goes on being
    /// looked for.
    pub fn not_shown(&mut self, failure: Failure) {
        let looks = self.looks();
        match &mut self.presented {
            Some(presented) => (presented.looks, presented.again) = (looks, Some(failure)),
            None => self.failure = Some(failure),
        }
    }
}

impl Observed {
    /// Whether an earlier process may have worked on it and left no mark.
    pub fn is_older_than_process(&self) -> bool {
        self.created < self.process_started
    }

    /// Whether this process knows of every `Present`, and none of them showed anything.
    pub(super) fn was_refused(&self) -> bool {
        let Memory { refused, presented, .. } = &self.memory;
        *refused && presented.is_none() && !self.status.presented && !self.is_older_than_process()
    }

    /// Whether something may be there to clean up.
    pub fn maybe_presented(&self) -> bool {
        let undecided = !self.status.state.is_some_and(|state| state.is_final());
        let forgotten = undecided && (self.status.processing || self.is_older_than_process());
        self.status.presented || self.memory.tried || self.memory.presented.is_some() || forgotten
    }

    pub(super) fn receipt(&self) -> Option<String> {
        let presented = self.memory.presented.as_ref();
        presented.and_then(|presented| presented.receipt.clone()).or_else(|| self.status.receipt.clone())
    }
}
