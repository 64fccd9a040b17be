//! One client for each CA endpoint, shared by every issuer and task that uses it.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use signet_core::acme::RenewalAtCa;
use signet_core::revocation::Reason;

use crate::gaps::directory::{self, Directory};
use crate::gaps::jws::{Jws, Signer};
use crate::gaps::signed::{self, Nonces, SignedPost};
use crate::http::{HttpClient, Reply};
use crate::observer::{Observer, Resource};
use crate::problem::shorten;
use crate::revoke::revoke;
use crate::{Account, AccountKey, Eab, Error, Revocation, answers, renewal};

/// How many endpoints to keep when nobody uses them.
const IDLE_ENDPOINTS: usize = 32;
/// The longest address that is passed on.
const MAX_URL: usize = 500;

/// A CA and how to trust it: the part of an issuer that decides what connection is made.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// `spec.acme.server`.
    pub directory_url: String,
    /// `spec.acme.caBundle`, decoded: PEM. It replaces the public roots.
    pub ca_bundle: Option<Vec<u8>>,
    pub skip_tls_verify: bool,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bundle = self.ca_bundle.as_ref().map(Vec::len);
        write!(f, "Endpoint({}, bundle {bundle:?}, skip {})", self.directory_url, self.skip_tls_verify)
    }
}

/// An account as the CA knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// The URL of the account: `status.acme.uri`.
    pub uri: String,
    /// Whether this call made the account.
    pub created: bool,
    /// A page with the terms that whoever has an account agrees to.
    pub terms_of_service: Option<String>,
    /// What the CA calls itself in records of the DNS that say who may sign; empty when it does not say.
    pub caa_identities: Vec<String>,
}

/// The clients of every endpoint in use.
pub struct Clients {
    observer: Arc<dyn Observer>,
    cas: Mutex<HashMap<Endpoint, Arc<Ca>>>,
}

impl Clients {
    pub fn new(observer: Arc<dyn Observer>) -> Self {
        Self { observer, cas: Mutex::default() }
    }

    /// Makes the account of `key`, or finds it when it exists; the contact becomes `email`, which is an
    /// address without a scheme. Agrees to the terms of service, as the issuer's owner did by naming the
    /// CA. Two requests, or three when the contact of an existing account changes.
    pub async fn register(
        &self,
        endpoint: &Endpoint,
        key: &AccountKey,
        email: Option<&str>,
        eab: Option<&Eab>,
    ) -> Result<Registration, Error> {
        let ca = self.ca(endpoint);
        let directory = ca.directory().await?;
        let contact: Vec<String> = email.map(|email| format!("mailto:{email}")).into_iter().collect();
        let binding = eab.map(|eab| eab.bind(key, &directory.new_account)).transpose()?;
        let request =
            NewAccount { terms_of_service_agreed: true, contact: &contact, external_account_binding: binding.as_ref() };
        let url = &directory.new_account;
        let reply = ca.post(Resource::NewAccount, url, Signer::Key(key), json(&request)).await?;
        let uri = location(&reply, "the URL of the account")?;
        let created = reply.status == http::StatusCode::CREATED;
        let known: KnownAccount = answers::read(&reply, "account")?;
        if !created && known.contact.unwrap_or_default() != contact {
            let signer = Signer::Account(key, &uri);
            ca.post(Resource::Account, &uri, signer, json(&Contact { contact: &contact })).await?;
        }
        let terms = directory.meta.as_ref().and_then(|meta| meta.terms_of_service.as_deref());
        let terms_of_service = terms.map(|url| shorten(url, MAX_URL));
        let caa_identities = directory.meta.as_ref().map(|meta| meta.caa_identities.clone()).unwrap_or_default();
        Ok(Registration { uri, created, terms_of_service, caa_identities })
    }

