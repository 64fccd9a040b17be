//! One Certificate and what stands around it, with the edges that the controller would be.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::ByteString;
use signet_api::certificate::condition::ISSUING;
use signet_api::certificaterequest::{condition::READY, reason};
use signet_api::meta::{condition, set_condition};
use signet_api::{
    CertificateRequestStatus, CertificateSpec, CertificateStatus, ChallengeStatus, Condition, ConditionStatus,
    IssuerRef, OrderSpec, OrderStatus, Solver, State,
};
use signet_core::acme::{
    AuthorizationAtCa, AuthorizationStatus, ChallengeAtCa, Identifier, OrderAtCa, OrderStatus as AtCa, RenewalAtCa,
};
use signet_core::certificate::{self, Ari, AriOutcome, Failed, NextKey, Outcome, Pair, SecretData, TargetSecret};
use signet_core::failure::{Failure, Retry};
use signet_core::limits::history::Spending;
use signet_core::limits::{Applicant, Budget, Outcome as Ended};
use signet_core::order::{self, Downloaded, Leaf, OwnChallenge, SeenOrder, is_to_ask, unproven};
use signet_core::pki::renewal_time;
use signet_core::request;

use crate::ca::{Ca, Refusal};

pub(crate) const ACCOUNT: &str = "https://ca/account/1";
pub(crate) const DIRECTORY: &str = "https://acme-v02.api.letsencrypt.org/directory";
/// How long the CA takes to answer, at most.
const LATENCY: SignedDuration = SignedDuration::from_secs(2);

/// One Certificate of one name.
pub(crate) struct World {
    pub(crate) number: usize,
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// Whether its name can be proven.
    pub(crate) sound: bool,
    pub(crate) lifetime: SignedDuration,
    pub(crate) certificate: certificate::Observed,
    request: Option<Request>,
    /// The Order of the certificate that is in use.
    current: Option<Order>,
    made: usize,
    pub(crate) story: Story,
}

/// What is counted of it.
#[derive(Default)]
pub(crate) struct Story {
    /// How much of the lifetime was left at the latest renewal.
    pub(crate) margin: Option<SignedDuration>,
    pub(crate) expired: bool,
    /// The last wait that it told of, and how many one Order told of.
    pub(crate) reason: Option<String>,
    pub(crate) most_told: usize,
    pub(crate) waited: bool,
}

struct Request {
    observed: request::Observed,
    key_secret: String,
    order: Option<Order>,
}

struct Order {
    observed: order::Observed,
    applicant: Applicant,
    told: usize,
}

/// What is shared by all.
pub(crate) struct Shared {
    pub(crate) ca: Ca,
    pub(crate) budget: Budget,
    pub(crate) ari: bool,
    pub(crate) started: Timestamp,
}

impl World {
    pub(crate) fn new(number: usize, namespace: String, name: String, sound: bool, lifetime: SignedDuration) -> Self {
        let spec = CertificateSpec {
            secret_name: "tls".into(),
            issuer_ref: IssuerRef { name: "ca".into(), ..IssuerRef::default() },
            dns_names: vec![name.clone()],
            ..CertificateSpec::default()
        };
        let certificate = certificate::Observed {
            name: format!("c{number}"),
            uid: format!("uid-{number}"),
            generation: 1,
            deleting: false,
            spec,
            status: CertificateStatus::default(),
            spec_errors: Vec::new(),
            rival: None,
            issuer_kind: Some("ClusterIssuer".into()),
            secret: None,
            next_keys: Vec::new(),
            request: None,
            current_request_mismatches: None,
            surplus_requests: Vec::new(),
            ari: None,
            replaced_at: None,
        };
        let (request, current, story) = (None, None, Story::default());
        Self { number, namespace, name, sound, lifetime, certificate, request, current, made: 0, story }
    }

