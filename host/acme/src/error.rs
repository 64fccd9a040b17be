//! What can go wrong between us and the CA, who has to act on it, and when to ask again.

use std::time::Duration;

use crate::Problem;

/// Who can do something about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// Whoever wrote the issuer or the certificate.
    User,
    /// The CA, or what stands before it.
    Ca,
    /// The network between us.
    Network,
    /// Signet.
    Host,
}

/// When the same request may be made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// At once: the failure was of the moment.
    Now,
    /// After this long.
    Later(Duration),
    /// Not until something that a person controls has changed.
    Never,
}

/// The longest sentence, which holds a part for each of many names.
const MAX_SENTENCE: usize = 4000;
const CONNECTION_PAUSE: Duration = Duration::from_secs(10);
const SERVER_PAUSE: Duration = Duration::from_secs(30);
const RATE_LIMIT_PAUSE: Duration = Duration::from_secs(300);
/// What answers in another way than a CA does will hardly do better soon, and each order that it was asked
/// for may have been made.
const ODD_ANSWER_PAUSE: Duration = Duration::from_secs(60);
const STATE_PAUSE: Duration = Duration::from_secs(2);

/// An error of the ACME edge.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("could not read the CA bundle of the issuer: {why}")]
    ReadCaBundle { why: String },
    #[error("could not prepare TLS")]
    PrepareTls { source: rustls::Error },
    #[error("could not read the account key: {why}")]
    ReadAccountKey { why: &'static str },
    #[error("could not make an account key")]
    GenerateAccountKey,
    #[error("could not read the key of the external account binding: {why}")]
    ReadBindingKey { why: &'static str },
    #[error("could not sign with the account key")]
    Sign,
    #[error("could not read the URL {url:?}")]
    ParseUrl { url: String, source: http::uri::InvalidUri },
    #[error("could not make a request to {host}")]
    BuildRequest { host: String, source: http::Error },
    #[error("could not reach {host}")]
    Reach { host: String, source: hyper_util::client::legacy::Error },
    #[error("{host} did not answer within {} s", after.as_secs())]
    AwaitReply { host: String, after: Duration },
    #[error("could not read the answer of {host}")]
    ReadReply { host: String, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("{host} answered HTTP {status} without an ACME problem document")]
    ReceiveStatus { host: String, status: u16, retry_after: Option<Duration> },
    #[error(
        "{host} answered HTTP {status} and points to {to}; Signet follows no redirects of a CA, so name the directory's own address in spec.acme.server"
    )]
    FollowRedirect { host: String, status: u16, to: String, retry_after: Option<Duration> },
    #[error("{host} sent more than {} KiB for an answer, and Signet reads no more than that", limit / 1024)]
    ExceedSize { host: String, limit: usize },
    #[error("could not understand the {what} that {host} sent: {why}")]
    Understand { host: String, what: &'static str, why: String },
    #[error("missed {what} in the answer of {host}")]
    Miss { host: String, what: &'static str },
    #[error("could not find {what} in the directory {url}: this CA does not offer it")]
    Offer { url: String, what: &'static str },
    #[error("the CA refused: {0}")]
    Refuse(Problem),
}

impl Error {
    /// A word for conditions, events and metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::ReadCaBundle { .. } => "InvalidCABundle",
            Self::ReadAccountKey { .. } => "InvalidAccountKey",
            Self::ReadBindingKey { .. } => "InvalidExternalAccountBinding",
            Self::ParseUrl { .. } => "InvalidURL",
            Self::PrepareTls { .. } | Self::GenerateAccountKey | Self::Sign | Self::BuildRequest { .. } => {
                "InternalError"
            }
            Self::Reach { .. } | Self::AwaitReply { .. } | Self::ReadReply { .. } => "CAUnreachable",
            Self::ReceiveStatus { status: 429, .. } => "RateLimited",
            Self::ReceiveStatus { status: 503, .. } => "CAUnavailable",
            Self::ReceiveStatus { .. }
            | Self::FollowRedirect { .. }
            | Self::ExceedSize { .. }
            | Self::Understand { .. }
            | Self::Miss { .. } => "CAAnswerUnclear",
            Self::Offer { .. } => "CARefused",
            Self::Refuse(problem) if is_rate_limit(problem) => "RateLimited",
            Self::Refuse(problem) if problem.status >= 500 => "CAUnavailable",
            Self::Refuse(_) => "CARefused",
        }
    }

    /// Who can do something about it.
    pub fn blame(&self) -> Blame {
        match self {
            Self::ReadCaBundle { .. }
            | Self::ReadAccountKey { .. }
            | Self::ReadBindingKey { .. }
            | Self::ParseUrl { .. }
            | Self::Offer { .. } => Blame::User,
            Self::PrepareTls { .. } | Self::GenerateAccountKey | Self::Sign | Self::BuildRequest { .. } => Blame::Host,
            Self::Reach { .. } | Self::AwaitReply { .. } | Self::ReadReply { .. } => Blame::Network,
            Self::ReceiveStatus { .. }
            | Self::FollowRedirect { .. }
            | Self::ExceedSize { .. }
            | Self::Understand { .. }
            | Self::Miss { .. } => Blame::Ca,
            Self::Refuse(problem) => match retry_of(problem) {
                Retry::Never => Blame::User,
                Retry::Now | Retry::Later(_) => Blame::Ca,
            },
        }
    }

    /// When to ask again. What the CA said with `Retry-After` goes before what we would choose.
    pub fn retry(&self) -> Retry {
        match self {
            Self::ReadCaBundle { .. }
            | Self::ReadAccountKey { .. }
            | Self::ReadBindingKey { .. }
            | Self::ParseUrl { .. }
            | Self::Offer { .. } => Retry::Never,
            Self::Reach { .. } | Self::AwaitReply { .. } | Self::ReadReply { .. } => Retry::Later(CONNECTION_PAUSE),
            Self::ReceiveStatus { status, retry_after, .. } => {
                let pause = if *status == 429 { RATE_LIMIT_PAUSE } else { SERVER_PAUSE };
                Retry::Later(retry_after.unwrap_or(pause))
            }
            Self::FollowRedirect { retry_after, .. } => Retry::Later(retry_after.unwrap_or(ODD_ANSWER_PAUSE)),
            Self::ExceedSize { .. } | Self::Understand { .. } | Self::Miss { .. } => Retry::Later(ODD_ANSWER_PAUSE),
            Self::PrepareTls { .. } | Self::GenerateAccountKey | Self::Sign | Self::BuildRequest { .. } => {
                Retry::Later(SERVER_PAUSE)
            }
            Self::Refuse(problem) => retry_of(problem),
        }
    }

    /// Whether the CA, or the way to it, is out of order for everybody; else what it said is about the request.
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Reach { .. }
            | Self::AwaitReply { .. }
            | Self::ReadReply { .. }
            | Self::ReceiveStatus { .. }
            | Self::FollowRedirect { .. } => true,
            Self::Refuse(problem) => is_rate_limit(problem) || problem.status >= 500,
            _ => false,
        }
    }

    /// Whether the CA, or what stands before it, has too much to do, for us or for everybody: what it is
    /// asked again before its time only makes that worse.
    pub fn asks_for_patience(&self) -> bool {
        match self {
            Self::ReceiveStatus { status, .. } => matches!(status, 429 | 503),
            Self::Refuse(problem) => is_rate_limit(problem) || problem.status == 503,
            _ => false,
        }
    }

    /// The problem document, when the CA sent one.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Refuse(problem) => Some(problem),
            _ => None,
        }
    }

    /// Whether the CA refused with this type, such as `accountDoesNotExist`.
    pub fn is_acme(&self, kind: &str) -> bool {
        self.problem().is_some_and(|problem| problem.acme_type() == kind)
    }

    /// The error and what caused it as one line, for a condition or an event.
    pub fn sentence(&self) -> String {
        let mut line = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(cause) = source {
            let said = cause.to_string();
            if !line.ends_with(&said) {
                line = format!("{line}: {said}");
            }
            source = cause.source();
        }
        crate::problem::shorten(&line, MAX_SENTENCE)
    }
}

