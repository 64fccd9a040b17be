//! What an error of AWS means to the host, and what a person can do about it.

use std::time::Duration;

use aws_sdk_route53::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_types::error::metadata::ErrorMetadata;
use signet_solver::Error;

/// Route 53 takes five requests a second from an account, all its users together.
const REST: Duration = Duration::from_secs(10);

/// Where the credentials are from, in words: an error about them must say what to check, and must
/// not show them.
#[derive(Debug, Clone)]
pub(crate) struct Origin(pub(crate) String);

/// One call, for messages.
#[derive(Debug)]
pub(crate) struct Attempt<'a> {
    /// The IAM action that it needs.
    pub(crate) permission: &'static str,
    /// The ARN that it is needed on.
    pub(crate) resource: String,
    pub(crate) origin: &'a Origin,
}

/// A failed call, of which the caller may know better what to do than the table here.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: Option<String>,
    pub(crate) error: Error,
}

impl Failure {
    pub(crate) fn is(&self, codes: &[&str]) -> bool {
        self.code.as_deref().is_some_and(|code| codes.contains(&code))
    }

    /// Whether the credentials are good but lack the permission.
    pub(crate) fn is_denied(&self) -> bool {
        self.is(DENIED)
    }
}

/// A failure before AWS could say anything.
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { code: None, error }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}

const DENIED: &[&str] = &["AccessDenied", "AccessDeniedException", "UnauthorizedOperation"];

/// The failure of a call of the SDK.
pub(crate) fn of<E>(error: &SdkError<E>, attempt: &Attempt<'_>) -> Failure
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let Some(service) = error.as_service_error() else {
        return Failure { code: None, error: undelivered(&chain(error), attempt) };
    };
    let status = error.raw_response().map(|response| response.status().as_u16());
    let metadata: &ErrorMetadata = service.meta();
    let message = metadata.message().map_or_else(|| service.to_string(), str::to_owned);
    let error = meaning(metadata.code(), status, &message, attempt);
    Failure { code: metadata.code().map(str::to_owned), error }
}

/// What the connection said. (The SDK's own way of showing an error brings the Debug form of every
/// type of its along, and the component's size is limited.)
fn chain<E>(error: &SdkError<E>) -> String {
    let connection = match error {
        SdkError::DispatchFailure(failure) => failure.as_connector_error(),
        SdkError::TimeoutError(_) => return "it did not come in time".to_owned(),
        SdkError::ResponseError(_) => return "what came is no answer of AWS".to_owned(),
        _ => return "the request could not be made".to_owned(),
    };
    let mut text = String::new();
    let mut next: Option<&dyn std::error::Error> = connection.map(|error| error as _);
    while let Some(error) = next {
        text.push_str(if text.is_empty() { "" } else { ": " });
        text.push_str(&error.to_string());
        next = error.source();
    }
    text
}

/// A request that got no answer: the host refused it, or the network failed.
pub(crate) fn undelivered(chain: &str, attempt: &Attempt<'_>) -> Error {
    let denied = ["HttpRequestDenied", "DestinationIpProhibited"].into_iter().find(|code| chain.contains(code));
    match denied {
        Some(code) => Error::auth(format!(
            "Signet did not let the request to AWS out ({code}): the operator must grant the plugin route53 the host of \
             this region"
        )),
        None => Error::transient(format!("no answer from AWS to {}: {chain}", attempt.permission)),
    }
}

