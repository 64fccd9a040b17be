//! A namespace and a domain that nothing else in the lab uses, and the objects that a test makes and
//! waits for there.

use std::fmt::{Debug, Write};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::events::v1::Event;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use kube::{Api, Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use signet_lab::Lab;

use crate::seen::Seen;

/// How long anything may take on a machine that is busy with other things too.
pub const BOUND: Duration = Duration::from_secs(60);

/// A kind of object that has a namespace.
pub trait Kind:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + Clone
    + Debug
    + DeserializeOwned
    + Serialize
    + Send
    + Sync
    + 'static
{
}

impl<K> Kind for K where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + Debug
        + DeserializeOwned
        + Serialize
        + Send
        + Sync
        + 'static
{
}

/// What one test has to itself in a lab.
pub struct Stage<'a> {
    /// The lab.
    pub lab: &'a Lab,
    /// An administrator's client.
    pub client: Client,
    /// A namespace that nothing else uses.
    pub namespace: String,
    /// A domain that nothing else uses. It leads to Signet, as every name of the lab does.
    pub domain: String,
}

impl Stage<'static> {
    /// A stage in the lab that the tests of this program share.
    ///
    /// # Errors
    /// The lab can not make a namespace.
    pub async fn shared(prefix: &str) -> Result<Self> {
        Self::on(Lab::shared().await, prefix).await
    }
}

impl<'a> Stage<'a> {
    /// A stage in this lab.
    ///
    /// # Errors
    /// The lab can not make a namespace.
    pub async fn on(lab: &'a Lab, prefix: &str) -> Result<Self> {
        let namespace = lab.namespace(prefix).await?;
        let domain = format!("{namespace}.example");
        Ok(Self { lab, client: lab.client().await, namespace, domain })
    }

    /// The API of a kind in the namespace.
    pub fn api<K: Kind>(&self) -> Api<K> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Makes an object, from its spec as one would write it.
    ///
    /// # Errors
    /// The API server refuses it.
    pub async fn create<K: Kind>(&self, name: &str, spec: Value) -> Result<()> {
        let object = json!({ "apiVersion": K::api_version(&()), "kind": K::kind(&()),
            "metadata": { "name": name }, "spec": spec });
        let object: DynamicObject = serde_json::from_value(object)?;
        let resource = kube::api::ApiResource::erase::<K>(&());
        let api = Api::<DynamicObject>::namespaced_with(self.client.clone(), &self.namespace, &resource);
        api.create(&PostParams::default(), &object).await.with_context(|| format!("create {} {name}", K::kind(&())))?;
        Ok(())
    }

    /// Changes an object by a JSON merge patch.
    ///
    /// # Errors
    /// There is no such object, or the API server refuses the change.
    pub async fn patch<K: Kind>(&self, name: &str, patch: Value) -> Result<K> {
        let patched = self.api::<K>().patch(name, &PatchParams::default(), &Patch::Merge(patch)).await;
        patched.with_context(|| format!("patch {} {name}", K::kind(&())))
    }

    /// Deletes an object, and returns before it is gone.
    ///
    /// # Errors
    /// There is no such object.
    pub async fn delete<K: Kind>(&self, name: &str) -> Result<()> {
        let deleted = self.api::<K>().delete(name, &DeleteParams::background()).await;
        deleted.map(drop).with_context(|| format!("delete {} {name}", K::kind(&())))
    }

    /// The objects of a kind in the namespace.
    ///
    /// # Errors
    /// The API server does not answer.
    pub async fn list<K: Kind>(&self) -> Result<Vec<K>> {
        Ok(self.api::<K>().list(&Default::default()).await?.items)
    }

    /// The objects of a kind in the namespace, once there are so many.
    ///
    /// # Errors
    /// There are fewer or more when the bound is reached.
    pub async fn some<K: Kind>(&self, count: usize) -> Result<Vec<K>> {
        let what = format!("{} of kind {} are in {}", count, K::kind(&()), self.namespace);
        self.eventually(&what, async || {
            let found = self.list::<K>().await?;
            if found.len() == count { Ok(Some(found)) } else { bail!("there are {}", found.len()) }
        })
        .await
    }

    /// The one object of a kind in the namespace, once there is one.
    ///
    /// # Errors
    /// There are none or several when the bound is reached.
    pub async fn only<K: Kind>(&self) -> Result<K> {
        self.some(1).await?.pop().context("one was found")
    }

    /// Waits until nothing of a kind is left in the namespace.
    ///
    /// # Errors
    /// Something is still there when the bound is reached.
    pub async fn none_left<K: Kind>(&self) -> Result<()> {
        let what = format!("no {} is left in {}", K::kind(&()), self.namespace);
        self.eventually(&what, async || {
            let left: Vec<_> = self.list::<K>().await?.iter().map(ResourceExt::name_any).collect();
            if left.is_empty() { Ok(Some(())) } else { bail!("there are {left:?}") }
        })
        .await
    }

    /// Waits for `condition`, for at most [`BOUND`].
    ///
    /// # Errors
    /// The bound is reached; the message holds the state of the lab.
    pub async fn eventually<T>(&self, what: &str, condition: impl AsyncFnMut() -> Result<Option<T>>) -> Result<T> {
        self.lab.eventually(what, BOUND, condition).await
    }

    /// Waits until an object is such that `condition` gives a value.
    ///
    /// # Errors
    /// The bound is reached; the message holds what the object says of itself.
    pub async fn until<K: Kind, T>(&self, name: &str, what: &str, condition: impl Fn(&K) -> Option<T>) -> Result<T> {
        let what = format!("{} {}/{name} {what}", K::kind(&()), self.namespace);
        self.eventually(&what, async || {
            let object = self.api::<K>().get(name).await?;
            let Some(value) = condition(&object) else { bail!("it says: {}", said(&object)) };
            Ok(Some(value))
        })
        .await
    }

    /// Waits until an object tells of itself with all these words, and returns what it says.
    ///
    /// # Errors
    /// The bound is reached; the message holds what the object says instead.
    pub async fn says<K: Kind>(&self, name: &str, words: &[&str]) -> Result<String> {
        self.until(name, &format!("says {words:?}"), |object: &K| {
            let text = said(object);
            words.iter().all(|word| text.contains(word)).then_some(text)
        })
        .await
    }

    /// Waits until an event in the namespace tells of something in these words.
    ///
    /// # Errors
    /// The bound is reached.
    pub async fn told(&self, words: &str) -> Result<()> {
        let what = format!("an event in {} says {words:?}", self.namespace);
        let events = || self.list::<Event>();
        let has_words = |event: &Event| event.note.as_ref().is_some_and(|note| note.contains(words));
        self.eventually(&what, async || Ok(events().await?.iter().any(has_words).then_some(()))).await
    }

    /// Watches the objects of a kind in the namespace from now on.
    ///
    /// # Errors
    /// The API server does not let it be watched.
    pub async fn watch<K: Kind>(&self) -> Result<Seen<K>> {
        Seen::start(self.api::<K>()).await
    }
}

/// What an object says of itself in its status: state, reason and conditions.
pub(crate) fn said(object: &impl Serialize) -> String {
    let status = serde_json::to_value(object).map(|object| object["status"].clone()).unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut said = format!("{} {}", text(&status["state"]), text(&status["reason"]));
    for condition in status["conditions"].as_array().into_iter().flatten() {
        let [kind, is, reason, message] = ["type", "status", "reason", "message"].map(|field| text(&condition[field]));
        let _ = write!(said, "; {kind}={is} {reason}: {message}");
    }
    said
}