fn is_rate_limit(problem: &Problem) -> bool {
    problem.status == 429 || problem.acme_type() == "rateLimited"
}

fn retry_of(problem: &Problem) -> Retry {
    if is_rate_limit(problem) {
        return Retry::Later(problem.retry_after.unwrap_or(RATE_LIMIT_PAUSE));
    }
    if let Some(pause) = problem.retry_after {
        return Retry::Later(pause);
    }
    match problem.acme_type() {
        "badNonce" => Retry::Now,
        // The order or the authorization is not yet where we thought it was.
        "orderNotReady" => Retry::Later(STATE_PAUSE),
        "serverInternal" | "connection" | "dns" | "tls" | "incorrectResponse" => Retry::Later(SERVER_PAUSE),
        _ if problem.status >= 500 || matches!(problem.status, 408 | 425) => Retry::Later(SERVER_PAUSE),
        _ => Retry::Never,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(kind: &str, status: u16, retry_after: Option<u64>) -> Error {
        Error::Refuse(Problem {
            kind: Some(format!("urn:ietf:params:acme:error:{kind}")),
            sentence: "no".into(),
            status,
            retry_after: retry_after.map(Duration::from_secs),
        })
    }

    #[test]
    fn tells_waiting_from_giving_up() {
        let secs = |n| Retry::Later(Duration::from_secs(n));
        let table = [
            (refused("rateLimited", 429, Some(7)), secs(7), "RateLimited", Blame::Ca),
            (refused("rateLimited", 403, None), secs(300), "RateLimited", Blame::Ca),
            (refused("malformed", 429, None), secs(300), "RateLimited", Blame::Ca),
            (refused("serverInternal", 503, Some(90)), secs(90), "CAUnavailable", Blame::Ca),
            (refused("serverInternal", 500, None), secs(30), "CAUnavailable", Blame::Ca),
            (refused("orderNotReady", 403, None), secs(2), "CARefused", Blame::Ca),
            (refused("badNonce", 400, None), Retry::Now, "CARefused", Blame::Ca),
            (refused("rejectedIdentifier", 400, None), Retry::Never, "CARefused", Blame::User),
            (refused("accountDoesNotExist", 400, None), Retry::Never, "CARefused", Blame::User),
            (refused("unheardOf", 418, None), Retry::Never, "CARefused", Blame::User),
        ];
        for (error, retry, reason, blame) in table {
            assert_eq!((error.retry(), error.reason(), error.blame()), (retry, reason, blame), "{error:?}");
        }
    }

    #[test]
    fn an_answer_without_a_document_is_never_the_end() {
        let answer = |status, wait: Option<u64>| Error::ReceiveStatus {
            host: "ca.example".into(),
            status,
            retry_after: wait.map(Duration::from_secs),
        };
        assert_eq!(answer(429, None).retry(), Retry::Later(RATE_LIMIT_PAUSE));
        assert_eq!(answer(503, Some(5)).retry(), Retry::Later(Duration::from_secs(5)));
        assert_eq!(answer(404, None).retry(), Retry::Later(SERVER_PAUSE));
        assert_eq!((answer(429, None).reason(), answer(503, None).reason()), ("RateLimited", "CAUnavailable"));
    }

    #[test]
    fn patience_is_asked_for_with_two_statuses_and_one_type() {
        let bare = |status| Error::ReceiveStatus { host: "ca.example".into(), status, retry_after: None };
        let patient = [
            refused("rateLimited", 429, None),
            refused("rateLimited", 400, None),
            refused("unheardOf", 503, None),
            bare(429),
            bare(503),
        ];
        for error in patient {
            assert!(error.asks_for_patience() && error.is_outage(), "{error:?}");
            assert!(matches!(error.retry(), Retry::Later(_)), "{error:?}");
        }
        for error in [refused("badNonce", 400, None), refused("serverInternal", 500, None), bare(502)] {
            assert!(!error.asks_for_patience(), "{error:?}");
        }
    }
}
