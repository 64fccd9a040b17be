//! How long the API server may take to answer: kube's client waits for ever, and with it whatever waits for a
//! connection that broke without a word.
//!
//! A watch has its answer when it begins; that its events end is seen to by kube's watcher.

use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use tower_service::Service;

/// Half of what the API server itself takes for too long: a write that is asked for again finds what became of it.
const PATIENCE: Duration = Duration::from_secs(30);

type BoxError = Box<dyn std::error::Error + Send + Sync>;

#[derive(Debug, thiserror::Error)]
#[error("the API server did not answer within {} s", PATIENCE.as_secs())]
struct NoAnswer;

/// A client that gives up.
#[derive(Clone, Debug)]
pub(crate) struct Patience<S>(pub(crate) S);

impl<S, R> Service<R> for Patience<S>
where
    S: Service<R, Future: Send + 'static, Error: Into<BoxError>>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<S::Response, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let answer = self.0.call(request);
        let answer = async move {
            match tokio::time::timeout(PATIENCE, answer).await {
                Ok(answer) => answer.map_err(Into::into),
                Err(_) => Err(NoAnswer.into()),
            }
        };
        answer.boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers after so many seconds.
    struct Slow;

    impl Service<u64> for Slow {
        type Response = u64;
        type Error = BoxError;
        type Future = BoxFuture<'static, Result<u64, BoxError>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, seconds: u64) -> Self::Future {
            tokio::time::sleep(Duration::from_secs(seconds)).map(move |()| Ok(seconds)).boxed()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_does_not_come_is_an_error() {
        let mut client = Patience(Slow);
        assert_eq!(client.call(29).await.unwrap(), 29);
        let error = client.call(1_000_000).await.unwrap_err();
        assert_eq!(error.to_string(), "the API server did not answer within 30 s");
    }
}
