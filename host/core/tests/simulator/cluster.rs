//! What the API server holds: one Certificate and what belongs to it. Of Secrets, what their keys and certificates are.

use std::collections::BTreeMap;

use jiff::Timestamp;
use signet_api::{CertificateRequestStatus, CertificateStatus, ChallengeSpec, ChallengeStatus, OrderSpec, OrderStatus};

/// A private key, by its number.
pub(crate) type PrivateKey = u64;

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Certificate {
    pub(crate) names: Vec<String>,
    pub(crate) generation: i64,
    /// Changes with each write.
    pub(crate) version: u64,
    pub(crate) status: CertificateStatus,
}

/// The target Secret: a key, and the number of the certificate beside it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Secret {
    pub(crate) key: PrivateKey,
    pub(crate) certificate: u64,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Request {
    pub(crate) uid: u64,
    pub(crate) version: u64,
    pub(crate) revision: i64,
    pub(crate) key_secret: String,
    pub(crate) key: PrivateKey,
    pub(crate) names: Vec<String>,
    pub(crate) created: Timestamp,
    pub(crate) status: CertificateRequestStatus,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Order {
    pub(crate) uid: u64,
    pub(crate) owner: u64,
    pub(crate) key: PrivateKey,
    pub(crate) spec: OrderSpec,
    pub(crate) status: OrderStatus,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Challenge {
    pub(crate) uid: u64,
    pub(crate) owner: u64,
    pub(crate) spec: ChallengeSpec,
    pub(crate) created: Timestamp,
    pub(crate) status: ChallengeStatus,
    pub(crate) deleting: bool,
}

/// Every object, by its name.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Cluster {
    pub(crate) certificate: Certificate,
    pub(crate) secret: Option<Secret>,
    /// Secrets with a key for an issuance under way.
    pub(crate) keys: BTreeMap<String, PrivateKey>,
    pub(crate) requests: BTreeMap<String, Request>,
    pub(crate) orders: BTreeMap<String, Order>,
    pub(crate) challenges: BTreeMap<String, Challenge>,
}

/// One object of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Object {
    Certificate,
    Secret,
    Key(String),
    Request(String),
    Order(String),
    Challenge(String),
}

fn copy<V: Clone>(to: &mut BTreeMap<String, V>, from: &BTreeMap<String, V>, name: &str) {
    match from.get(name) {
        Some(value) => drop(to.insert(name.to_owned(), value.clone())),
        None => drop(to.remove(name)),
    }
}

impl Cluster {
    /// Takes one object over as it is, or is not, in another.
    pub(crate) fn take_in(&mut self, from: &Self, object: &Object) {
        match object {
            Object::Certificate => self.certificate = from.certificate.clone(),
            Object::Secret => self.secret = from.secret.clone(),
            Object::Key(name) => copy(&mut self.keys, &from.keys, name),
            Object::Request(name) => copy(&mut self.requests, &from.requests, name),
            Object::Order(name) => copy(&mut self.orders, &from.orders, name),
            Object::Challenge(name) => copy(&mut self.challenges, &from.challenges, name),
        }
    }

    /// Everything that decisions are taken about.
    pub(crate) fn deciders(&self) -> Vec<Object> {
        let mut all = vec![Object::Certificate];
        all.extend(self.requests.keys().cloned().map(Object::Request));
        all.extend(self.orders.keys().cloned().map(Object::Order));
        all.extend(self.challenges.keys().cloned().map(Object::Challenge));
        all
    }

    /// What the garbage collector does: whatever belongs to something that is gone goes.
    pub(crate) fn collect_garbage(&mut self) {
        let requests: Vec<_> = self.requests.values().map(|request| request.uid).collect();
        self.orders.retain(|_, order| requests.contains(&order.owner));
        let orders: Vec<_> = self.orders.values().map(|order| order.uid).collect();
        for challenge in self.challenges.values_mut() {
            // It has a finalizer.
            challenge.deleting |= !orders.contains(&challenge.owner);
        }
    }
}
