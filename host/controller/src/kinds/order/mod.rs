//! Order: asks the CA, and makes the Challenges that prove the names.

mod caa;

use std::sync::Arc;

use async_trait::async_trait;
use futures::future::try_join_all;
use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt;
use signet_acme::Account;
use signet_api::{Challenge, ChallengeSpec, ChallengeType, Order, OrderStatus, State};
use signet_core::acme::{AuthorizationAtCa, OrderAtCa};
use signet_core::challenge::FINALIZER;
use signet_core::limits::history;
use signet_core::order::{
    Action, Downloaded, Forbidden, Memory, Observed, OrderPlan, OwnChallenge, SeenOrder, decide, is_to_ask,
};
use signet_core::persist;

use crate::accounts::{Work, failure};
use crate::changes::{Kept, Surroundings};
use crate::context::{Context, Memories};
use crate::error::Error;
use crate::issuers::AnyIssuer;
use crate::key::Key;
use crate::queue::Queue;
use crate::reconcile::Kind;
use crate::stores::children;
use crate::writer::{Contested, controlled_by};

/// How often an authorization of a new order is asked for before the order waits.
const AUTHORIZATION_TRIES: usize = 3;

/// The edge of Orders.
#[derive(Default)]
pub(crate) struct Orders {
    memories: Memories<Kept<Memory>>,
    /// Orders that the CA has made and not yet shown whole: asked for again, they would be made twice.
    made: Memories<Option<OrderAtCa>>,
}

#[async_trait]
impl Kind for Orders {
    const NAME: &'static str = "orders";
    const CONTESTED: Contested = Contested::No;
    type Object = Order;
    type Observed = Observed;
    type Action = Action;
    type Status = OrderStatus;

    fn queue(cx: &Context) -> &Queue {
        &cx.queues.orders
    }

    fn status(order: &Order) -> OrderStatus {
        order.status.clone().unwrap_or_default()
    }

    async fn observe(&self, cx: &Context, order: &Arc<Order>) -> Result<Observed, Error> {
        let namespace = order.namespace().unwrap_or_default();
        let issuer = AnyIssuer::find(&cx.stores, &namespace, &order.spec.issuer_ref).ok();
        let acme = issuer.as_ref().and_then(AnyIssuer::acme);
        let own = children(&cx.stores.challenges, &**order);
        let surroundings = Surroundings::of(cx, &namespace, &order.spec.issuer_ref);
        let memory = self.memories.change(&**order, |kept| kept.recall(surroundings, |memory| [&mut memory.failure]));
        let status = Self::status(order);
        if status.state.is_some_and(State::is_final) {
            cx.limits.settle(cx, order);
        }
        let asks = is_to_ask(&status, &memory, Timestamp::now());
        Ok(Observed {
            name: order.name_any(),
            identifiers: history::identifiers(&order.spec.dns_names, &order.spec.ip_addresses),
            profile: order.spec.profile.clone(),
            replaces: order.spec.replaces.clone(),
            not_after: order
                .spec
                .duration
                .as_ref()
                .and_then(|duration| Timestamp::now().checked_add(duration.get()).ok()),
            issuer_ref: order.spec.issuer_ref.clone(),
            labels: order.labels().clone(),
            solvers: acme.map(|acme| acme.solvers.clone()).unwrap_or_default(),
            looks_at_caa: cx.settings.check_caa,
            turn: asks.then(|| cx.limits.turn(cx, order)),
            status,
            challenges: own.iter().map(|challenge| own_challenge(challenge)).collect(),
            memory,
        })
    }

    fn decide(observed: &Observed, now: Timestamp) -> OrderPlan {
        decide(observed, now)
    }

    async fn act(&self, cx: &Context, order: &Arc<Order>, _: &Observed, action: Action) -> Result<(), Error> {
        let namespace = order.namespace().unwrap_or_default();
        if let Action::DeleteChallenge { name } = &action {
            return match cx.stores.challenges.get(&Key::new(namespace, name)) {
                Some(challenge) => cx.writer.delete(&*challenge).await,
                None => Ok(()),
            };
        }
        let has_url = order.status.as_ref().is_some_and(|status| status.url.is_some());
        let work = if has_url { Work::UnderWay } else { Work::New };
        let account = match cx.accounts.account(cx, &namespace, &order.spec.issuer_ref, work).await? {
            Ok(account) => account,
            Err(failure) => {
                cx.limits.not_asked(cx, order);
                self.memories.change(&**order, |kept| kept.memory.failure = Some(failure));
                return Ok(());
            }
        };
        if let Action::CreateChallenge { name, spec } = action {
            return cx.writer.create(&challenge(order, name, *spec, &account)).await;
        }
        let answer = self.ask(cx, order, &account, action).await.map_err(|error| failure(&error));
        if let (Err(failure), false) = (&answer, has_url) {
            cx.limits.refused(cx, order, failure);
        }
        self.memories.change(&**order, |Kept { memory, .. }| match answer {
            Ok(answer) => {
                memory.failure = None;
                answer.remember(memory);
            }
            Err(failure) => memory.failure = Some(failure),
        });
        Ok(())
    }

    fn forget(&self, cx: &Context, key: &Key) {
        cx.limits.gone(key);
        self.memories.forget(key);
        self.made.forget(key);
    }
}

