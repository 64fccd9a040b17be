//! Where HTTP-01 is answered: by every replica, which the EndpointSlices of their Service name.
//!
//! They are watched, so that what leads to the replicas follows them: whoever is led to one that went
//! would get no answer.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::{StreamExt, pin_mut};
use k8s_openapi::api::discovery::v1::{EndpointConditions, EndpointSlice};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, ResourceExt};
use tokio::sync::watch;

use crate::context::Context;
use crate::error::sentence;
use crate::key::Key;

/// Kubernetes' own label, on a slice, of the Service that it is of.
const SERVICE: &str = "kubernetes.io/service-name";
/// How long decisions wait for the first list, should the Service not be readable.
const LISTING: Duration = Duration::from_secs(5);

/// The Service of the responders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Service {
    namespace: String,
    name: String,
}

impl Service {
    /// Reads `[NAMESPACE/]NAME`; nothing of an empty text.
    pub(crate) fn parse(text: &str, namespace: &str) -> Option<Self> {
        let (namespace, name) = text.split_once('/').unwrap_or((namespace, text));
        (!name.is_empty()).then(|| Self { namespace: namespace.to_owned(), name: name.to_owned() })
    }
}

/// The replicas as they are known now.
pub(crate) struct Replicas {
    /// This one's addresses.
    own: BTreeSet<IpAddr>,
    state: Mutex<State>,
    listed: watch::Sender<bool>,
}

#[derive(Default)]
struct State {
    slices: BTreeMap<String, EndpointSlice>,
    /// What a listing under way has shown so far. Until it is done, what was there before counts.
    listing: BTreeMap<String, EndpointSlice>,
    /// Whether this one is about to end.
    leaving: bool,
}

impl Replicas {
    /// This one alone, until the others are listed.
    pub(crate) fn new(own: &[IpAddr]) -> Self {
        Self { own: own.iter().copied().collect(), state: Mutex::default(), listed: watch::Sender::new(false) }
    }

    /// This one, and all that are ready. One that is about to end counts only while it is alone.
    pub(crate) fn addresses(&self) -> BTreeSet<IpAddr> {
        let state = self.state();
        let ready: BTreeSet<IpAddr> = state.slices.values().flat_map(ready).collect();
        match &ready - &self.own {
            others if state.leaving && !others.is_empty() => others,
            others => &others | &self.own,
        }
    }

    /// This replica is about to end: requests are to be led to the others, if there are any.
    pub(crate) fn leave(&self) {
        self.state().leaving = true;
    }

    /// Waits until the others are known, but not for long: this one answers all the same.
    pub(crate) async fn wait_listed(&self) {
        let mut listed = self.listed.subscribe();
        // The sender lives as long as this.
        let _ = tokio::time::timeout(LISTING, listed.wait_for(|listed| *listed)).await;
    }

    fn take_in(&self, event: Event<EndpointSlice>) {
        let mut state = self.state();
        match event {
            Event::Init => state.listing.clear(),
            Event::InitApply(slice) => drop(state.listing.insert(slice.name_any(), slice)),
            Event::InitDone => {
                state.slices = std::mem::take(&mut state.listing);
                self.listed.send_replace(true);
            }
            Event::Apply(slice) => drop(state.slices.insert(slice.name_any(), slice)),
            Event::Delete(slice) => drop(state.slices.remove(&slice.name_any())),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The addresses of a slice that answer.
fn ready(slice: &EndpointSlice) -> impl Iterator<Item = IpAddr> {
    // An unknown readiness counts as ready (EndpointConditions).
    let ready = |conditions: &EndpointConditions| conditions.ready != Some(false);
    let endpoints = slice.endpoints.iter().filter(move |endpoint| endpoint.conditions.as_ref().is_none_or(ready));
    endpoints.flat_map(|endpoint| &endpoint.addresses).filter_map(|address| address.parse().ok())
}

/// Keeps the replicas of the Service as they are, and wakes the Challenges whose proofs lead to them.
pub(crate) async fn watch(cx: Arc<Context>, client: Client, service: Service) {
    let api = Api::<EndpointSlice>::namespaced(client, &service.namespace);
    let config = watcher::Config::default().labels(&format!("{SERVICE}={}", service.name));
    let events = watcher(api, config).default_backoff();
    pin_mut!(events);
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => {
                let before = cx.replicas.addresses();
                cx.replicas.take_in(event);
                let now = cx.replicas.addresses();
                if before != now {
                    tracing::debug!(?now, "HTTP-01 is answered by other replicas");
                    cx.stores.served().iter().for_each(|challenge| cx.queues.challenges.add(Key::of(&**challenge)));
                }
            }
            Err(error) => {
                let Service { namespace, name } = &service;
                let error = sentence(&error);
                tracing::warn!(namespace, name, error, "could not watch which replicas answer HTTP-01");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn slice(name: &str, endpoints: Value) -> EndpointSlice {
        let slice = json!({ "metadata": { "name": name }, "addressType": "IPv4", "endpoints": endpoints });
        serde_json::from_value(slice).unwrap()
    }

    fn texts(replicas: &Replicas) -> String {
        replicas.addresses().iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn every_replica_that_is_ready_answers_and_this_one_in_any_case() {
        let replicas = Replicas::new(&["10.0.0.1".parse().unwrap()]);
        let one = slice(
            "one",
            json!([
                { "addresses": ["10.0.0.1"], "conditions": { "ready": false } },
                { "addresses": ["10.0.0.2"], "conditions": { "ready": true } },
                { "addresses": ["10.0.0.3"] },
            ]),
        );
        let two =
            slice("two", json!([{ "addresses": ["2001:db8::1"], "conditions": {} }, { "addresses": ["10.0.0.2"] }]));
        assert_eq!(texts(&replicas), "10.0.0.1");
        replicas.take_in(Event::Apply(one.clone()));
        replicas.take_in(Event::Apply(two));
        assert_eq!(texts(&replicas), "10.0.0.1 10.0.0.2 10.0.0.3 2001:db8::1");

        replicas.take_in(Event::Init);
        replicas.take_in(Event::InitApply(one.clone()));
        assert_eq!(texts(&replicas), "10.0.0.1 10.0.0.2 10.0.0.3 2001:db8::1", "until the listing is done");
        replicas.take_in(Event::InitDone);
        assert_eq!(texts(&replicas), "10.0.0.1 10.0.0.2 10.0.0.3");
        replicas.take_in(Event::Delete(one));
        assert_eq!(texts(&replicas), "10.0.0.1");
    }

    #[test]
    fn one_that_leaves_goes_from_the_list_unless_it_is_alone() {
        let replicas = Replicas::new(&["10.0.0.1".parse().unwrap()]);
        replicas.leave();
        assert_eq!(texts(&replicas), "10.0.0.1");
        let ready = json!([{ "addresses": ["10.0.0.1"] }, { "addresses": ["10.0.0.2"] }]);
        replicas.take_in(Event::Apply(slice("one", ready)));
        assert_eq!(texts(&replicas), "10.0.0.2");
    }

    #[test]
    fn a_service_may_have_a_namespace() {
        let service = |namespace: &str| Some(Service { namespace: namespace.into(), name: "a".into() });
        assert_eq!(Service::parse("", "here"), None);
        assert_eq!(Service::parse("a", "here"), service("here"));
        assert_eq!(Service::parse("there/a", "here"), service("there"));
    }
}
