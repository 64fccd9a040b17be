//! The directory of a CA (RFC 8555, section 7.1.1): where its resources are.

use http::Method;
use serde::Deserialize;

use crate::http::{Call, HttpClient};
use crate::{Error, Resource, answers, problem};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Directory {
    pub(crate) new_nonce: String,
    pub(crate) new_account: String,
    pub(crate) new_order: String,
    /// Where the CA changes the keys of accounts, if it does.
    pub(crate) key_change: Option<String>,
    /// Where the CA says when to renew (RFC 9773), if it does.
    pub(crate) renewal_info: Option<String>,
    /// A CA need not have it.
    pub(crate) revoke_cert: Option<String>,
    pub(crate) meta: Option<Meta>,
}

/// What the CA says of itself.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Meta {
    /// A page with the terms that whoever has an account agrees to.
    pub(crate) terms_of_service: Option<String>,
    /// What the CA calls itself in records of the DNS that say who may sign.
    #[serde(default)]
    pub(crate) caa_identities: Vec<String>,
}

pub(crate) async fn fetch(http: &HttpClient, url: &str) -> Result<Directory, Error> {
    let reply = http.send(Call::read(Resource::Directory, Method::GET, url)).await?;
    let reply = problem::refused(reply)?;
    answers::read(&reply, "directory")
}
