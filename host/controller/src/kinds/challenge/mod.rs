//! Challenge: calls the solver, looks whether the proof can be seen, and talks to the CA.

mod backend;
mod check;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use base64::prelude::{BASE64_STANDARD, Engine};
use jiff::Timestamp;
use kube::ResourceExt;
use signet_acme::Account;
use signet_api::solver::CnameStrategy;
use signet_api::{Challenge, ChallengeStatus, ChallengeType, State, labels};
use signet_core::challenge::{Action, ChallengePlan, FINALIZER, Looked, Memory, Observed, Presented, decide};
use signet_core::failure::{Failure, Retry};
use signet_plugins::{Call, CallError, Plugin};

use crate::accounts;
use crate::changes::{Kept, Surroundings};
use crate::context::{Context, Memories};
use crate::error::{Error, sentence};
use crate::issuers::AnyIssuer;
use crate::key::Key;
use crate::kinds::issuer::{stanza, unknown};
use crate::queue::Queue;
use crate::reconcile::Kind;
use crate::writer::Contested;

/// How long to wait after a fault that is likely to pass, and after one that a person must mend.
const SOON: Duration = Duration::from_secs(5);
const LATER: Duration = Duration::from_secs(60);

/// Reasons of failures that come before a solver has changed anything.
const REFUSALS: [&str; 6] =
    ["InvalidConfig", "NotAuthorized", "NotFound", "Permanent", "InvalidSolver", "PluginNotFound"];

/// The edge of Challenges.
#[derive(Default)]
pub(crate) struct Challenges {
    memories: Memories<Kept<Memory>>,
    /// Those that are worked on, by the limit on how many at once.
    admitted: Mutex<HashSet<Key>>,
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
            slot: self.admit(cx, challenge, &status),
            orphaned: AnyIssuer::find(&cx.stores, &namespace, &challenge.spec.issuer_ref).is_err(),
            wait_instead_of_check: challenge
                .spec
                .solver
                .wait_instead_of_self_check
                .as_ref()
                .and_then(|wait| Duration::try_from(wait.get()).ok()),
            status,
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
            Action::Present => {
                let mut maybe_shown = false;
                remember(&mut |memory| {
                    maybe_shown = memory.tried && !memory.refused;
                    (memory.tried, memory.refused) = (true, false);
                });
                let presented = present(cx, challenge).await;
                remember(&mut |memory| match &presented {
                    Ok(receipt) => {
                        let at = Timestamp::now();
                        memory.presented = Some(Presented { at, receipt: receipt.clone() });
                        memory.failure = None;
                    }
                    Err(failure) => {
                        memory.refused = !maybe_shown && REFUSALS.contains(&failure.reason.as_str());
                        memory.failure = Some(failure.clone());
                    }
                });
            }
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

    fn forget(&self, _: &Context, key: &Key) {
        self.memories.forget(key);
        self.admitted().remove(key);
    }
}

fn is_ours(finalizer: &str) -> bool {
    finalizer == FINALIZER || finalizer == labels::LEGACY_CHALLENGE_FINALIZER
}

impl Challenges {
    /// Whether the limit on concurrent Challenges admits this one. Done ones make room.
    fn admit(&self, cx: &Context, challenge: &Challenge, status: &ChallengeStatus) -> bool {
        let key = Key::of(challenge);
        let mut admitted = self.admitted();
        if status.state.is_some_and(State::is_final) {
            admitted.remove(&key);
            return true;
        }
        admitted.contains(&key) || (admitted.len() < cx.settings.max_challenges && admitted.insert(key))
    }

    fn admitted(&self) -> std::sync::MutexGuard<'_, HashSet<Key>> {
        self.admitted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn account(&self, cx: &Context, challenge: &Challenge) -> Result<Result<Account, Failure>, Error> {
        let namespace = challenge.namespace().unwrap_or_default();
        cx.accounts.account(cx, &namespace, &challenge.spec.issuer_ref).await
    }
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

/// Has the solver show the proof. Returns its receipt in base64.
async fn present(cx: &Context, challenge: &Arc<Challenge>) -> Result<Option<String>, Failure> {
    let (plugin, call) = prepare(cx, challenge).await?;
    let receipt = plugin.present(call).await.map_err(|error| call_failure(&plugin, &error))?;
    Ok((!receipt.is_empty()).then(|| BASE64_STANDARD.encode(receipt)))
}

async fn clean_up(cx: &Context, challenge: &Arc<Challenge>, receipt: Option<String>) -> Result<(), Failure> {
    let (plugin, call) = prepare(cx, challenge).await?;
    let receipt = receipt.and_then(|receipt| BASE64_STANDARD.decode(receipt).ok());
    plugin.cleanup(call, receipt).await.map_err(|error| call_failure(&plugin, &error))
}

/// The plugin that the Challenge's solver names, and what to ask of it.
async fn prepare(cx: &Context, challenge: &Arc<Challenge>) -> Result<(Arc<Plugin>, Call), Failure> {
    let on_change = |reason: &str, message: String| failure(reason, message, Retry::OnChange);
    let (kind, way, stanza) =
        stanza(&challenge.spec.solver).map_err(|why| on_change("InvalidSolver", format!("spec.solver: {why}")))?;
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
    let call = Call {
        config,
        challenge: asked,
        backend: Arc::new(backend::ForChallenge::new(cx, challenge.clone(), secrets_in)),
        label: Key::of(&**challenge).to_string(),
    };
    Ok((plugin, call))
}

async fn question(cx: &Context, challenge: &Challenge, ambient: bool) -> Result<signet_plugins::Challenge, Failure> {
    let spec = &challenge.spec;
    match spec.type_ {
        ChallengeType::Http01 => Ok(signet_plugins::Challenge::Http01 {
            host: spec.dns_name.clone(),
            token: spec.token.clone(),
            key_authorization: spec.key.clone(),
        }),
        ChallengeType::Dns01 => {
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

/// Where the TXT record of a DNS-01 Challenge belongs.
async fn record(cx: &Context, challenge: &Challenge) -> Result<signet_dns::ChallengeRecord, Failure> {
    let dns = check::resolver(cx, challenge).await?;
    let strategy = challenge.spec.solver.dns01.as_ref().map(|dns01| dns01.cname_strategy_or_default());
    let follow = strategy == Some(CnameStrategy::Follow);
    dns.challenge_record(&challenge.spec.dns_name, follow).await.map_err(|error| dns_failure(&error))
}

fn dns_failure(error: &signet_dns::Error) -> Failure {
    let retry = if error.is_transient() { Retry::Later(LATER) } else { Retry::OnChange };
    failure(error.reason(), sentence(error), retry)
}

fn call_failure(plugin: &Plugin, error: &CallError) -> Failure {
    let retry = match error.retry() {
        signet_plugins::Retry::Never => Retry::Never,
        signet_plugins::Retry::OnChange => Retry::OnChange,
        signet_plugins::Retry::Soon => Retry::Later(SOON),
        signet_plugins::Retry::Later => Retry::Later(LATER),
        signet_plugins::Retry::After(wait) => Retry::Later(wait),
    };
    let name = &plugin.manifest().name;
    tracing::warn!(plugin = name, blame = error.blame().as_str(), error = sentence(error), "a solver failed");
    failure(error.reason(), format!("solver {name}: {}", sentence(error)), retry)
}

fn failure(reason: &str, message: String, retry: Retry) -> Failure {
    Failure { reason: reason.to_owned(), message, retry, at: Timestamp::now() }
}
