//! Faults, and what must hold through each: the certificate is there in the end, nothing was asked of the CA twice,
//! no Secret ever had a key and a certificate that are not each other's, and nothing is left over.
//!
//! A [`World`] is a lab whose controller reaches the API server through a proxy, which sees every request and may
//! break any. An [`Issuance`] is one Certificate in it, to which an [`Operation`] is done while something fails.
//! [`deaths`] kills the controller around every write, [`faults`] has the API server fail.

pub mod deaths;
pub mod faults;
mod ingress;
mod issuance;
mod operation;
pub mod proxy;
mod way;
mod witness;
mod world;

pub use issuance::Issuance;
pub use operation::{OPERATIONS, Operation};
pub use way::{WAYS, Way};
pub use world::World;