    /// Decides and applies until nothing is left to do now. Returns when to look again.
    pub(crate) fn step(&mut self, shared: &mut Shared, now: Timestamp) -> Option<Timestamp> {
        for _ in 0..64 {
            let waits = [self.step_order(shared, now), self.step_request(now), self.step_certificate(shared, now)];
            if let [Some(order), Some(request), Some(certificate)] = waits {
                return [order, request, certificate].into_iter().flatten().min();
            }
        }
        panic!("c{} does not come to rest", self.number)
    }

    /// The pair in the Secret.
    pub(crate) fn pair(&self) -> Option<&Pair> {
        match self.certificate.secret.as_ref().map(|secret| &secret.data) {
            Some(SecretData::Pair(pair)) => Some(pair),
            _ => None,
        }
    }

    /// Somebody asks for another certificate.
    pub(crate) fn renew(&mut self, now: Timestamp) {
        let wish = Condition::new(ISSUING, ConditionStatus::True, "ManuallyTriggered", "asked for");
        set_condition(&mut self.certificate.status.conditions, wish.observed(Some(1)), now);
    }

    /// The Orders that are there, as the next process reads them.
    pub(crate) fn spendings(&self) -> impl Iterator<Item = Spending> {
        let of_request = self.request.as_ref().and_then(|request| request.order.as_ref());
        of_request.into_iter().chain(&self.current).filter_map(|Order { observed, applicant, .. }| {
            let at = observed.status.order_time.as_ref()?.0;
            let failed = observed.status.failure_time.as_ref().map_or(at, |time| time.0);
            let ended = ended(&observed.status).map(|outcome| (failed, outcome));
            Some(Spending { applicant: applicant.clone(), at, ended })
        })
    }

    /// `Some` of when to look again where nothing was to be done, `None` where something was.
    fn step_order(&mut self, shared: &mut Shared, now: Timestamp) -> Option<Option<Timestamp>> {
        let Some(order) = self.request.as_mut().and_then(|request| request.order.as_mut()) else { return Some(None) };
        let asks = is_to_ask(&order.observed.status, &order.observed.memory, now);
        order.observed.turn = asks.then(|| shared.budget.ask(&order.applicant, now));
        let plan = order::decide(&order.observed, now);
        if plan.is_converged() {
            return Some(plan.requeue.map(|wait| now + wait));
        }
        for action in plan.actions {
            order.act(action, shared, self.sound, self.lifetime, now);
        }
        if let Some(status) = plan.status {
            if let Some(reason) = status.reason.as_ref().filter(|reason| reason.starts_with("Waiting")) {
                assert!(self.story.reason.as_ref() != Some(reason), "c{} told it twice: {reason}", self.number);
                order.told += 1;
                (self.story.waited, self.story.most_told) = (true, self.story.most_told.max(order.told));
                self.story.reason = Some(reason.clone());
            }
            order.observed.status = status;
            if let Some(outcome) = ended(&order.observed.status) {
                shared.budget.settle(&order.applicant, &outcome, now);
            }
        }
        None
    }

    fn step_request(&mut self, now: Timestamp) -> Option<Option<Timestamp>> {
        let due =
            self.pair().is_some_and(|pair| now.duration_since(pair.not_before) > pair.not_after.duration_since(now));
        let Some(request) = &mut self.request else { return Some(None) };
        if let request::Issuer::Acme { order, .. } = &mut request.observed.issuer {
            *order = request.order.as_ref().map(|order| order.observed.status.clone());
        }
        let plan = request::decide(&request.observed, now);
        if plan.is_converged() {
            return Some(plan.requeue.map(|wait| now + wait));
        }
        for action in plan.actions {
            let request::Action::CreateOrder { name, spec } = action else { panic!("{action:?}") };
            let names = [Identifier::Dns(self.name.clone())];
            let id = format!("{}/{}/{name}", self.namespace, self.certificate.name);
            let mut applicant = Applicant::new(&id, &self.namespace, DIRECTORY, ACCOUNT, &names, now);
            (applicant.due, applicant.exempt) = (due, spec.replaces.is_some());
            request.order = Some(Order { observed: fresh_order(name, *spec, &self.name), applicant, told: 0 });
        }
        if let Some(status) = plan.status {
            request.observed.status = status;
        }
        None
    }

