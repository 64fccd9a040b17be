//! Between the controller and the API server: what happens to the writes of a namespace is chosen by their number.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Result, bail};
use axum::body::{Body, Bytes};
use axum::http::{Method, Request, Response, header};
use futures::stream;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::json;
use signet_lab::{Lab, Port};
use tokio::sync::watch;

use super::tls::{Server, Upstream, with_body};
use super::watches::{self, Treatment};

/// When the controller dies, by what became of its write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// It was not sent.
    Unsent,
    /// The API server has carried it out, and nobody was told.
    Committed,
    /// The answer has arrived, and nothing was sent since.
    Answered,
}

/// The moments in the order in which they come.
pub const MOMENTS: [Moment; 3] = [Moment::Unsent, Moment::Committed, Moment::Answered];

/// What happens to a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The controller is to be killed: [`ApiServer::wants_a_death`] returns, and nothing passes before
    /// [`ApiServer::reopen`].
    Death(Moment),
    /// It is answered with this status, and not carried out.
    Refused(u16),
    /// The connection breaks before it is carried out.
    Cut,
    /// It is carried out, and the connection breaks.
    CutAfter,
    /// It is carried out, and answered as one that took too long.
    TimedOut,
    /// It is carried out twice, and the second answer is given.
    Twice,
    /// It is carried out after so long.
    Late(Duration),
    /// It is carried out, and there is no answer ever.
    Silence,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

/// What is to happen in a namespace, and what was seen there.
#[derive(Default)]
struct Script {
    planned: Option<(usize, Fault)>,
    writes: Vec<String>,
    struck: bool,
}

/// Whether requests pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gate {
    Open,
    /// The last answer is on its way.
    Closing,
    Shut,
}

/// A running proxy; it ends when it is dropped.
pub struct ApiServer {
    server: Server,
    state: Arc<State>,
}

struct State {
    upstream: Upstream,
    scripts: Mutex<BTreeMap<String, Script>>,
    gate: watch::Sender<Gate>,
    watches: watch::Sender<Treatment>,
}

impl ApiServer {
    /// A proxy before the lab's API server, with that one's certificate.
    ///
    /// # Errors
    /// There is no port for it, or the lab has no such certificate.
    pub async fn before(lab: &Lab) -> Result<Self> {
        let file = |name: &str| lab.site().path(format!("pki/cluster/{name}"));
        let upstream = Upstream::new(format!("https://{}", lab.site().at(Port::ApiServer)), &file("ca.crt"))?;
        let (scripts, gate, watches) = (Mutex::default(), watch::Sender::new(Gate::Open), watch::Sender::default());
        let state = Arc::new(State { upstream, scripts, gate, watches });
        let serving = state.clone();
        let service = move |request| serving.clone().serve(request);
        let server = Server::start(lab.site().address, &file("apiserver.crt"), &file("apiserver.key"), service).await?;
        Ok(Self { server, state })
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("https://{}", self.server.address)
    }

    /// Counts the writes in a namespace from now on, and has `fault` happen to the one of this number.
    pub fn plan(&self, namespace: &str, number: usize, fault: Fault) {
        let script = Script { planned: Some((number, fault)), ..Script::default() };
        lock(&self.state.scripts).insert(namespace.to_owned(), script);
    }

    /// Has nothing more happen in a namespace. The writes that were seen; and whether the fault struck, which is
    /// then the last of them.
    pub fn unplan(&self, namespace: &str) -> (Vec<String>, bool) {
        let script = lock(&self.state.scripts).remove(namespace).unwrap_or_default();
        (script.writes, script.struck)
    }

    /// Returns once the controller is to be killed.
    pub async fn wants_a_death(&self) {
        let mut gate = self.state.gate.subscribe();
        // The sender is here.
        let _ = gate.wait_for(|gate| *gate == Gate::Shut).await;
    }

    /// Lets requests pass again. Those that were held are broken.
    pub fn reopen(&self) {
        self.state.gate.send_replace(Gate::Open);
    }

    /// Holds back the events of every watch, or lets them go.
    pub fn hold_watches(&self, held: bool) {
        self.state.watches.send_modify(|treatment| treatment.held = held);
    }

