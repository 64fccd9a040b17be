//! What goes wrong, and what the person who looks is told: each failure by its own words on the
//! object that has it, and how it goes on once the cause is gone.

mod account;
mod caa;
mod cloud;
mod gateway;
mod issuers;
mod leftovers;
mod names;
