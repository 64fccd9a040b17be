//! Who wants to know about each HTTP request: the metrics of the controller, without this crate
//! knowing of metrics.

use std::time::Duration;

/// The kind of thing that a request was for. URLs of orders and challenges differ for each one, so
/// a metric counts these instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Resource {
    Directory,
    NewNonce,
    NewAccount,
    Account,
    NewOrder,
    Order,
    Authorization,
    Challenge,
    Finalize,
    Certificate,
    RevokeCert,
    RenewalInfo,
    KeyChange,
}

impl Resource {
    /// A label in snake case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Directory => "directory",
            Self::NewNonce => "new_nonce",
            Self::NewAccount => "new_account",
            Self::Account => "account",
            Self::NewOrder => "new_order",
            Self::Order => "order",
            Self::Authorization => "authorization",
            Self::Challenge => "challenge",
            Self::Finalize => "finalize",
            Self::Certificate => "certificate",
            Self::RenewalInfo => "renewal_info",
            Self::KeyChange => "key_change",
            Self::RevokeCert => "revoke_cert",
        }
    }
}

/// One HTTP request that ended.
#[derive(Clone, Debug)]
pub struct RequestMade<'a> {
    /// `https` or `http`.
    pub scheme: &'a str,
    /// Host and, where the URL names one, port.
    pub host: &'a str,
    pub method: &'a str,
    pub resource: Resource,
    /// The status code; `None` when no answer came.
    pub status: Option<u16>,
    /// From the first byte sent to the last byte read.
    pub duration: Duration,
}

/// Is told of every request, from the task that made it: it must not block.
pub trait Observer: Send + Sync + 'static {
    fn request_made(&self, request: &RequestMade<'_>);
}

/// Listens to nothing.
pub struct NoObserver;

impl Observer for NoObserver {
    fn request_made(&self, _: &RequestMade<'_>) {}
}
