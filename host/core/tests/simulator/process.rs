//! One process of the controller after the other: what it remembers, and how it does what was decided.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::ByteString;
use signet_core::acme::AuthorizationStatus;
use signet_core::challenge::{Check, Looked, Presented};
use signet_core::failure::{Failure, Retry};
use signet_core::order::{Downloaded, Leaf, SeenOrder};
use signet_core::plan::Plan;
use signet_core::request::Signed;
use signet_core::{certificate, challenge, order, request};

use crate::authority::Authority;
use crate::cluster::{Challenge, Cluster, Object, Order, Request, Secret};
use crate::observe;
use crate::schedule::{Fate, Schedule};

/// What is lost with the process.
pub(crate) struct Memories {
    pub(crate) started: Timestamp,
    /// The uid of the request that it made last.
    pub(crate) made: Option<u64>,
    pub(crate) requests: BTreeMap<u64, request::Memory>,
    pub(crate) orders: BTreeMap<u64, order::Memory>,
    pub(crate) challenges: BTreeMap<u64, challenge::Memory>,
}

impl Memories {
    pub(crate) fn new(started: Timestamp) -> Self {
        Self { started, made: None, requests: BTreeMap::new(), orders: BTreeMap::new(), challenges: BTreeMap::new() }
    }
}

/// A plan of which the rest is not applied.
pub(crate) struct Cut;

/// What came of looking at an object.
pub(crate) enum Look {
    /// There is nothing to do before this time has passed, or ever.
    Idle(Option<Duration>),
    Acted,
}

impl Schedule {
    /// Decides about an object and applies the plan.
    pub(crate) fn look(&mut self, object: &Object) -> Look {
        let now = self.now;
        match object {
            Object::Certificate => {
                let plan = certificate::decide(&observe::certificate(&self.seen, &self.authority, &self.memories), now);
                self.apply(plan, Self::certificate, |this, status| this.certificate_status(status))
            }
            Object::Request(name) => {
                let plan = request::decide(&observe::request(&self.seen, &self.memories, self.way, name), now);
                self.apply(
                    plan,
                    |this, action| this.request(name, action),
                    |this, status| this.request_status(name, status),
                )
            }
            Object::Order(name) => {
                let plan = order::decide(&observe::order(&self.seen, &self.memories, self.way, name), now);
                self.apply(
                    plan,
                    |this, action| this.order(name, action),
                    |this, status| {
                        this.write(object, |cluster| {
                            cluster.orders.entry(name.clone()).and_modify(|order| order.status = status);
                        })
                    },
                )
            }
            Object::Challenge(name) => {
                let plan = challenge::decide(&observe::challenge(&self.seen, &self.memories, self.way, name), now);
                self.apply(
                    plan,
                    |this, action| this.challenge(name, action),
                    |this, status| {
                        this.write(object, |cluster| {
                            cluster.challenges.entry(name.clone()).and_modify(|one| one.status = status);
                        })
                    },
                )
            }
            Object::Secret | Object::Key(_) => Look::Idle(None),
        }
    }

    fn apply<A: std::fmt::Debug, S>(
        &mut self,
        plan: Plan<A, S>,
        act: impl Fn(&mut Self, A) -> Result<(), Cut>,
        write: impl FnOnce(&mut Self, S) -> Result<(), Cut>,
    ) -> Look {
        if plan.is_converged() {
            return Look::Idle(plan.requeue);
        }
        for action in plan.actions {
            self.tell(&action);
            if act(self, action).is_err() {
                return Look::Acted;
            }
        }
        if let Some(status) = plan.status {
            // One that failed is tried again.
            let _ = write(self, status);
        }
        Look::Acted
    }

