//! The limits that a CA sets to its clients, and what is left of them.
//!
//! [`table`] holds the limits of each directory. [`history`] reads from the objects of a cluster what was spent,
//! [`Budget`] keeps account of it and says whose turn it is to ask for a new order: renewals first, then the
//! namespace that has waited longest, and in it the oldest. What waits is told why by [`Wait`]. What objects no
//! longer show since they were deleted goes from one process to the next as a [`ledger`].
//!
//! A limit refills evenly, as a bucket of tokens does, so all that is known of it is when it will be full again.
//! What a CA says beyond the table (429) closes what it was said of, for everybody who would ask the same.

mod applicant;
mod bucket;
mod budget;
pub mod history;
mod ledger;
mod line;
mod names;
mod report;
pub mod table;
#[cfg(test)]
mod tests;
mod wait;

pub use applicant::Applicant;
pub use bucket::{Bucket, Kind, Limit};
pub use budget::{Budget, Outcome, Turn};
pub use names::registered_domain;
pub use report::{Line, report};
pub use table::Book;
pub use wait::{Cause, Wait};
