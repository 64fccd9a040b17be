//! A response body with an end: at most so many bytes, with at most so long between two parts.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Frame, Incoming};
use tokio::time::{Instant, Sleep};
use wasmtime_wasi_http::Error;

/// `incoming`, ended by an error after `max` bytes or when no part comes for `limit`.
pub(crate) fn capped(incoming: Incoming, max: u64, limit: Duration) -> super::Body {
    let idle = Box::pin(tokio::time::sleep(limit));
    Capped { incoming, left: max, max, limit, idle }.boxed_unsync()
}

struct Capped {
    incoming: Incoming,
    left: u64,
    max: u64,
    limit: Duration,
    idle: Pin<Box<Sleep>>,
}

impl hyper::body::Body for Capped {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = match Pin::new(&mut self.incoming).poll_frame(cx) {
            Poll::Pending if self.idle.as_mut().poll(cx).is_ready() => {
                return Poll::Ready(Some(Err(Error::ConnectionReadTimeout)));
            }
            Poll::Pending => return Poll::Pending,
            Poll::Ready(None) => return Poll::Ready(None),
            Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error.into()))),
            Poll::Ready(Some(Ok(frame))) => frame,
        };
        let length = frame.data_ref().map_or(0, |data| data.len() as u64);
        let Some(left) = self.left.checked_sub(length) else {
            return Poll::Ready(Some(Err(Error::HttpResponseBodySize(Some(self.max)))));
        };
        self.left = left;
        let next = Instant::now() + self.limit;
        self.idle.as_mut().reset(next);
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        self.incoming.size_hint()
    }
}
