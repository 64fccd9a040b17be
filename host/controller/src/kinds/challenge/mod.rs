//! Challenge: calls the solver, looks whether the proof can be seen, and talks to the CA.

mod backend;
mod check;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use base64::prelude::{BASE64_STANDARD, Engine};
use futures::future::join_all;
use jiff::Timestamp;
use kube::ResourceExt;
use signet_acme::Account;
use signet_api::solver::CnameStrategy;
use signet_api::{Challenge, ChallengeSpec, ChallengeStatus, ChallengeType, Solver, State, labels};
use signet_core::challenge::{
    Action, Admission, ChallengePlan, FINALIZER, Looked, Memory, Observed, Presented, decide,
};
use signet_core::failure::{Failure, Retry};
use signet_core::plan::{Event, Severity};
use signet_plugins::{Call, CallError, ChallengeKind, Plugin};

use crate::accounts;
use crate::accounts::Work;
use crate::changes::{Kept, Surroundings};
use crate::context::{Context, Memories};
use crate::error::{Error, sentence};
use crate::issuers::AnyIssuer;
use crate::key::Key;
use crate::kinds::issuer::{stanza, unknown};
use crate::queue::Queue;
use crate::reconcile::Kind;
use crate::tls_alpn01;
use crate::writer::Contested;
use backend::{ForChallenge, Told};

/// How long to wait after a fault that is likely to pass, and after one that a person must mend.
const SOON: Duration = Duration::from_secs(5);
const LATER: Duration = Duration::from_secs(60);
/// The same where the solver acts in the cluster: what it misses there may come at any time.
const LATER_SERVED: Duration = Duration::from_secs(15);

/// Reasons of failures that come before a solver has changed anything.
const REFUSALS: [&str; 6] =
    ["InvalidConfig", "NotAuthorized", "NotFound", "Permanent", "InvalidSolver", "PluginNotFound"];

/// The edge of Challenges.
pub(crate) struct Challenges {
    memories: Memories<Kept<Memory>>,
    /// Those that are worked on, by the limit on how many at once.
    admission: Mutex<Admission>,
}

#[async_trait]
impl Kind for Challenges {
    const NAME: &'static str = "challenges";
    const CONTESTED: Contested = Contested::No;
    type Object = Challenge;
    type Observed = Observed;
    type Action = Action;
    type Status = ChallengeStatus;

    fn queue(cx: &Context) -> &Queue {
        &cx.queues.challenges
    }

    fn status(challenge: &Challenge) -> ChallengeStatus {
        challenge.status.clone().unwrap_or_default()
    }

    async fn observe(&self, cx: &Context, challenge: &Arc<Challenge>) -> Result<Observed, Error> {
        let namespace = challenge.namespace().unwrap_or_default();
        let surroundings = Surroundings::of(cx, &namespace, &challenge.spec.issuer_ref);
        let memory = self.memories.change(&**challenge, |kept| {
            kept.recall(surroundings, |memory| [&mut memory.failure, &mut memory.clean_up_failure])
        });
        let status = Self::status(challenge);
        Ok(Observed {
            dns_name: challenge.spec.dns_name.clone(),
            created: challenge.creation_timestamp().map_or(Timestamp::UNIX_EPOCH, |time| time.0),
            deleting: challenge.metadata.deletion_timestamp.is_some(),
            finalizer: challenge.finalizers().iter().any(|name| is_ours(name)),
            slot: self.admit(cx, challenge, &status, &memory),
            orphaned: AnyIssuer::find(&cx.stores, &namespace, &challenge.spec.issuer_ref).is_err(),
            wait_instead_of_check: challenge
                .spec
                .solver
                .wait_instead_of_self_check
                .as_ref()
                .and_then(|wait| Duration::try_from(wait.get()).ok()),
            status,
            behind: behind(cx, challenge),
            served: is_served(challenge),
            replicas: cx.replicas.addresses(),
            process_started: *cx.started.get_or_init(Timestamp::now),
            memory,
        })
    }

    fn decide(observed: &Observed, now: Timestamp) -> ChallengePlan {
        decide(observed, now)
    }

