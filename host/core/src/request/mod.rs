//! CertificateRequest: a skeleton for the controller to compile against.

mod observed;

pub use crate::failure::{Failure, Retry};
pub use observed::{Issuer, Memory, Observed, Signed};

use jiff::Timestamp;
use signet_api::issuer::AcmeIssuer;
use signet_api::{CertificateRequestSpec, CertificateRequestStatus, IssuerRef, OrderSpec};

use crate::pki::Csr;
use crate::plan::Plan;

/// Everything that a CertificateRequest may need done. Each result goes into [`Memory`], save the
/// Order, which is observed.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Creates an Order that the request owns. Succeeds when the Order exists.
    CreateOrder { name: String, spec: Box<OrderSpec> },
    /// Signs the request with the key in the Secret.
    SelfSign { key_secret: String },
}

/// A plan for a CertificateRequest.
pub type RequestPlan = Plan<Action, CertificateRequestStatus>;

/// Decides what a CertificateRequest needs now.
pub fn decide(_observed: &Observed, _now: Timestamp) -> RequestPlan {
    RequestPlan::rest()
}

/// The name of a request's Order.
pub fn order_name(request_name: &str, _spec: &OrderSpec) -> String {
    request_name.to_owned()
}

/// What to order for a request.
pub fn order_spec(
    _request: &CertificateRequestSpec,
    _csr: &Csr,
    _acme: &AcmeIssuer,
    _issuer_ref: IssuerRef,
) -> Result<OrderSpec, String> {
    Err(String::new())
}

/// Why a request can never be signed as it is.
pub fn invalid(_spec: &CertificateRequestSpec) -> Option<String> {
    None
}