    fn step_certificate(&mut self, shared: &mut Shared, now: Timestamp) -> Option<Option<Timestamp>> {
        self.certificate.request = self.request.as_ref().map(|request| certificate::Request {
            name: request.observed.name.clone(),
            key_secret: request.key_secret.clone(),
            mismatches: Vec::new(),
            interrupted: false,
            outcome: request.outcome(self.lifetime, shared.ari),
        });
        let memory = self.certificate.ari.take().and_then(|ari| ari.memory);
        self.certificate.ari =
            shared.ari.then(|| Ari { started: shared.started, spread: std::time::Duration::from_secs(3600), memory });
        let plan = certificate::decide(&self.certificate, now);
        if plan.is_converged() {
            return Some(plan.requeue.map(|wait| now + wait));
        }
        for action in plan.actions {
            self.act(action, shared, now);
        }
        if let Some(status) = plan.status {
            let is_issued = status.revision != self.certificate.status.revision;
            self.certificate.status = status;
            if let Some(request) = self.request.take_if(|_| is_issued) {
                self.put_away(shared, now);
                self.current = request.order;
            }
        }
        None
    }

    fn act(&mut self, action: certificate::Action, shared: &mut Shared, now: Timestamp) {
        use certificate::Action;
        match action {
            Action::CreateNextKey { secret, copy_current: _ } => {
                self.certificate.next_keys.push(NextKey { secret, usable: true });
            }
            Action::CreateRequest { name, revision: _, key_secret, replaces } => {
                self.made += 1;
                let spec = Box::new(OrderSpec { replaces, ..OrderSpec::default() });
                let order_name = format!("{name}-{}", self.made);
                let observed = request::Observed {
                    name,
                    created: now,
                    status: CertificateRequestStatus::default(),
                    invalid: None,
                    auto_approve: true,
                    issuer: request::Issuer::Acme { name: order_name, spec, order: None },
                    memory: request::Memory::default(),
                };
                self.request = Some(Request { observed, key_secret, order: None });
            }
            Action::DeleteRequest { name: _ } => {
                if let Some(order) = self.request.take().and_then(|request| request.order) {
                    shared.budget.gone(&order.applicant.id, now);
                }
            }
            Action::WriteSecret { request: _, key_secret: _ } => self.write_secret(now),
            Action::RepairSecret => panic!("nothing drifts"),
            Action::DeleteNextKey { secret } => self.certificate.next_keys.retain(|key| key.secret != secret),
            Action::AskRenewal { id } => self.ask_renewal(id, shared, now),
        }
    }

    fn write_secret(&mut self, now: Timestamp) {
        let Some(certificate::Request { outcome: Outcome::Issued(pair), .. }) = &self.certificate.request else {
            panic!("c{} has issued nothing", self.number)
        };
        let pair = pair.clone();
        if let Some(old) = self.pair() {
            let left = old.not_after.duration_since(now);
            self.story.expired |= left.is_negative();
            self.story.margin = Some(self.story.margin.map_or(left, |margin| margin.min(left)));
        }
        self.certificate.secret = Some(TargetSecret {
            data: SecretData::Pair(pair),
            issuer: Some(("ca".into(), "ClusterIssuer".into(), "cert-manager.io".into())),
            certificate_name: Some(self.certificate.name.clone()),
            drifted: false,
        });
        self.certificate.replaced_at = None;
    }

