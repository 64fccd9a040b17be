//! Revocation (RFC 8555, section 7.6): signed by the account that ordered the certificate, or by the
//! certificate's own key, which needs no account.

use instant_acme as wire;
use rustls::pki_types::CertificateDer;
use signet_core::revocation::Reason;

use crate::clients::{Ca, json};
use crate::gaps::jws::Signer;
use crate::{Error, Resource};

/// What the CA said to a revocation that stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revocation {
    /// It was carried out.
    Done,
    /// It had been carried out before.
    Already,
}

/// Asks for the revocation of a certificate in DER.
pub(crate) async fn revoke(
    ca: &Ca,
    signer: Signer<'_>,
    certificate: &[u8],
    reason: Reason,
) -> Result<Revocation, Error> {
    let url = ca.directory().await?.revoke_cert.clone();
    let url = url.ok_or_else(|| Error::Offer { url: ca.directory_url().to_owned(), what: "revokeCert" })?;
    let request = wire::RevocationRequest { certificate: &CertificateDer::from(certificate), reason: on_wire(reason) };
    match ca.post(Resource::RevokeCert, &url, signer, json(&request)).await {
        Ok(_) => Ok(Revocation::Done),
        Err(error) if error.is_acme("alreadyRevoked") => Ok(Revocation::Already),
        Err(error) => Err(error),
    }
}

/// What says nothing is left out, as in a CRL (RFC 5280, section 5.3.1).
fn on_wire(reason: Reason) -> Option<wire::RevocationReason> {
    use wire::RevocationReason as R;
    Some(match reason {
        Reason::Unspecified => return None,
        Reason::KeyCompromise => R::KeyCompromise,
        Reason::CaCompromise => R::CaCompromise,
        Reason::AffiliationChanged => R::AffiliationChanged,
        Reason::Superseded => R::Superseded,
        Reason::CessationOfOperation => R::CessationOfOperation,
        Reason::PrivilegeWithdrawn => R::PrivilegeWithdrawn,
        Reason::AaCompromise => R::AaCompromise,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wire_has_the_codes_of_the_rfc() {
        for reason in Reason::ALL {
            let written = on_wire(reason).map(|reason| serde_json::to_value(reason).expect("a number"));
            let code = Some(reason.code()).filter(|code| *code > 0).map(serde_json::Value::from);
            assert_eq!(written, code, "{reason:?}");
        }
    }
}
