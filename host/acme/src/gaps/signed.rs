//! One signed POST to a URL, with nonces that every task of an endpoint shares.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use http::Method;

use crate::gaps::jws::{self, Signer};
use crate::http::{Call, HttpClient, Reply};
use crate::{Error, Resource, problem};

const NONCE_HEADER: &str = "replay-nonce";
const NONCES_KEPT: usize = 64;
const ATTEMPTS: usize = 6;

/// Nonces that answers brought and no request has used. The newest goes first: the older one is, the
/// likelier the CA has forgotten it.
#[derive(Default)]
pub(crate) struct Nonces(Mutex<VecDeque<String>>);

impl Nonces {
    fn keep(&self, reply: &Reply) {
        let Some(nonce) = reply.header(NONCE_HEADER) else { return };
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == NONCES_KEPT {
            kept.pop_front();
        }
        kept.push_back(nonce.to_owned());
    }

    fn take(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_back()
    }

    async fn next(&self, http: &HttpClient, new_nonce_url: &str) -> Result<String, Error> {
        if let Some(nonce) = self.take() {
            return Ok(nonce);
        }
        let reply = http.send(Call::read(Resource::NewNonce, Method::HEAD, new_nonce_url)).await?;
        let reply = problem::refused(reply)?;
        reply.header(NONCE_HEADER).map(str::to_owned).ok_or(Error::Miss { host: reply.host, what: "a nonce" })
    }
}

/// What to POST.
pub(crate) struct SignedPost<'a> {
    pub(crate) resource: Resource,
    pub(crate) url: &'a str,
    pub(crate) signer: Signer<'a>,
    /// JSON; empty for a POST-as-GET.
    pub(crate) payload: String,
    pub(crate) accept: Option<&'static str>,
}

/// Signs and sends, again with a fresh nonce when the CA refuses the nonce (RFC 8555, section 6.5). Returns
/// an answer that succeeded.
pub(crate) async fn post(
    http: &HttpClient,
    nonces: &Nonces,
    new_nonce_url: &str,
    post: &SignedPost<'_>,
) -> Result<Reply, Error> {
    let mut attempt = 1;
    loop {
        let nonce = nonces.next(http, new_nonce_url).await?;
        let jws = jws::sign(post.signer, &nonce, post.url, &post.payload)?;
        let body = serde_json::to_string(&jws).expect("a JWS of strings is always JSON");
        let call = Call {
            resource: post.resource,
            method: Method::POST,
            url: post.url,
            body: Some(body),
            accept: post.accept,
        };
        let reply = http.send(call).await?;
        nonces.keep(&reply);
        match problem::refused(reply) {
            Err(error) if error.is_acme("badNonce") && attempt < ATTEMPTS => {
                tracing::debug!(url = post.url, attempt, "the CA refused a nonce, signing again");
                attempt += 1;
            }
            result => return result,
        }
    }
}