    /// One write to the API server.
    fn write(&mut self, object: &Object, change: impl FnOnce(&mut Cluster)) -> Result<(), Cut> {
        let fate = self.fate();
        match fate {
            Fate::Done => {
                change(&mut self.truth);
                self.seen.take_in(&self.truth, object);
                return Ok(());
            }
            Fate::Lost | Fate::DiesBefore => {}
            Fate::Unanswered | Fate::DiesAfter => change(&mut self.truth),
        }
        self.tell(&(object, fate));
        if matches!(fate, Fate::DiesBefore | Fate::DiesAfter) {
            self.die();
        }
        Err(Cut)
    }

    /// One request to the world outside; none when there is no answer.
    fn ask<T>(&mut self, call: impl FnOnce(&mut Authority) -> T) -> Result<Option<T>, Cut> {
        let fate = self.fate();
        match fate {
            Fate::Done => return Ok(Some(call(&mut self.authority))),
            Fate::Lost | Fate::DiesBefore => {}
            Fate::Unanswered | Fate::DiesAfter => drop(call(&mut self.authority)),
        }
        self.tell(&fate);
        self.account.excuses += 1;
        if matches!(fate, Fate::DiesBefore | Fate::DiesAfter) {
            self.die();
            return Err(Cut);
        }
        Ok(None)
    }

    fn failure(&self) -> Failure {
        let retry = Retry::Later(Duration::from_secs(5));
        Failure { reason: "Unanswered".to_owned(), message: "there was no answer".to_owned(), retry, at: self.now }
    }

    fn certificate(&mut self, action: certificate::Action) -> Result<(), Cut> {
        match action {
            certificate::Action::CreateNextKey { secret, copy_current: _ } => {
                let key = self.fresh();
                self.write(&Object::Key(secret.clone()), |cluster| {
                    cluster.keys.entry(secret).or_insert(key);
                })
            }
            certificate::Action::CreateRequest { name, revision, key_secret, replaces: _ } => {
                let key = *self.seen.keys.get(&key_secret).ok_or(Cut)?;
                let (uid, names) = (self.fresh(), self.seen.certificate.names.clone());
                let (created, status) = (observe::whole_seconds(self.now), Default::default());
                let request = Request { uid, version: 0, revision, key_secret, key, names, created, status };
                self.write(&Object::Request(name.clone()), |cluster| {
                    cluster.requests.entry(name.clone()).or_insert(request);
                })?;
                self.memories.made = self.seen.requests.get(&name).map(|request| request.uid);
                Ok(())
            }
            certificate::Action::DeleteRequest { name } => {
                let Some(uid) = self.seen.requests.get(&name).map(|request| request.uid) else { return Ok(()) };
                let is_left = |order: &Order| order.status.state != Some(signet_api::State::Valid);
                let orders = self.seen.orders.iter().filter(|(_, order)| order.owner == uid && is_left(order));
                for order in orders.map(|(name, _)| name.clone()).collect::<Vec<_>>() {
                    self.write(&Object::Order(order.clone()), |cluster| drop(cluster.orders.remove(&order)))?;
                }
                self.write(&Object::Request(name.clone()), |cluster| {
                    if cluster.requests.get(&name).is_some_and(|request| request.uid == uid) {
                        cluster.requests.remove(&name);
                    }
                })
            }
            certificate::Action::WriteSecret { request, key_secret } => {
                let request = self.seen.requests.get(&request).and_then(|request| request.status.certificate.as_ref());
                let certificate = observe::number(request.ok_or(Cut)?);
                let key = *self.seen.keys.get(&key_secret).ok_or(Cut)?;
                if self.authority.issued[&certificate].key != key {
                    self.violation = Some("a key was written beside the certificate of another".to_owned());
                }
                self.write(&Object::Secret, |cluster| cluster.secret = Some(Secret { key, certificate }))
            }
            certificate::Action::DeleteNextKey { secret } => self.write(&Object::Key(secret.clone()), |cluster| {
                cluster.keys.remove(&secret);
            }),
            certificate::Action::RepairSecret | certificate::Action::AskRenewal { .. } => {
                self.violation = Some("nothing drifts, and nobody is to be asked".to_owned());
                Ok(())
            }
        }
    }

