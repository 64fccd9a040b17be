//! What is left of the CAs' limits, for all Orders: the one account of it that this process keeps while it leads.
//!
//! It begins with what the objects in the caches show, and with what the process before it left in the Lease
//! about objects that are gone. Deciding is core's; this module finds out which account an Order is of, and wakes
//! those whose turn has come.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use signet_api::{Certificate, IssuerRef, Order, labels};
use signet_core::failure::{Failure, Retry};
use signet_core::limits::history::{self, AccountAt};
use signet_core::limits::{Applicant, Book, Budget, Turn};
use tokio::sync::Notify;

use crate::context::Context;
use crate::issuers::AnyIssuer;
use crate::key::Key;
use crate::stores::Stores;

/// Reasons of failures that are not of one Order alone.
const PATIENCE: [&str; 2] = ["RateLimited", "CAUnavailable"];

/// The account of the limits.
#[derive(Default)]
pub(crate) struct Limits {
    book: Book,
    /// What the process before this one has written into the Lease.
    inherited: Mutex<String>,
    state: Mutex<Option<State>>,
    changed: Notify,
}

struct State {
    budget: Budget,
    /// The Orders that the budget knows, by their keys.
    ids: HashMap<Key, String>,
}

impl Limits {
    pub(crate) fn new(book: Book) -> Self {
        Self { book, ..Self::default() }
    }

    /// Whether it is the turn of an Order that is to be asked for. If it is, its part counts as spent.
    pub(crate) fn turn(&self, cx: &Context, order: &Order) -> Turn {
        // Without an account asking comes to nothing, and says why.
        let Some(applicant) = applicant(&cx.stores, order) else { return Turn::Now };
        let turn = self.with(&cx.stores, |state| {
            state.ids.insert(Key::of(order), applicant.id.clone());
            state.budget.ask(&applicant, Timestamp::now())
        });
        self.changed.notify_one();
        turn
    }

    /// The CA has made the order.
    pub(crate) fn ordered(&self, cx: &Context, order: &Order) {
        self.about(cx, order, |budget, applicant| budget.ordered(applicant, Timestamp::now()));
    }

    /// The order was not asked for.
    pub(crate) fn not_asked(&self, cx: &Context, order: &Order) {
        self.about(cx, order, Budget::refused);
    }

    /// The CA, or the way to it, refused to make the order.
    pub(crate) fn refused(&self, cx: &Context, order: &Order, failure: &Failure) {
        let known = PATIENCE.contains(&failure.reason.as_str());
        self.about(cx, order, |budget, applicant| match failure.retry {
            Retry::Later(wait) if known => {
                let until = failure.at.checked_add(wait).unwrap_or(failure.at);
                budget.learn(applicant, &failure.message, until);
            }
            // Whether the CA has made it, nobody knows: its part stays spent, and is asked with again.
            Retry::Later(_) => {}
            Retry::OnChange | Retry::Never => budget.refused(applicant),
        });
    }

    /// An Order that has come to its end.
    pub(crate) fn settle(&self, cx: &Context, order: &Order) {
        let Some((at, outcome)) = history::ended(order, Timestamp::now()) else { return };
        self.about(cx, order, |budget, applicant| budget.settle(applicant, &outcome, at));
    }

    /// An Order that is gone.
    pub(crate) fn gone(&self, key: &Key) {
        if let Some(State { budget, ids }) = self.lock().as_mut()
            && let Some(id) = ids.remove(key)
        {
            budget.gone(&id, Timestamp::now());
        }
    }

    /// What the next process could not see from objects.
    pub(crate) fn ledger(&self) -> Option<String> {
        self.lock().as_mut().map(|state| state.budget.ledger(Timestamp::now()))
    }

    /// Takes over what the process before this one has written.
    pub(crate) fn inherit(&self, ledger: &str) {
        ledger.clone_into(&mut self.inherited.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Wakes Orders as their turns come, for ever.
    pub(crate) async fn run(&self, cx: &Context) {
        loop {
            let now = Timestamp::now();
            let (granted, opens) = {
                let mut state = self.lock();
                let granted = state.as_mut().map(|state| state.budget.called(now)).unwrap_or_default();
                (granted, state.as_ref().and_then(|state| state.budget.opens()))
            };
            granted.iter().filter_map(|id| key_of(id)).for_each(|key| cx.queues.orders.add(key));
            let wait = opens.map(|at| Duration::try_from(at.duration_since(now)).unwrap_or_default());
            tokio::select! {
                () = self.changed.notified() => {}
                () = tokio::time::sleep(wait.unwrap_or(Duration::from_secs(3600)).max(AT_MOST)) => {}
            }
        }
    }

    fn about(&self, cx: &Context, order: &Order, tell: impl FnOnce(&mut Budget, &Applicant)) {
        if let Some(applicant) = applicant(&cx.stores, order) {
            self.with(&cx.stores, |state| {
                state.ids.insert(Key::of(order), applicant.id.clone());
                tell(&mut state.budget, &applicant);
            });
            self.changed.notify_one();
        }
    }

    fn with<R>(&self, stores: &Stores, work: impl FnOnce(&mut State) -> R) -> R {
        let mut state = self.lock();
        work(state.get_or_insert_with(|| self.begin(stores)))
    }

    fn begin(&self, stores: &Stores) -> State {
        let (orders, certificates) = (stores.orders.all(), stores.certificates.all());
        let account = |namespace: &str, reference: &IssuerRef| account(stores, namespace, reference);
        let spent = history::read(orders.iter().map(|order| &**order), certificates.iter().map(|one| &**one), account);
        let mut budget = Budget::after(self.book.clone(), spent);
        budget.inherit(&self.inherited.lock().unwrap_or_else(PoisonError::into_inner));
        let ids = orders.iter().map(|order| (Key::of(&**order), history::id(&order.metadata))).collect();
        State { budget, ids }
    }

    fn lock(&self) -> MutexGuard<'_, Option<State>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How often turns are given at most.
const AT_MOST: Duration = Duration::from_millis(200);

fn key_of(id: &str) -> Option<Key> {
    let mut parts = id.split('/');
    Some(Key::new(parts.next()?, parts.next()?))
}

fn account(stores: &Stores, namespace: &str, reference: &IssuerRef) -> Option<AccountAt> {
    let issuer = AnyIssuer::find(stores, namespace, reference).ok()?;
    let account = issuer.status()?.acme.as_ref()?.uri.clone()?;
    Some(AccountAt { directory: issuer.acme()?.server.clone(), account })
}

fn applicant(stores: &Stores, order: &Order) -> Option<Applicant> {
    let namespace = order.metadata.namespace.as_deref()?;
    let at = account(stores, namespace, &order.spec.issuer_ref)?;
    let name = order.metadata.annotations.as_ref().and_then(|annotations| annotations.get(labels::CERTIFICATE_NAME));
    let certificate = name.and_then(|name| stores.certificates.get(&Key::new(namespace, name)));
    let mut applicant = history::applicant(order, &at);
    applicant.due = certificate.is_some_and(|certificate| is_due(&certificate, Timestamp::now()));
    Some(applicant)
}

/// Whether half of the lifetime of the certificate that is in use is over.
fn is_due(certificate: &Certificate, now: Timestamp) -> bool {
    let Some(status) = &certificate.status else { return false };
    let (Some(from), Some(to)) = (&status.not_before, &status.not_after) else { return false };
    now.duration_since(from.0) > to.0.duration_since(now)
}