/// The case and the text for an error's code.
pub(crate) fn meaning(code: Option<&str>, status: Option<u16>, message: &str, attempt: &Attempt<'_>) -> Error {
    let Attempt { permission, resource, origin: Origin(origin) } = attempt;
    let code = code.unwrap_or_default();
    match code {
        _ if DENIED.contains(&code) => Error::auth(format!(
            "AWS denies {permission} on {resource} to {origin}: allow it in the IAM policy ({message})"
        )),
        "InvalidClientTokenId" | "UnrecognizedClientException" | "InvalidAccessKeyId" | "AuthFailure" => {
            Error::auth(format!("AWS does not know the access key: check its id in {origin} ({code}: {message})"))
        }
        "SignatureDoesNotMatch" | "IncompleteSignature" | "InvalidSignatureException" => Error::auth(format!(
            "the secret access key does not belong to the access key's id: check {origin} ({code}: {message})"
        )),
        "ExpiredToken" | "ExpiredTokenException" | "InvalidIdentityToken" | "IDPRejectedClaim" | "OptInRequired" => {
            Error::auth(format!("AWS does not accept {origin} ({code}: {message})"))
        }
        "RequestExpired" | "RequestTimeTooSkewed" => {
            Error::transient(format!("AWS finds the request too old: check the clock of Signet's node ({message})"))
        }
        "Throttling" | "ThrottlingException" | "RequestLimitExceeded" | "TooManyRequestsException" => {
            Error::rate_limited(format!("AWS asks for fewer requests ({message})"), REST)
        }
        "PriorRequestNotComplete" => {
            Error::rate_limited(format!("Route 53 is still busy with an earlier change of the zone ({message})"), REST)
        }
        "NoSuchHostedZone" => Error::not_found(format!(
            "there is no hosted zone {resource} in this AWS account: check route53.hostedZoneID and the account ({message})"
        )),
        "InvalidChangeBatch" | "InvalidInput" | "ValidationError" | "InvalidDomainName" => {
            Error::config(format!("AWS does not accept {permission} on {resource}: {message}"))
        }
        "MalformedPolicyDocument" | "PackedPolicyTooLarge" | "RegionDisabledException" => {
            Error::config(format!("AWS refuses {permission} ({code}: {message})"))
        }
        _ => unknown(code, status, message, permission),
    }
}

/// An error that is not in the table. A later try may find it gone; a Challenge that fails for good
/// would not.
fn unknown(code: &str, status: Option<u16>, message: &str, permission: &str) -> Error {
    let status = status.map(|status| format!("status {status}, ")).unwrap_or_default();
    let code = if code.is_empty() { "no code" } else { code };
    Error::transient(format!("{permission} failed ({status}{code}): {message}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(code: &str) -> Error {
        let origin = Origin("Secret \"route53-secret\", key \"secret-access-key\"".to_owned());
        let resource = "arn:aws:route53:::hostedzone/Z1".to_owned();
        let attempt = Attempt { permission: "route53:ChangeResourceRecordSets", resource, origin: &origin };
        meaning(Some(code), Some(400), "what AWS says", &attempt)
    }

    #[test]
    fn a_denial_names_permission_and_resource() {
        let Error::Auth(message) = case("AccessDenied") else { unreachable!() };
        assert!(message.contains("route53:ChangeResourceRecordSets on arn:aws:route53:::hostedzone/Z1"), "{message}");
    }

    #[test]
    fn wrong_keys_name_the_secret() {
        for code in ["InvalidClientTokenId", "SignatureDoesNotMatch", "ExpiredToken"] {
            assert!(matches!(case(code), Error::Auth(message) if message.contains("route53-secret")), "{code}");
        }
    }

    #[test]
    fn the_rest_says_when_to_try_again() {
        assert!(matches!(case("Throttling"), Error::RateLimited { .. }));
        assert!(matches!(case("PriorRequestNotComplete"), Error::RateLimited { .. }));
        assert!(matches!(case("NoSuchHostedZone"), Error::NotFound(_)));
        assert!(matches!(case("InvalidChangeBatch"), Error::Config(_)));
        assert!(matches!(case("ServiceUnavailable"), Error::Transient(_)));
        let origin = Origin(String::new());
        let attempt = Attempt { permission: "route53:GetChange", resource: String::new(), origin: &origin };
        assert!(matches!(undelivered("… ErrorCode::HttpRequestDenied …", &attempt), Error::Auth(_)));
        assert!(matches!(undelivered("connection refused", &attempt), Error::Transient(_)));
    }
}