    fn ask_renewal(&mut self, id: String, shared: &Shared, now: Timestamp) {
        let pair = self.pair().expect("a certificate is asked about").clone();
        let outcome = if shared.ca.closed_until.is_some_and(|until| now < until) {
            let message = "the CA is closed".to_owned();
            AriOutcome::Failed(Failed { message, outage: true, retry_after: None, count: 1, since: now })
        } else {
            let (start, end) = match shared.ca.revoked.contains(&id) {
                true => (now - crate::DAY * 2, now - crate::DAY),
                false => (pair.renewal_time - crate::DAY, pair.renewal_time + crate::DAY),
            };
            let retry_after = Some(std::time::Duration::from_secs(24 * 3600));
            AriOutcome::Answered(RenewalAtCa { start, end, explanation_url: None, retry_after })
        };
        let memory = certificate::Memory { id, at: now, outcome };
        if let Some(ari) = &mut self.certificate.ari {
            ari.memory = Some(certificate::Memory::of_failure(ari.memory.as_ref(), memory));
        }
    }

    /// The Order of the certificate before goes with its request.
    fn put_away(&mut self, shared: &mut Shared, now: Timestamp) {
        if let Some(order) = self.current.take() {
            shared.budget.gone(&order.applicant.id, now);
        }
    }
}

impl Request {
    fn outcome(&self, lifetime: SignedDuration, ari: bool) -> Outcome {
        let status = &self.observed.status;
        let Some(ready) = condition(&status.conditions, READY) else { return Outcome::New(self.observed.created) };
        if ready.is_true() {
            let order = self.order.as_ref().expect("the request was issued by an order");
            return Outcome::Issued(order.pair(lifetime, ari));
        }
        match ready.reason.as_deref() {
            Some(reason::FAILED) => Outcome::Failed(certificate::Failure {
                at: status.failure_time.as_ref().expect("a failed request says when").0,
                reason: "Failed".into(),
                message: ready.message.clone().unwrap_or_default(),
            }),
            _ => Outcome::Pending(ready.message.clone()),
        }
    }
}

impl Order {
    fn pair(&self, lifetime: SignedDuration, ari: bool) -> Pair {
        let Some(Downloaded { leaf: Leaf::Fits { not_after }, .. }) = &self.observed.memory.certificate else {
            panic!("{} has no certificate", self.observed.name)
        };
        let not_before = *not_after - lifetime;
        Pair {
            not_before,
            not_after: *not_after,
            renewal_time: renewal_time(not_before, *not_after, None, None),
            ari_id: ari.then(|| self.observed.name.clone()),
            key_matches: true,
            key_violation: None,
            spec_mismatches: Vec::new(),
            sha256: self.observed.name.clone(),
            standing: Box::default(),
        }
    }

    fn act(
        &mut self,
        action: order::Action,
        shared: &mut Shared,
        sound: bool,
        lifetime: SignedDuration,
        now: Timestamp,
    ) {
        let Identifier::Dns(name) = self.observed.identifiers[0].clone() else { panic!("a name is a name") };
        match action {
            order::Action::LookAtCaa { .. } => panic!("these orders do not look"),
            order::Action::NewOrder { replaces, .. } => self.new_order(&name, replaces.as_deref(), shared, sound, now),
            order::Action::CreateChallenge { name: challenge, spec } => {
                shared.ca.fail(&name, now);
                let reason = Some("it leads elsewhere".to_owned());
                self.observed.challenges.push(OwnChallenge {
                    name: challenge,
                    authorization_url: spec.authorization_url,
                    dns_name: spec.dns_name,
                    status: ChallengeStatus { state: Some(State::Invalid), reason, ..ChallengeStatus::default() },
                    deleting: false,
                });
            }
            order::Action::Finalize { .. } => {
                shared.ca.issue(&name, self.applicant.exempt, now);
                self.observed.memory.order = Some(SeenOrder { at: now, order: at_ca(AtCa::Valid) });
            }
            order::Action::Download { .. } => {
                let not_after = now - SignedDuration::from_hours(1) + lifetime;
                let (chain, leaf) = (ByteString(b"PEM".to_vec()), Leaf::Fits { not_after });
                self.observed.memory.certificate = Some(Downloaded { chain, leaf });
            }
            order::Action::DeleteChallenge { name } => self.observed.challenges.retain(|own| own.name != name),
            order::Action::Refresh { url } => panic!("{url} is known"),
        }
    }

