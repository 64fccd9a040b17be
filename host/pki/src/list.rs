//! Lists of revoked certificates (RFC 5280, section 5), signed by the authority that signed those.

use signet_core::issuer::crl::{Entry, List};

use crate::request::pem;
use crate::sign::time;
use crate::{Authority, Error, der, extensions};

/// Signs a list and returns it in PEM.
///
/// # Errors
/// When a serial number in it is not hexadecimal, or the cryptographic library fails.
pub fn sign_list(authority: &Authority, list: &List) -> Result<String, Error> {
    let key = &authority.key;
    let (algorithm, _) = key.sign(&[], None)?;
    let mut body = vec![
        // Version 2.
        der::integer(&[1]),
        algorithm,
        authority.subject_der.clone(),
        time(list.this_update.0),
        time(list.next_update.0),
    ];
    // An empty list of entries is left out (section 5.1.2.6).
    let entries = list.revoked.iter().map(entry).collect::<Result<Vec<_>, _>>()?;
    body.extend((!entries.is_empty()).then(|| der::sequence(&entries)));
    let number = der::integer(&list.number.to_be_bytes());
    let extensions = der::sequence(&[
        extensions::authority_key_identifier(&authority.key_identifier),
        extensions::extension("2.5.29.20", false, &number),
    ]);
    body.push(der::value(0xa0, &extensions));
    let body = der::sequence(&body);
    let (algorithm, signature) = key.sign(&body, None)?;
    Ok(pem("X509 CRL", &der::sequence(&[body, algorithm, der::bits(&signature)])))
}

fn entry(entry: &Entry) -> Result<Vec<u8>, Error> {
    let Entry { serial, at, reason, not_after: _ } = entry;
    let bytes = bytes(serial)
        .ok_or_else(|| Error::Encode { field: "serial number", reason: format!("{serial:?} is not hexadecimal") })?;
    let mut parts = vec![der::integer(&bytes), time(at.0)];
    // "unspecified" is said by saying nothing (section 5.3.1).
    if reason.code() > 0 {
        let code = extensions::extension("2.5.29.21", false, &der::value(0x0a, &[reason.code()]));
        parts.push(der::sequence(&[code]));
    }
    Ok(der::sequence(&parts))
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let even = format!("{}{hex}", if hex.len().is_multiple_of(2) { "" } else { "0" });
    let digits = even.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).ok());
    digits.map(|pair| u8::from_str_radix(pair?, 16).ok()).collect()
}
