//! Certificates over time: renewed, repaired, changed by their owners, and otherwise left alone.

mod changes;
mod drift;
mod quiet;
mod renewal;
