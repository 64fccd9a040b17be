//! Every decision that Signet takes, as pure functions: `decide(&Observed, now) -> Plan`.
//!
//! This crate names no client, no async runtime, no clock and no source of randomness, because
//! its manifest lists none. What it is given is data; what it returns is data.

pub mod acme;
pub mod caa;
pub mod certificate;
pub mod challenge;
pub mod digest;
pub mod failure;
pub mod issue_value;
pub mod issuer;
pub mod limits;
pub mod order;
pub mod persist;
pub mod pki;
pub mod plan;
pub mod request;
pub mod revocation;
