//! What the end-to-end tests share: a [`Stage`] in a lab with names of its own, short ways to put
//! issuers and Certificates on it, and [`KeyPair`], which looks at a Secret as a TLS client would.

mod doh;
mod http_route;
mod issuing;
mod key_pair;
mod relay;
pub mod replica;
mod seen;
mod stage;

pub use doh::Doh;
pub use http_route::{HttpRoute, TlsRoute};
pub use issuing::route53_solver;
pub use key_pair::KeyPair;
pub use relay::{Asked, Relay, Said};
pub use seen::Seen;
pub use stage::{BOUND, Kind, Stage};
