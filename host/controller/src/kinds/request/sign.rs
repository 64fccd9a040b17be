//! Signing without asking anybody: with a request's own key, or with an authority's.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::ByteString;
use kube::ResourceExt;
use signet_api::CertificateRequest;
use signet_api::issuer::CaIssuer;
use signet_core::failure::{Failure, Retry};
use signet_core::request::Signed;
use signet_pki::{Error as PkiError, Issued, PrivateKey, Signing};

use crate::authority;
use crate::context::Context;
use crate::error::Error;
use crate::issuers::AnyIssuer;
use crate::key::Key;
use crate::secrets::{self, TLS_KEY};

/// Before it is looked again whether a Secret holds what it should, should no change have woken us.
const AGAIN: Retry = Retry::Later(Duration::from_secs(30));

/// Signs with the key in this Secret, which must be the one that the request was made with.
pub(super) async fn with_own_key(
    cx: &Context,
    request: &CertificateRequest,
    key_secret: &str,
) -> Result<Result<Signed, Failure>, Error> {
    let place = Key::new(request.namespace().unwrap_or_default(), key_secret);
    let secret = secrets::read(cx, &place).await?;
    let Some(pem) = secret.as_deref().and_then(|secret| secrets::value(secret, TLS_KEY)) else {
        let message = format!("Secret {place} does not exist or has no {TLS_KEY}, which must hold the request's key");
        return Ok(Err(failure("SecretNotFound", message, AGAIN)));
    };
    let crl = AnyIssuer::find(&cx.stores, &place.namespace, &request.spec.issuer_ref).ok();
    let crl = crl.and_then(|issuer| issuer.spec().self_signed.clone()).unwrap_or_default().crl_distribution_points;
    let signed = PrivateKey::from_pem(pem)
        .and_then(|key| signet_pki::self_sign(&request.spec.request.0, &key, &wanted(request, &crl)));
    Ok(match signed {
        Ok(pem) => {
            let certificate = ByteString(pem.into_bytes());
            Ok(Signed { authority: Some(certificate.clone()), certificate })
        }
        Err(error) => Err(failure("SigningFailed", format!("Secret {place}: {error}"), Retry::Never)),
    })
}

/// Signs with the key pair of a CA issuer, whose Secrets are in `namespace`.
pub(super) async fn with_authority(
    cx: &Context,
    request: &CertificateRequest,
    namespace: &str,
    ca: &CaIssuer,
) -> Result<Result<Signed, Failure>, Error> {
    let place = Key::new(namespace, &ca.secret_name);
    let authority = match authority::read(cx, namespace, ca).await? {
        Ok(authority) => authority,
        // The issuer was Ready a moment ago; it, too, is told that the Secret has changed.
        Err(bad) => return Ok(Err(failure(bad.reason(), bad.sentence(&place.to_string()), AGAIN))),
    };
    let wanted = Signing {
        ocsp_servers: &ca.ocsp_servers,
        issuing_certificate_urls: &ca.issuing_certificate_urls,
        ..wanted(request, &ca.crl_distribution_points)
    };
    Ok(match signet_pki::ca_sign(&request.spec.request.0, &authority, &wanted) {
        Ok(Issued { chain_pem, authority_pem }) => Ok(Signed {
            certificate: ByteString(chain_pem.into_bytes()),
            authority: Some(ByteString(authority_pem.into_bytes())),
        }),
        Err(error) => {
            let retry = if matches!(error, PkiError::Outlive { .. }) { AGAIN } else { Retry::Never };
            Err(failure("SigningFailed", format!("Secret {place}: {error}"), retry))
        }
    })
}

/// What a certificate is to be by its request and the issuer's revocation lists.
fn wanted<'a>(request: &'a CertificateRequest, crl_distribution_points: &'a [String]) -> Signing<'a> {
    Signing {
        not_before: Timestamp::now(),
        duration: request.spec.duration.as_ref().map(signet_api::Duration::get),
        is_ca: request.spec.is_ca,
        usages: &request.spec.usages,
        crl_distribution_points,
        ocsp_servers: &[],
        issuing_certificate_urls: &[],
    }
}

fn failure(reason: &str, message: String, retry: Retry) -> Failure {
    Failure { reason: reason.to_owned(), message, retry, at: Timestamp::now() }
}
