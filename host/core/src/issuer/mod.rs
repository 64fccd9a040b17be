//! Issuer: a skeleton for the controller to compile against.

mod observed;

pub use crate::failure::{Failure, Retry};
pub use observed::{AccountKey, Memory, Observed, Registered};

use jiff::Timestamp;
use signet_api::IssuerStatus;

use crate::plan::Plan;

/// Everything that an issuer may need done. Each result goes into [`Memory`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Makes an account key and keeps it under `key` of the Secret, in the namespace
    /// [`Observed::secrets_in`]. A key that is there already stays.
    CreateAccountKey { secret: String, key: String },
    /// Registers the account at the CA, or has the CA update it.
    Register,
}

/// A plan for an Issuer or a ClusterIssuer.
pub type IssuerPlan = Plan<Action, IssuerStatus>;

/// Decides what an issuer needs now.
pub fn decide(_observed: &Observed, _now: Timestamp) -> IssuerPlan {
    IssuerPlan::rest()
}
