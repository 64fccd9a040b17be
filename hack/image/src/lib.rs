//! Writes OCI images FROM scratch, without a container engine: a program, the shared libraries that it
//! needs, and what every program may expect to find (users, CA roots, /tmp), in one layer.
//!
//! ```text
//! Image ─► layer (tar, perhaps zstd) ─► configuration ─► manifest ─► Layout ─► archive or folder
//! ```
//!
//! The same image gives the same bytes: entries are sorted, their owner is root and their time 1970,
//! and nothing of the machine is in them but the files that they are made of.

mod base;
mod error;
mod image;
mod layer;
mod layout;
mod libraries;
mod signet;

pub use error::Error;
pub use image::{Content, File, Image};
pub use layout::{Layout, Size};
pub use libraries::{SharedLibrary, shared_libraries};

/// The user and group that images run as by default: no other file of theirs is writable.
pub const NONROOT: u32 = 65532;
