//! The one writer to the cluster. Each answer of the API server goes into the caches before
//! anything is decided again.
//!
//! A step that was taken before is taken again without harm: what exists already and is ours is
//! taken as made, and what is gone is taken as deleted.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::{Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::error::Error;
use crate::key::Key;
use crate::stores::{Stored, Stores};

/// The name under which our fields are managed.
pub(crate) const MANAGER: &str = "signet";

/// Writes, and keeps the caches true.
#[derive(Clone)]
pub(crate) struct Writer {
    client: Client,
    stores: Arc<Stores>,
}

/// Whether somebody else writes the status of a kind, so that ours must not undo it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Contested {
    Yes,
    No,
}

impl Writer {
    pub(crate) fn new(client: Client, stores: Arc<Stores>) -> Self {
        Self { client, stores }
    }

    pub(crate) fn stores(&self) -> &Arc<Stores> {
        &self.stores
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Creates an object. One of that name and the same owner, which an earlier attempt made, is as good.
    pub(crate) async fn create<K: Stored>(&self, object: &K) -> Result<(), Error> {
        let key = Key::of(object);
        let api = K::api(&self.client, &key.namespace);
        let made = match api.create(&parameters(), object).await {
            Err(error) if is_code(&error, 409) => {
                let found = api.get(&key.name).await.map_err(|source| read::<K>(&key, source))?;
                if !same_owner(&found, object) {
                    return Err(Error::Occupied { what: describe::<K>(&key) });
                }
                found
            }
            other => other.map_err(|source| write::<K>(&key, source))?,
        };
        tracing::info!(kind = %K::kind(&()), object = %key, "created");
        K::cache(&self.stores).put(made);
        Ok(())
    }

    /// Server-side apply of `fields`, under the name of `manager`.
    pub(crate) async fn apply<K: Stored>(&self, key: &Key, manager: &str, fields: &Value) -> Result<(), Error> {
        let parameters = PatchParams::apply(manager).force();
        let api = K::api(&self.client, &key.namespace);
        let stored = api.patch(&key.name, &parameters, &Patch::Apply(fields)).await;
        let stored = stored.map_err(|source| write::<K>(key, source))?;
        tracing::info!(kind = %K::kind(&()), object = %key, "applied");
        K::cache(&self.stores).put(stored);
        Ok(())
    }

    /// Writes a status: what differs from the old one.
    pub(crate) async fn status<K: Stored, S: Serialize>(
        &self,
        object: &K,
        old: &S,
        new: &S,
        contested: Contested,
    ) -> Result<(), Error> {
        let json = |status: &S| serde_json::to_value(status).expect("a status is plain data");
        let mut patch = json!({ "status": difference(&json(old), &json(new)) });
        if contested == Contested::Yes {
            patch["metadata"] = json!({ "resourceVersion": object.resource_version() });
        }
        let key = Key::of(object);
        let api = K::api(&self.client, &key.namespace);
        let written = api.patch_status(&key.name, &PatchParams::default(), &Patch::Merge(&patch)).await;
        self.take_in(&key, written).await
    }

    /// Changes an object by a JSON merge patch (RFC 7396), if it still is as it was read.
    pub(crate) async fn patch<K: Stored>(&self, object: &K, mut patch: Value) -> Result<(), Error> {
        patch["metadata"]["resourceVersion"] = json!(object.resource_version());
        let key = Key::of(object);
        let api = K::api(&self.client, &key.namespace);
        let written = api.patch(&key.name, &patch_parameters(), &Patch::Merge(&patch)).await;
        tracing::info!(kind = %K::kind(&()), object = %key, "changed");
        self.take_in(&key, written).await
    }

    /// Takes a finalizer off.
    pub(crate) async fn remove_finalizers<K: Stored>(&self, object: &K, finalizers: &[&str]) -> Result<(), Error> {
        let key = Key::of(object);
        let kept: Vec<_> =
            object.finalizers().iter().filter(|name| !finalizers.contains(&name.as_str())).cloned().collect();
        let patch = json!({ "metadata": { "finalizers": kept, "resourceVersion": object.resource_version() } });
        let api = K::api(&self.client, &key.namespace);
        let written = api.patch(&key.name, &PatchParams::default(), &Patch::Merge(&patch)).await;
        match &written {
            // The last finalizer of an object that is being deleted: it is gone with this write.
            Ok(last) if kept.is_empty() && last.meta().deletion_timestamp.is_some() => {
                K::cache(&self.stores).remove(last);
                Ok(())
            }
            _ => self.take_in(&key, written).await,
        }
    }

    /// Deletes an object; one that is gone is as good.
    pub(crate) async fn delete<K: Stored>(&self, object: &K) -> Result<(), Error> {
        let key = Key::of(object);
        let only = Preconditions { uid: object.uid(), resource_version: None };
        let parameters = DeleteParams { preconditions: Some(only), ..DeleteParams::background() };
        match K::api(&self.client, &key.namespace).delete(&key.name, &parameters).await {
            Ok(answer) => match answer.left().filter(|going| !going.finalizers().is_empty()) {
                Some(going) => drop(K::cache(&self.stores).put(going)),
                None => drop(K::cache(&self.stores).remove(object)),
            },
            Err(error) if is_code(&error, 404) => drop(K::cache(&self.stores).remove(object)),
            // Another object has its name, or the API server could not get to it.
            Err(error) if is_code(&error, 409) => {
                match self.read::<K>(&key).await?.filter(|there| there.uid() == object.uid()) {
                    Some(there) => {
                        K::cache(&self.stores).put(there);
                        return Err(Error::Conflict { what: describe::<K>(&key) });
                    }
                    None => drop(K::cache(&self.stores).remove(object)),
                }
            }
            Err(source) => return Err(write::<K>(&key, source)),
        }
        tracing::info!(kind = %K::kind(&()), object = %key, "deleted");
        Ok(())
    }

    /// Reads an object past the cache.
    pub(crate) async fn read<K: Stored>(&self, key: &Key) -> Result<Option<Arc<K>>, Error> {
        let found = K::api(&self.client, &key.namespace).get_opt(&key.name).await;
        Ok(found.map_err(|source| read::<K>(key, source))?.map(Arc::new))
    }

    async fn take_in<K: Stored>(&self, key: &Key, written: kube::Result<K>) -> Result<(), Error> {
        let cache = K::cache(&self.stores);
        match written {
            Ok(object) => {
                cache.put(object);
                Ok(())
            }
            Err(error) if is_code(&error, 404) => {
                cache.remove_key(key);
                Ok(())
            }
            Err(error) if is_code(&error, 409) => {
                match self.read::<K>(key).await? {
                    Some(newer) => drop(cache.put(newer)),
                    None => cache.remove_key(key),
                }
                Err(Error::Conflict { what: describe::<K>(key) })
            }
            Err(source) => Err(write::<K>(key, source)),
        }
    }
}

fn patch_parameters() -> PatchParams {
    PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() }
}

