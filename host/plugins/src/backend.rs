//! What the controller lends to a call: raw access, already bound to the Challenge's namespace and
//! to the namespace of the Issuer's Secrets. Every check of a grant happens before it is reached.

use async_trait::async_trait;
use serde_json::Value;

use crate::bindings::types::Error as WitError;

/// How much a log line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// For the solver's author.
    Debug,
    /// Something happened.
    Info,
    /// Something may be wrong.
    Warn,
    /// Something is wrong.
    Error,
}

/// The type of a DNS record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of the DNS")]
pub enum RecordType {
    A,
    Aaaa,
    Cname,
    Mx,
    Ns,
    Soa,
    Txt,
}

impl RecordType {
    /// As in a zone file: `TXT`.
    pub fn as_str(self) -> &'static str {
        match self {
            RecordType::A => "A",
            RecordType::Aaaa => "AAAA",
            RecordType::Cname => "CNAME",
            RecordType::Mx => "MX",
            RecordType::Ns => "NS",
            RecordType::Soa => "SOA",
            RecordType::Txt => "TXT",
        }
    }
}

/// Where one of Signet's own endpoints listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// IP addresses of the replicas that answer.
    pub addresses: Vec<String>,
    /// The TCP port.
    pub port: u16,
}

/// Why the controller could not do what a component asked. The text reaches the component, so it
/// holds no credential.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// What was asked for does not exist.
    #[error("find it: {0}")]
    Find(String),
    /// The API server does not allow it, or the object belongs to someone else.
    #[error("be allowed to: {0}")]
    Allow(String),
    /// What was asked for makes no sense to the API server.
    #[error("accept it: {0}")]
    Accept(String),
    /// It may work when tried again.
    #[error("reach it: {0}")]
    Reach(String),
}

impl BackendError {
    pub(crate) fn into_wit(self) -> WitError {
        match self {
            BackendError::Find(text) => WitError::NotFound(text),
            BackendError::Allow(text) => WitError::Auth(text),
            BackendError::Accept(text) => WitError::Config(text),
            BackendError::Reach(text) => WitError::Transient(text),
        }
    }
}

/// What the controller lends to one call.
#[async_trait]
pub trait Backend: Send + Sync {
    /// The value of `key` in the Secret `name`, in the namespace of the Issuer's Secrets; none when
    /// there is no such Secret or key.
    async fn secret(&self, name: &str, key: &str) -> Result<Option<Vec<u8>>, BackendError>;

    /// Applies `object` in the Challenge's namespace with the Challenge as its owner.
    async fn kube_apply(&self, object: Value) -> Result<Value, BackendError>;

    /// Reads an object in the Challenge's namespace.
    async fn kube_get(&self, api_version: &str, kind: &str, name: &str) -> Result<Option<Value>, BackendError>;

    /// Changes an object in the Challenge's namespace by JSON Patch.
    async fn kube_patch(&self, api_version: &str, kind: &str, name: &str, patch: Value) -> Result<Value, BackendError>;

    /// Deletes an object that the Challenge owns; done when it is not there.
    async fn kube_delete(&self, api_version: &str, kind: &str, name: &str) -> Result<(), BackendError>;

    /// A token for a ServiceAccount in the namespace of the Issuer's Secrets.
    async fn service_account_token(&self, name: &str, audiences: &[String]) -> Result<String, BackendError>;

    /// The answers for a name and type, in presentation format.
    async fn dns_lookup(&self, name: &str, record_type: RecordType) -> Result<Vec<String>, BackendError>;

    /// Where the HTTP-01 endpoint listens, which answers the current Challenge from now on.
    async fn responder(&self) -> Result<Endpoint, BackendError>;

    /// Where the TLS-ALPN-01 endpoint listens, which answers the current Challenge from now on.
    async fn tls_responder(&self) -> Result<Endpoint, BackendError>;

    /// A line that the component logged, capped and redacted. It is in the host's log already.
    fn log(&self, _level: LogLevel, _message: &str) {}
}
