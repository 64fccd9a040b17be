//! The watches: each event goes into a cache, and says which objects are to be looked at.

use std::sync::Arc;

use futures::{Stream, StreamExt, pin_mut};
use k8s_openapi::api::core::v1::Secret;
use kube::core::PartialObjectMeta;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, ResourceExt};
use signet_api::{Certificate, CertificateRequest, Challenge, ClusterIssuer, Issuer, Order, labels};
use tokio::task::JoinSet;

use crate::context::Context;
use crate::error::sentence;
use crate::issuers::AnyIssuer;
use crate::key::Key;
use crate::scope::Part;
use crate::stores::{Stored, keeps_list, names_secret, owner_key, uses_secret};
use crate::tls_alpn01;
use crate::writer::is_code;

/// How many objects a page of the first listing has.
const PAGE: u32 = 500;

/// Starts every watch.
pub(crate) fn start(cx: &Arc<Context>, client: &Client) -> JoinSet<()> {
    let mut tasks = Watches { cx, client, tasks: JoinSet::new() };
    let all = watcher::Config::default().page_size(PAGE);
    tasks.pump::<Certificate>(&all, certificate);
    tasks.pump::<CertificateRequest>(&all, request);
    tasks.pump::<Order>(&all, order);
    tasks.pump::<Challenge>(&all, challenge);
    tasks.pump::<Issuer>(&all, issuer);
    tasks.pump::<ClusterIssuer>(&all, cluster_issuer);
    tasks.pump::<Secret>(&all.labels(&format!("{}=true", labels::WATCHED)), secret);
    tasks.named_secrets();
    tasks.tasks.spawn(plugins(cx.clone()));
    tasks.tasks
}

struct Watches<'a> {
    cx: &'a Arc<Context>,
    client: &'a Client,
    tasks: JoinSet<()>,
}

impl Watches<'_> {
    /// A watch of each part of a kind's cache.
    fn pump<K: Stored>(&mut self, config: &watcher::Config, wake: fn(&Context, &K)) {
        for part in K::cache(&self.cx.stores).parts() {
            self.tasks.spawn(pump(self.cx.clone(), self.client.clone(), part.clone(), config.clone(), wake));
        }
    }

    fn named_secrets(&mut self) {
        for part in self.cx.stores.secrets.parts() {
            self.tasks.spawn(named_secrets(self.cx.clone(), part.metadata_of_secrets(self.client)));
        }
    }
}

/// Moves events of one part of a kind into its cache, and has `wake` say what they concern.
async fn pump<K: Stored>(
    cx: Arc<Context>,
    client: Client,
    part: Part,
    config: watcher::Config,
    wake: fn(&Context, &K),
) {
    let api = part.api::<K>(&client);
    let slim = |object: &mut K| {
        // Only those of Secrets are ever read: they tell what was once applied.
        if K::kind(&()) != "Secret" {
            object.managed_fields_mut().clear();
        }
    };
    let events = watcher(api, config).default_backoff().map(move |event| event.map(|event| event.modify(slim)));
    take_in(&cx, &part, events, wake).await;
}

async fn take_in<K: Stored>(
    cx: &Context,
    part: &Part,
    events: impl Stream<Item = Result<Event<K>, watcher::Error>>,
    wake: fn(&Context, &K),
) {
    let cache = K::cache(&cx.stores);
    pin_mut!(events);
    let mut told = false;
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Init) => cache.begin_listing(part),
            Ok(Event::InitApply(object) | Event::Apply(object)) => {
                let object = Arc::new(object);
                cache.put(object.clone());
                wake(cx, &object);
            }
            Ok(Event::InitDone) => {
                for key in cache.end_listing(part) {
                    tracing::debug!(kind = %K::kind(&()), %key, "went while nobody watched");
                }
            }
            Ok(Event::Delete(object)) => {
                cache.remove(&object);
                wake(cx, &object);
            }
            Err(error) => told = tell::<K>(&error, told),
        }
    }
}

/// Says why a watch broke; that a kind is missing, which does not mend itself, only once. Returns
/// whether that was said.
fn tell<K: Stored>(error: &watcher::Error, told: bool) -> bool {
    let kind = K::kind(&());
    let missing = matches!(error, watcher::Error::InitialListFailed(error) if is_code(error, 404));
    if missing && !told {
        let to_do = "apply the CRDs: signet crds | kubectl apply --server-side -f -";
        tracing::error!(%kind, to_do, "the API server does not know this kind; waiting until it does");
    } else if !missing {
        tracing::warn!(%kind, error = sentence(error), "the watch broke and starts again");
    }
    missing
}

fn certificate(cx: &Context, certificate: &Certificate) {
    cx.queues.certificates.add(Key::of(certificate));
    cx.queues.revocations.add(Key::of(certificate));
    if certificate.metadata.deletion_timestamp.is_some() || cx.stores.certificates.get(&Key::of(certificate)).is_none()
    {
        // Another Certificate may have waited for this one's Secret.
        wake_users(cx, &certificate.namespace().unwrap_or_default(), &certificate.spec.secret_name);
    }
}

fn wake_users(cx: &Context, namespace: &str, secret: &str) {
    for user in cx.stores.certificates.group(&uses_secret(namespace, secret)) {
        cx.queues.certificates.add(Key::of(&*user));
    }
}

