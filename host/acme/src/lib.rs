//! The edge to the CA: ACME (RFC 8555) as one request per call, answered in the vocabulary of
//! [`signet_core::acme`].
//!
//! [`Clients`] keeps one HTTP client, one directory and one pool of nonces for each
//! [`Endpoint`]. From it come a [`Registration`], which costs requests, and an [`Account`], which
//! costs none. Every method of `Account` sends one signed request (a nonce aside) and returns what
//! the CA said; whether and when to ask again is for the caller, which reads [`Error::retry`].
//!
//! The documents on the wire are instant-acme's types. What instant-acme cannot do is in the module `gaps`.

mod account;
mod answers;
mod clients;
mod error;
mod gaps;
mod http;
mod observer;
mod problem;
mod renewal;
mod revoke;
mod tls;

pub use account::Account;
pub use clients::{Clients, Endpoint, Registration};
pub use error::{Blame, Error, Retry};
pub use gaps::eab::{Eab, MacAlgorithm};
pub use gaps::key::AccountKey;
pub use observer::{NoObserver, Observer, RequestMade, Resource};
pub use problem::Problem;
pub use renewal::certificate_id;
pub use revoke::Revocation;