    fn new_order(&mut self, name: &str, replaces: Option<&str>, shared: &mut Shared, sound: bool, now: Timestamp) {
        let share = (name.len() + name.bytes().map(usize::from).sum::<usize>()) % 100;
        let late = LATENCY.mul_f64(share as f64 / 100.0);
        let refused = match shared.ca.new_order(ACCOUNT, name, replaces, now + late / 2) {
            Ok(()) => {
                shared.budget.ordered(&self.applicant, now + late);
                let (order, authorization) = match sound {
                    true => (AtCa::Ready, AuthorizationStatus::Valid),
                    false => (AtCa::Pending, AuthorizationStatus::Pending),
                };
                let memory = &mut self.observed.memory;
                memory.failure = None;
                memory.order = Some(SeenOrder { at: now + late, order: at_ca(order) });
                memory.authorizations = vec![authorization_at_ca(name, authorization)];
                return;
            }
            Err(refused) => refused,
        };
        let (reason, message, wait) = match refused {
            Refusal::TooMany { said, wait } => ("RateLimited", said, wait),
            Refusal::Closed { wait } => ("CAUnavailable", "the CA is closed".to_owned(), wait),
        };
        shared.budget.learn(&self.applicant, &message, now + wait);
        let retry = Retry::Later(wait.unsigned_abs());
        self.observed.memory.failure = Some(Failure { reason: reason.into(), message, retry, at: now });
    }
}

fn ended(status: &OrderStatus) -> Option<Ended> {
    match status.state? {
        State::Valid => Some(Ended::Issued),
        State::Invalid => Some(Ended::Failed { name: unproven(status).map(str::to_owned) }),
        State::Errored | State::Expired => Some(Ended::Failed { name: None }),
        State::Ready | State::Pending | State::Processing => None,
    }
}

fn fresh_order(name: String, spec: OrderSpec, dns_name: &str) -> order::Observed {
    let stanzas = [("web".to_owned(), serde_json::json!({}))].into();
    let http01 = signet_api::solver::Http01 { stanzas };
    order::Observed {
        name,
        identifiers: vec![Identifier::Dns(dns_name.to_owned())],
        profile: None,
        replaces: spec.replaces,
        not_after: None,
        issuer_ref: IssuerRef { name: "ca".into(), ..IssuerRef::default() },
        labels: Default::default(),
        solvers: vec![Solver { http01: Some(http01), ..Solver::default() }],
        looks_at_caa: false,
        status: OrderStatus::default(),
        challenges: Vec::new(),
        turn: None,
        memory: order::Memory::default(),
    }
}

fn at_ca(status: AtCa) -> OrderAtCa {
    OrderAtCa {
        url: "https://ca/order".into(),
        finalize_url: "https://ca/finalize".into(),
        status,
        authorization_urls: Vec::new(),
        certificate_url: (status == AtCa::Valid).then(|| "https://ca/certificate".into()),
        problem: None,
        retry_after: None,
    }
}

fn authorization_at_ca(name: &str, status: AuthorizationStatus) -> AuthorizationAtCa {
    let offered = ChallengeAtCa {
        kind: "http-01".into(),
        url: "https://ca/challenge".into(),
        token: "token".into(),
        status: "pending".into(),
        problem: None,
        issuer_domain_names: Vec::new(),
    };
    AuthorizationAtCa {
        url: format!("https://ca/{name}"),
        identifier: Identifier::Dns(name.to_owned()),
        wildcard: false,
        status,
        expires: None,
        challenges: vec![offered],
        retry_after: None,
    }
}
