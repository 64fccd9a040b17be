//! From the CA's documents, in instant-acme's types, to the vocabulary of the decisions.

use instant_acme as wire;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use signet_core::acme::{AuthorizationAtCa, AuthorizationStatus, ChallengeAtCa, Identifier, OrderAtCa, OrderStatus};

use crate::gaps::retry_after::retry_after;
use crate::http::Reply;
use crate::{Error, problem};

/// Reads the JSON of an answer that succeeded. `what` names it in the error, which holds nothing of the
/// answer itself.
pub(crate) fn read<T: DeserializeOwned>(reply: &Reply, what: &'static str) -> Result<T, Error> {
    serde_json::from_slice(&reply.body).map_err(|error| {
        let place = format!("line {}, column {}", error.line(), error.column());
        let how = match error.classify() {
            Category::Data => format!("what it says at {place} does not belong there"),
            Category::Eof => "it breaks off".to_owned(),
            Category::Syntax | Category::Io => format!("it is not JSON at {place}"),
        };
        Error::Understand { host: reply.host.clone(), what, why: how + &said_to_be(reply) }
    })
}

/// What the answer is called by who sent it, where that is not JSON.
fn said_to_be(reply: &Reply) -> String {
    let kind = reply.header("content-type").and_then(|value| value.split(';').next()).unwrap_or_default().trim();
    match kind.ends_with("json") {
        true => String::new(),
        false if kind.is_empty() => ", and its content type is missing".to_owned(),
        false => format!(", and its content type is {}", problem::shorten(kind, 50)),
    }
}

pub(crate) fn order(reply: &Reply, url: String) -> Result<OrderAtCa, Error> {
    let state: wire::OrderState = read(reply, "order")?;
    Ok(OrderAtCa {
        url,
        finalize_url: state.finalize,
        status: match state.status {
            wire::OrderStatus::Pending => OrderStatus::Pending,
            wire::OrderStatus::Ready => OrderStatus::Ready,
            wire::OrderStatus::Processing => OrderStatus::Processing,
            wire::OrderStatus::Valid => OrderStatus::Valid,
            wire::OrderStatus::Invalid => OrderStatus::Invalid,
        },
        authorization_urls: state.authorizations.into_iter().map(|authorization| authorization.url).collect(),
        certificate_url: state.certificate,
        problem: state.error.as_ref().map(problem::sentence),
        retry_after: retry_after(&reply.headers),
    })
}

/// `AuthorizationState` drops these, so the document is read for them once more.
#[derive(Deserialize)]
struct Further {
    expires: Option<String>,
    challenges: Vec<FurtherChallenge>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct FurtherChallenge {
    #[serde(default)]
    issuer_domain_names: Vec<String>,
}

pub(crate) fn authorization(reply: &Reply, url: String) -> Result<AuthorizationAtCa, Error> {
    let state: wire::AuthorizationState = read(reply, "authorization")?;
    let further: Further = read(reply, "authorization")?;
    let identifier = match state.identifier().identifier {
        wire::Identifier::Dns(name) => Identifier::Dns(name.clone()),
        wire::Identifier::Ip(address) => Identifier::Ip(*address),
        _ => return Err(Error::Miss { host: reply.host.clone(), what: "a DNS name or an IP address" }),
    };
    Ok(AuthorizationAtCa {
        url,
        identifier,
        wildcard: state.wildcard,
        status: match state.status {
            wire::AuthorizationStatus::Pending => AuthorizationStatus::Pending,
            wire::AuthorizationStatus::Valid => AuthorizationStatus::Valid,
            wire::AuthorizationStatus::Invalid => AuthorizationStatus::Invalid,
            wire::AuthorizationStatus::Revoked => AuthorizationStatus::Revoked,
            wire::AuthorizationStatus::Expired => AuthorizationStatus::Expired,
            wire::AuthorizationStatus::Deactivated => AuthorizationStatus::Deactivated,
        },
        expires: further.expires.and_then(|at| at.parse().ok()),
        challenges: state
            .challenges
            .into_iter()
            .zip(further.challenges)
            .map(|(challenge, FurtherChallenge { issuer_domain_names })| ChallengeAtCa {
                issuer_domain_names,
                ..convert_challenge(challenge)
            })
            .collect(),
        retry_after: retry_after(&reply.headers),
    })
}

pub(crate) fn challenge(reply: &Reply) -> Result<ChallengeAtCa, Error> {
    read(reply, "challenge").map(convert_challenge)
}

fn convert_challenge(challenge: wire::Challenge) -> ChallengeAtCa {
    let kind = match challenge.r#type {
        wire::ChallengeType::Http01 => "http-01".into(),
        wire::ChallengeType::Dns01 => "dns-01".into(),
        wire::ChallengeType::TlsAlpn01 => "tls-alpn-01".into(),
        wire::ChallengeType::DeviceAttest01 => "device-attest-01".into(),
        wire::ChallengeType::Unknown(kind) => kind,
        other => format!("{other:?}"),
    };
    let status = match challenge.status {
        wire::ChallengeStatus::Pending => "pending",
        wire::ChallengeStatus::Processing => "processing",
        wire::ChallengeStatus::Valid => "valid",
        wire::ChallengeStatus::Invalid => "invalid",
    };
    ChallengeAtCa {
        kind,
        url: challenge.url,
        token: challenge.token,
        status: status.into(),
        problem: challenge.error.as_ref().map(problem::sentence),
        issuer_domain_names: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, StatusCode};

    use super::*;

    #[test]
    fn what_can_not_be_read_is_told_of_and_not_repeated() {
        let table = [
            (
                "<html>secret</html>",
                Some("text/html; charset=utf-8"),
                "it is not JSON at line 1, column 1, and its content type is text/html",
            ),
            (
                r#"{"status":"secret"}"#,
                Some("application/json"),
                "what it says at line 1, column 18 does not belong there",
            ),
            (r#"{"status":"pending","secr"#, Some("application/json"), "it breaks off"),
            ("", None, "it breaks off, and its content type is missing"),
            ("{}", Some("application/problem+json"), "what it says at line 1, column 2 does not belong there"),
        ];
        for (body, kind, why) in table {
            let mut headers = HeaderMap::new();
            headers.extend(kind.map(|kind| (http::header::CONTENT_TYPE, HeaderValue::from_static(kind))));
            let reply = Reply { host: "ca.example".into(), status: StatusCode::OK, headers, body: body.into() };
            let error = order(&reply, String::new()).expect_err(body);
            assert_eq!(error.sentence(), format!("could not understand the order that ca.example sent: {why}"));
        }
    }
}
