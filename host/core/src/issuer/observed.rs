//! What a decision about an Issuer or a ClusterIssuer is made from.

use jiff::Timestamp;
use signet_api::{IssuerSpec, IssuerStatus};

use super::ca::BadKeyPair;
use super::crl;
use crate::failure::Failure;

/// One Issuer or ClusterIssuer, and what this process knows of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    /// `Issuer` or `ClusterIssuer`.
    pub kind: &'static str,
    pub name: String,
    /// The namespace in which the Secrets that it names are read.
    pub secrets_in: String,
    pub generation: i64,
    pub spec: IssuerSpec,
    pub status: IssuerStatus,
    /// What is wrong with the solvers, as `field: what` sentences: the plugins' schemas and the
    /// plugins that exist are the edge's knowledge. Empty for an issuer that is not of ACME.
    pub solver_errors: Vec<String>,
    /// The account key; [`AccountKey::Missing`] for an issuer that is not of ACME.
    pub account_key: AccountKey,
    /// The key beside it that is to follow it, while somebody wants that; [`AccountKey::Missing`] else.
    pub next_account_key: AccountKey,
    /// How many Orders of it the CA has and has not yet ended; only counted while the account is to change.
    pub orders_under_way: usize,
    /// Until when the key pair of the authority can sign, or why it can not;
    /// [`BadKeyPair::NoSecret`] for an issuer that is not a CA.
    pub key_pair: Result<Timestamp, BadKeyPair>,
    /// The list of revoked certificates.
    pub list: crl::State,
    pub memory: Memory,
}

/// The Secret that `spec.acme.privateKeySecretRef` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountKey {
    /// There is no such Secret, or it has no such key.
    Missing,
    /// It holds no key that can sign for an account; why.
    Invalid(String),
    /// It holds a key with this digest.
    Present { hash: String },
}

/// Results of earlier actions, lost with the process. The edge clears the failure when an action
/// succeeds, and when the issuer or a Secret that it names changes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Memory {
    pub registered: Option<Registered>,
    pub failure: Option<Failure>,
    /// Digest of the key that the CA has taken for that of the account.
    pub rolled_over: Option<String>,
    /// Digest of the key whose account the CA has ended.
    pub deactivated: Option<String>,
    /// Why the last step of a change of the account failed.
    pub change_failure: Option<Failure>,
}

/// What the CA answered to the registration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// The generation of the spec that was registered.
    pub generation: i64,
    /// The URL of the account.
    pub uri: String,
    pub email: Option<String>,
    /// Digest of the key that was registered.
    pub key_hash: String,
    /// A page with the terms that whoever has an account agrees to.
    pub terms_of_service: Option<String>,
    /// What the CA calls itself in records of the DNS that say who may sign.
    pub caa_identities: Vec<String>,
}