    /// Others write it too, so it is written only as it was read.
    fn certificate_status(&mut self, status: signet_api::CertificateStatus) -> Result<(), Cut> {
        if self.seen.certificate.version != self.truth.certificate.version {
            self.seen.take_in(&self.truth, &Object::Certificate);
            return Err(Cut);
        }
        self.write(&Object::Certificate, |cluster| {
            cluster.certificate.status = status;
            cluster.certificate.version += 1;
        })
    }

    fn request_status(&mut self, name: &str, status: signet_api::CertificateRequestStatus) -> Result<(), Cut> {
        let object = Object::Request(name.to_owned());
        let version = |cluster: &Cluster| cluster.requests.get(name).map(|request| (request.uid, request.version));
        if version(&self.seen) != version(&self.truth) {
            self.seen.take_in(&self.truth, &object);
            return Err(Cut);
        }
        self.write(&object, |cluster| {
            if let Some(request) = cluster.requests.get_mut(name) {
                request.status = status;
                request.version += 1;
            }
        })
    }

    fn request(&mut self, name: &str, action: request::Action) -> Result<(), Cut> {
        let Some(&Request { uid, key, ref names, .. }) = self.seen.requests.get(name) else { return Err(Cut) };
        match action {
            request::Action::CreateOrder { name, spec } => {
                let order = Order { uid: self.fresh(), owner: uid, key, spec: *spec, status: Default::default() };
                // The name may still be that of an Order whose request is gone.
                if self.truth.orders.get(&name).is_some_and(|other| other.owner != uid) {
                    return Err(Cut);
                }
                self.write(&Object::Order(name.clone()), |cluster| {
                    cluster.orders.entry(name).or_insert(order);
                })
            }
            request::Action::SelfSign { key_secret } => {
                let names = names.clone();
                if self.seen.keys.get(&key_secret) != Some(&key) {
                    return Err(Cut);
                }
                let number = self.authority.sign(key, &names, self.now);
                // Nobody but this process has seen it.
                self.account.wanted += 1;
                let certificate = ByteString(number.to_string().into_bytes());
                let signed = Some(Signed { certificate, authority: None });
                self.memories.requests.entry(uid).or_default().signed = signed;
                Ok(())
            }
            request::Action::CaSign { .. } => Err(Cut),
        }
    }

    fn order(&mut self, name: &str, action: order::Action) -> Result<(), Cut> {
        let Some(&Order { uid, key, .. }) = self.seen.orders.get(name) else { return Err(Cut) };
        let answer = match action {
            order::Action::NewOrder { identifiers, .. } => {
                let answer = self.ask(|authority| {
                    let order = authority.new_order(&identifiers);
                    let all = order.authorization_urls.iter().map(|url| authority.authorization(url)).collect();
                    (order, all)
                })?;
                answer.map(|(order, authorizations)| {
                    self.memories.orders.entry(uid).or_default().authorizations = authorizations;
                    order
                })
            }
            // Nothing asks for it here: these orders do not look.
            order::Action::LookAtCaa { .. } => return Err(Cut),
            order::Action::Refresh { url } => self.ask(|authority| authority.order(&url))?,
            order::Action::Finalize { url } => match self.ask(|authority| authority.finalize(&url, key))? {
                Some(Err(why)) => {
                    self.violation = Some(why);
                    None
                }
                answer => answer.and_then(Result::ok),
            },
            order::Action::Download { url } => {
                let answer = self.ask(|authority| authority.download(&url))?.flatten();
                let failure = self.failure();
                let memory = self.memories.orders.entry(uid).or_default();
                match answer {
                    Some((number, not_after)) => {
                        let chain = ByteString(number.to_string().into_bytes());
                        memory.certificate = Some(Downloaded { chain, leaf: Leaf::Fits { not_after } });
                    }
                    None => memory.failure = Some(failure),
                }
                return Ok(());
            }
            order::Action::CreateChallenge { name, spec } => {
                if self.truth.challenges.get(&name).is_some_and(|other| other.owner != uid) {
                    return Err(Cut);
                }
                let (created, status) = (observe::whole_seconds(self.now), Default::default());
                let one = Challenge { uid: self.fresh(), owner: uid, spec: *spec, created, status, deleting: false };
                return self.write(&Object::Challenge(name.clone()), |cluster| {
                    cluster.challenges.entry(name).or_insert(one);
                });
            }
            order::Action::DeleteChallenge { name } => {
                return self.write(&Object::Challenge(name.clone()), |cluster| {
                    cluster.challenges.entry(name).and_modify(|one| one.deleting = true);
                });
            }
        };
        let (failure, at) = (self.failure(), self.now);
        let memory = self.memories.orders.entry(uid).or_default();
        match answer {
            Some(order) => (memory.order, memory.failure) = (Some(SeenOrder { at, order }), None),
            None => memory.failure = Some(failure),
        }
        Ok(())
    }