    async fn act(&self, cx: &Context, challenge: &Arc<Challenge>, _: &Observed, action: Action) -> Result<(), Error> {
        let remember = |change: &mut dyn FnMut(&mut Memory)| {
            self.memories.change(&**challenge, |kept| change(&mut kept.memory));
        };
        match action {
            Action::Present => self.show(cx, challenge).await,
            Action::Check => {
                let check = check::check(cx, challenge).await;
                remember(&mut |memory| check.remember(memory));
            }
            Action::Accept | Action::Poll => {
                let account = self.account(cx, challenge).await?;
                let answer = match account {
                    Ok(account) => ask(&account, challenge, action == Action::Accept).await,
                    Err(failure) => Err(failure),
                };
                remember(&mut |memory| match &answer {
                    Ok(answer) => {
                        memory.failure = None;
                        answer.remember(memory);
                    }
                    Err(failure) => memory.failure = Some(failure.clone()),
                });
            }
            Action::CleanUp { receipt } => {
                let cleaned = clean_up(cx, challenge, receipt).await;
                remember(&mut |memory| match &cleaned {
                    Ok(()) => {
                        memory.cleaned_up = true;
                        memory.clean_up_failure = None;
                    }
                    Err(failure) => memory.clean_up_failure = Some(failure.clone()),
                });
            }
            Action::RemoveFinalizer => {
                let ours: Vec<_> =
                    challenge.finalizers().iter().map(String::as_str).filter(|name| is_ours(name)).collect();
                return cx.writer.remove_finalizers(&**challenge, &ours).await;
            }
        }
        Ok(())
    }

    fn forget(&self, cx: &Context, key: &Key) {
        self.memories.forget(key);
        self.make_room(cx, key);
    }

    /// What leads to this replica is led to those that stay: the CA may look before the next process
    /// gets to it.
    async fn leave(&self, cx: &Context) {
        let replicas = cx.replicas.addresses();
        let mut challenges = cx.stores.served();
        challenges.retain(|challenge| {
            let presented = self.memories.get(&**challenge).memory.presented;
            presented.and_then(|presented| presented.leads_to).is_some_and(|leads_to| leads_to != replicas)
        });
        join_all(challenges.iter().map(|challenge| self.show(cx, challenge))).await;
    }
}

/// The Challenge whose proof by a handshake for the same name is shown first, if it is another.
fn behind(cx: &Context, challenge: &Challenge) -> Option<String> {
    if challenge.spec.type_ != ChallengeType::TlsAlpn01 {
        return None;
    }
    let first = tls_alpn01::in_turn(&cx.stores.challenges, &tls_alpn01::server_name(&challenge.spec.dns_name))?;
    (first.uid() != challenge.uid()).then(|| Key::of(&*first).to_string())
}

/// Whether Signet serves the proof itself.
fn is_served(challenge: &Challenge) -> bool {
    !challenge.spec.type_.is_in_dns()
}

/// Whether people publish the proof themselves, once and for good, so that no solver shows it or takes it back.
fn is_by_hand(challenge: &Challenge) -> bool {
    challenge.spec.type_ == ChallengeType::DnsPersist01
}

fn is_ours(finalizer: &str) -> bool {
    finalizer == FINALIZER || finalizer == labels::LEGACY_CHALLENGE_FINALIZER
}

impl Challenges {
    /// For so many at once.
    pub(crate) fn new(most: usize) -> Self {
        Self { memories: Memories::default(), admission: Mutex::new(Admission::new(most)) }
    }

    /// Whether the limit on concurrent Challenges admits this one. Done ones make room.
    fn admit(&self, cx: &Context, challenge: &Challenge, status: &ChallengeStatus, memory: &Memory) -> bool {
        let key = Key::of(challenge);
        if status.state.is_some_and(State::is_final) || challenge.metadata.deletion_timestamp.is_some() {
            self.make_room(cx, &key);
            return true;
        }
        let mut admission = self.admission();
        let admitted = admission.ask(&key.namespace, &key.name, memory.standing(status));
        wake(cx, admission.called());
        admitted
    }

    fn make_room(&self, cx: &Context, key: &Key) {
        let mut admission = self.admission();
        admission.done(&key.namespace, &key.name);
        wake(cx, admission.called());
    }

    fn admission(&self) -> std::sync::MutexGuard<'_, Admission> {
        self.admission.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the solver show the proof, for the first time or once more.
    async fn show(&self, cx: &Context, challenge: &Arc<Challenge>) {
        let maybe_shown = self.memories.change(&**challenge, |kept| {
            let Memory { tried, refused, .. } = &mut kept.memory;
            let maybe_shown = *tried && !*refused;
            (*tried, *refused) = (true, false);
            maybe_shown
        });
        let presented = present(cx, challenge).await;
        self.memories.change(&**challenge, |kept| match presented {
            Ok(presented) => kept.memory.shown(presented),
            Err(failure) => {
                kept.memory.refused = !maybe_shown && REFUSALS.contains(&failure.reason.as_str());
                kept.memory.not_shown(failure);
            }
        });
    }

    async fn account(&self, cx: &Context, challenge: &Challenge) -> Result<Result<Account, Failure>, Error> {
        let namespace = challenge.namespace().unwrap_or_default();
        cx.accounts.account(cx, &namespace, &challenge.spec.issuer_ref, Work::UnderWay).await
    }
}

