//! A CA that says of renewals what a test wants it to: a directory of its own, in which that one question
//! leads here, and everything else to the lab's CA.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use anyhow::Result;
use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};
use signet_lab::Lab;
use tokio::task::JoinHandle;

/// What is said in place of what the CA says.
#[derive(Clone, Debug, Default)]
pub struct Said {
    /// A whole body.
    pub body: Option<String>,
    /// The header `Retry-After`.
    pub retry_after: Option<String>,
    /// Whether everything is answered with 503 instead.
    pub closed: bool,
}

/// A question that came.
#[derive(Clone, Debug)]
pub struct Asked {
    /// When it came.
    pub at: Instant,
    /// The certificate that it was about, by its name at the CA.
    pub certificate: String,
}

/// A running relay; it ends when it is dropped.
pub struct Relay {
    address: SocketAddr,
    state: Arc<Relayed>,
    task: JoinHandle<()>,
}

struct Relayed {
    address: SocketAddr,
    ca: String,
    client: reqwest::Client,
    said: Mutex<Said>,
    asked: Mutex<Vec<Asked>>,
}

impl Relay {
    /// A relay to the lab's CA.
    ///
    /// # Errors
    /// There is no port for it.
    pub async fn start(lab: &Lab) -> Result<Self> {
        let listener = tokio::net::TcpListener::bind((lab.site().address, 0)).await?;
        let address = listener.local_addr()?;
        let trusted = reqwest::Certificate::from_pem(lab.ca_bundle().as_bytes())?;
        // The CA answers nobody who does not say who it is.
        let client =
            reqwest::Client::builder().user_agent("signet-e2e").tls_certs_only([trusted]).no_proxy().build()?;
        let (said, asked) = Default::default();
        let state = Arc::new(Relayed { address, ca: lab.directory_url(), client, said, asked });
        let router = Router::new().route("/dir", get(directory)).route("/renewal/{certificate}", get(renewal));
        let router = router.with_state(state.clone());
        let task = tokio::spawn(async move { drop(axum::serve(listener, router).await) });
        Ok(Self { address, state, task })
    }

    /// The `server:` of an Issuer that goes this way.
    pub fn server(&self) -> String {
        format!("http://{}/dir", self.address)
    }

    /// Says this from now on.
    pub fn say(&self, said: Said) {
        *lock(&self.state.said) = said;
    }

    /// The questions so far.
    pub fn asked(&self) -> Vec<Asked> {
        lock(&self.state.asked).clone()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn directory(State(state): State<Arc<Relayed>>) -> Response {
    answer(state.directory().await.map(|directory| directory.to_string().into_response()))
}

async fn renewal(State(state): State<Arc<Relayed>>, Path(certificate): Path<String>) -> Response {
    lock(&state.asked).push(Asked { at: Instant::now(), certificate: certificate.clone() });
    answer(state.renewal(&certificate).await)
}

fn answer(answer: Result<Response>) -> Response {
    answer.unwrap_or_else(|error| (StatusCode::BAD_GATEWAY, format!("{error:#}")).into_response())
}

impl Relayed {
    async fn directory(&self) -> Result<Value> {
        let mut directory: Value = self.client.get(&self.ca).send().await?.error_for_status()?.json().await?;
        directory["renewalInfo"] = json!(format!("http://{}/renewal", self.address));
        Ok(directory)
    }

    async fn renewal(&self, certificate: &str) -> Result<Response> {
        let Said { body, retry_after, closed } = lock(&self.said).clone();
        if closed {
            return Ok(StatusCode::SERVICE_UNAVAILABLE.into_response());
        }
        let directory: Value = self.client.get(&self.ca).send().await?.error_for_status()?.json().await?;
        let url = format!("{}/{certificate}", directory["renewalInfo"].as_str().unwrap_or_default());
        let theirs = self.client.get(url).send().await?;
        let mut ours = Response::builder().status(theirs.status());
        let wait = theirs.headers().get(header::RETRY_AFTER).cloned();
        if let Some(value) = retry_after.map(|value| value.parse()).transpose()?.or(wait) {
            ours = ours.header(header::RETRY_AFTER, value);
        }
        let said = match body {
            Some(body) => body,
            None => theirs.text().await?,
        };
        Ok(ours.body(Body::from(said))?)
    }
}
