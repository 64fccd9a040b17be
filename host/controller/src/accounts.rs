//! ACME accounts: the key out of its Secret, the address out of the issuer's status.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use signet_acme::{Account, AccountKey, Clients, Eab, Endpoint, MacAlgorithm, Observer, Registration, Revocation};
use signet_api::IssuerRef;
use signet_api::issuer::{AcmeIssuer, EabKeyAlgorithm};
use signet_core::acme::RenewalAtCa;
use signet_core::failure::{Failure, Retry};
use signet_core::issuer::next_key;
use signet_core::revocation::Reason;

use crate::context::Context;
use crate::error::Error;
use crate::issuers::AnyIssuer;
use crate::key::Key;
use crate::secrets::{self, TLS_KEY};

/// "At once" of what failed at a CA: nobody is served by asking it as fast as it answers.
const AT_ONCE: Duration = Duration::from_secs(1);

/// What is needed to talk to CAs.
pub(crate) struct Accounts {
    clients: Clients,
}

/// What an account is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// Something that has yet to begin.
    New,
    /// Something that the CA is at work on, under the key that the account has.
    UnderWay,
}

/// The account key of an issuer, or the one that is to follow it.
pub(crate) enum KeyState {
    Missing,
    Invalid(String),
    Present(AccountKey),
}

impl Accounts {
    pub(crate) fn new(observer: Arc<dyn Observer>) -> Self {
        Self { clients: Clients::new(observer) }
    }

    /// The account of the issuer that `reference` means, or why there is none to use.
    pub(crate) async fn account(
        &self,
        cx: &Context,
        namespace: &str,
        reference: &IssuerRef,
        work: Work,
    ) -> Result<Result<Account, Failure>, Error> {
        let wait = |reason: &str, message: String| {
            Ok(Err(Failure { reason: reason.to_owned(), message, retry: Retry::OnChange, at: Timestamp::now() }))
        };
        let issuer = match AnyIssuer::find(&cx.stores, namespace, reference) {
            Ok(issuer) => issuer,
            Err(sentence) => return wait("IssuerNotFound", format!("{sentence}; make it, and this goes on")),
        };
        let able = match work {
            Work::New => issuer.takes_more(),
            Work::UnderWay => issuer.ready(),
        };
        if let Err(sentence) = able {
            return wait("IssuerNotReady", sentence);
        }
        let (kind, name) = (issuer.kind(), issuer.name());
        let Some(acme) = issuer.acme() else {
            return wait("IssuerNotACME", format!("{kind} {name} is no longer of type acme"));
        };
        let uri = issuer.status().and_then(|status| status.acme.as_ref()).and_then(|acme| acme.uri.clone());
        match (self.key(cx, &issuer).await?, uri) {
            (KeyState::Present(key), Some(uri)) => Ok(Ok(self.clients.account(&endpoint(acme), &key, &uri))),
            (KeyState::Invalid(why), _) => {
                wait("InvalidAccountKey", format!("the account key of {kind} {name} can not be used: {why}"))
            }
            (KeyState::Missing, _) | (_, None) => {
                wait("IssuerNotReady", format!("{kind} {name} has no account at the CA yet"))
            }
        }
    }

    /// The key in the Secret that `privateKeySecretRef` names.
    pub(crate) async fn key(&self, cx: &Context, issuer: &AnyIssuer) -> Result<KeyState, Error> {
        let Some(acme) = issuer.acme() else { return Ok(KeyState::Missing) };
        self.key_at(cx, issuer, acme, acme.private_key_secret_ref.key_or(TLS_KEY)).await
    }

    /// The key beside it that is to follow it.
    pub(crate) async fn next_key(&self, cx: &Context, issuer: &AnyIssuer) -> Result<KeyState, Error> {
        let Some(acme) = issuer.acme() else { return Ok(KeyState::Missing) };
        self.key_at(cx, issuer, acme, &next_key(acme.private_key_secret_ref.key_or(TLS_KEY))).await
    }

    async fn key_at(
        &self,
        cx: &Context,
        issuer: &AnyIssuer,
        acme: &AcmeIssuer,
        field: &str,
    ) -> Result<KeyState, Error> {
        let place = Key::new(issuer.secrets_in(&cx.settings), &acme.private_key_secret_ref.name);
        let secret = secrets::read(cx, &place).await?;
        let Some(pem) = secret.as_deref().and_then(|secret| secrets::value(secret, field)) else {
            return Ok(KeyState::Missing);
        };
        let read = std::str::from_utf8(pem).map_err(|_| "it is not text".to_owned());
        Ok(match read.and_then(|text| AccountKey::from_pem(text).map_err(|error| error.sentence())) {
            Ok(key) => KeyState::Present(key),
            Err(why) => KeyState::Invalid(why),
        })
    }

    /// When the issuer's CA would like to see the certificate of that name renewed; none when it does not
    /// say such things.
    pub(crate) async fn renewal_info(
        &self,
        acme: &AcmeIssuer,
        id: &str,
    ) -> Result<Option<RenewalAtCa>, signet_acme::Error> {
        self.clients.renewal_info(&endpoint(acme), id).await
    }