fn request(cx: &Context, request: &CertificateRequest) {
    cx.queues.requests.add(Key::of(request));
    if let Some(owner) = owner_key(request, "Certificate") {
        cx.queues.certificates.add(owner);
    }
}

fn order(cx: &Context, order: &Order) {
    cx.queues.orders.add(Key::of(order));
    if let Some(owner) = owner_key(order, "CertificateRequest") {
        cx.queues.requests.add(owner);
    }
}

fn challenge(cx: &Context, challenge: &Challenge) {
    cx.queues.challenges.add(Key::of(challenge));
    if let Some(group) = tls_alpn01::group(challenge) {
        // Its turn may have come to an end.
        cx.stores.challenges.group(&group).iter().for_each(|other| cx.queues.challenges.add(Key::of(&**other)));
    }
    if let Some(owner) = owner_key(challenge, "Order") {
        cx.queues.orders.add(owner);
    }
}

fn issuer(cx: &Context, issuer: &Issuer) {
    cx.queues.issuers.add(Key::of(issuer));
    wake_referrers(cx, &issuer.name_any());
}

fn cluster_issuer(cx: &Context, issuer: &ClusterIssuer) {
    cx.queues.cluster_issuers.add(Key::of(issuer));
    wake_referrers(cx, &issuer.name_any());
}

/// Everything under way that refers to an issuer of this name.
fn wake_referrers(cx: &Context, name: &str) {
    let group = crate::stores::refers_to(&signet_api::IssuerRef { name: name.to_owned(), ..Default::default() });
    let stores = &cx.stores;
    stores.certificates.group(&group).iter().for_each(|object| {
        cx.queues.certificates.add(Key::of(&**object));
        cx.queues.revocations.add(Key::of(&**object));
    });
    stores.requests.group(&group).iter().for_each(|object| cx.queues.requests.add(Key::of(&**object)));
    stores.orders.group(&group).iter().for_each(|object| cx.queues.orders.add(Key::of(&**object)));
    stores.challenges.group(&group).iter().for_each(|object| cx.queues.challenges.add(Key::of(&**object)));
}

fn secret(cx: &Context, secret: &Secret) {
    if let Some(owner) = owner_key(secret, "Certificate") {
        cx.queues.certificates.add(owner);
    }
    // The watch of metadata may have told of it before the cache had it.
    changed(cx, secret);
}

/// Watches the metadata of every Secret, keeps none of it, and wakes the issuers that name one.
async fn named_secrets(cx: Arc<Context>, api: Api<PartialObjectMeta<Secret>>) {
    let config = watcher::Config::default().page_size(PAGE);
    let events = watcher(api, config).default_backoff();
    pin_mut!(events);
    let mut listed = false;
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::InitDone) => listed = true,
            Ok(Event::Apply(secret) | Event::Delete(secret)) => changed(&cx, &secret),
            // What is listed first was there when the issuers were looked at.
            Ok(Event::InitApply(secret)) if listed => changed(&cx, &secret),
            Ok(Event::Init | Event::InitApply(_)) => {}
            Err(error) => {
                tracing::warn!(error = sentence(&error), "the watch of Secrets' metadata broke and starts again")
            }
        }
    }
}

fn changed(cx: &Context, secret: &impl ResourceExt) {
    secret_changed(cx, &secret.namespace().unwrap_or_default(), &secret.name_any());
}

/// A Secret came, went or is another now: wakes the issuers that name it, and what refers to them.
pub(crate) fn secret_changed(cx: &Context, namespace: &str, name: &str) {
    for issuer in issuers_by(cx, &names_secret(name), namespace) {
        cx.secret_changes.count();
        wake_issuer(cx, &issuer);
        wake_referrers(cx, &issuer.name());
    }
    issuers_by(cx, &keeps_list(name), namespace).iter().for_each(|issuer| wake_issuer(cx, issuer));
    // A target Secret that is not yet ours.
    wake_users(cx, namespace, name);
}

/// The issuers of a group that look for their Secrets in `namespace`.
fn issuers_by(cx: &Context, group: &str, namespace: &str) -> Vec<AnyIssuer> {
    let issuers = cx.stores.issuers.group(group).into_iter().map(AnyIssuer::Issuer);
    let cluster = cx.stores.cluster_issuers.group(group).into_iter().map(AnyIssuer::ClusterIssuer);
    issuers.chain(cluster).filter(|issuer| issuer.secrets_in(&cx.settings) == namespace).collect()
}

fn wake_issuer(cx: &Context, issuer: &AnyIssuer) {
    match issuer {
        AnyIssuer::Issuer(issuer) => cx.queues.issuers.add(Key::of(&**issuer)),
        AnyIssuer::ClusterIssuer(issuer) => cx.queues.cluster_issuers.add(Key::of(&**issuer)),
    }
}

/// A plugin came, went or was replaced: issuers name them, and Challenges may have waited.
async fn plugins(cx: Arc<Context>) {
    let mut changes = cx.registry.changes();
    while changes.changed().await.is_ok() {
        let stores = &cx.stores;
        stores.issuers.all().iter().for_each(|object| cx.queues.issuers.add(Key::of(&**object)));
        stores.cluster_issuers.all().iter().for_each(|object| cx.queues.cluster_issuers.add(Key::of(&**object)));
        stores.challenges.all().iter().for_each(|object| cx.queues.challenges.add(Key::of(&**object)));
    }
}
