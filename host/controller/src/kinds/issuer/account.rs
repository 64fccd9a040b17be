//! The key of an account in its Secret, the one that is to follow it, and what is asked of the CA with them.

use std::sync::Arc;

use base64::prelude::{BASE64_STANDARD, Engine};
use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt;
use serde_json::{Value, json};
use signet_acme::AccountKey;
use signet_api::issuer::AcmeIssuer;
use signet_api::{IssuerRef, Order, State};
use signet_core::failure::{Failure, Retry};

use crate::accounts::KeyState;
use crate::context::Context;
use crate::error::Error;
use crate::issuers::AnyIssuer;
use crate::key::Key;
use crate::secrets;
use crate::stores::refers_to;
use crate::writer::MANAGER;

/// Puts a new account key into a Secret, which may exist without it.
pub(super) async fn create_key(cx: &Context, place: &Key, field: &str) -> Result<(), Error> {
    let (_, pem) = generate(place)?;
    if secrets::read(cx, place).await?.is_some() {
        let (label, watched) = secrets::ours();
        let labels = json!({ label: watched });
        let fields = json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "labels": labels },
            "stringData": { field: pem } });
        return cx.writer.apply::<Secret>(place, MANAGER, &fields).await;
    }
    let secret = Secret {
        metadata: ObjectMeta {
            name: Some(place.name.clone()),
            namespace: Some(place.namespace.clone()),
            labels: Some([secrets::ours()].into()),
            ..ObjectMeta::default()
        },
        type_: Some("Opaque".to_owned()),
        data: Some([(field.to_owned(), ByteString(pem.into_bytes()))].into()),
        ..Secret::default()
    };
    cx.writer.create(&secret).await
}

/// Puts the key that is to follow beside the account key, unless there is one.
pub(super) async fn create_next_key(cx: &Context, place: &Key, field: &str) -> Result<(), Error> {
    let (_, pem) = generate(place)?;
    let Some(secret) = secrets::read(cx, place).await?.filter(|secret| secrets::value(secret, field).is_none()) else {
        return Ok(());
    };
    cx.writer.patch(&*secret, values(json!({ field: BASE64_STANDARD.encode(pem) }))).await
}

/// Puts the key that follows, which has this digest, in the place of the account key.
pub(super) async fn take_next_key(cx: &Context, place: &Key, field: &str, next: &str, hash: &str) -> Result<(), Error> {
    let Some(secret) = secrets::read(cx, place).await? else { return Ok(()) };
    let pem = secrets::value(&secret, next).unwrap_or_default();
    let read = std::str::from_utf8(pem).ok().and_then(|text| AccountKey::from_pem(text).ok());
    if read.is_none_or(|key| key.thumbprint() != hash) {
        // Somebody has put another one there since; the next decision sees it.
        return Ok(());
    }
    cx.writer.patch(&*secret, values(json!({ field: BASE64_STANDARD.encode(pem), next: null }))).await
}

/// Has the CA take the key that follows, if it still is the one with this digest.
pub(super) async fn roll_over(cx: &Context, any: &AnyIssuer, hash: &str) -> Result<Result<(), Failure>, Error> {
    let next = match cx.accounts.next_key(cx, any).await? {
        KeyState::Present(next) if next.thumbprint() == hash => next,
        _ => return Ok(Err(changed())),
    };
    match account(cx, any).await? {
        Some((acme, uri, key)) => Ok(cx.accounts.roll_over(&acme, &uri, &key, &next).await),
        None => Ok(Err(changed())),
    }
}

/// Ends the account, if its key still is the one with this digest.
pub(super) async fn deactivate(cx: &Context, any: &AnyIssuer, hash: &str) -> Result<Result<(), Failure>, Error> {
    match account(cx, any).await? {
        Some((acme, uri, key)) if key.thumbprint() == hash => Ok(cx.accounts.deactivate(&acme, &uri, &key).await),
        _ => Ok(Err(changed())),
    }
}

/// The account that the status tells of.
async fn account(cx: &Context, any: &AnyIssuer) -> Result<Option<(AcmeIssuer, String, AccountKey)>, Error> {
    let uri = any.status().and_then(|status| status.acme.as_ref()?.uri.clone());
    let (Some(acme), Some(uri)) = (any.acme().cloned(), uri) else { return Ok(None) };
    match cx.accounts.key(cx, any).await? {
        KeyState::Present(key) => Ok(Some((acme, uri, key))),
        KeyState::Missing | KeyState::Invalid(_) => Ok(None),
    }
}

/// How many Orders of the issuer the CA has and has not yet ended.
pub(super) fn orders_under_way(cx: &Context, any: &AnyIssuer) -> usize {
    let group = refers_to(&IssuerRef { name: any.name(), ..IssuerRef::default() });
    let is_under_way = |order: &&Arc<Order>| {
        let status = order.status.clone().unwrap_or_default();
        let namespace = order.namespace().unwrap_or_default();
        let is_ours =
            || AnyIssuer::find(&cx.stores, &namespace, &order.spec.issuer_ref).is_ok_and(|found| found.is(any));
        status.url.is_some() && !status.state.is_some_and(State::is_final) && is_ours()
    };
    cx.stores.orders.group(&group).iter().filter(is_under_way).count()
}

fn changed() -> Failure {
    let message = "the account key has changed since it was looked at".to_owned();
    let retry = Retry::Later(std::time::Duration::from_secs(1));
    Failure { reason: "ErrVerifyACMEAccount".to_owned(), message, retry, at: Timestamp::now() }
}

fn generate(place: &Key) -> Result<(AccountKey, String), Error> {
    AccountKey::generate()
        .map_err(|error| Error::Make { what: format!("the account key in Secret {place}"), why: error.sentence() })
}

/// A patch of a Secret's values. It is watched from then on: one that was not ours may change as well.
fn values(values: Value) -> Value {
    let (label, watched) = secrets::ours();
    let labels = json!({ label: watched });
    json!({ "metadata": { "labels": labels }, "data": values })
}