    /// Tells every watch that it is too old, and ends it.
    pub fn expire_watches(&self) {
        self.state.watches.send_modify(|treatment| treatment.expired += 1);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    async fn serve(self: Arc<Self>, request: Request<Incoming>) -> watches::Answer {
        let mut gate = self.gate.subscribe();
        if *gate.borrow_and_update() != Gate::Open {
            return self.broken().await;
        }
        if watches::is_watch(request.uri().query()) {
            let (parts, events) = self.upstream.pass(request.map(Body::new)).await?.into_parts();
            let events = watches::treated(events, self.watches.subscribe());
            return Ok(with_body(parts, events));
        }
        match self.fault_of(&request) {
            None => Ok(self.upstream.pass(request.map(Body::new)).await?.map(Body::new)),
            Some(fault) => self.strike(fault, request).await,
        }
    }

    /// Counts a write, and finds what is planned for it.
    fn fault_of(&self, request: &Request<Incoming>) -> Option<Fault> {
        if matches!(*request.method(), Method::GET | Method::HEAD) {
            return None;
        }
        let (namespace, object) = place(request.uri().path())?;
        let mut scripts = lock(&self.scripts);
        let script = scripts.get_mut(namespace).filter(|script| !script.struck)?;
        script.writes.push(format!("{} {object}", request.method()));
        let (number, fault) = script.planned?;
        script.struck = script.writes.len() == number;
        script.struck.then_some(fault)
    }

    async fn strike(&self, fault: Fault, request: Request<Incoming>) -> watches::Answer {
        match fault {
            Fault::Death(Moment::Unsent) => {
                self.gate.send_replace(Gate::Shut);
                self.broken().await
            }
            Fault::Death(Moment::Committed) => {
                self.carry_out(request).await?;
                self.gate.send_replace(Gate::Shut);
                self.broken().await
            }
            Fault::Death(Moment::Answered) => {
                let (parts, body) = self.carry_out(request).await?.into_parts();
                self.gate.send_replace(Gate::Closing);
                Ok(with_body(parts, last_words(body, self.gate.clone())))
            }
            Fault::Refused(code) => Ok(refused(code)?),
            Fault::Cut => bail!("cut before it was carried out"),
            Fault::CutAfter => {
                self.carry_out(request).await?;
                bail!("cut after it was carried out")
            }
            Fault::TimedOut => {
                self.carry_out(request).await?;
                refused(504)
            }
            Fault::Twice => {
                let (parts, body) = request.into_parts();
                let body = body.collect().await?.to_bytes();
                let once = || Request::from_parts(parts.clone(), Body::from(body.clone()));
                self.upstream.pass(once()).await?.into_body().collect().await?;
                Ok(self.upstream.pass(once()).await?.map(Body::new))
            }
            Fault::Late(time) => {
                tokio::time::sleep(time).await;
                Ok(self.upstream.pass(request.map(Body::new)).await?.map(Body::new))
            }
            Fault::Silence => {
                self.carry_out(request).await?;
                std::future::pending().await
            }
        }
    }

    /// The whole answer.
    async fn carry_out(&self, request: Request<Incoming>) -> Result<Response<Bytes>> {
        let (parts, body) = self.upstream.pass(request.map(Body::new)).await?.into_parts();
        Ok(Response::from_parts(parts, body.collect().await?.to_bytes()))
    }

    /// Nothing comes of it before the gate is open again, and nothing then.
    async fn broken(&self) -> watches::Answer {
        self.gate.subscribe().wait_for(|gate| *gate == Gate::Open).await?;
        bail!("the controller that asked is dead")
    }
}

/// A body with whose end the gate is shut.
fn last_words(body: Bytes, gate: watch::Sender<Gate>) -> Body {
    struct Shuts(watch::Sender<Gate>);
    impl Drop for Shuts {
        fn drop(&mut self) {
            self.0.send_replace(Gate::Shut);
        }
    }
    let words = (Some(body), Shuts(gate));
    Body::from_stream(stream::unfold(words, |(body, gate)| async move { Some((anyhow::Ok(body?), (None, gate))) }))
}

/// The namespace of an API path, and what follows it. Leases are not counted: they are renewed by the clock.
fn place(path: &str) -> Option<(&str, &str)> {
    let (_, rest) = path.split_once("/namespaces/")?;
    let (namespace, object) = rest.split_once('/')?;
    (!object.starts_with("leases")).then_some((namespace, object))
}

/// What the API server says in such a case.
fn refused(code: u16) -> watches::Answer {
    let reason = match code {
        409 => "Conflict",
        410 => "Expired",
        429 => "TooManyRequests",
        504 => "Timeout",
        _ => "InternalError",
    };
    let status = json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": "the proxy says so", "reason": reason, "code": code });
    let mut response = Response::builder().status(code).header(header::CONTENT_TYPE, "application/json");
    if code == 429 {
        response = response.header(header::RETRY_AFTER, "1");
    }
    Ok(response.body(Body::from(status.to_string()))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_is_of_a_namespace() {
        let place_of = |path| place(path).map(|(namespace, object)| format!("{namespace} {object}"));
        for (path, expected) in [
            ("/api/v1/namespaces/a/secrets", Some("a secrets")),
            ("/apis/cert-manager.io/v1/namespaces/a/certificates/b/status", Some("a certificates/b/status")),
            ("/apis/coordination.k8s.io/v1/namespaces/a/leases/b", None),
            ("/api/v1/namespaces", None),
            ("/api/v1/namespaces/a", None),
            ("/apis/cert-manager.io/v1/clusterissuers/b/status", None),
        ] {
            assert_eq!(place_of(path).as_deref(), expected, "{path}");
        }
    }
}
