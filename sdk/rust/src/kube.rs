//! Objects of the Kubernetes API, as JSON: of the kinds that the solver's manifest asks for and
//! the operator granted, in the Challenge's namespace only.

use serde_json::Value;

use crate::bindings::kube;
use crate::{Error, Result};

/// Creates or updates `object` by server-side apply, owned by the Challenge, so that it goes when
/// the Challenge goes. It needs apiVersion, kind and metadata.name. Returns the stored object.
///
/// # Errors
/// What the API server said: [`Error::Auth`] without a grant, [`Error::Config`] or
/// [`Error::Permanent`] when it refuses the object.
pub fn apply(object: &Value) -> Result<Value> {
    Ok(serde_json::from_str(&kube::apply(&object.to_string())?)?)
}

/// The object, or none when there is none.
///
/// # Errors
/// [`Error::Auth`] without a grant, else what the API server said.
pub fn get(api_version: &str, kind: &str, name: &str) -> Result<Option<Value>> {
    let object = kube::get(api_version, kind, name)?;
    Ok(object.as_deref().map(serde_json::from_str).transpose()?)
}

/// Changes an object that the Challenge does not own by a JSON Patch (RFC 6902), an array of
/// operations. Returns the stored object.
///
/// # Errors
/// [`Error::Auth`] when the grant lacks `patch`, else what the API server said.
pub fn patch(api_version: &str, kind: &str, name: &str, patch: &Value) -> Result<Value> {
    Ok(serde_json::from_str(&kube::patch(api_version, kind, name, &patch.to_string())?)?)
}

/// Deletes an object that the Challenge owns; one that is already gone is no error.
///
/// # Errors
/// [`Error::Auth`] without a grant, else what the API server said.
pub fn delete(api_version: &str, kind: &str, name: &str) -> Result<()> {
    kube::delete(api_version, kind, name).map_err(Error::from)
}

/// A token for the ServiceAccount that the solver's stanza names under `serviceAccountRef`, for a
/// provider that trusts the cluster's tokens.
///
/// # Errors
/// [`Error::Auth`] for any other name, [`Error::NotFound`] when it does not exist.
pub fn service_account_token(name: &str, audiences: &[String]) -> Result<crate::Secret> {
    let token = kube::service_account_token(name, audiences)?;
    Ok(crate::Secret::from(token))
}
