//! The limits of a CA, as the controller keeps to them, and Challenges that are never proven beside others. Each
//! test has a lab of its own, since what is used is counted over all of a cluster.

mod challenges;
mod orders;
