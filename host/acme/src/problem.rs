//! What the CA has against a request or a name (RFC 8555, section 6.7), as a sentence that is safe to
//! put on an object: bounded in length, printable, never the raw body.

use std::fmt;
use std::time::Duration;

use instant_acme as wire;

use crate::Error;
use crate::gaps::retry_after::retry_after;
use crate::http::Reply;

const MAX_DETAIL: usize = 400;
const MAX_PARTS: usize = 10;
const PREFIX: &str = "urn:ietf:params:acme:error:";

/// A problem document that came as the answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The type as the CA wrote it, such as `urn:ietf:params:acme:error:rateLimited`.
    pub kind: Option<String>,
    /// The CA's explanation, then a part for each name that it speaks of. Bounded.
    pub sentence: String,
    /// The HTTP status of the answer.
    pub status: u16,
    /// How long the CA asked to wait.
    pub retry_after: Option<Duration>,
}

impl Problem {
    pub(crate) fn new(document: &wire::Problem, status: u16, retry_after: Option<Duration>) -> Self {
        let kind = document.r#type.as_deref().map(|kind| shorten(kind, 100));
        Self { kind, sentence: sentence(document), status, retry_after }
    }

    /// The type without ACME's prefix, such as `rateLimited`; empty when the CA named none of ACME's.
    pub fn acme_type(&self) -> &str {
        self.kind.as_deref().and_then(|kind| kind.strip_prefix(PREFIX)).unwrap_or_default()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

/// Lets a reply that succeeded through; what else it is, is an error.
pub(crate) fn refused(reply: Reply) -> Result<Reply, Error> {
    if reply.status.is_success() {
        return Ok(reply);
    }
    let (status, retry_after) = (reply.status.as_u16(), retry_after(&reply.headers));
    if let Some(to) = reply.header("location").filter(|_| reply.status.is_redirection()) {
        return Err(Error::FollowRedirect { to: shorten(to, 200), host: reply.host, status, retry_after });
    }
    match serde_json::from_slice::<wire::Problem>(&reply.body) {
        Ok(document) if document.r#type.is_some() || document.detail.is_some() => {
            let mut problem = Problem::new(&document, status, retry_after);
            if problem.acme_type() == "userActionRequired" {
                problem.sentence.push_str(&place_to_act(&reply.body));
            }
            Err(Error::Refuse(problem))
        }
        _ => Err(Error::ReceiveStatus { host: reply.host, status, retry_after }),
    }
}

/// Where a person is to agree to new terms (RFC 8555, section 7.3.3), which instant-acme does not read.
fn place_to_act(document: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    struct Instance {
        instance: String,
    }
    let instance = serde_json::from_slice::<Instance>(document).map(|found| found.instance);
    instance.map_or(String::new(), |url| format!("; visit {}", shorten(&url, 300)))
}

/// A problem document as one sentence: `detail (type); for "name": detail (type); …`.
pub(crate) fn sentence(problem: &wire::Problem) -> String {
    let mut parts = vec![phrase(problem.detail.as_deref(), problem.r#type.as_deref())];
    for sub in problem.subproblems.iter().take(MAX_PARTS) {
        let what = phrase(sub.detail.as_deref(), sub.r#type.as_deref());
        parts.push(match &sub.identifier {
            Some(name) => format!("for {}: {what}", shorten(&name.authorized(false).to_string(), 253)),
            None => what,
        });
    }
    if let Some(more) = problem.subproblems.len().checked_sub(MAX_PARTS).filter(|more| *more > 0) {
        parts.push(format!("and {more} more"));
    }
    parts.join("; ")
}

fn phrase(detail: Option<&str>, kind: Option<&str>) -> String {
    let kind = kind.map(|kind| shorten(kind.strip_prefix(PREFIX).unwrap_or(kind), 100));
    match (detail.map(|detail| shorten(detail, MAX_DETAIL)).filter(|detail| !detail.is_empty()), kind) {
        (Some(detail), Some(kind)) => format!("{detail} ({kind})"),
        (Some(detail), None) => detail,
        (None, Some(kind)) => kind,
        (None, None) => "no reason given".into(),
    }
}

/// At most `max` characters of `text` in one line without control characters.
pub(crate) fn shorten(text: &str, max: usize) -> String {
    let mut line: String =
        text.chars().take(max + 1).map(|c| if c.is_control() { ' ' } else { c }).collect::<String>().trim().into();
    if line.chars().count() > max {
        line.truncate(line.char_indices().nth(max - 1).map_or(line.len(), |(index, _)| index));
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(json: &str) -> wire::Problem {
        serde_json::from_str(json).expect("the table holds problem documents")
    }

    #[test]
    fn says_each_part_once() {
        let table = [
            (r#"{}"#, "no reason given"),
            (r#"{"detail":"Too many requests"}"#, "Too many requests"),
            (r#"{"type":"urn:ietf:params:acme:error:badNonce"}"#, "badNonce"),
            (r#"{"type":"about:blank","detail":"a\nb\u0000"}"#, "a b (about:blank)"),
            (
                r#"{"type":"urn:ietf:params:acme:error:rejectedIdentifier","detail":"No.","subproblems":[
                    {"type":"urn:ietf:params:acme:error:caa","detail":"CAA forbids","identifier":{"type":"dns","value":"a.example"}},
                    {"detail":"IP?","identifier":{"type":"ip","value":"192.0.2.1"}}]}"#,
                "No. (rejectedIdentifier); for a.example: CAA forbids (caa); for 192.0.2.1: IP?",
            ),
        ];
        for (json, said) in table {
            assert_eq!(sentence(&document(json)), said, "{json}");
        }
    }

    #[test]
    fn tells_where_to_agree_to_new_terms() {
        let body = r#"{"type":"urn:ietf:params:acme:error:userActionRequired","detail":"Terms changed",
            "instance":"https://ca.example/agreement/7"}"#;
        let reply = |body: &'static str| Reply {
            host: "ca.example".into(),
            status: http::StatusCode::FORBIDDEN,
            headers: http::HeaderMap::new(),
            body: body.into(),
        };
        let said = |body| refused(reply(body)).map(drop).expect_err("it is refused").to_string();
        assert_eq!(
            said(body),
            "the CA refused: Terms changed (userActionRequired); visit https://ca.example/agreement/7"
        );
        assert_eq!(said(r#"{"detail":"No","instance":"https://ca.example/7"}"#), "the CA refused: No");
    }

    #[test]
    fn is_bounded_however_long_the_answer() {
        let sub = format!(r#"{{"detail":"{}"}}"#, "x".repeat(5000));
        let json = format!(r#"{{"detail":"{}","subproblems":[{}]}}"#, "é".repeat(5000), vec![sub; 500].join(","));
        let said = sentence(&document(&json));
        assert!(said.chars().count() < 5000, "{}", said.chars().count());
        assert!(said.ends_with("and 490 more"), "{said}");
    }

    #[test]
    fn shortens_on_characters() {
        assert_eq!(shorten("ééé", 3), "ééé");
        assert_eq!(shorten("éééé", 3), "éé…");
    }
}
