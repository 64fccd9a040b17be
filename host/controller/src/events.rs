//! Events for `kubectl describe`. An event holds nothing up: one that can not be written is a line
//! in the log. One that was told lately in the same words is not told again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::PostParams;
use kube::{Api, Client, Resource};
use signet_core::plan;

use crate::error::sentence;

/// The API server takes no longer note.
const MAX_NOTE: usize = 1024;
/// For how long the same words are not told again.
const QUIET: Duration = Duration::from_secs(600);
/// The namespace for events about what has none.
const CLUSTER_EVENTS: &str = "default";

/// Writes events in the background.
#[derive(Clone)]
pub(crate) struct Events {
    client: Client,
    instance: String,
    told: Arc<Mutex<HashMap<Words, Instant>>>,
}

/// The uid of an object, the reason and the note of an event.
type Words = (String, &'static str, String);

impl Events {
    /// `instance` is the name of this process among its replicas.
    pub(crate) fn new(client: Client, instance: &str) -> Self {
        Self { client, instance: instance.to_owned(), told: Arc::default() }
    }

    /// Tells that something happened to `object`.
    pub(crate) fn publish<K: Resource<DynamicType = ()>>(&self, object: &K, event: plan::Event) {
        let plan::Event { severity, reason, message } = event;
        let regarding = object.object_ref(&());
        let note = cut(message);
        if !self.is_news((regarding.uid.clone().unwrap_or_default(), reason, note.clone())) {
            return;
        }
        let namespace = regarding.namespace.clone().unwrap_or_else(|| CLUSTER_EVENTS.to_owned());
        let event = Event {
            metadata: ObjectMeta {
                generate_name: Some(format!("{}-", regarding.name.as_deref().unwrap_or("signet"))),
                namespace: Some(namespace.clone()),
                ..ObjectMeta::default()
            },
            type_: Some(format!("{severity:?}")),
            reason: Some(reason.to_owned()),
            action: Some(reason.to_owned()),
            note: Some(note),
            regarding: Some(regarding),
            event_time: Some(MicroTime(Timestamp::now())),
            reporting_controller: Some("signet".to_owned()),
            reporting_instance: Some(self.instance.clone()),
            ..Event::default()
        };
        let api = Api::<Event>::namespaced(self.client.clone(), &namespace);
        tokio::spawn(async move {
            if let Err(error) = api.create(&PostParams::default(), &event).await {
                tracing::warn!(reason, error = sentence(&error), "could not write an event");
            }
        });
    }

    fn is_news(&self, words: Words) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|_, since| since.elapsed() < QUIET);
        told.insert(words, Instant::now()).is_none()
    }
}

fn cut(mut text: String) -> String {
    const END: &str = "…";
    if text.len() > MAX_NOTE {
        text.truncate(text.floor_char_boundary(MAX_NOTE - END.len()));
        text.push_str(END);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_note_is_cut_between_characters() {
        assert_eq!(cut("short".to_owned()), "short");
        let long = cut("ü".repeat(600));
        assert!(long.len() <= MAX_NOTE && long.ends_with("ü…"));
    }
}
