//! Secrets: ours from the cache, everybody else's from the API server at the moment of use.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Secret;
use signet_api::labels;

use crate::context::Context;
use crate::error::Error;
use crate::key::Key;
use crate::writer::Writer;

/// The key of a private key in a Secret.
pub(crate) const TLS_KEY: &str = "tls.key";
/// The key of a certificate with its chain in a Secret.
pub(crate) const TLS_CRT: &str = "tls.crt";
/// The key of the authority's certificate in a Secret.
pub(crate) const CA_CRT: &str = "ca.crt";

/// The Secret at `key`, whoever it belongs to.
pub(crate) async fn read(cx: &Context, key: &Key) -> Result<Option<Arc<Secret>>, Error> {
    read_by(&cx.writer, key).await
}

/// The same for those who have no part in reconciles.
pub(crate) async fn read_by(writer: &Writer, key: &Key) -> Result<Option<Arc<Secret>>, Error> {
    match writer.stores().secrets.get(key) {
        Some(cached) => Ok(Some(cached)),
        None => writer.read(key).await,
    }
}

/// One value of a Secret, unless it is missing or empty.
pub(crate) fn value<'a>(secret: &'a Secret, key: &str) -> Option<&'a [u8]> {
    let data = secret.data.as_ref()?;
    data.get(key).map(|bytes| bytes.0.as_slice()).filter(|bytes| !bytes.is_empty())
}

/// The label by which our Secrets are watched.
pub(crate) fn ours() -> (String, String) {
    (labels::WATCHED.to_owned(), "true".to_owned())
}
