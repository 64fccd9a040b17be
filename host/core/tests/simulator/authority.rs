//! The CA, and the world in which proofs are shown.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use signet_core::acme::{AuthorizationAtCa, AuthorizationStatus, ChallengeAtCa, Identifier, OrderAtCa, OrderStatus};

use crate::cluster::PrivateKey;

/// How long certificates are good for.
const LIFETIME: Duration = Duration::from_secs(90 * 24 * 3600);

#[derive(Clone, Debug)]
pub(crate) struct Issued {
    pub(crate) key: PrivateKey,
    pub(crate) names: Vec<String>,
    pub(crate) not_before: Timestamp,
    pub(crate) not_after: Timestamp,
}

struct Order {
    names: Vec<String>,
    authorizations: Vec<usize>,
    finalized: Option<PrivateKey>,
    certificate: Option<u64>,
}

struct Authorization {
    name: String,
    status: AuthorizationStatus,
    looking: bool,
}

#[derive(Default)]
pub(crate) struct Authority {
    orders: Vec<Order>,
    authorizations: Vec<Authorization>,
    /// Every certificate, by its number; those that sign themselves too.
    pub(crate) issued: BTreeMap<u64, Issued>,
    /// Name and token of each proof that is shown.
    pub(crate) proofs: BTreeSet<(String, String)>,
}

fn index(url: &str) -> usize {
    url.rsplit('/').next().and_then(|number| number.parse().ok()).expect("the CA's addresses end in a number")
}

impl Authority {
    pub(crate) fn orders(&self) -> usize {
        self.orders.len()
    }

    pub(crate) fn sign(&mut self, key: PrivateKey, names: &[String], now: Timestamp) -> u64 {
        let number = self.issued.len() as u64;
        let not_after = now.checked_add(LIFETIME).expect("it is not the end of time");
        self.issued.insert(number, Issued { key, names: names.to_vec(), not_before: now, not_after });
        number
    }

    pub(crate) fn new_order(&mut self, identifiers: &[Identifier]) -> OrderAtCa {
        let names: Vec<_> = identifiers
            .iter()
            .map(|identifier| match identifier {
                Identifier::Dns(name) => name.clone(),
                Identifier::Ip(address) => address.to_string(),
            })
            .collect();
        let first = self.authorizations.len();
        self.authorizations.extend(names.iter().map(|name| Authorization {
            name: name.clone(),
            status: AuthorizationStatus::Pending,
            looking: false,
        }));
        let authorizations = (first..self.authorizations.len()).collect();
        self.orders.push(Order { names, authorizations, finalized: None, certificate: None });
        self.order(&format!("order/{}", self.orders.len() - 1))
    }

    pub(crate) fn order(&self, url: &str) -> OrderAtCa {
        let number = index(url);
        let order = &self.orders[number];
        OrderAtCa {
            url: format!("order/{number}"),
            finalize_url: format!("finalize/{number}"),
            status: self.status(order),
            authorization_urls: order.authorizations.iter().map(|one| format!("authorization/{one}")).collect(),
            certificate_url: order.certificate.map(|_| format!("certificate/{number}")),
            problem: None,
            retry_after: None,
        }
    }

    fn status(&self, order: &Order) -> OrderStatus {
        let all = || order.authorizations.iter().map(|one| self.authorizations[*one].status);
        match (order.certificate, order.finalized) {
            (Some(_), _) => OrderStatus::Valid,
            (None, Some(_)) => OrderStatus::Processing,
            _ if all().any(|status| status == AuthorizationStatus::Invalid) => OrderStatus::Invalid,
            _ if all().all(|status| status == AuthorizationStatus::Valid) => OrderStatus::Ready,
            _ => OrderStatus::Pending,
        }
    }

    /// Whether an order can be finalized as it stands.
    pub(crate) fn finalize(&mut self, url: &str, key: PrivateKey) -> Result<OrderAtCa, String> {
        let number = index(url);
        match self.status(&self.orders[number]) {
            OrderStatus::Ready => self.orders[number].finalized = Some(key),
            OrderStatus::Processing | OrderStatus::Valid => {}
            other => return Err(format!("an order was finalized that is {other:?}")),
        }
        Ok(self.order(&format!("order/{number}")))
    }

    pub(crate) fn download(&self, url: &str) -> Option<(u64, Timestamp)> {
        let number = self.orders[index(url)].certificate?;
        Some((number, self.issued[&number].not_after))
    }

    pub(crate) fn authorization(&self, url: &str) -> AuthorizationAtCa {
        let number = index(url);
        let Authorization { name, status, looking } = &self.authorizations[number];
        let offer = |kind: &str| ChallengeAtCa {
            kind: kind.to_owned(),
            url: format!("{kind}/{number}"),
            token: format!("token-{number}"),
            status: if *looking { "processing" } else { "pending" }.to_owned(),
            problem: None,
            issuer_domain_names: Vec::new(),
        };
        AuthorizationAtCa {
            url: format!("authorization/{number}"),
            identifier: Identifier::Dns(name.clone()),
            wildcard: false,
            status: *status,
            expires: None,
            challenges: vec![offer("http-01"), offer("dns-01")],
            retry_after: None,
        }
    }

    pub(crate) fn accept(&mut self, challenge: &str) {
        let authorization = &mut self.authorizations[index(challenge)];
        authorization.looking |= authorization.status == AuthorizationStatus::Pending;
    }

    /// Looks where it was told to, and signs what is ready.
    pub(crate) fn work(&mut self, now: Timestamp) {
        for (number, authorization) in self.authorizations.iter_mut().enumerate().filter(|(_, one)| one.looking) {
            let is_shown = self.proofs.contains(&(authorization.name.clone(), format!("token-{number}")));
            authorization.status = if is_shown { AuthorizationStatus::Valid } else { AuthorizationStatus::Invalid };
            authorization.looking = false;
        }
        for number in 0..self.orders.len() {
            if let (Some(key), None) = (self.orders[number].finalized, self.orders[number].certificate) {
                let names = self.orders[number].names.clone();
                self.orders[number].certificate = Some(self.sign(key, &names, now));
            }
        }
    }

    /// Nobody answers for a while: what it is looking for is not there. How often that was so.
    pub(crate) fn finds_nobody(&mut self) -> usize {
        let mut count = 0;
        for authorization in self.authorizations.iter_mut().filter(|one| one.looking) {
            (authorization.status, authorization.looking) = (AuthorizationStatus::Invalid, false);
            count += 1;
        }
        count
    }
}
