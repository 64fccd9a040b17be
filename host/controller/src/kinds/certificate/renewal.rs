//! Asks CAs when they would like to see certificates renewed (ARI, RFC 9773).
//!
//! The answers are remembered by Certificate. What is remembered by CA is only that it did not answer: then
//! nobody asks it for a while, since a question that nobody answers holds a worker up.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt;
use signet_acme::Endpoint;
use signet_api::issuer::{AcmeIssuer, RenewalInformationSource};
use signet_api::{Certificate, CertificateRequest, labels};
use signet_core::acme::RenewalAtCa;
use signet_core::certificate::{Ari, AriOutcome, Failed, Memory};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::accounts::endpoint;
use crate::context::{Context, Memories};
use crate::issuers::AnyIssuer;
use crate::key::Key;

/// How many questions are put to one CA at the same time.
const AT_ONCE: usize = 8;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a CA that did not answer is left alone.
const REST: Duration = Duration::from_secs(60);
/// The distance between the questions of a process that has just begun.
const APART: Duration = Duration::from_millis(20);

/// What is known of renewals.
#[derive(Default)]
pub(super) struct Renewals {
    memories: Memories<Option<Memory>>,
    cas: Mutex<HashMap<Endpoint, Arc<Ca>>>,
}

struct Ca {
    permits: Semaphore,
    /// Until when it is left alone, and why.
    resting: Mutex<Option<(Instant, Failure)>>,
}

/// A question without an answer.
#[derive(Clone)]
struct Failure {
    message: String,
    outage: bool,
    retry_after: Option<Duration>,
}

/// The part of the Certificate's issuer that says what CA to ask; none when nobody is to be asked.
fn source(cx: &Context, certificate: &Certificate) -> Option<AcmeIssuer> {
    let reference = &certificate.spec.issuer_ref;
    let namespace = certificate.namespace().unwrap_or_default();
    let issuer = AnyIssuer::find(&cx.stores, &namespace, reference).ok().filter(|_| reference.is_ours())?;
    issuer.acme().filter(|acme| is_asked(acme)).cloned()
}

/// Whether the issuer wants its CA to be asked, and told which certificates are replaced.
pub(crate) fn is_asked(acme: &AcmeIssuer) -> bool {
    acme.renewal_information_source_or_default() == RenewalInformationSource::Ari
}

/// When the certificate of this request was asked for, if it took another's place.
pub(super) fn replaced_at(request: &CertificateRequest) -> Option<Timestamp> {
    request.annotations().get(labels::REPLACES)?;
    Some(request.creation_timestamp()?.0)
}

impl Renewals {
    /// The CA that may be asked about the Certificate, and what it said.
    pub(super) fn of(&self, cx: &Context, certificate: &Certificate) -> Option<Ari> {
        source(cx, certificate)?;
        let count = u32::try_from(cx.stores.certificates.len()).unwrap_or(u32::MAX);
        Some(Ari {
            started: *cx.started.get_or_init(Timestamp::now),
            spread: APART.saturating_mul(count),
            memory: self.memories.get(certificate),
        })
    }

    /// Remembers that this process wrote the certificate of that name.
    pub(super) fn written(&self, certificate: &Certificate, id: Option<&str>) {
        let of = |id: &str| Memory { id: id.to_owned(), at: Timestamp::now(), outcome: AriOutcome::Written };
        self.memories.change(certificate, |memory| *memory = id.map(of));
    }

    /// Asks, and remembers the answer.
    pub(super) async fn ask(&self, cx: &Context, certificate: &Certificate, id: String) {
        let Some(acme) = source(cx, certificate) else { return };
        let ca = self.ca(endpoint(&acme));
        let answer = ca.ask(cx, &acme, &id).await;
        let at = Timestamp::now();
        let outcome = match answer {
            Ok(Some(answer)) => AriOutcome::Answered(answer),
            Ok(None) => AriOutcome::NotOffered,
            Err(Failure { message, outage, retry_after }) => {
                AriOutcome::Failed(Failed { message, outage, retry_after, count: 1, since: at })
            }
        };
        let memory = Memory { id, at, outcome };
        self.memories.change(certificate, |before| *before = Some(Memory::of_failure(before.as_ref(), memory)));
    }

    pub(super) fn forget(&self, key: &Key) {
        self.memories.forget(key);
    }

    fn ca(&self, endpoint: Endpoint) -> Arc<Ca> {
        let mut cas = self.cas.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(Ca { permits: Semaphore::new(AT_ONCE), resting: Mutex::default() });
        cas.entry(endpoint).or_insert_with(new).clone()
    }
}

impl Ca {
    async fn ask(&self, cx: &Context, acme: &AcmeIssuer, id: &str) -> Result<Option<RenewalAtCa>, Failure> {
        let _permit = self.permits.acquire().await.expect("the semaphore is never closed");
        if let Some(why) = self.is_resting() {
            return Err(why);
        }
        let failure = match tokio::time::timeout(PATIENCE, cx.accounts.renewal_info(acme, id)).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => Failure {
                message: error.sentence(),
                outage: error.is_outage(),
                retry_after: error.problem().and_then(|problem| problem.retry_after),
            },
            Err(_) => {
                let message = format!("{} did not answer within {} s", acme.server, PATIENCE.as_secs());
                Failure { message, outage: true, retry_after: None }
            }
        };
        tracing::warn!(
            server = acme.server,
            certificate = id,
            error = failure.message,
            "the CA does not say when to renew; until it does, its last word and the lifetime decide"
        );
        if failure.outage {
            *self.resting.lock().unwrap_or_else(PoisonError::into_inner) =
                Some((Instant::now() + REST, failure.clone()));
        }
        Err(failure)
    }

    fn is_resting(&self) -> Option<Failure> {
        let resting = self.resting.lock().unwrap_or_else(PoisonError::into_inner);
        resting.as_ref().filter(|(until, _)| Instant::now() < *until).map(|(_, why)| why.clone())
    }
}
