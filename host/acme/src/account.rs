//! What an account asks of the CA: each method is one signed request.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use jiff::Timestamp;
use serde::Serialize;
use signet_core::acme::{AuthorizationAtCa, ChallengeAtCa, Identifier, OrderAtCa};
use signet_core::revocation::Reason;

use crate::clients::{Ca, json, location};
use crate::gaps::chain;
use crate::gaps::jws::Signer;
use crate::gaps::rollover::take_over;
use crate::gaps::signed::SignedPost;
use crate::http::Reply;
use crate::revoke::revoke;
use crate::{AccountKey, Error, Resource, Revocation, answers};

/// The payload of a POST-as-GET.
const NOTHING: String = String::new();

/// An account at a CA. Cheap to clone, usable from many tasks at once.
#[derive(Clone)]
pub struct Account {
    ca: Arc<Ca>,
    key: AccountKey,
    uri: String,
}

impl Account {
    pub(crate) fn new(ca: Arc<Ca>, key: AccountKey, uri: String) -> Self {
        Self { ca, key, uri }
    }

    /// The URL of the account.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// Orders a certificate for `identifiers`. `replaces` is the ARI identifier of the certificate that the
    /// new one takes the place of (RFC 9773, section 5). A CA that does not know what that is is not told,
    /// and when it does not like what it is told, the order is made without it.
    pub async fn new_order(
        &self,
        identifiers: &[Identifier],
        profile: Option<&str>,
        replaces: Option<&str>,
        not_after: Option<Timestamp>,
    ) -> Result<OrderAtCa, Error> {
        let directory = self.ca.directory().await?;
        let not_after = not_after.map(|at| format!("{at:.0}"));
        let replaces = replaces.filter(|_| directory.renewal_info.is_some());
        let mut order = NewOrder { identifiers, profile, replaces, not_after };
        let mut result = self.post(Resource::NewOrder, &directory.new_order, json(&order)).await;
        if let (Some(replaced), Err(error)) = (replaces, &result)
            && may_be_about_what_is_replaced(error)
        {
            tracing::info!(replaced, error = error.sentence(), "the CA takes no replacement, ordering without it");
            order.replaces = None;
            result = self.post(Resource::NewOrder, &directory.new_order, json(&order)).await;
        }
        let reply = result?;
        answers::order(&reply, location(&reply, "the URL of the order")?)
    }

    /// The order at `url` as it is now.
    pub async fn order(&self, url: &str) -> Result<OrderAtCa, Error> {
        let reply = self.post(Resource::Order, url, NOTHING).await?;
        answers::order(&reply, url.to_owned())
    }

    /// The authorization at `url` as it is now.
    pub async fn authorization(&self, url: &str) -> Result<AuthorizationAtCa, Error> {
        let reply = self.post(Resource::Authorization, url, NOTHING).await?;
        answers::authorization(&reply, url.to_owned())
    }

    /// Tells the CA that the answer to the challenge is in place (RFC 8555, section 7.5.1).
    pub async fn accept(&self, challenge_url: &str) -> Result<ChallengeAtCa, Error> {
        let reply = self.post(Resource::Challenge, challenge_url, "{}".to_owned()).await?;
        answers::challenge(&reply)
    }

    /// Hands in the CSR, in DER, of an order that is ready.
    pub async fn finalize(&self, order_url: &str, finalize_url: &str, csr_der: &[u8]) -> Result<OrderAtCa, Error> {
        let payload = json(&Finalize { csr: BASE64_URL_SAFE_NO_PAD.encode(csr_der) });
        let reply = self.post(Resource::Finalize, finalize_url, payload).await?;
        answers::order(&reply, order_url.to_owned())
    }

    /// Downloads a certificate chain, leaf first, in PEM. With `preferred_chain` the first chain whose
    /// certificate nearest the root was issued by that common name, at the price of a request for each
    /// alternate that is looked at; the CA's own when none is.
    pub async fn certificate(&self, url: &str, preferred_chain: Option<&str>) -> Result<String, Error> {
        let reply = self.download(url).await?;
        let default = chain::read(&reply)?;
        let Some(preferred) = preferred_chain.filter(|name| !name.is_empty() && !chain::leads_to(&default, name))
        else {
            return Ok(chain::encode(&default));
        };
        for alternate in chain::alternates(&reply) {
            let candidate = chain::read(&self.download(&alternate).await?)?;
            if chain::leads_to(&candidate, preferred) {
                return Ok(chain::encode(&candidate));
            }
        }
        Ok(chain::encode(&default))
    }

