//! What can become of a request, and which case of the contract each outcome is.

use std::fmt;
use std::time::Duration;

use super::{Response, url};

/// How long to wait when a provider asks for rest and does not say how much.
const REST: Duration = Duration::from_secs(60);
/// How much of a body goes into a message.
const EXCERPT: usize = 300;

/// Why there is no good answer.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The request can not be sent: its URL, method or a header is not valid.
    Build {
        /// The URL, without its query.
        url: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// The body can not be JSON.
    Encode(serde_json::Error),
    /// The host did not let the request out.
    Deny {
        /// The URL, without its query.
        url: String,
        /// What the host said.
        reason: String,
    },
    /// The request, or its answer, did not get through.
    Send {
        /// The URL, without its query.
        url: String,
        /// What the host said.
        reason: String,
    },
    /// The answer's status is 400 or more, and was not allowed.
    Status {
        /// The method.
        method: &'static str,
        /// The URL, without its query.
        url: String,
        /// The status.
        status: u16,
        /// How long the server asks to be left alone.
        retry_after: Option<Duration>,
        /// The start of the body, on one line.
        excerpt: String,
    },
}

impl Error {
    pub(super) fn status(method: &'static str, url: &str, response: &Response) -> Self {
        Self::Status {
            method,
            url: url::shown(url),
            status: response.status,
            retry_after: response
                .header("retry-after")
                .and_then(|text| text.trim().parse().ok())
                .map(Duration::from_secs),
            excerpt: excerpt(&response.body),
        }
    }
}

/// The beginning of a body, as one printable line.
fn excerpt(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let line: Vec<&str> = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty()).collect();
    let mut line = line.join(" ");
    if line.chars().count() > EXCERPT {
        line = line.chars().take(EXCERPT).chain(['…']).collect();
    }
    line
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Build { url, reason } => write!(f, "the request for {url} can not be sent: {reason}"),
            Self::Encode(_) => f.write_str("the request's body can not be JSON"),
            Self::Deny { url, reason } => write!(
                f,
                "Signet did not let the request for {url} out ({reason}): the plugin's manifest must ask for this host \
                 and the operator must grant it"
            ),
            Self::Send { url, reason } => write!(f, "the request for {url} did not get through: {reason}"),
            Self::Status { method, url, status, excerpt, .. } if excerpt.is_empty() => {
                write!(f, "{method} {url} was answered with {status}")
            }
            Self::Status { method, url, status, excerpt, .. } => {
                write!(f, "{method} {url} was answered with {status}: {excerpt}")
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Encode(source) => Some(source),
            _ => None,
        }
    }
}

impl From<Error> for crate::Error {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        match error {
            Error::Build { .. } => Self::Config(text),
            Error::Encode(source) => Self::Permanent(format!("{text}: {source}")),
            Error::Deny { .. } => Self::Auth(text),
            Error::Send { .. } => Self::Transient(text),
            Error::Status { status, retry_after, .. } => by_status(status, retry_after, text),
        }
    }
}

/// The case for a status. A 503 with `Retry-After` is a request for rest like a 429.
fn by_status(status: u16, retry_after: Option<Duration>, text: String) -> crate::Error {
    match (status, retry_after) {
        (429, wait) => crate::Error::rate_limited(text, wait.unwrap_or(REST)),
        (503, Some(wait)) => crate::Error::rate_limited(text, wait),
        (401 | 403, _) => crate::Error::Auth(text),
        (404 | 410, _) => crate::Error::NotFound(text),
        (408 | 409 | 425 | 500.., _) => crate::Error::Transient(text),
        _ => crate::Error::Permanent(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, retry_after: Option<&str>, body: &str) -> crate::Error {
        let headers = retry_after.map(|value| ("Retry-After".to_owned(), value.as_bytes().to_vec()));
        let response = Response { status, headers: headers.into_iter().collect(), body: body.as_bytes().to_vec() };
        Error::status("POST", "https://api.example.com/records?key=hidden", &response).into()
    }

    #[test]
    fn the_status_says_which_case() {
        assert!(matches!(answer(401, None, ""), crate::Error::Auth(_)));
        assert!(matches!(answer(403, None, ""), crate::Error::Auth(_)));
        assert!(matches!(answer(404, None, ""), crate::Error::NotFound(_)));
        assert!(matches!(answer(422, None, ""), crate::Error::Permanent(_)));
        assert!(matches!(answer(409, None, ""), crate::Error::Transient(_)));
        assert!(matches!(answer(502, None, ""), crate::Error::Transient(_)));
        let wait = |error| match error {
            crate::Error::RateLimited { retry_after, .. } => Some(retry_after.as_secs()),
            _ => None,
        };
        assert_eq!(wait(answer(429, Some("7"), "")), Some(7));
        assert_eq!(wait(answer(429, None, "")), Some(60));
        assert_eq!(wait(answer(503, Some("5"), "")), Some(5));
        assert_eq!(wait(answer(503, None, "")), None);
    }

    #[test]
    fn the_text_shows_the_answer_and_not_the_query() {
        let error = answer(403, None, "{\n  \"error\": \"no\"\n}");
        let expected = "POST https://api.example.com/records was answered with 403: { \"error\": \"no\" }";
        assert_eq!(error.message(), expected);
        assert!(answer(403, None, &"x".repeat(1000)).message().len() < 400);
    }
}
