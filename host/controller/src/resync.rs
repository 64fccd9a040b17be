//! What stands in for the watches of Secrets where there are none: every object that rests on Secrets is
//! looked at once in a period, one after the other, and reads them by name.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::Client;

use crate::context::Context;
use crate::error::sentence;
use crate::issuers::{AnyIssuer, named_secrets};
use crate::key::Key;
use crate::stores::Stored;
use crate::watch;

/// Looks at everything once in each `period`, evenly spread, for as long as the process leads.
pub(crate) async fn run(cx: Arc<Context>, client: Client, period: Duration) {
    // Not asked before anything is decided: a change between the two would never be noticed.
    let mut known = HashMap::new();
    loop {
        let certificates = cx.stores.certificates.all();
        let pause = period / u32::try_from(certificates.len().max(1)).unwrap_or(u32::MAX);
        for certificate in &certificates {
            cx.queues.certificates.add(Key::of(&**certificate));
            cx.queues.revocations.add(Key::of(&**certificate));
            tokio::time::sleep(pause).await;
        }
        if certificates.is_empty() {
            tokio::time::sleep(pause).await;
        }
        let now = versions(&client, named(&cx)).await;
        for (key, version) in &now {
            // One that nobody named before may have come after the issuer that names it was looked at.
            if known.get(key) != Some(version) {
                watch::secret_changed(&cx, &key.namespace, &key.name);
            }
        }
        known = now;
    }
}

/// The Secrets that issuers name.
fn named(cx: &Context) -> BTreeSet<Key> {
    let issuers = cx.stores.issuers.all().into_iter().map(AnyIssuer::Issuer);
    let cluster_issuers = cx.stores.cluster_issuers.all().into_iter().map(AnyIssuer::ClusterIssuer);
    let keys = issuers.chain(cluster_issuers).flat_map(|issuer| {
        let namespace = issuer.secrets_in(&cx.settings);
        let list = crate::crl::secret_name(&issuer);
        let names = named_secrets(issuer.spec()).into_iter().chain(list);
        names.map(|name| Key::new(namespace.clone(), name)).collect::<Vec<_>>()
    });
    keys.collect()
}

/// As which versions they are there; none for one that is not. One that can not be read is left out.
async fn versions(client: &Client, keys: BTreeSet<Key>) -> HashMap<Key, Option<String>> {
    let mut versions = HashMap::new();
    for key in keys {
        match Secret::api(client, &key.namespace).get_metadata_opt(&key.name).await {
            Ok(found) => drop(versions.insert(key, found.and_then(|secret| secret.metadata.resource_version))),
            Err(error) => tracing::warn!(secret = %key, error = sentence(&error), "could not look at a Secret"),
        }
    }
    versions
}