    fn challenge(&mut self, name: &str, action: challenge::Action) -> Result<(), Cut> {
        let Some(Challenge { uid, spec, .. }) = self.seen.challenges.get(name).cloned() else { return Err(Cut) };
        let (proof, now) = ((spec.dns_name.clone(), spec.token.clone()), self.now);
        let failure = self.failure();
        match action {
            challenge::Action::Present => {
                self.memories.challenges.entry(uid).or_default().tried = true;
                let shown = self.ask(|authority| authority.proofs.insert(proof))?;
                let memory = self.memories.challenges.entry(uid).or_default();
                match shown {
                    Some(_) => memory.shown(Presented::new(now, None)),
                    None => memory.not_shown(failure),
                }
            }
            challenge::Action::Check => {
                // Not every server of a zone has it at once.
                let is_seen = self.authority.proofs.contains(&proof) && !self.one_in(4);
                let memory = self.memories.challenges.entry(uid).or_default();
                let (attempts, message) = (memory.looks() + 1, "it is not there yet".to_owned());
                memory.check = Some(if is_seen { Check::Passed } else { Check::Failed { attempts, message, at: now } });
            }
            challenge::Action::Accept => {
                let accepted = self.ask(|authority| authority.accept(&spec.url))?;
                let memory = self.memories.challenges.entry(uid).or_default();
                match accepted {
                    Some(()) => (memory.accepted, memory.failure) = (Some(now), None),
                    None => memory.failure = Some(failure),
                }
            }
            challenge::Action::Poll => {
                let answer = self.ask(|authority| authority.authorization(&spec.authorization_url))?;
                let memory = self.memories.challenges.entry(uid).or_default();
                match answer {
                    Some(one) => {
                        let validating = one.challenges[0].status != "pending";
                        let problem = (one.status == AuthorizationStatus::Invalid).then(|| "nobody answers".to_owned());
                        let (status, retry_after) = (one.status, None);
                        memory.looked = Some(Looked { at: now, status, validating, problem, retry_after });
                        memory.failure = None;
                    }
                    None => memory.failure = Some(failure),
                }
            }
            challenge::Action::CleanUp { .. } => {
                let cleaned = self.ask(|authority| authority.proofs.remove(&proof))?;
                let memory = self.memories.challenges.entry(uid).or_default();
                match cleaned {
                    Some(_) => (memory.cleaned_up, memory.clean_up_failure) = (true, None),
                    None => memory.clean_up_failure = Some(failure),
                }
            }
            challenge::Action::RemoveFinalizer => {
                return self.write(&Object::Challenge(name.to_owned()), |cluster| {
                    if cluster.challenges.get(name).is_some_and(|one| one.deleting) {
                        cluster.challenges.remove(name);
                    }
                });
            }
        }
        Ok(())
    }
}
