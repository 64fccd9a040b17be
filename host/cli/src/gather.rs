//! Reads a Certificate and what stands behind it from the API server, all at once.
//!
//! Only the Certificate itself must be readable. Application teams may often not see Secrets or
//! ClusterIssuers; what they may not see is [`Seen::Hidden`], and the story goes on without it.

use std::fmt::Debug;

use anyhow::{Context, Result, anyhow};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::ListParams;
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use signet_api::{
    Certificate, CertificateRequest, Challenge, ClusterIssuer, Issuer, IssuerRef, IssuerSpec, IssuerStatus, Order,
    labels,
};
use signet_core::pki::{Chain, Names};

use crate::args::IssuerKind;
use crate::cluster::{Cluster, is_missing, sentence};
use crate::gathered::{
    Gathered, Happening, IssuerFacts, Leaf, SecretFacts, Seen, SeenIssuer, current_request, is_owned,
};
use crate::issuers::Issuers;
use crate::story::issuer::GatheredIssuer;

/// How many events are told.
const HAPPENINGS: usize = 10;
/// Where events about objects without a namespace are kept.
const CLUSTER_EVENTS: &str = "default";

/// Reads it all. The error is a sentence about the Certificate.
pub(crate) async fn gather(cluster: &Cluster, name: &str) -> Result<Gathered> {
    let certificate = certificate(cluster, &cluster.namespace, name).await?;
    let next_key_name = certificate.status.as_ref().and_then(|status| status.next_private_key_secret_name.as_deref());
    let secrets = api::<Secret>(cluster);
    let (issuer, secret, next_key, requests, orders, challenges, events, cluster_events) = tokio::join!(
        issuer(cluster, &certificate.spec.issuer_ref),
        get(&secrets, Some(&certificate.spec.secret_name)),
        get(&secrets, next_key_name),
        list(api::<CertificateRequest>(cluster), ListParams::default()),
        list(api::<Order>(cluster), ListParams::default()),
        list(api::<Challenge>(cluster), ListParams::default()),
        list(api::<Event>(cluster), ListParams::default()),
        list(
            Api::<Event>::namespaced(cluster.client.clone(), CLUSTER_EVENTS),
            ListParams::default().fields("regarding.kind=ClusterIssuer"),
        ),
    );
    let request = requests.and_then(|all| current_request(&certificate, all));
    let order = orders.and_then(|all| newest(owned(all, &request)));
    let challenges = challenges.map(|all| owned(all, &order));
    let mut gathered = Gathered {
        issuer,
        secret: secret.map(|secret| secret_facts(&secret)),
        next_key: next_key.map(|_| ()),
        request,
        order,
        challenges,
        happenings: Seen::Missing,
        certificate,
    };
    let cluster_events = cluster_events.there().cloned().unwrap_or_default();
    gathered.happenings = events.map(|all| happenings(&gathered, all.into_iter().chain(cluster_events)));
    Ok(gathered)
}

/// Reads an issuer and what happened to it.
pub(crate) async fn gather_issuer(cluster: &Cluster, kind: IssuerKind, name: &str) -> Result<GatheredIssuer> {
    let found = Issuers::new(cluster, kind).get(name).await?;
    let namespace = found.metadata.namespace.as_deref().unwrap_or(CLUSTER_EVENTS);
    let api = Api::<Event>::namespaced(cluster.client.clone(), namespace);
    let params = ListParams::default().fields(&format!("regarding.kind={},regarding.name={name}", found.kind));
    let subject = [format!("{} {name}", found.kind)];
    let happenings = list(api, params).await.map(|events| latest(&subject, events.into_iter()));
    Ok(GatheredIssuer { found, happenings })
}

/// Reads one Certificate; the error names it.
pub(crate) async fn certificate(cluster: &Cluster, namespace: &str, name: &str) -> Result<Certificate> {
    let api = Api::<Certificate>::namespaced(cluster.client.clone(), namespace);
    match api.get(name).await {
        Ok(certificate) => Ok(certificate),
        Err(error) if is_missing(&error) => {
            Err(anyhow!("Certificate {namespace}/{name} does not exist in the cluster of context {}", cluster.context))
        }
        Err(error) => Err(anyhow!(sentence(&error)))
            .with_context(|| format!("Certificate {namespace}/{name} can not be read in context {}", cluster.context)),
    }
}

fn api<K>(cluster: &Cluster) -> Api<K>
where
    K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
{
    Api::namespaced(cluster.client.clone(), &cluster.namespace)
}

async fn get<K: Clone + DeserializeOwned + Debug>(api: &Api<K>, name: Option<&str>) -> Seen<K> {
    match name {
        None | Some("") => Seen::Missing,
        Some(name) => match api.get(name).await {
            Ok(found) => Seen::There(found),
            Err(error) if is_missing(&error) => Seen::Missing,
            Err(error) => Seen::Hidden(sentence(&error)),
        },
    }
}

async fn list<K: Clone + DeserializeOwned + Debug>(api: Api<K>, params: ListParams) -> Seen<Vec<K>> {
    match api.list(&params).await {
        Ok(list) => Seen::There(list.items),
        Err(error) => Seen::Hidden(sentence(&error)),
    }
}