/// What the CA said.
enum Answer {
    Caa(Vec<String>),
    New(OrderAtCa, Vec<AuthorizationAtCa>),
    Order(OrderAtCa),
    Certificate(Downloaded),
}

impl Answer {
    fn remember(self, memory: &mut Memory) {
        let at = Timestamp::now();
        match self {
            Self::Caa(objections) => memory.forbidden = Some(Forbidden { at, objections }),
            Self::New(order, authorizations) => {
                memory.order = Some(SeenOrder { at, order });
                memory.authorizations = authorizations;
            }
            Self::Order(order) => memory.order = Some(SeenOrder { at, order }),
            Self::Certificate(downloaded) => memory.certificate = Some(downloaded),
        }
    }
}

impl Orders {
    async fn ask(
        &self,
        cx: &Context,
        order: &Order,
        account: &Account,
        action: Action,
    ) -> Result<Answer, signet_acme::Error> {
        match action {
            Action::LookAtCaa { questions } => caa::look(cx, account, &questions).await.map(Answer::Caa),
            Action::NewOrder { identifiers, profile, replaces, not_after } => {
                let made = match self.made.get(order) {
                    Some(made) => made,
                    None => account.new_order(&identifiers, profile.as_deref(), replaces.as_deref(), not_after).await?,
                };
                self.made.change(order, |known| *known = Some(made.clone()));
                cx.limits.ordered(cx, order);
                // An order that is ready needs no proof: every authorization is valid already.
                let proven = made.status == signet_core::acme::OrderStatus::Ready;
                let open = made.authorization_urls.iter().filter(|_| !proven);
                let authorizations = open.map(|url| authorization(account, url));
                let authorizations = try_join_all(authorizations).await?;
                Ok(Answer::New(made, authorizations))
            }
            Action::Refresh { url } => account.order(&url).await.map(Answer::Order),
            Action::Finalize { url } => {
                let csr = csr_der(order);
                let at_ca = order.status.clone().unwrap_or_default().url.unwrap_or_default();
                account.finalize(&at_ca, &url, &csr).await.map(Answer::Order)
            }
            Action::Download { url } => {
                let namespace = order.namespace().unwrap_or_default();
                let issuer = AnyIssuer::find(&cx.stores, &namespace, &order.spec.issuer_ref).ok();
                let preferred = issuer.as_ref().and_then(AnyIssuer::acme).and_then(|acme| acme.preferred_chain.clone());
                let pem = account.certificate(&url, preferred.as_deref()).await?;
                Ok(Answer::Certificate(Downloaded::read(ByteString(pem.into_bytes()), &order.spec.request.0)))
            }
            Action::CreateChallenge { .. } | Action::DeleteChallenge { .. } => {
                unreachable!("what is written to the cluster is not asked of the CA")
            }
        }
    }
}

/// One that fails must not cost the whole order. A CA that asks for patience is given it.
async fn authorization(account: &Account, url: &str) -> Result<AuthorizationAtCa, signet_acme::Error> {
    for _ in 1..AUTHORIZATION_TRIES {
        match account.authorization(url).await {
            Err(error) if !error.asks_for_patience() => {}
            answer => return answer,
        }
    }
    account.authorization(url).await
}

fn csr_der(order: &Order) -> Vec<u8> {
    pem::parse(&order.spec.request.0).map(pem::Pem::into_contents).unwrap_or_default()
}

fn own_challenge(challenge: &Challenge) -> OwnChallenge {
    OwnChallenge {
        name: challenge.name_any(),
        authorization_url: challenge.spec.authorization_url.clone(),
        dns_name: challenge.spec.dns_name.clone(),
        status: challenge.status.clone().unwrap_or_default(),
        deleting: challenge.metadata.deletion_timestamp.is_some(),
    }
}

fn challenge(order: &Order, name: String, spec: ChallengeSpec, account: &Account) -> Challenge {
    let (record_prefix, key) = match spec.type_ {
        ChallengeType::Http01 | ChallengeType::TlsAlpn01 => (None, account.key_authorization(&spec.token)),
        ChallengeType::Dns01 => (None, account.dns01_value(&spec.token)),
        ChallengeType::DnsAccount01 => (Some(account.dns_account_prefix()), account.dns01_value(&spec.token)),
        ChallengeType::DnsPersist01 => (Some(persist::LABEL.to_owned()), persistent(order, &spec, account).to_string()),
    };
    Challenge {
        metadata: ObjectMeta {
            name: Some(name),
            namespace: order.namespace(),
            annotations: Some(order.annotations().clone()),
            labels: Some(order.labels().clone()),
            finalizers: Some(vec![FINALIZER.to_owned()]),
            owner_references: controlled_by(order),
            ..ObjectMeta::default()
        },
        spec: ChallengeSpec { key, record_prefix, ..spec },
        status: None,
    }
}

/// The record that proves the name of a Challenge for good.
fn persistent(order: &Order, spec: &ChallengeSpec, account: &Account) -> persist::Record {
    let status = order.status.as_ref();
    let mut offered = status.iter().flat_map(|status| &status.authorizations).flat_map(|one| &one.challenges);
    let issuer =
        offered.find(|offered| offered.url == spec.url).and_then(|offered| offered.issuer_domain_names.first());
    persist::Record {
        issuer: issuer.cloned().unwrap_or_default(),
        account: account.uri().to_owned(),
        wildcard: spec.wildcard,
    }
}
