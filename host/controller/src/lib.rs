//! The controller: watches the cluster, decides with `signet-core`, and acts.
//!
//! Events of the watches ([`watch`]) go into caches ([`stores`]) and make objects due
//! ([`queue`]). [`reconcile`] takes an object that is due, has its kind ([`kinds`]) observe it, lets the core decide,
//! and applies the plan through [`writer`]. Everything that is not the cluster is an edge: the CA
//! ([`accounts`]), the DNS, the solvers (`kinds::challenge`), HTTP ([`serve`], [`self_check`]).

mod accounts;
mod authority;
mod cache;
mod changes;
mod context;
mod controller;
mod crl;
mod error;
mod events;
mod flags;
mod installation;
mod issuers;
mod key;
mod kinds;
mod lease;
mod limits;
mod metrics;
mod patience;
mod plugins;
mod queue;
mod reconcile;
mod replicas;
mod resync;
mod scope;
mod secrets;
mod self_check;
mod serve;
mod stores;
mod test_runner;
mod tls_alpn01;
mod watch;
mod writer;

pub use controller::run;
pub use flags::{Flags, LogFormat};
pub use installation::{TestInstallation, test_installation};
pub use test_runner::{TestRunner, run_tests};
