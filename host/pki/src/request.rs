//! Certificate signing requests (RFC 2986).

use signet_api::CertificateSpec;
use signet_core::pki::{Names, requested_subject, requested_usages};

use crate::{Error, PrivateKey, der, extensions};

/// Makes the signing request that a spec asks for, in PEM.
///
/// # Errors
/// When a name can not be written, `literalSubject` can not be read, or `signatureAlgorithm` does
/// not suit the key.
pub fn create_csr(spec: &CertificateSpec, key: &PrivateKey) -> Result<String, Error> {
    let subject = requested_subject(spec)?;
    let extension_request = der::sequence(&[
        der::known_oid("1.2.840.113549.1.9.14"),
        der::set(vec![der::sequence(&requested_extensions(spec, subject.is_empty())?)]),
    ]);
    let version = der::integer(&[0]);
    let attributes = der::value(0xa0, &extension_request);
    let info = der::sequence(&[version, extensions::name(&subject)?, key.spki_der()?, attributes]);
    let (algorithm, signature) = key.sign(&info, spec.signature_algorithm)?;
    Ok(pem("CERTIFICATE REQUEST", &der::sequence(&[info, algorithm, der::bits(&signature)])))
}

fn requested_extensions(spec: &CertificateSpec, no_subject: bool) -> Result<Vec<Vec<u8>>, Error> {
    let mut list: Vec<_> = extensions::alternative_names(&Names::requested(spec), no_subject)?.into_iter().collect();
    if spec.encode_usages_in_request.unwrap_or(true) {
        list.extend(extensions::usages(&requested_usages(&spec.usages, spec.is_ca)));
    }
    if spec.is_ca {
        list.push(extensions::basic_constraints(true));
    }
    if let Some(constraints) = &spec.name_constraints {
        list.push(extensions::name_constraints(constraints)?);
    }
    Ok(list)
}

pub(crate) fn pem(tag: &str, der: &[u8]) -> String {
    let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
    pem::encode_config(&pem::Pem::new(tag, der), config)
}