fn wake(cx: &Context, places: Vec<(String, String)>) {
    places.into_iter().for_each(|(namespace, name)| cx.queues.challenges.add(Key::new(namespace, name)));
}

/// What the CA said.
enum Answer {
    Accepted,
    Looked(Looked),
}

impl Answer {
    fn remember(&self, memory: &mut Memory) {
        match self {
            Self::Accepted => memory.accepted = Some(Timestamp::now()),
            Self::Looked(looked) => memory.looked = Some(looked.clone()),
        }
    }
}

async fn ask(account: &Account, challenge: &Challenge, accept: bool) -> Result<Answer, Failure> {
    if accept {
        let accepted = account.accept(&challenge.spec.url).await;
        return accepted.map(|_| Answer::Accepted).map_err(|error| accounts::failure(&error));
    }
    let authorization = account.authorization(&challenge.spec.authorization_url).await;
    let authorization = authorization.map_err(|error| accounts::failure(&error))?;
    let own = authorization.challenges.iter().find(|offered| offered.url == challenge.spec.url);
    Ok(Answer::Looked(Looked {
        at: Timestamp::now(),
        status: authorization.status,
        validating: own.is_some_and(|own| own.status != "pending"),
        problem: own.and_then(|own| own.problem.clone()),
        retry_after: authorization.retry_after,
    }))
}

async fn present(cx: &Context, challenge: &Arc<Challenge>) -> Result<Presented, Failure> {
    if is_by_hand(challenge) {
        return Ok(Presented::new(Timestamp::now(), None));
    }
    let (plugin, call, backend) = prepare(cx, challenge).await?;
    let receipt = plugin.present(call).await;
    let Told { leads_to, warnings } = told(cx, challenge, &plugin, &backend);
    let receipt = receipt.map_err(|error| call_failure(challenge, &plugin, &error))?;
    let receipt = (!receipt.is_empty()).then(|| BASE64_STANDARD.encode(receipt));
    Ok(Presented { leads_to, warnings, ..Presented::new(Timestamp::now(), receipt) })
}

/// Has the solver take the proof back: as the Challenge was made, else as its issuer has it by now. What
/// was wrong with the one may be what a person has mended in the other.
async fn clean_up(cx: &Context, challenge: &Arc<Challenge>, receipt: Option<String>) -> Result<(), Failure> {
    if is_by_hand(challenge) {
        return Ok(());
    }
    let Err(failure) = take_back(cx, challenge, receipt.clone()).await else { return Ok(()) };
    match corrected(cx, challenge) {
        Some(corrected) => take_back(cx, &Arc::new(corrected), receipt).await,
        None => Err(failure),
    }
}

async fn take_back(cx: &Context, challenge: &Arc<Challenge>, receipt: Option<String>) -> Result<(), Failure> {
    let (plugin, call, backend) = prepare(cx, challenge).await?;
    let receipt = receipt.and_then(|receipt| BASE64_STANDARD.decode(receipt).ok());
    let cleaned = plugin.cleanup(call, receipt).await;
    told(cx, challenge, &plugin, &backend);
    cleaned.map_err(|error| call_failure(challenge, &plugin, &error))
}

/// The Challenge with what its issuer says by now of the same plugin for the same names, if that differs.
fn corrected(cx: &Context, challenge: &Challenge) -> Option<Challenge> {
    let issuer = AnyIssuer::find(&cx.stores, &challenge.namespace()?, &challenge.spec.issuer_ref).ok()?;
    let made_with = &challenge.spec.solver;
    let solver = issuer.acme()?.solvers.iter().find(|solver| {
        solver.selector == made_with.selector && plugin_of(solver).is_some_and(|of| Some(of) == plugin_of(made_with))
    })?;
    (solver != made_with).then(|| {
        let spec = ChallengeSpec { solver: solver.clone(), ..challenge.spec.clone() };
        Challenge { spec, ..challenge.clone() }
    })
}

fn plugin_of(solver: &Solver) -> Option<(ChallengeKind, &str)> {
    let (kind, _, stanza) = stanza(solver).ok()??;
    Some((kind, stanza.ok()?.plugin))
}

/// What the call leaves to know; what the solver warned of in it becomes events of the Challenge.
fn told(cx: &Context, challenge: &Challenge, plugin: &Plugin, backend: &ForChallenge) -> Told {
    let told = backend.told();
    for line in &told.warnings {
        let message = format!("solver {}: {line}", plugin.manifest().name);
        cx.events.publish(challenge, Event { severity: Severity::Warning, reason: "SolverWarning", message });
    }
    told
}

