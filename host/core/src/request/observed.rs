//! What a decision about a CertificateRequest is made from.

use jiff::Timestamp;
use k8s_openapi::ByteString;
use signet_api::issuer::CaIssuer;
use signet_api::{CertificateRequestStatus, OrderSpec, OrderStatus};

use crate::failure::Failure;

/// One CertificateRequest, who is to sign it, and what this process knows of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    pub name: String,
    pub created: Timestamp,
    pub status: CertificateRequestStatus,
    /// Why the request can never be signed as it is: its PEM, or what it says against its spec.
    pub invalid: Option<String>,
    /// Whether Signet itself approves what nobody has approved or denied.
    pub auto_approve: bool,
    pub issuer: Issuer,
    pub memory: Memory,
}

/// Who is to sign.
#[derive(Clone, Debug, PartialEq)]
pub enum Issuer {
    /// An issuer of another group, which that group's own controller serves.
    Foreign,
    /// There is none of that name and kind; the sentence says where it was looked for.
    Missing(String),
    /// Signet serves no issuer of this kind here, and has no right to approve for one; why, as a sentence.
    Unserved(String),
    /// It can not sign yet; the sentence says why.
    NotReady(String),
    /// It can not sign this request, ever; the sentence says why.
    Refuses { reason: &'static str, message: String },
    /// Through an Order of this name with this spec.
    Acme { name: String, spec: Box<OrderSpec>, order: Option<OrderStatus> },
    /// With the key that the request was signed with, which is in this Secret.
    SelfSigned { key_secret: String },
    /// With the key pair in the Secret that `ca` names, in this namespace.
    Ca { namespace: String, ca: CaIssuer },
}

/// Results of earlier actions, lost with the process.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Memory {
    /// What was signed here.
    pub signed: Option<Signed>,
    pub failure: Option<Failure>,
}

/// A certificate that was signed here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// With its chain, in PEM.
    pub certificate: ByteString,
    /// Of the authority, in PEM, where there is one.
    pub authority: Option<ByteString>,
}