    /// The URL of the account that `key` has, if it has one (RFC 8555, section 7.3.1).
    pub async fn find(&self, endpoint: &Endpoint, key: &AccountKey) -> Result<Option<String>, Error> {
        let ca = self.ca(endpoint);
        let directory = ca.directory().await?;
        let request = r#"{"onlyReturnExisting":true}"#.to_owned();
        match ca.post(Resource::NewAccount, &directory.new_account, Signer::Key(key), request).await {
            Ok(reply) => location(&reply, "the URL of the account").map(Some),
            Err(error) if error.is_acme("accountDoesNotExist") => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The account at `uri`, which [`Self::register`] gave. Makes no request.
    pub fn account(&self, endpoint: &Endpoint, key: &AccountKey, uri: &str) -> Account {
        Account::new(self.ca(endpoint), key.clone(), uri.to_owned())
    }

    /// Revokes a certificate in DER with its own key, whichever account ordered it.
    pub async fn revoke_with_key(
        &self,
        endpoint: &Endpoint,
        key: &AccountKey,
        certificate: &[u8],
        reason: Reason,
    ) -> Result<Revocation, Error> {
        revoke(&self.ca(endpoint), Signer::Key(key), certificate, reason).await
    }

    /// When the CA would like to see the certificate of that name ([`crate::certificate_id`]) renewed; none
    /// when it does not say such things.
    pub async fn renewal_info(&self, endpoint: &Endpoint, id: &str) -> Result<Option<RenewalAtCa>, Error> {
        renewal::fetch(&self.ca(endpoint), id).await
    }

    fn ca(&self, endpoint: &Endpoint) -> Arc<Ca> {
        let mut cas = self.cas.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ca) = cas.get(endpoint) {
            return ca.clone();
        }
        if cas.len() >= IDLE_ENDPOINTS {
            cas.retain(|_, ca| Arc::strong_count(ca) > 1);
        }
        let ca = Arc::new(Ca::new(endpoint.clone(), self.observer.clone()));
        cas.insert(endpoint.clone(), ca.clone());
        ca
    }
}

/// What the tasks that use one endpoint share.
pub(crate) struct Ca {
    endpoint: Endpoint,
    observer: Arc<dyn Observer>,
    http: tokio::sync::OnceCell<HttpClient>,
    directory: tokio::sync::Mutex<Option<Arc<Directory>>>,
    nonces: Nonces,
}

impl Ca {
    fn new(endpoint: Endpoint, observer: Arc<dyn Observer>) -> Self {
        Self { endpoint, observer, http: Default::default(), directory: Default::default(), nonces: Nonces::default() }
    }

    pub(crate) fn directory_url(&self) -> &str {
        &self.endpoint.directory_url
    }

    /// The directory, fetched when we have none. Tasks that come meanwhile wait for that one fetch.
    pub(crate) async fn directory(&self) -> Result<Arc<Directory>, Error> {
        let mut kept = self.directory.lock().await;
        if let Some(directory) = kept.as_ref() {
            return Ok(directory.clone());
        }
        let directory = Arc::new(directory::fetch(self.http().await?, &self.endpoint.directory_url).await?);
        *kept = Some(directory.clone());
        Ok(directory)
    }

    /// One signed POST with the answer in JSON.
    pub(crate) async fn post(
        &self,
        resource: Resource,
        url: &str,
        signer: Signer<'_>,
        payload: String,
    ) -> Result<Reply, Error> {
        self.send(SignedPost { resource, url, signer, payload, accept: None }).await
    }

    pub(crate) async fn send(&self, post: SignedPost<'_>) -> Result<Reply, Error> {
        let directory = self.directory().await?;
        let result = signed::post(self.http().await?, &self.nonces, &directory.new_nonce, &post).await;
        if result.as_ref().is_err_and(says_that_we_are_lost) {
            *self.directory.lock().await = None;
        }
        result
    }

    pub(crate) async fn http(&self) -> Result<&HttpClient, Error> {
        self.http.get_or_try_init(|| async { HttpClient::new(&self.endpoint, self.observer.clone()) }).await
    }
}

/// Whether the CA may have moved, so that its directory must be read again. One that asks for patience has
/// not, and is spared that question.
fn says_that_we_are_lost(error: &Error) -> bool {
    match error {
        _ if error.asks_for_patience() => false,
        Error::Reach { .. } | Error::AwaitReply { .. } | Error::ReceiveStatus { .. } | Error::FollowRedirect { .. } => {
            true
        }
        Error::Refuse(problem) => matches!(problem.status, 404 | 405 | 410),
        _ => false,
    }
}

pub(crate) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("requests hold strings, lists and booleans only")
}

pub(crate) fn location(reply: &Reply, what: &'static str) -> Result<String, Error> {
    reply.header("location").map(str::to_owned).ok_or_else(|| Error::Miss { host: reply.host.clone(), what })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NewAccount<'a> {
    terms_of_service_agreed: bool,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    contact: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    external_account_binding: Option<&'a Jws>,
}

#[derive(Serialize)]
struct Contact<'a> {
    contact: &'a [String],
}

#[derive(Deserialize)]
struct KnownAccount {
    contact: Option<Vec<String>>,
}