fn parameters() -> PostParams {
    PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() }
}

/// Whether the API server answered with this status.
pub(crate) fn is_code(error: &kube::Error, code: u16) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == code)
}

fn same_owner<K: Resource>(found: &K, wanted: &K) -> bool {
    let owner = |object: &K| object.owner_references().first().map(|owner| owner.uid.clone());
    found.meta().deletion_timestamp.is_none() && owner(found) == owner(wanted)
}

fn describe<K: Stored>(key: &Key) -> String {
    format!("{} {key}", K::kind(&()))
}

fn read<K: Stored>(key: &Key, source: kube::Error) -> Error {
    Error::Read { what: describe::<K>(key), source: Box::new(source) }
}

fn write<K: Stored>(key: &Key, source: kube::Error) -> Error {
    Error::Write { what: describe::<K>(key), source: Box::new(source) }
}

/// The reference that makes `owner` the controller of an object.
pub(crate) fn controlled_by<K>(owner: &K) -> Option<Vec<OwnerReference>>
where
    K: Resource<DynamicType = ()> + DeserializeOwned,
{
    owner
        .controller_owner_ref(&())
        .map(|reference| vec![OwnerReference { block_owner_deletion: Some(true), ..reference }])
}

/// The JSON merge patch (RFC 7396) that makes `new` of `old`.
pub(crate) fn difference(old: &Value, new: &Value) -> Value {
    let (Value::Object(before), Value::Object(after)) = (old, new) else { return new.clone() };
    let removed = before.keys().filter(|key| !after.contains_key(*key)).map(|key| (key.clone(), Value::Null));
    let changed = after.iter().filter(|(key, value)| before.get(*key) != Some(value)).map(|(key, value)| {
        let change = before.get(key).map_or_else(|| value.clone(), |old| difference(old, value));
        (key.clone(), change)
    });
    Value::Object(removed.chain(changed).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_applied_gives_the_new_value() {
        for (old, new) in [
            (json!({}), json!({ "a": 1, "b": { "c": [1] } })),
            (json!({ "a": 1, "b": { "c": [1], "d": 2 } }), json!({ "b": { "c": [2] } })),
            (json!({ "a": { "b": 1 } }), json!({ "a": 7 })),
            (json!({ "a": 1 }), json!({ "a": 1 })),
        ] {
            let patch = difference(&old, &new);
            let mut patched = old.clone();
            json_patch::merge(&mut patched, &patch);
            assert_eq!(patched, new, "{old} {patch}");
        }
        assert_eq!(difference(&json!({ "a": 1 }), &json!({ "a": 1 })), json!({}));
    }
}
