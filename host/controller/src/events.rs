//! Events for `kubectl describe`. They are told to nobody twice and hold nothing up: an event that
//! can not be written is a line in the log.

use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Client, Resource};
use signet_core::plan::{self, Severity};

/// The API server takes no longer note.
const MAX_NOTE: usize = 1024;

/// Writes events in the background.
#[derive(Clone)]
pub(crate) struct Events {
    recorder: Recorder,
}

impl Events {
    /// `instance` is the name of this process among its replicas.
    pub(crate) fn new(client: Client, instance: &str) -> Self {
        let reporter = Reporter { controller: "signet".into(), instance: Some(instance.to_owned()) };
        Self { recorder: Recorder::new(client, reporter) }
    }

    /// Tells that something happened to `object`.
    pub(crate) fn publish<K: Resource<DynamicType = ()>>(&self, object: &K, event: plan::Event) {
        let plan::Event { severity, reason, message } = event;
        let (recorder, reference) = (self.recorder.clone(), object.object_ref(&()));
        let event = Event {
            type_: match severity {
                Severity::Normal => EventType::Normal,
                Severity::Warning => EventType::Warning,
            },
            reason: reason.to_owned(),
            note: Some(cut(message)),
            action: reason.to_owned(),
            secondary: None,
        };
        tokio::spawn(async move {
            if let Err(error) = recorder.publish(&event, &reference).await {
                let error = crate::error::sentence(&error);
                tracing::warn!(reason = event.reason, error, "could not write an event");
            }
        });
    }
}

fn cut(mut text: String) -> String {
    if text.len() > MAX_NOTE {
        let end = (0..=MAX_NOTE - 3).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}