/// Looks for the issuer as the controller does: without a kind, the namespace's own comes first.
pub(crate) async fn issuer(cluster: &Cluster, wanted: &IssuerRef) -> SeenIssuer {
    if !wanted.is_ours() {
        return SeenIssuer::Foreign;
    }
    let (local, global) = (api::<Issuer>(cluster), Api::<ClusterIssuer>::all(cluster.client.clone()));
    let local = async || {
        let found = get(&local, Some(&wanted.name)).await;
        found.map(|issuer| issuer_facts("Issuer", &issuer.metadata, issuer.spec, issuer.status))
    };
    let global = async || {
        let found = get(&global, Some(&wanted.name)).await;
        found.map(|issuer| issuer_facts("ClusterIssuer", &issuer.metadata, issuer.spec.0, issuer.status))
    };
    SeenIssuer::Ours(match wanted.kind_if_set() {
        Some("Issuer") => local().await,
        Some("ClusterIssuer") => global().await,
        Some(_) => Seen::Missing,
        None => match local().await {
            Seen::Missing => global().await,
            found => found,
        },
    })
}

fn issuer_facts(
    kind: &'static str,
    metadata: &ObjectMeta,
    spec: IssuerSpec,
    status: Option<IssuerStatus>,
) -> IssuerFacts {
    let keeps_list = metadata.annotations.iter().flatten().any(|(name, _)| name == labels::CRL_SECRET_NAME);
    IssuerFacts { kind, spec, status: status.unwrap_or_default(), keeps_list }
}

fn secret_facts(secret: &Secret) -> SecretFacts {
    let value = |key: &str| secret.data.as_ref()?.get(key).map(|value| &value.0).filter(|value| !value.is_empty());
    let annotations = secret.metadata.annotations.as_ref();
    SecretFacts {
        type_: secret.type_.clone().unwrap_or_default(),
        lacks: ["tls.crt", "tls.key"].into_iter().filter(|key| value(key).is_none()).collect(),
        leaf: value("tls.crt").map(|pem| Chain::parse(pem).map(leaf).map_err(|error| error.to_string())),
        certificate_name: annotations.and_then(|all| all.get(labels::CERTIFICATE_NAME)).cloned(),
    }
}

fn leaf(chain: Chain) -> Leaf {
    Leaf {
        subject: chain.leaf.subject.to_string(),
        names: names(&chain.leaf.names),
        issuer: chain.leaf.issuer.to_string(),
        serial: chain.leaf.serial,
        not_after: chain.leaf.not_after,
    }
}

fn names(names: &Names) -> Vec<String> {
    let Names { dns, ips, uris, emails, others: _ } = names;
    let ips: Vec<_> = ips.iter().map(ToString::to_string).collect();
    [dns, &ips, uris, emails].into_iter().flatten().cloned().collect()
}

fn owned<K: Resource, O: Resource>(all: Vec<K>, owner: &Seen<O>) -> Vec<K> {
    let uid = owner.there().and_then(|owner| owner.meta().uid.as_deref());
    all.into_iter().filter(|object| uid.is_some() && is_owned(object, uid)).collect()
}

fn newest<K: Resource>(all: Vec<K>) -> Option<K> {
    all.into_iter().max_by_key(|object| object.meta().creation_timestamp.clone())
}

/// The last events about the objects of the story, the oldest first.
fn happenings(gathered: &Gathered, events: impl Iterator<Item = Event>) -> Vec<Happening> {
    latest(&subjects(gathered), events)
}

fn latest(subjects: &[String], events: impl Iterator<Item = Event>) -> Vec<Happening> {
    let mut found: Vec<_> = events.filter_map(happening).filter(|event| subjects.contains(&event.object)).collect();
    found.sort_by(|one, other| (one.at, &one.object, &one.message).cmp(&(other.at, &other.object, &other.message)));
    // In the namespace `default`, both lists have the events about ClusterIssuers.
    found.dedup();
    found.split_off(found.len().saturating_sub(HAPPENINGS))
}

fn subjects(gathered: &Gathered) -> Vec<String> {
    fn of<K: Resource<DynamicType = ()>>(object: &K) -> String {
        format!("{} {}", K::kind(&()), object.meta().name.as_deref().unwrap_or_default())
    }
    let mut subjects = vec![of(&gathered.certificate), gathered.issuer_name()];
    subjects.extend(gathered.request.there().map(of));
    subjects.extend(gathered.order.there().map(of));
    subjects.extend(gathered.challenges.there().into_iter().flatten().map(of));
    subjects
}

fn happening(event: Event) -> Option<Happening> {
    let regarding = event.regarding?;
    let series = event.series.as_ref();
    let times = [
        series.map(|series| series.last_observed_time.0),
        event.deprecated_last_timestamp.map(|time| time.0),
        event.event_time.map(|time| time.0),
        event.deprecated_first_timestamp.map(|time| time.0),
        event.metadata.creation_timestamp.map(|time| time.0),
    ];
    Some(Happening {
        at: times.into_iter().flatten().next().unwrap_or(Timestamp::UNIX_EPOCH),
        severity: event.type_.unwrap_or_default(),
        reason: event.reason.unwrap_or_default(),
        object: format!("{} {}", regarding.kind.unwrap_or_default(), regarding.name.unwrap_or_default()),
        message: event.note.unwrap_or_default(),
        count: series.map(|series| series.count).or(event.deprecated_count).unwrap_or(1),
    })
}

#[cfg(test)]
mod tests;
