//! Revocation: which certificates of a Certificate are taken back, why, and what follows.

mod reason;

pub use reason::Reason;
