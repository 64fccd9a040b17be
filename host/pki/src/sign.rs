//! Certificates (RFC 5280), signed here.

use aws_lc_rs::digest;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use signet_api::KeyUsage;
use signet_core::pki::{Csr, requested_usages};

use crate::request::pem;
use crate::{Authority, Error, PrivateKey, der, extensions, verify_request};

/// How long a certificate is good for unless somebody says.
const DURATION: SignedDuration = SignedDuration::from_hours(90 * 24);

/// What a certificate is to be, beside what its request says.
#[derive(Clone, Debug)]
pub struct Signing<'a> {
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
    /// URLs of OCSP responders.
    pub ocsp_servers: &'a [String],
    /// URLs of the certificate of who signs.
    pub issuing_certificate_urls: &'a [String],
}

/// What an authority gives for a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issued {
    /// The certificate and the intermediates above it, in PEM: what a server presents.
    pub chain_pem: String,
    /// The certificate at the top, in PEM: what a client is to trust.
    pub authority_pem: String,
}

/// Signs a request with the key that it is for, and returns the certificate in PEM. Subject and
/// names are the request's.
///
/// # Errors
/// When the request can not be read, its signature does not hold, or it is for another key.
pub fn self_sign(request_pem: &[u8], key: &PrivateKey, wanted: &Signing<'_>) -> Result<String, Error> {
    let csr = Csr::parse(request_pem)?;
    verify_request(&csr)?;
    if csr.public_key.spki_der != key.spki_der()? {
        return Err(Error::MatchKey);
    }
    let key_identifier = key_identifier(&csr.public_key.spki_der);
    sign(&csr, wanted, &Issuer { name_der: &csr.subject_der, key_identifier, key, not_after: Timestamp::MAX })
}

/// Signs a request with an authority's key. Subject and names are the request's. The certificate
/// ends with the authority's at the latest, even if more was asked for: no client takes it longer
/// than that, and so its renewal comes in time.
///
/// # Errors
/// When the request can not be read, its signature does not hold, or the authority's own
/// certificate has ended.
pub fn ca_sign(request_pem: &[u8], authority: &Authority, wanted: &Signing<'_>) -> Result<Issued, Error> {
    let csr = Csr::parse(request_pem)?;
    verify_request(&csr)?;
    let Authority { key, own: _, subject_der, key_identifier, not_after, chain_pem, top_pem } = authority;
    let key_identifier = key_identifier.clone();
    let leaf_pem = sign(&csr, wanted, &Issuer { name_der: subject_der, key_identifier, key, not_after: *not_after })?;
    Ok(Issued { chain_pem: leaf_pem + chain_pem, authority_pem: top_pem.clone() })
}

/// Who signs.
struct Issuer<'a> {
    name_der: &'a [u8],
    key_identifier: Vec<u8>,
    key: &'a PrivateKey,
    /// The end of what it may sign.
    not_after: Timestamp,
}

fn sign(csr: &Csr, wanted: &Signing<'_>, issuer: &Issuer<'_>) -> Result<String, Error> {
    let Issuer { name_der, key_identifier: _, key, not_after } = issuer;
    let end = wanted.not_before.checked_add(wanted.duration.unwrap_or(DURATION)).unwrap_or(Timestamp::MAX);
    let end = end.min(*not_after);
    if end.as_second() <= wanted.not_before.as_second() {
        return Err(Error::Outlive { end });
    }
    let serial = serial()?;
    let extensions = der::sequence(&extensions(csr, wanted, issuer)?);
    // The body names the algorithm that signs it, which the key tells when it signs.
    let (algorithm, _) = key.sign(&[], None)?;
    let body = der::sequence(&[
        der::value(0xa0, &der::integer(&[2])),
        serial,
        algorithm,
        name_der.to_vec(),
        der::sequence(&[time(wanted.not_before), time(end)]),
        csr.subject_der.clone(),
        csr.public_key.spki_der.clone(),
        der::value(0xa3, &extensions),
    ]);
    let (algorithm, signature) = key.sign(&body, None)?;
    Ok(pem("CERTIFICATE", &der::sequence(&[body, algorithm, der::bits(&signature)])))
}

fn extensions(csr: &Csr, wanted: &Signing<'_>, issuer: &Issuer<'_>) -> Result<Vec<Vec<u8>>, Error> {
    let Signing {
        not_before: _,
        duration: _,
        is_ca,
        usages,
        crl_distribution_points,
        ocsp_servers,
        issuing_certificate_urls,
    } = wanted;
    let mut list = vec![extensions::basic_constraints(*is_ca)];
    list.extend(extensions::usages(&requested_usages(usages, *is_ca)));
    list.extend(extensions::alternative_names(&csr.names, csr.subject.is_empty())?);
    // Clients take them of an authority only.
    let constraints = csr.name_constraints.as_ref().filter(|_| *is_ca);
    list.extend(constraints.map(|(critical, content)| extensions::name_constraints_of(*critical, content)));
    list.extend(extensions::crl_distribution_points(crl_distribution_points)?);
    list.extend(extensions::authority_information(ocsp_servers, issuing_certificate_urls)?);
    list.push(extensions::subject_key_identifier(&key_identifier(&csr.public_key.spki_der)));
    list.push(extensions::authority_key_identifier(&issuer.key_identifier));
    Ok(list)
}

/// 126 random bits below a one: positive, and unique without a register.
fn serial() -> Result<Vec<u8>, Error> {
    let mut bytes = [0u8; 16];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Error::Sign)?;
    bytes[0] = bytes[0] & 0x7f | 0x40;
    Ok(der::integer(&bytes))
}

/// The first 160 bits of the SHA-256 of the key (RFC 7093, section 2, method 4).
pub(crate) fn key_identifier(spki_der: &[u8]) -> Vec<u8> {
    digest::digest(&digest::SHA256, spki_der).as_ref()[..20].to_vec()
}

/// UTCTime up to 2049, GeneralizedTime from then on (section 4.1.2.5).
pub(crate) fn time(at: Timestamp) -> Vec<u8> {
    let utc = at.to_zoned(TimeZone::UTC);
    if (1950..2050).contains(&utc.year()) {
        der::value(0x17, utc.strftime("%y%m%d%H%M%SZ").to_string().as_bytes())
    } else {
        der::value(0x18, utc.strftime("%Y%m%d%H%M%SZ").to_string().as_bytes())
    }
}
