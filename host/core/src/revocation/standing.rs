//! What follows from revocations for the certificate that is in use, and for its key.

use super::marks::Record;
use super::observed::Identity;

/// How a certificate and its key stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The revocation of the certificate.
    pub revoked: Option<Record>,
    /// The revocation by which its key is compromised, be it of this certificate or of another one.
    pub compromised: Option<Record>,
}

impl Standing {
    /// How a certificate stands, by what was revoked of the same Certificate.
    pub fn of(records: &[Record], certificate: &Identity) -> Self {
        Self {
            revoked: records.iter().rfind(|record| record.sha256 == certificate.sha256).cloned(),
            compromised: compromise(records, &certificate.key).cloned(),
        }
    }
}

/// The revocation by which the key with this SHA-256 is compromised.
pub fn compromise<'a>(records: &'a [Record], key: &str) -> Option<&'a Record> {
    records.iter().rfind(|record| record.compromised_key.as_deref() == Some(key))
}