    /// Revokes a certificate in DER, which this account ordered or may order.
    pub async fn revoke(&self, certificate: &[u8], reason: Reason) -> Result<Revocation, Error> {
        revoke(&self.ca, self.signer(), certificate, reason).await
    }

    /// Gives the account another key (RFC 8555, section 7.3.5). Afterwards this one signs for it no more.
    pub async fn change_key(&self, new: &AccountKey) -> Result<(), Error> {
        let url = self.ca.directory().await?.key_change.clone();
        let url = url.ok_or_else(|| Error::Offer { url: self.ca.directory_url().to_owned(), what: "keyChange" })?;
        let request = take_over(new, &self.key, &self.uri, &url)?;
        self.post(Resource::KeyChange, &url, json(&request)).await.map(drop)
    }

    /// Ends the account for good (RFC 8555, section 7.3.6).
    pub async fn deactivate(&self) -> Result<(), Error> {
        self.post(Resource::Account, &self.uri, r#"{"status":"deactivated"}"#.to_owned()).await.map(drop)
    }

    /// What an HTTP-01 challenge must answer (RFC 8555, section 8.1), and what the certificate of a
    /// TLS-ALPN-01 challenge holds the digest of.
    pub fn key_authorization(&self, token: &str) -> String {
        format!("{token}.{}", self.key.thumbprint())
    }

    /// What the CA calls itself in records of the DNS that say who may sign; empty when it does not say.
    pub async fn caa_identities(&self) -> Result<Vec<String>, Error> {
        let directory = self.ca.directory().await?;
        Ok(directory.meta.as_ref().map(|meta| meta.caa_identities.clone()).unwrap_or_default())
    }

    /// The labels before a name at which this account shows what answers a DNS-ACCOUNT-01 challenge
    /// (draft-ietf-acme-dns-account-label).
    pub fn dns_account_prefix(&self) -> String {
        let digest = digest(&SHA256, self.uri.as_bytes());
        format!("_{}._acme-challenge", base32(&digest.as_ref()[..10]))
    }

    /// The TXT record that answers a DNS-01 challenge (RFC 8555, section 8.4).
    pub fn dns01_value(&self, token: &str) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, self.key_authorization(token).as_bytes()))
    }

    async fn download(&self, url: &str) -> Result<Reply, Error> {
        let accept = Some("application/pem-certificate-chain");
        let post = SignedPost { resource: Resource::Certificate, url, signer: self.signer(), payload: NOTHING, accept };
        self.ca.send(post).await
    }

    async fn post(&self, resource: Resource, url: &str, payload: String) -> Result<Reply, Error> {
        self.ca.post(resource, url, self.signer(), payload).await
    }

    fn signer(&self) -> Signer<'_> {
        Signer::Account(&self.key, &self.uri)
    }
}

/// In lower case, without padding (RFC 4648, section 6): for whole groups of 5 bytes, which need none.
fn base32(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let group = |five: &[u8]| five.iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
    let letter = |bits: u64, place: u32| char::from(ALPHABET[(bits >> (35 - 5 * place) & 31) as usize]);
    bytes.chunks_exact(5).map(group).flat_map(|bits| (0..8).map(move |place| letter(bits, place))).collect()
}

/// Whether an order may have been refused for the certificate that it says it replaces: CAs differ in what
/// they call that, `alreadyReplaced` apart. What is about its names, its account or the CA's limits is not.
fn may_be_about_what_is_replaced(error: &Error) -> bool {
    const TYPES: [&str; 5] = ["alreadyReplaced", "conflict", "malformed", "unauthorized", "serverInternal"];
    error.problem().is_some_and(|problem| {
        problem.retry_after.is_none() && (problem.status == 404 || TYPES.contains(&problem.acme_type()))
    })
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("uri", &self.uri).field("key", &self.key).finish_non_exhaustive()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NewOrder<'a> {
    identifiers: &'a [Identifier],
    #[serde(skip_serializing_if = "Option::is_none")]
    profile: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replaces: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_after: Option<String>,
}

#[derive(Serialize)]
struct Finalize {
    csr: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors of RFC 4648, section 10, that fill whole groups, and the label of the draft's example account.
    #[test]
    fn a_digest_becomes_a_label() {
        assert_eq!(base32(b"fooba"), "mzxw6ytb");
        let account = digest(&SHA256, b"https://example.com/acme/acct/ExampleAccount");
        assert_eq!(base32(&account.as_ref()[..10]), "ujmmovf2vn55tgye");
    }
}
