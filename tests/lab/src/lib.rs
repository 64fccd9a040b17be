//! A real cluster, CA, DNS and cloud API, started in a box: what Signet's tests run against, and
//! what a person plays with through `signet-lab`.
//!
//! A test takes [`Lab::shared`] or starts its own with [`Lab::start`]. Each lab is a process tree
//! under one supervisor ([`supervise`]), has a loopback address to itself, and is gone without a
//! trace when whoever started it is.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test fails by panicking"))]

mod acme;
mod address;
mod audit;
mod chart;
mod cloud;
mod config;
mod control;
mod control_plane;
mod controller;
mod dns;
mod eventually;
mod folder;
mod gateway_api;
mod guests;
mod lab;
mod node;
mod pki;
mod pod;
mod process;
mod ready;
mod renewal;
mod site;
mod supervisor;
mod tools;
mod zones;

pub use audit::{AuditOfSignet, Entry};
pub use chart::Chart;
pub use cloud::AccessKey;
pub use config::{AcmeConfig, Config, Level};
pub use control::{Component, Ending, Status};
pub use controller::Controller;
pub use guests::build_guests;
pub use lab::Lab;
pub use node::{Page, enter, init, obstacle};
pub use process::leash;
pub use site::{Port, Site};
pub use supervisor::supervise;
pub use tools::Tools;
