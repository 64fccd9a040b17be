//! What one call of a solver is lent: Secrets of its issuer, objects beside its Challenge, the DNS
//! and the HTTP-01 responder. Grants were checked before; here is what the cluster says.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams, Preconditions};
use kube::core::GroupVersionKind;
use kube::discovery::pinned_kind;
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};
use signet_api::Challenge;
use signet_dns::Dns;
use signet_plugins::{Backend, BackendError, Endpoint, LogLevel, RecordType};

use crate::context::Context;
use crate::error::sentence;
use crate::replicas::Replicas;
use crate::secrets;
use crate::writer::{MANAGER, controlled_by, is_code};

pub(super) struct ForChallenge {
    client: Client,
    challenge: Arc<Challenge>,
    secrets_in: String,
    dns: Dns,
    replicas: Arc<Replicas>,
    port: u16,
    tls_port: u16,
    told: Mutex<Told>,
}

/// What passed between the call and its solver that is worth keeping.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    /// Where Signet answers, if the solver asked.
    pub(super) leads_to: Option<BTreeSet<IpAddr>>,
    /// Lines that a person should see.
    pub(super) warnings: Vec<String>,
}

/// How many lines of one call a person is shown.
const MAX_WARNINGS: usize = 3;

impl ForChallenge {
    pub(super) fn new(cx: &Context, challenge: Arc<Challenge>, secrets_in: String) -> Self {
        Self {
            client: cx.writer.client().clone(),
            challenge,
            secrets_in,
            dns: cx.dns.clone(),
            replicas: cx.replicas.clone(),
            port: cx.settings.responder_port,
            tls_port: cx.settings.tls_responder_port,
            told: Mutex::default(),
        }
    }

    pub(super) fn told(&self) -> Told {
        self.telling().clone()
    }

    fn telling(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn namespace(&self) -> String {
        self.challenge.namespace().unwrap_or_default()
    }

    /// The API of a kind, in the Challenge's namespace.
    async fn api(&self, api_version: &str, kind: &str) -> Result<Api<DynamicObject>, BackendError> {
        let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
        let wanted = GroupVersionKind::gvk(group, version, kind);
        let found = pinned_kind(&self.client, &wanted).await;
        let (resource, _) = found.map_err(|error| match error {
            // Of a group that it does not know at all it answers 404, in plain text.
            error if matches!(error, kube::Error::Discovery(_)) || is_code(&error, 404) => {
                BackendError::Find(format!("the API server knows no {kind} of {api_version}"))
            }
            error => refusal(&format!("look up {kind} of {api_version}"), error),
        })?;
        Ok(Api::namespaced_with(self.client.clone(), &self.namespace(), &resource))
    }

    /// Where every replica answers from the Challenge itself, which each watches.
    fn endpoint(&self, port: u16) -> Endpoint {
        let addresses = self.replicas.addresses();
        let texts = addresses.iter().map(ToString::to_string).collect();
        self.telling().leads_to = Some(addresses);
        Endpoint { addresses: texts, port }
    }

    fn is_own(&self, object: &DynamicObject) -> bool {
        object.owner_references().iter().any(|owner| Some(&owner.uid) == self.challenge.uid().as_ref())
    }

    /// Refuses to touch what somebody else made.
    fn check_own(&self, what: &str, object: &DynamicObject) -> Result<(), BackendError> {
        if self.is_own(object) {
            return Ok(());
        }
        let (namespace, challenge) = (self.namespace(), self.challenge.name_any());
        Err(BackendError::Allow(format!("{what} in namespace {namespace} does not belong to Challenge {challenge}")))
    }
}

/// The API server's answer as a component may see it.
fn refusal(what: &str, error: kube::Error) -> BackendError {
    let text = format!("{what}: {}", sentence(&error));
    match &error {
        kube::Error::Api(status) => match status.code {
            401 | 403 => BackendError::Allow(text),
            404 => BackendError::Find(text),
            400 | 422 => BackendError::Accept(text),
            _ => BackendError::Reach(text),
        },
        _ => BackendError::Reach(text),
    }
}

fn to_value(object: &DynamicObject) -> Value {
    serde_json::to_value(object).expect("an object of the API is JSON")
}

fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

#[async_trait]
impl Backend for ForChallenge {
    async fn secret(&self, name: &str, key: &str) -> Result<Option<Vec<u8>>, BackendError> {
        let what = format!("read Secret {}/{name}", self.secrets_in);
        let api = Api::namespaced(self.client.clone(), &self.secrets_in);
        let found = api.get_opt(name).await.map_err(|error| refusal(&what, error))?;
        Ok(found.and_then(|secret| secrets::value(&secret, key).map(<[u8]>::to_vec)))
    }

