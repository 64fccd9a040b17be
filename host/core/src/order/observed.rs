//! What a decision about an Order is made from.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::ByteString;
use signet_api::meta::whole_seconds;
use signet_api::{ChallengeStatus, IssuerRef, OrderStatus, Solver, State};

use crate::acme::{AuthorizationAtCa, Identifier, OrderAtCa};
use crate::failure::Failure;
use crate::limits::Turn;
use crate::pki::{Chain, Csr, public_key_matches};

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
    /// Whether CAA records are looked at before the CA is.
    pub looks_at_caa: bool,
    pub status: OrderStatus,
    pub challenges: Vec<OwnChallenge>,
    /// Whether the CA's limits let it ask for the order; none when it does not want to.
    pub turn: Option<Turn>,
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
    /// What the CA sent for the certificate.
    pub certificate: Option<Downloaded>,
    /// What the DNS was seen to say against the CA.
    pub forbidden: Option<Forbidden>,
    /// Why the last action failed. It may stay when later ones succeed: its time tells.
    pub failure: Option<Failure>,
}

/// What keeps the CA from signing, by the records of the DNS, and when they were looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forbidden {
    pub at: Timestamp,
    /// A sentence for each record in the way; empty when none is.
    pub objections: Vec<String>,
}

/// An order, and when the CA showed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenOrder {
    pub at: Timestamp,
    pub order: OrderAtCa,
}

/// What the CA sent for the certificate of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Downloaded {
    /// The chain, in PEM.
    pub chain: ByteString,
    /// The certificate that the others vouch for.
    pub leaf: Leaf,
}

/// A certificate as it fits the request that it was ordered for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leaf {
    /// It can not be read; why.
    Unread(String),
    /// It certifies a key that is not the request's.
    OfAnotherKey,
    /// It certifies the request's key, until then.
    Fits { not_after: Timestamp },
}

impl Downloaded {
    /// Reads a chain that was ordered for a request, both in PEM.
    pub fn read(chain: ByteString, request: &[u8]) -> Self {
        let leaf = match (Chain::parse(&chain.0), Csr::parse(request)) {
            (Err(error), _) => Leaf::Unread(error.to_string()),
            (_, Err(error)) => Leaf::Unread(error.to_string()),
            (Ok(Chain { leaf, .. }), Ok(csr)) if !public_key_matches(&leaf.public_key, &csr.public_key.spki_der) => {
                Leaf::OfAnotherKey
            }
            (Ok(Chain { leaf, .. }), Ok(_)) => Leaf::Fits { not_after: leaf.not_after },
        };
        Self { chain, leaf }
    }

    /// Why it can not take its place in a Secret, if it can not. Passed on all the same it would be ordered
    /// again at once, and again.
    pub(super) fn fault(&self, now: Timestamp) -> Option<String> {
        match &self.leaf {
            Leaf::Unread(why) => Some(format!("could not {why}")),
            Leaf::OfAnotherKey => Some("it is for another key than the request's".to_owned()),
            Leaf::Fits { not_after } if *not_after > now => None,
            Leaf::Fits { not_after } => Some(format!(
                "it is over since {not_after} by the clock of this cluster, which says {}; set the clock right",
                whole_seconds(now)
            )),
        }
    }
}
