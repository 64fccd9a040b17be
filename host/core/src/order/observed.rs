//! What a decision about an Order is made from.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::ByteString;
use signet_api::{ChallengeStatus, IssuerRef, OrderStatus, Solver, State};

use crate::acme::{AuthorizationAtCa, Identifier, OrderAtCa};
use crate::failure::Failure;

/// One Order, its Challenges, and what this process knows of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    pub name: String,
    /// What to order; wildcards with their `*.` label.
    pub identifiers: Vec<Identifier>,
    pub profile: Option<String>,
    pub replaces: Option<String>,
    /// The end of validity to ask for, where the issuer sends it.
    pub not_after: Option<Timestamp>,
    pub issuer_ref: IssuerRef,
    /// Labels that solvers select by.
    pub labels: BTreeMap<String, String>,
    /// The issuer's solvers, in its order.
    pub solvers: Vec<Solver>,
    pub status: OrderStatus,
    pub challenges: Vec<OwnChallenge>,
    pub memory: Memory,
}

/// A Challenge that the Order owns.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnChallenge {
    pub name: String,
    pub authorization_url: String,
    pub dns_name: String,
    pub status: ChallengeStatus,
    pub deleting: bool,
}

impl OwnChallenge {
    /// Whether it tells of something that holds it up.
    pub(super) fn is_stuck(&self) -> bool {
        let undecided = !self.status.state.is_some_and(State::is_final);
        undecided && !self.deleting && self.status.reason.is_some()
    }
}

/// Results of earlier actions, lost with the process.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Memory {
    /// The order as the CA last showed it.
    pub order: Option<SeenOrder>,
    /// The authorizations of a new order, in the CA's order.
    pub authorizations: Vec<AuthorizationAtCa>,
    /// The chain that was downloaded, in PEM.
    pub certificate: Option<ByteString>,
    /// Why the last action failed. It may stay when later ones succeed: its time tells.
    pub failure: Option<Failure>,
}

/// An order, and when the CA showed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenOrder {
    pub at: Timestamp,
    pub order: OrderAtCa,
}
