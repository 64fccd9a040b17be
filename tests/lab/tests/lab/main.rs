//! The lab itself: that its parts work together as the world's do, and that nothing of it is left.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod chart;
mod leash;
mod release;
mod validation;
mod world;
