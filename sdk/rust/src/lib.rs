//! Write an ACME challenge solver for Signet: one small WebAssembly component that publishes a
//! record, or leads traffic to Signet, and later removes it.
//!
//! A solver implements [`Dns01Solver`], [`Http01Solver`] or [`TlsAlpn01Solver`] for a type of its own, and names that
//! type in [`export!`]. Its configuration is any type that serde can read: it is the solver's
//! stanza of the Issuer, which the host has already checked against the JSON Schema in the
//! solver's manifest, `solver.json`, beside its Cargo.toml.
//!
//! ```no_run
//! use serde::{Deserialize, Serialize};
//! use signet_solver::{Result, SecretRef, dns01::{Challenge, Dns01Solver}, http};
//!
//! #[derive(Deserialize)]
//! #[serde(rename_all = "camelCase")]
//! struct Config { endpoint: String, token_secret_ref: SecretRef }
//!
//! #[derive(Serialize)]
//! struct Record<'a> { name: &'a str, value: &'a str }
//!
//! struct Hello;
//!
//! impl Dns01Solver for Hello {
//!     type Config = Config;
//!     type Receipt = ();
//!
//!     fn present(config: Config, challenge: &Challenge) -> Result<()> {
//!         let record = Record { name: &challenge.fqdn, value: &challenge.value };
//!         let token = config.token_secret_ref.read()?;
//!         http::post(format!("{}/records", config.endpoint)).bearer(&token).json(&record).send()?;
//!         Ok(())
//!     }
//!
//!     fn cleanup(config: Config, challenge: &Challenge, _: Option<()>) -> Result<()> {
//!         let record = Record { name: &challenge.fqdn, value: &challenge.value };
//!         let token = config.token_secret_ref.read()?;
//!         http::delete(format!("{}/records", config.endpoint)).bearer(&token).json(&record).allow(404).send()?;
//!         Ok(())
//!     }
//! }
//! ```
//!
//! `signet_solver::export!(dns01: Hello);` at the end of the crate makes it a component.
//!
//! What a solver may reach is decided outside it: the hosts, Secrets and kinds that its manifest
//! asks for and that the operator granted. A call beyond them fails with [`Error::Auth`]. The
//! solver has no environment, no files and no sockets. A panic ends the call, and is reported as
//! the solver's fault with its message in the log; return an [`Error`] instead.

pub mod backend;
#[doc(hidden)]
pub mod bindings;
pub mod dns;
pub mod dns01;
mod error;
mod export;
pub mod http;
pub mod http01;
pub mod kube;
pub mod log;
#[doc(hidden)]
pub mod manifest;
mod receipt;
pub mod responder;
mod secret;
pub mod tls_alpn01;

pub use dns01::Dns01Solver;
pub use error::{Context, Error, Result};
pub use http01::Http01Solver;
pub use secret::{Secret, SecretRef};
pub use tls_alpn01::TlsAlpn01Solver;

// An author needs these two for `type Config` and for a request's body.
pub use serde;
pub use serde_json;

/// The page is compiled as it stands.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/authors/tls-alpn.md")]
struct GuideOfTlsAlpn01;
