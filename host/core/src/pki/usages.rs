//! Key usages by name, by bit and by object identifier.

use std::collections::BTreeSet;

use signet_api::KeyUsage;
use x509_parser::extensions::{ExtendedKeyUsage, KeyUsage as KeyUsageBits};

/// How a usage stands in a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsageCode {
    /// A bit of the extension keyUsage, counted as in RFC 5280, section 4.2.1.3.
    Bit(u8),
    /// An identifier in the extension extKeyUsage.
    Extended(&'static str),
}

/// Every usage, once.
const ALL: [KeyUsage; 21] = [
    KeyUsage::DigitalSignature,
    KeyUsage::ContentCommitment,
    KeyUsage::KeyEncipherment,
    KeyUsage::DataEncipherment,
    KeyUsage::KeyAgreement,
    KeyUsage::CertSign,
    KeyUsage::CrlSign,
    KeyUsage::EncipherOnly,
    KeyUsage::DecipherOnly,
    KeyUsage::Any,
    KeyUsage::ServerAuth,
    KeyUsage::ClientAuth,
    KeyUsage::CodeSigning,
    KeyUsage::EmailProtection,
    KeyUsage::IpsecEndSystem,
    KeyUsage::IpsecTunnel,
    KeyUsage::IpsecUser,
    KeyUsage::Timestamping,
    KeyUsage::OcspSigning,
    KeyUsage::MicrosoftSgc,
    KeyUsage::NetscapeSgc,
];

/// The code of a usage. `signing` is another name for `digital signature`, and `s/mime` one for
/// `email protection`.
pub fn usage_code(usage: KeyUsage) -> UsageCode {
    use UsageCode::{Bit, Extended};
    match usage {
        KeyUsage::Signing | KeyUsage::DigitalSignature => Bit(0),
        KeyUsage::ContentCommitment => Bit(1),
        KeyUsage::KeyEncipherment => Bit(2),
        KeyUsage::DataEncipherment => Bit(3),
        KeyUsage::KeyAgreement => Bit(4),
        KeyUsage::CertSign => Bit(5),
        KeyUsage::CrlSign => Bit(6),
        KeyUsage::EncipherOnly => Bit(7),
        KeyUsage::DecipherOnly => Bit(8),
        KeyUsage::Any => Extended("2.5.29.37.0"),
        KeyUsage::ServerAuth => Extended("1.3.6.1.5.5.7.3.1"),
        KeyUsage::ClientAuth => Extended("1.3.6.1.5.5.7.3.2"),
        KeyUsage::CodeSigning => Extended("1.3.6.1.5.5.7.3.3"),
        KeyUsage::EmailProtection | KeyUsage::SMime => Extended("1.3.6.1.5.5.7.3.4"),
        KeyUsage::IpsecEndSystem => Extended("1.3.6.1.5.5.7.3.5"),
        KeyUsage::IpsecTunnel => Extended("1.3.6.1.5.5.7.3.6"),
        KeyUsage::IpsecUser => Extended("1.3.6.1.5.5.7.3.7"),
        KeyUsage::Timestamping => Extended("1.3.6.1.5.5.7.3.8"),
        KeyUsage::OcspSigning => Extended("1.3.6.1.5.5.7.3.9"),
        KeyUsage::MicrosoftSgc => Extended("1.3.6.1.4.1.311.10.3.3"),
        KeyUsage::NetscapeSgc => Extended("2.16.840.1.113730.4.1"),
    }
}

/// The usages as a set in which each meaning has one name.
pub fn canonical_usages(usages: &[KeyUsage]) -> BTreeSet<KeyUsage> {
    usages
        .iter()
        .map(|usage| match usage {
            KeyUsage::Signing => KeyUsage::DigitalSignature,
            KeyUsage::SMime => KeyUsage::EmailProtection,
            other => *other,
        })
        .collect()
}

/// The usages that a certificate gets: those asked for, else digital signature and key
/// encipherment, and cert sign for one that signs others.
pub fn requested_usages(usages: &[KeyUsage], is_ca: bool) -> BTreeSet<KeyUsage> {
    let default = [KeyUsage::DigitalSignature, KeyUsage::KeyEncipherment];
    let mut set = canonical_usages(if usages.is_empty() { &default } else { usages });
    if is_ca {
        set.insert(KeyUsage::CertSign);
    }
    set
}

pub(super) fn from_bits(bits: &KeyUsageBits) -> impl Iterator<Item = KeyUsage> + '_ {
    ALL.into_iter().filter(|usage| matches!(usage_code(*usage), UsageCode::Bit(bit) if bits.flags >> bit & 1 == 1))
}

pub(super) fn from_extended(extended: &ExtendedKeyUsage<'_>) -> BTreeSet<KeyUsage> {
    let flags = [
        (extended.any, KeyUsage::Any),
        (extended.server_auth, KeyUsage::ServerAuth),
        (extended.client_auth, KeyUsage::ClientAuth),
        (extended.code_signing, KeyUsage::CodeSigning),
        (extended.email_protection, KeyUsage::EmailProtection),
        (extended.time_stamping, KeyUsage::Timestamping),
        (extended.ocsp_signing, KeyUsage::OcspSigning),
    ];
    let other = extended.other.iter().filter_map(|oid| {
        let id = oid.to_id_string();
        ALL.into_iter().find(|usage| matches!(usage_code(*usage), UsageCode::Extended(known) if known == id))
    });
    flags.into_iter().filter_map(|(set, usage)| set.then_some(usage)).chain(other).collect()
}
