//! An API server in memory, as far as the tests of this crate need one: reads, lists, merge
//! patches that must name the resourceVersion, applies, and deletions.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use http::{Method, Request, Response};
use kube::client::Body;
use serde_json::{Value, json};

use crate::cluster::Cluster;

/// Clones share their objects.
#[derive(Clone, Default)]
pub(crate) struct Fake(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// By path, as `/apis/cert-manager.io/v1/namespaces/a/certificates/web`.
    objects: BTreeMap<String, Value>,
    /// Words in paths that are forbidden.
    forbidden: Vec<&'static str>,
    /// How many of the next patches find that somebody else wrote before them.
    rivals: usize,
    requests: Vec<String>,
}

impl Fake {
    /// Holds the objects of some YAML documents.
    pub(crate) fn with(yaml: &str) -> Self {
        use serde::Deserialize;
        let fake = Self::default();
        for document in serde_yaml::Deserializer::from_str(yaml) {
            let object = Value::deserialize(document).unwrap();
            fake.0.lock().unwrap().objects.insert(path(&object), object);
        }
        fake
    }

    pub(crate) fn forbid(self, word: &'static str) -> Self {
        self.0.lock().unwrap().forbidden.push(word);
        self
    }

    pub(crate) fn rivals(self, count: usize) -> Self {
        self.0.lock().unwrap().rivals = count;
        self
    }

    /// A connection that looks in namespace `team-a`.
    pub(crate) fn cluster(&self) -> Cluster {
        let client = kube::Client::new(self.clone(), "team-a");
        Cluster { client, namespace: "team-a".into(), context: "test".into() }
    }

    pub(crate) fn object(&self, path: &str) -> Value {
        self.0.lock().unwrap().objects[path].clone()
    }

    /// Method, path and query of each request so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.0.lock().unwrap().requests.clone()
    }

    fn answer(&self, method: &Method, path: &str, query: &str, body: &[u8]) -> (u16, Value) {
        let mut state = self.0.lock().unwrap();
        state.requests.push(format!("{method} {path}?{query}"));
        if state.forbidden.iter().any(|word| path.contains(word)) {
            return failure(403, "you may not", "Forbidden", "");
        }
        match *method {
            Method::GET => state.get(path),
            Method::PATCH if is_whole(body) => state.apply(path, body),
            Method::PATCH => state.patch(path, body),
            Method::DELETE => match state.objects.remove(path) {
                Some(object) => (200, object),
                None => failure(404, "not found", "NotFound", "it"),
            },
            _ => failure(405, "not made for this", "MethodNotAllowed", ""),
        }
    }
}

impl State {
    fn get(&self, path: &str) -> (u16, Value) {
        if let Some(object) = self.objects.get(path) {
            return (200, object.clone());
        }
        let (parent, name) = path.rsplit_once('/').unwrap();
        // The name of a kind is a plural.
        if !KINDS.iter().any(|(_, plural)| name == *plural) {
            return match parent.rsplit_once('/') {
                Some((_, plural)) if KINDS.iter().any(|(_, known)| *known == plural) => {
                    failure(404, "not found", "NotFound", name)
                }
                _ => failure(404, "404 page not found", "", ""),
            };
        }
        let within = |key: &str| {
            let (collection, _) = key.rsplit_once('/').unwrap();
            collection == path || (!path.contains("/namespaces/") && without_namespace(collection) == path)
        };
        let items: Vec<_> = self.objects.iter().filter(|(key, _)| within(key)).map(|(_, object)| object).collect();
        (200, json!({ "apiVersion": "v1", "kind": "List", "metadata": {}, "items": items }))
    }

    fn apply(&mut self, path: &str, body: &[u8]) -> (u16, Value) {
        let object: Value = serde_json::from_slice(body).unwrap();
        self.objects.insert(path.to_owned(), object.clone());
        (200, object)
    }

    fn patch(&mut self, path: &str, body: &[u8]) -> (u16, Value) {
        let patch: Value = serde_json::from_slice(body).unwrap();
        let Some(object) = self.objects.get_mut(path.strip_suffix("/status").unwrap_or(path)) else {
            return failure(404, "not found", "NotFound", "it");
        };
        let version = |object: &Value| object["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
        let bump = |object: &mut Value| {
            let next = version(object).parse::<u32>().unwrap() + 1;
            object["metadata"]["resourceVersion"] = json!(next.to_string());
        };
        if self.rivals > 0 {
            self.rivals -= 1;
            bump(object);
        }
        if version(object) != version(&patch) {
            return failure(409, "the object has been modified", "Conflict", "it");
        }
        merge(object, &patch);
        bump(object);
        (200, object.clone())
    }
}

/// Whether this is an object to apply, and no patch.
fn is_whole(body: &[u8]) -> bool {
    serde_json::from_slice::<Value>(body).is_ok_and(|body| body["kind"].is_string())
}

/// A merge patch (RFC 7396).
fn merge(object: &mut Value, patch: &Value) {
    let Value::Object(fields) = patch else {
        *object = patch.clone();
        return;
    };
    for (name, value) in fields {
        match value {
            Value::Null => drop(object.as_object_mut().map(|fields| fields.remove(name))),
            value => merge(&mut object[name], value),
        }
    }
}

const KINDS: &[(&str, &str)] = &[
    ("Certificate", "certificates"),
    ("CertificateRequest", "certificaterequests"),
    ("Issuer", "issuers"),
    ("ClusterIssuer", "clusterissuers"),
    ("Order", "orders"),
    ("Challenge", "challenges"),
    ("Secret", "secrets"),
    ("ConfigMap", "configmaps"),
    ("Deployment", "deployments"),
    ("Event", "events"),
    ("Lease", "leases"),
];

fn path(object: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (version, kind) = (text(&object["apiVersion"]), text(&object["kind"]));
    let root = if version == "v1" { "/api/v1".to_owned() } else { format!("/apis/{version}") };
    let (_, plural) = KINDS.iter().find(|(known, _)| *known == kind).unwrap();
    let name = text(&object["metadata"]["name"]);
    match object["metadata"]["namespace"].as_str() {
        Some(namespace) => format!("{root}/namespaces/{namespace}/{plural}/{name}"),
        None => format!("{root}/{plural}/{name}"),
    }
}

fn without_namespace(collection: &str) -> String {
    let Some((root, rest)) = collection.split_once("/namespaces/") else { return collection.to_owned() };
    format!("{root}/{}", rest.split_once('/').unwrap().1)
}

fn failure(code: u16, message: &str, reason: &str, name: &str) -> (u16, Value) {
    let details = json!({ "name": name });
    (code, json!({ "status": "Failure", "code": code, "message": message, "reason": reason, "details": details }))
}

impl tower_service::Service<Request<Body>> for Fake {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let fake = self.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let body = body.collect_bytes().await.unwrap();
            let query = parts.uri.query().unwrap_or_default();
            let (code, value) = fake.answer(&parts.method, parts.uri.path(), query, &body);
            let body = Body::from(serde_json::to_vec(&value).unwrap());
            Ok(Response::builder().status(code).body(body).unwrap())
        })
    }
}
