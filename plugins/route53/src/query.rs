//! Signed requests that are made without the SDK's operations: the STS, and two lists of Route 53.
//!
//! A Helm release holds 380 KiB of compressed component. Each operation of the SDK takes eight of
//! them, most of it for fields that are of no use here, and a second SDK takes a hundred. So what
//! every challenge needs (changing records, and watching a change) goes through the SDK; what few
//! need, and is one request with a handful of fields, goes through here. Signature and HTTP client
//! are the SDK's.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use signet_solver::{Error, Result};
use wstd::http::{Body, Client, Request};

use crate::failure::{self, Attempt, Failure};
use crate::xml::element;

const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";

/// One request.
#[derive(Debug)]
pub(crate) struct Query<'a> {
    /// GET, or POST with a form.
    pub(crate) form: Option<String>,
    pub(crate) url: String,
    /// What to sign with, and for which service and region; none sends it unsigned.
    pub(crate) signed: Option<(&'a Credentials, &'static str, &'a str)>,
    pub(crate) attempt: Attempt<'a>,
}

impl Query<'_> {
    /// The answer's XML.
    ///
    /// # Errors
    /// What AWS says, with its code, as for the SDK's operations.
    pub(crate) async fn send(self) -> Result<String, Failure> {
        let request = self.request()?;
        let exchange = async {
            let mut response = Client::new().send(request).await?;
            let body = response.body_mut().contents().await?.to_vec();
            Ok::<_, wstd::http::Error>((response.status().as_u16(), body))
        };
        let (status, body) = exchange.await.map_err(|error| failure::undelivered(&error.to_string(), &self.attempt))?;
        let text = String::from_utf8_lossy(&body).into_owned();
        if status < 400 {
            return Ok(text);
        }
        let code = element(&text, "Code");
        let message = element(&text, "Message").unwrap_or("no reason given");
        let error = failure::meaning(code, Some(status), message, &self.attempt);
        Err(Failure { code: code.map(str::to_owned), error })
    }

    fn request(&self) -> Result<Request<Body>> {
        let unfit = |error: &dyn std::fmt::Display| Error::config(format!("the request for {}: {error}", self.url));
        let body = self.form.clone().unwrap_or_default();
        // Without its length a body goes out in chunks, an empty one too: see `Api::wait_until_in_sync`.
        let length = body.len().to_string();
        let mut request = Request::builder().method(self.method()).uri(&self.url).header("content-length", length);
        if self.form.is_some() {
            request = request.header("content-type", FORM);
        }
        for (name, value) in self.signature(&body)? {
            request = request.header(name, value);
        }
        let body = if self.form.is_some() { Body::from(body.into_bytes()) } else { nothing() };
        request.body(body).map_err(|error| unfit(&error))
    }

    fn method(&self) -> &'static str {
        if self.form.is_some() { "POST" } else { "GET" }
    }

    fn signature(&self, body: &str) -> Result<Vec<(String, String)>> {
        let Some((keys, service, region)) = self.signed else { return Ok(Vec::new()) };
        let unfit =
            |error: &dyn std::fmt::Display| Error::permanent(format!("{} can not be signed: {error}", self.url));
        let identity = keys.clone().into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(region)
            .name(service)
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| unfit(&error))?;
        let host = self.url.split('/').nth(2).unwrap_or_default();
        let headers =
            [("host", host), ("content-type", FORM)].into_iter().take(if self.form.is_some() { 2 } else { 1 });
        let signed = SignableRequest::new(self.method(), &self.url, headers, SignableBody::Bytes(body.as_bytes()))
            .and_then(|request| sign(request, &params.into()))
            .map_err(|error| unfit(&error))?;
        let (instructions, _) = signed.into_parts();
        Ok(instructions.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
}

/// No body. wstd writes even an empty `Vec` to the host's stream, and fails with a connection reset
/// when the host, who knows from the length that nothing follows, has closed that already.
fn nothing() -> Body {
    Body::from_http_body(http_body_util::Empty::<&'static [u8]>::new())
}

/// Fields as `application/x-www-form-urlencoded`, for a body or a URL.
pub(crate) fn encode(fields: &[(&str, &str)]) -> String {
    let pairs: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", escape(value))).collect();
    pairs.join("&")
}

fn escape(value: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    value.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_a_role() {
        assert_eq!(encode(&[("RoleArn", "arn:aws:iam::1:role/r w")]), "RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr%20w");
    }
}
