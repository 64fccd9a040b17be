//! Lookups in the DNS, through the host's resolver.

use crate::bindings::dns;
use crate::{Error, Result};

pub use dns::RecordType;

/// The answers for one name and type, in presentation format; empty when the name has none.
///
/// # Errors
/// [`Error::Transient`] when no server answered.
pub fn lookup(name: &str, record_type: RecordType) -> Result<Vec<String>> {
    dns::lookup(name, record_type).map_err(Error::from)
}
