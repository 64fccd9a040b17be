//! Certificates (RFC 5280), signed here.

use aws_lc_rs::digest;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use signet_api::KeyUsage;
use signet_core::pki::{Csr, requested_usages};

use crate::request::pem;
use crate::{Error, PrivateKey, der, extensions, verify_request};

/// What a self-signed certificate is to be, beside what its request says.
#[derive(Clone, Debug)]
pub struct SelfSigning<'a> {
    /// Start of its lifetime; taken in whole seconds.
    pub not_before: Timestamp,
    /// Length of its lifetime; 90 days when none.
    pub duration: Option<SignedDuration>,
    /// Whether it may sign others.
    pub is_ca: bool,
    /// What the key may be used for; digital signature and key encipherment when empty.
    pub usages: &'a [KeyUsage],
    /// URLs of revocation lists.
    pub crl_distribution_points: &'a [String],
}

/// Signs a request with the key that it is for, and returns the certificate in PEM. Subject and
/// names are the request's.
///
/// # Errors
/// When the request can not be read, its signature does not hold, or it is for another key.
pub fn self_sign(request_pem: &[u8], key: &PrivateKey, wanted: &SelfSigning<'_>) -> Result<String, Error> {
    let csr = Csr::parse(request_pem)?;
    verify_request(&csr)?;
    if csr.public_key.spki_der != key.spki_der()? {
        return Err(Error::MatchKey);
    }
    let duration = wanted.duration.unwrap_or(SignedDuration::from_hours(90 * 24));
    let not_after = wanted.not_before.checked_add(duration).unwrap_or(Timestamp::MAX);
    let mut list = vec![extensions::basic_constraints(wanted.is_ca)];
    list.extend(extensions::usages(&requested_usages(wanted.usages, wanted.is_ca)));
    list.extend(extensions::alternative_names(&csr.names, csr.subject.is_empty())?);
    list.extend(extensions::crl_distribution_points(wanted.crl_distribution_points)?);
    let template = Template { csr: &csr, not_before: wanted.not_before, not_after, extensions: list };
    let issuer = Issuer { name_der: &csr.subject_der, spki_der: &csr.public_key.spki_der, key };
    sign(template, &issuer)
}

/// A certificate before it is signed.
struct Template<'a> {
    csr: &'a Csr,
    not_before: Timestamp,
    not_after: Timestamp,
    extensions: Vec<Vec<u8>>,
}

/// Who signs.
struct Issuer<'a> {
    name_der: &'a [u8],
    spki_der: &'a [u8],
    key: &'a PrivateKey,
}

fn sign(template: Template<'_>, issuer: &Issuer<'_>) -> Result<String, Error> {
    let Template { csr, not_before, not_after, mut extensions } = template;
    let spki = &csr.public_key.spki_der;
    extensions.push(extensions::extension("2.5.29.14", false, &der::octets(&key_identifier(spki))));
    let authority = der::sequence(&[der::value(0x80, &key_identifier(issuer.spki_der))]);
    extensions.push(extensions::extension("2.5.29.35", false, &authority));
    let serial = serial()?;
    let body = |algorithm: &[u8]| {
        der::sequence(&[
            der::value(0xa0, &der::integer(&[2])),
            serial.clone(),
            algorithm.to_vec(),
            issuer.name_der.to_vec(),
            der::sequence(&[time(not_before), time(not_after)]),
            csr.subject_der.clone(),
            spki.clone(),
            der::value(0xa3, &der::sequence(&extensions)),
        ])
    };
    // The body names the algorithm that signs it, which the key tells when it signs.
    let (algorithm, _) = issuer.key.sign(&[], None)?;
    let body = body(&algorithm);
    let (algorithm, signature) = issuer.key.sign(&body, None)?;
    Ok(pem("CERTIFICATE", &der::sequence(&[body, algorithm, der::bits(&signature)])))
}

/// 126 random bits below a one: positive, and unique without a register.
fn serial() -> Result<Vec<u8>, Error> {
    let mut bytes = [0u8; 16];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Error::Sign)?;
    bytes[0] = bytes[0] & 0x7f | 0x40;
    Ok(der::integer(&bytes))
}

/// The first 160 bits of the SHA-256 of the key (RFC 7093, section 2, method 4).
fn key_identifier(spki_der: &[u8]) -> Vec<u8> {
    digest::digest(&digest::SHA256, spki_der).as_ref()[..20].to_vec()
}

/// UTCTime up to 2049, GeneralizedTime from then on (section 4.1.2.5).
fn time(at: Timestamp) -> Vec<u8> {
    let utc = at.to_zoned(TimeZone::UTC);
    if (1950..2050).contains(&utc.year()) {
        der::value(0x17, utc.strftime("%y%m%d%H%M%SZ").to_string().as_bytes())
    } else {
        der::value(0x18, utc.strftime("%Y%m%d%H%M%SZ").to_string().as_bytes())
    }
}
