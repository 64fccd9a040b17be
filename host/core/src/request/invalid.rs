//! What the API server can not see about a CertificateRequest: the text that is to be signed, and
//! whether it says the same as the fields beside it.

use signet_api::{CertificateRequestSpec, KeyUsage};

use crate::pki::{Csr, requested_usages};

/// Why a request can never be signed as it is, as `field: what`; none when it can. What the signing
/// request or the spec leaves open does not contradict the other. Whether its signature holds is
/// for `signet_pki::verify_request`.
pub fn invalid(spec: &CertificateRequestSpec) -> Option<String> {
    let csr = match Csr::parse(&spec.request.0) {
        Ok(csr) => csr,
        Err(error) => return Some(format!("spec.request: {error}")),
    };
    if csr.is_ca.is_some_and(|is_ca| is_ca != spec.is_ca) {
        let (asks, says) = if spec.is_ca { ("may not", "may") } else { ("may", "may not") };
        return Some(format!(
            "spec.isCA: the signing request is for a certificate that {asks} sign others, and the spec says that it {says}"
        ));
    }
    let mut asked = csr.usages;
    if spec.usages.is_empty() || asked.is_empty() {
        return None;
    }
    asked.extend(spec.is_ca.then_some(KeyUsage::CertSign));
    (asked != requested_usages(&spec.usages, spec.is_ca))
        .then(|| "spec.usages: they are not the ones that the signing request asks for".to_owned())
}