/// The plugin that the Challenge's solver names, what to ask of it, and what it is lent.
async fn prepare(cx: &Context, challenge: &Arc<Challenge>) -> Result<(Arc<Plugin>, Call, Arc<ForChallenge>), Failure> {
    let on_change = |reason: &str, message: String| failure(reason, message, Retry::OnChange);
    let parts = stanza(&challenge.spec.solver);
    let parts = parts.map_err(|why| on_change("InvalidSolver", format!("spec.solver: {why}")))?;
    let (kind, way, stanza) =
        parts.ok_or_else(|| on_change("InvalidSolver", "spec.solver names no plugin, and needs none".to_owned()))?;
    let stanza = stanza.map_err(|error| on_change("InvalidSolver", format!("spec.solver.{way}: {error}")))?;
    let plugin = cx
        .registry
        .plugin(kind, stanza.plugin)
        .ok_or_else(|| on_change("PluginNotFound", unknown(&cx.registry, kind, stanza.plugin)))?;
    let config = stanza.config.to_value();
    let namespace = challenge.namespace().unwrap_or_default();
    // Cleaning up may have to do without an issuer that went first.
    let issuer = AnyIssuer::find(&cx.stores, &namespace, &challenge.spec.issuer_ref).ok();
    let ambient = issuer.as_ref().is_some_and(|issuer| issuer.may_use_ambient(&cx.settings));
    let secrets_in = issuer.map_or(namespace, |issuer| issuer.secrets_in(&cx.settings));
    let asked = question(cx, challenge, ambient).await?;
    let backend = Arc::new(ForChallenge::new(cx, challenge.clone(), secrets_in));
    let label = Key::of(&**challenge).to_string();
    let call = Call { config, challenge: asked, backend: backend.clone(), label };
    Ok((plugin, call, backend))
}

async fn question(cx: &Context, challenge: &Challenge, ambient: bool) -> Result<signet_plugins::Challenge, Failure> {
    let spec = &challenge.spec;
    match spec.type_ {
        ChallengeType::Http01 => Ok(signet_plugins::Challenge::Http01 {
            host: spec.dns_name.clone(),
            token: spec.token.clone(),
            key_authorization: spec.key.clone(),
        }),
        ChallengeType::TlsAlpn01 => Ok(signet_plugins::Challenge::TlsAlpn01 {
            host: spec.dns_name.clone(),
            server_name: tls_alpn01::server_name(&spec.dns_name),
            token: spec.token.clone(),
        }),
        ChallengeType::Dns01 | ChallengeType::DnsAccount01 | ChallengeType::DnsPersist01 => {
            let record = record(cx, challenge).await?;
            Ok(signet_plugins::Challenge::Dns01 {
                dns_name: spec.dns_name.clone(),
                fqdn: record.fqdn,
                zone: record.zone,
                value: spec.key.clone(),
                ambient_credentials: ambient,
            })
        }
    }
}

/// Where the TXT record of a Challenge belongs.
async fn record(cx: &Context, challenge: &Challenge) -> Result<signet_dns::ChallengeRecord, Failure> {
    let dns = check::resolver(cx, challenge).await?;
    let strategy = challenge.spec.solver.dns01.as_ref().map(|dns01| dns01.cname_strategy_or_default());
    let follow = strategy == Some(CnameStrategy::Follow);
    let prefix = challenge.spec.record_prefix_or_default();
    dns.challenge_record(prefix, &challenge.spec.dns_name, follow).await.map_err(|error| dns_failure(&error))
}

fn dns_failure(error: &signet_dns::Error) -> Failure {
    let retry = if error.is_transient() { Retry::Later(LATER) } else { Retry::OnChange };
    failure(error.reason(), sentence(error), retry)
}

fn call_failure(challenge: &Challenge, plugin: &Plugin, error: &CallError) -> Failure {
    let later = if is_served(challenge) { LATER_SERVED } else { LATER };
    let retry = match error.retry() {
        signet_plugins::Retry::Never => Retry::Never,
        signet_plugins::Retry::OnChange => Retry::OnChange,
        signet_plugins::Retry::Soon => Retry::Later(SOON),
        signet_plugins::Retry::Later => Retry::Later(later),
        signet_plugins::Retry::After(wait) => Retry::Later(wait),
    };
    let name = &plugin.manifest().name;
    tracing::warn!(plugin = name, blame = error.blame().as_str(), error = sentence(error), "a solver failed");
    failure(error.reason(), format!("solver {name}: {}", sentence(error)), retry)
}

fn failure(reason: &str, message: String, retry: Retry) -> Failure {
    Failure { reason: reason.to_owned(), message, retry, at: Timestamp::now() }
}
