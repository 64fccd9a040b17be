//! The caches and queues of every kind that is watched, and what each kind is found by.

use std::fmt::Debug;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use signet_api::labels::CRL_SECRET_NAME;
use signet_api::{
    Certificate, CertificateRequest, Challenge, ClusterIssuer, Issuer, IssuerRef, IssuerSpec, Order, State,
};

use crate::cache::{Cache, owned_by, owners};
use crate::issuers::named_secrets;
use crate::key::Key;
use crate::queue::Queue;
use crate::scope::Scope;
use crate::tls_alpn01;

/// What the process knows.
pub(crate) struct Stores {
    pub(crate) scope: Scope,
    pub(crate) certificates: Cache<Certificate>,
    pub(crate) requests: Cache<CertificateRequest>,
    pub(crate) orders: Cache<Order>,
    pub(crate) challenges: Cache<Challenge>,
    pub(crate) issuers: Cache<Issuer>,
    pub(crate) cluster_issuers: Cache<ClusterIssuer>,
    /// Those that are ours: labelled `controller.cert-manager.io/fao`. None where Secrets are not watched.
    pub(crate) secrets: Cache<Secret>,
}

/// What is to be looked at.
#[derive(Default)]
pub(crate) struct Queues {
    pub(crate) certificates: Queue,
    /// The Certificates again: what is revoked of them is decided apart from what is issued.
    pub(crate) revocations: Queue,
    pub(crate) requests: Queue,
    pub(crate) orders: Queue,
    pub(crate) challenges: Queue,
    pub(crate) issuers: Queue,
    pub(crate) cluster_issuers: Queue,
}

impl Stores {
    /// Empty caches of what `scope` lets the controller look at.
    pub(crate) fn new(scope: Scope) -> Self {
        Self {
            certificates: Cache::new(scope.parts(), |certificate| {
                let namespace = certificate.namespace().unwrap_or_default();
                vec![uses_secret(&namespace, &certificate.spec.secret_name), refers_to(&certificate.spec.issuer_ref)]
            }),
            requests: Cache::new(scope.parts(), |request| {
                let mut groups = owners(request);
                groups.push(refers_to(&request.spec.issuer_ref));
                groups
            }),
            orders: Cache::new(scope.parts(), |order| {
                let mut groups = owners(order);
                groups.push(refers_to(&order.spec.issuer_ref));
                groups
            }),
            challenges: Cache::new(scope.parts(), |challenge| {
                let mut groups = owners(challenge);
                groups.push(refers_to(&challenge.spec.issuer_ref));
                groups.push(answers(&challenge.spec.token));
                groups.extend(tls_alpn01::group(challenge));
                groups
            }),
            issuers: Cache::new(scope.parts(), |issuer| groups_of_issuer(issuer, &issuer.spec)),
            cluster_issuers: Cache::new(scope.of_cluster(), |issuer| groups_of_issuer(issuer, &issuer.spec)),
            secrets: Cache::new(scope.of_secrets(), owners),
            scope,
        }
    }

    /// Waits until everything was listed once.
    pub(crate) async fn wait_synced(&self) {
        self.certificates.wait_synced().await;
        self.requests.wait_synced().await;
        self.orders.wait_synced().await;
        self.challenges.wait_synced().await;
        self.issuers.wait_synced().await;
        self.cluster_issuers.wait_synced().await;
        self.secrets.wait_synced().await;
    }

    /// The Challenges whose proof Signet serves itself, and that somebody has still to look at.
    pub(crate) fn served(&self) -> Vec<Arc<Challenge>> {
        let mut challenges = self.challenges.all();
        challenges.retain(|challenge| {
            let state = challenge.status.as_ref().and_then(|status| status.state);
            !challenge.spec.type_.is_in_dns() && !state.is_some_and(State::is_final)
        });
        challenges
    }
}

/// The group of Certificates that write to this Secret.
pub(crate) fn uses_secret(namespace: &str, name: &str) -> String {
    format!("secret {namespace}/{name}")
}

/// The group of issuers that name a Secret so, in whatever namespace they look for it.
pub(crate) fn names_secret(name: &str) -> String {
    format!("names secret {name}")
}

/// The group of issuers that keep their list of revoked certificates in a Secret of this name.
pub(crate) fn keeps_list(name: &str) -> String {
    format!("list {name}")
}

fn groups_of_issuer(issuer: &impl ResourceExt, spec: &IssuerSpec) -> Vec<String> {
    let list = issuer.annotations().get(CRL_SECRET_NAME).map(|name| keeps_list(name));
    named_secrets(spec).iter().map(|name| names_secret(name)).chain(list).collect()
}

/// The group of what refers to an issuer of this name, of whatever kind and in whatever namespace.
pub(crate) fn refers_to(issuer: &IssuerRef) -> String {
    format!("issuer {}", issuer.name)
}

/// The group of Challenges with this token.
pub(crate) fn answers(token: &str) -> String {
    format!("token {token}")
}

/// A kind that has a cache.
pub(crate) trait Stored:
    Resource<DynamicType = ()> + Clone + Debug + Serialize + DeserializeOwned + Send + Sync + 'static
{
    fn cache(stores: &Stores) -> &Cache<Self>;
    fn api(client: &Client, namespace: &str) -> Api<Self>;
}

macro_rules! stored {
    ($kind:ty, $cache:ident) => {
        impl Stored for $kind {
            fn cache(stores: &Stores) -> &Cache<Self> {
                &stores.$cache
            }

            fn api(client: &Client, namespace: &str) -> Api<Self> {
                Api::namespaced(client.clone(), namespace)
            }
        }
    };
}

stored!(Certificate, certificates);
stored!(CertificateRequest, requests);
stored!(Order, orders);
stored!(Challenge, challenges);
stored!(Issuer, issuers);
stored!(Secret, secrets);

impl Stored for ClusterIssuer {
    fn cache(stores: &Stores) -> &Cache<Self> {
        &stores.cluster_issuers
    }

    fn api(client: &Client, _: &str) -> Api<Self> {
        Api::all(client.clone())
    }
}

/// Looks at the owner, of kind `kind`, of an object that changed.
pub(crate) fn owner_key<K: Resource>(object: &K, kind: &str) -> Option<Key> {
    let owner = object.owner_references().iter().find(|owner| owner.kind == kind)?;
    Some(Key::new(object.namespace().unwrap_or_default(), &owner.name))
}

/// What `owner` owns, of the kind of the cache.
pub(crate) fn children<K: Resource + Clone>(cache: &Cache<K>, owner: &impl ResourceExt) -> Vec<Arc<K>> {
    owner.uid().map(|uid| cache.group(&owned_by(&uid))).unwrap_or_default()
}