    async fn kube_apply(&self, mut object: Value) -> Result<Value, BackendError> {
        let (kind, name) = (text(&object, "/kind").to_owned(), text(&object, "/metadata/name").to_owned());
        let what = format!("{kind} {name}");
        let api = self.api(text(&object, "/apiVersion"), &kind).await?;
        let there = api.get_opt(&name).await.map_err(|error| refusal(&format!("read {what}"), error))?;
        if let Some(there) = &there {
            self.check_own(&what, there)?;
        }
        let owners: Option<Vec<OwnerReference>> = controlled_by(&*self.challenge);
        object["metadata"]["namespace"] = json!(self.namespace());
        object["metadata"]["ownerReferences"] = json!(owners);
        let stored = api.patch(&name, &PatchParams::apply(MANAGER).force(), &Patch::Apply(&object)).await;
        let stored = stored.map_err(|error| refusal(&format!("apply {what}"), error))?;
        Ok(to_value(&stored))
    }

    async fn kube_get(&self, api_version: &str, kind: &str, name: &str) -> Result<Option<Value>, BackendError> {
        let found = self.api(api_version, kind).await?.get_opt(name).await;
        let found = found.map_err(|error| refusal(&format!("read {kind} {name}"), error))?;
        Ok(found.as_ref().map(to_value))
    }

    async fn kube_patch(&self, api_version: &str, kind: &str, name: &str, patch: Value) -> Result<Value, BackendError> {
        let what = format!("patch {kind} {name}");
        let patch = serde_json::from_value(patch).map_err(|error| BackendError::Accept(format!("{what}: {error}")))?;
        let parameters = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        let api = self.api(api_version, kind).await?;
        let patched = api.patch(name, &parameters, &Patch::<()>::Json(patch)).await;
        Ok(to_value(&patched.map_err(|error| refusal(&what, error))?))
    }

    async fn kube_delete(&self, api_version: &str, kind: &str, name: &str) -> Result<(), BackendError> {
        let what = format!("{kind} {name}");
        let api = self.api(api_version, kind).await?;
        let there = api.get_opt(name).await.map_err(|error| refusal(&format!("read {what}"), error))?;
        let Some(there) = there else { return Ok(()) };
        self.check_own(&what, &there)?;
        let only = Preconditions { uid: there.uid(), resource_version: None };
        let parameters = DeleteParams { preconditions: Some(only), ..DeleteParams::background() };
        match api.delete(name, &parameters).await {
            Err(error) if !is_code(&error, 404) => Err(refusal(&format!("delete {what}"), error)),
            _ => Ok(()),
        }
    }

    async fn service_account_token(&self, name: &str, audiences: &[String]) -> Result<String, BackendError> {
        let what = format!("ask for a token of ServiceAccount {}/{name}", self.secrets_in);
        let request = TokenRequest {
            spec: TokenRequestSpec {
                audiences: audiences.to_vec(),
                expiration_seconds: Some(600),
                bound_object_ref: None,
            },
            ..TokenRequest::default()
        };
        let api = Api::<ServiceAccount>::namespaced(self.client.clone(), &self.secrets_in);
        let answer = api.create_token_request(name, &PostParams::default(), &request).await;
        let answer = answer.map_err(|error| refusal(&what, error))?;
        answer.status.map(|status| status.token).ok_or_else(|| BackendError::Reach(format!("{what}: no token came")))
    }

    async fn dns_lookup(&self, name: &str, record_type: RecordType) -> Result<Vec<String>, BackendError> {
        let kind = match record_type {
            RecordType::A => signet_dns::RecordType::A,
            RecordType::Aaaa => signet_dns::RecordType::AAAA,
            RecordType::Cname => signet_dns::RecordType::CNAME,
            RecordType::Mx => signet_dns::RecordType::MX,
            RecordType::Ns => signet_dns::RecordType::NS,
            RecordType::Soa => signet_dns::RecordType::SOA,
            RecordType::Txt => signet_dns::RecordType::TXT,
        };
        self.dns.lookup(name, kind).await.map_err(|error| BackendError::Reach(sentence(&error)))
    }

    async fn responder(&self) -> Result<Endpoint, BackendError> {
        Ok(self.endpoint(self.port))
    }

    async fn tls_responder(&self) -> Result<Endpoint, BackendError> {
        Ok(self.endpoint(self.tls_port))
    }

    fn log(&self, level: LogLevel, message: &str) {
        let warnings = &mut self.telling().warnings;
        if level >= LogLevel::Warn && warnings.len() < MAX_WARNINGS {
            warnings.push(message.to_owned());
        }
    }
}