    /// Revokes a certificate, in DER, with its own key.
    pub(crate) async fn revoke_with_key(
        &self,
        acme: &AcmeIssuer,
        key: &AccountKey,
        certificate: &[u8],
        reason: Reason,
    ) -> Result<Revocation, Failure> {
        let answer = self.clients.revoke_with_key(&endpoint(acme), key, certificate, reason).await;
        answer.map_err(|error| failure(&error))
    }

    /// Makes or finds the account at the CA.
    pub(crate) async fn register(
        &self,
        cx: &Context,
        issuer: &AnyIssuer,
        acme: &AcmeIssuer,
        key: &AccountKey,
    ) -> Result<Result<Registration, Failure>, Error> {
        let eab = match eab(cx, issuer, acme).await? {
            Ok(eab) => eab,
            Err(failure) => return Ok(Err(failure)),
        };
        let email = acme.email.as_deref().filter(|email| !email.is_empty());
        let registered = self.clients.register(&endpoint(acme), key, email, eab.as_ref()).await;
        Ok(registered.map_err(|error| Failure { reason: "ErrRegisterACMEAccount".to_owned(), ..failure(&error) }))
    }

    /// Has the CA take `next` for the key of the account at `uri`, unless it has already.
    pub(crate) async fn roll_over(
        &self,
        acme: &AcmeIssuer,
        uri: &str,
        key: &AccountKey,
        next: &AccountKey,
    ) -> Result<(), Failure> {
        let endpoint = endpoint(acme);
        match self.clients.find(&endpoint, next).await.map_err(|error| failure(&error))? {
            Some(found) if found == uri => Ok(()),
            Some(found) => {
                let message = format!(
                    "the key that is to follow is that of another account, {found}; remove it from \
                                       Secret {}, and ask again",
                    acme.private_key_secret_ref.name
                );
                Err(Failure { reason: "CARefused".to_owned(), message, retry: Retry::Never, at: Timestamp::now() })
            }
            None => self.clients.account(&endpoint, key, uri).change_key(next).await.map_err(|error| failure(&error)),
        }
    }

    /// Ends the account at `uri`. One that the CA no longer takes anything from has ended.
    pub(crate) async fn deactivate(&self, acme: &AcmeIssuer, uri: &str, key: &AccountKey) -> Result<(), Failure> {
        let endpoint = endpoint(acme);
        let Err(error) = self.clients.account(&endpoint, key, uri).deactivate().await else { return Ok(()) };
        let is_over =
            |error: &signet_acme::Error| error.is_acme("unauthorized") || error.is_acme("accountDoesNotExist");
        if !is_over(&error) {
            return Err(failure(&error));
        }
        match self.clients.find(&endpoint, key).await {
            Ok(None) => Ok(()),
            Err(again) if is_over(&again) => Ok(()),
            Ok(Some(_)) | Err(_) => Err(failure(&error)),
        }
    }
}

pub(crate) fn endpoint(acme: &AcmeIssuer) -> Endpoint {
    Endpoint {
        directory_url: acme.server.clone(),
        ca_bundle: acme.ca_bundle.as_ref().map(|bundle| bundle.0.clone()).filter(|bundle| !bundle.is_empty()),
        skip_tls_verify: acme.skip_tls_verify,
    }
}

async fn eab(cx: &Context, issuer: &AnyIssuer, acme: &AcmeIssuer) -> Result<Result<Option<Eab>, Failure>, Error> {
    let Some(binding) = &acme.external_account_binding else { return Ok(Ok(None)) };
    let place = Key::new(issuer.secrets_in(&cx.settings), &binding.key_secret_ref.name);
    let field = binding.key_secret_ref.key_or("secret");
    let refuse = |message: String| {
        let reason = "InvalidExternalAccountBinding".to_owned();
        Ok(Err(Failure { reason, message, retry: Retry::OnChange, at: Timestamp::now() }))
    };
    let secret = secrets::read(cx, &place).await?;
    let Some(value) = secret.as_deref().and_then(|secret| secrets::value(secret, field)) else {
        return refuse(format!(
            "spec.acme.externalAccountBinding.keySecretRef: Secret {place} does not exist or has no {field}"
        ));
    };
    let algorithm = match binding.key_algorithm {
        None | Some(EabKeyAlgorithm::HS256) => MacAlgorithm::Hs256,
        Some(EabKeyAlgorithm::HS384) => MacAlgorithm::Hs384,
        Some(EabKeyAlgorithm::HS512) => MacAlgorithm::Hs512,
    };
    match Eab::new(&binding.key_id, value, algorithm) {
        Ok(eab) => Ok(Ok(Some(eab))),
        Err(error) => refuse(format!("{field} of Secret {place}: {}", error.sentence())),
    }
}

/// What a decision is told of an error of the CA's.
pub(crate) fn failure(error: &signet_acme::Error) -> Failure {
    let retry = match error.retry() {
        signet_acme::Retry::Now => Retry::Later(AT_ONCE),
        // A `Retry-After` of nothing would be a loop.
        signet_acme::Retry::Later(wait) => Retry::Later(wait.max(AT_ONCE)),
        signet_acme::Retry::Never => Retry::Never,
    };
    Failure { reason: error.reason().to_owned(), message: error.sentence(), retry, at: Timestamp::now() }
}
