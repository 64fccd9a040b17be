//! Watches, whose events may be held back, or which may be told that they are too old to be carried on.

use anyhow::Result;
use axum::body::{Body, Bytes};
use futures::stream;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::json;
use tokio::sync::watch;

/// How all watches are treated.
#[derive(Clone, Copy, Default)]
pub(super) struct Treatment {
    pub(super) held: bool,
    /// How often they were all told that they are too old.
    pub(super) expired: u64,
}

/// What a watch gets of the events that the server sends.
pub(super) fn treated(events: Incoming, mut treatment: watch::Receiver<Treatment>) -> Body {
    let began = treatment.borrow_and_update().expired;
    let open = Some((events, treatment));
    Body::from_stream(stream::unfold(open, move |open| async move {
        let (mut events, mut treatment) = open?;
        let mut expiry = treatment.clone();
        let next = async {
            loop {
                treatment.wait_for(|treatment| !treatment.held).await.ok()?;
                match events.frame().await? {
                    Ok(frame) => match frame.into_data() {
                        // What came while they were being held is held.
                        Ok(data) => {
                            treatment.wait_for(|treatment| !treatment.held).await.ok()?;
                            return Some(Ok::<_, anyhow::Error>(data));
                        }
                        Err(_) => continue,
                    },
                    Err(error) => return Some(Err(error.into())),
                }
            }
        };
        tokio::select! {
            biased;
            _ = expiry.wait_for(|treatment| treatment.expired != began) => Some((Ok(too_old()), None)),
            data = next => data.map(|data| (data, Some((events, treatment)))),
        }
    }))
}

/// The last event of a watch whose resource version is gone (the API's `Expired`).
fn too_old() -> Bytes {
    let status = json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": "too old resource version", "reason": "Expired", "code": 410 });
    Bytes::from(format!("{}\n", json!({ "type": "ERROR", "object": status })))
}

/// Whether a request is a watch, by its query.
pub(super) fn is_watch(query: Option<&str>) -> bool {
    query.is_some_and(|query| query.split('&').any(|part| matches!(part, "watch=true" | "watch=1" | "watch")))
}

pub(super) type Answer = Result<axum::http::Response<Body>>;
