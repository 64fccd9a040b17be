//! Certificates over time: renewed, repaired, changed by their owners, and otherwise left alone.

mod account;
mod changes;
mod drift;
mod flags;
mod meddling;
mod quiet;
mod renewal;
