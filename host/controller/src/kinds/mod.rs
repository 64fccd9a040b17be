//! The edge of each kind: what is read before a decision, and how its actions are carried out.

pub(crate) mod certificate;
pub(crate) mod challenge;
pub(crate) mod issuer;
pub(crate) mod order;
pub(crate) mod request;
pub(crate) mod revocation;
