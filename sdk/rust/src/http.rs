//! A small blocking HTTP client over `wasi:http`, for the JSON APIs that DNS providers have.
//!
//! ```no_run
//! # fn main() -> signet_solver::Result<()> {
//! # let (token, zone) = (signet_solver::Secret::from(String::new()), "");
//! #[derive(serde::Deserialize)]
//! struct Zone { id: String }
//!
//! let zone: Zone = signet_solver::http::get(format!("https://api.example.com/zones/{zone}"))
//!     .bearer(&token)
//!     .send()?
//!     .json()?;
//! # Ok(())
//! # }
//! ```
//!
//! An answer with a status of 400 or more is an error, which `?` turns into the case of
//! [`Error`](crate::Error) that fits; [`Request::allow`] takes statuses out. The host follows no
//! redirect, keeps the connections, verifies certificates, and denies hosts without a grant.

mod error;
mod url;
mod wire;

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Secret;

pub use error::Error;

const FIRST_BYTE: Duration = Duration::from_secs(30);

/// A GET request.
pub fn get(url: impl Into<String>) -> Request {
    request("GET", url)
}

/// A POST request.
pub fn post(url: impl Into<String>) -> Request {
    request("POST", url)
}

/// A PUT request.
pub fn put(url: impl Into<String>) -> Request {
    request("PUT", url)
}

/// A PATCH request.
pub fn patch(url: impl Into<String>) -> Request {
    request("PATCH", url)
}

/// A DELETE request.
pub fn delete(url: impl Into<String>) -> Request {
    request("DELETE", url)
}

/// A request with a method of the author's own.
pub fn request(method: &'static str, url: impl Into<String>) -> Request {
    Request {
        method,
        url: url.into(),
        headers: vec![("accept".to_owned(), b"application/json".to_vec())],
        body: Ok(Vec::new()),
        allowed: Vec::new(),
        timeout: FIRST_BYTE,
    }
}

/// A request in the making. What is wrong with it is told by [`Request::send`].
#[must_use = "a request does nothing until it is sent"]
#[derive(Debug)]
pub struct Request {
    method: &'static str,
    url: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Result<Vec<u8>, serde_json::Error>,
    allowed: Vec<u16>,
    timeout: Duration,
}

impl Request {
    /// Sets a header, in place of one of the same name.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let name = name.to_ascii_lowercase();
        self.headers.retain(|(known, _)| *known != name);
        self.headers.push((name, value.as_ref().to_vec()));
        self
    }

    /// Sets `Authorization: Bearer …`.
    pub fn bearer(self, token: &Secret) -> Self {
        let value = [b"Bearer ", token.bytes().trim_ascii()].concat();
        self.header("authorization", value)
    }

    /// Sets the body, as JSON, and its content type.
    pub fn json(mut self, body: &impl Serialize) -> Self {
        self.body = serde_json::to_vec(body);
        self.header("content-type", "application/json")
    }

    /// Sets the body. The content type is the caller's to set.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Ok(body.into());
        self
    }

    /// Makes an answer with this status, of 400 or more, no error.
    pub fn allow(mut self, status: u16) -> Self {
        self.allowed.push(status);
        self
    }

    /// How long to wait for the answer's first byte; 30 seconds unless set. The host has a limit
    /// of its own for the whole call.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sends the request and reads the whole answer.
    ///
    /// # Errors
    /// See [`Error`]; it tells a request that can not be sent from one that was denied, one that
    /// did not get through, and one that was answered with a status of 400 or more.
    pub fn send(self) -> Result<Response, Error> {
        let response = wire::send(&self)?;
        if response.status < 400 || self.allowed.contains(&response.status) {
            return Ok(response);
        }
        Err(Error::status(self.method, &self.url, &response))
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Response {
    status: u16,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

impl Response {
    /// The status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The first header of this name, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(value).ok()
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The body as a value.
    ///
    /// # Errors
    /// What serde says when the body is not the expected JSON.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.body)
    }
}
