//! When a certificate is renewed: by its lifetime, earlier where the CA asks for it (ARI, RFC 9773), and
//! a little earlier for some than for others, so that what was issued at once is not renewed at once.
//!
//! The CA's answers live in [`Memory`] and go with the process; of them the status keeps the last that
//! moved the renewal by more than a little. Nothing is drawn by lot: a point in a window comes from a hash
//! of the certificate's name and the window, so that every process finds the same one.

use std::fmt;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use signet_api::CertificateStatus;
use signet_api::certificate::{CertificateAcmeStatus, RenewalInformation, RenewalPolicy, SuggestedWindow};
use signet_api::meta::whole_seconds;

use super::observed::{Observed, Pair, SecretData};
use super::violations;
use crate::acme::RenewalAtCa;
use crate::digest::share;
use crate::plan::{Event, Severity};

/// How much of the lifetime renewals are spread over that nobody gave a time.
const SPREAD: i32 = 60;
/// How much of the lifetime a wish of the CA's moves the renewal by that is told.
const MATERIAL: i32 = 1000;
/// How much of the lifetime, of the time until it is due, and how much in all a renewal may come before
/// the time that the spec gives. One that is due soon after the issuance must not be due at it.
const TOLERANCE: i32 = 1000;
const TOLERANCE_OF_WAIT: i32 = 10;
const LONGEST_TOLERANCE: SignedDuration = SignedDuration::from_mins(10);
/// A certificate that took another's place is not replaced again at the CA's wish for so long, or for
/// this part of its lifetime: a CA that always says "now" must not be asked for certificates all day.
const PAUSE: SignedDuration = SignedDuration::from_hours(6);
const PAUSE_OF_LIFETIME: i32 = 10;

/// When to ask the CA again unless it says so, and the bounds of what it may say.
const INTERVAL: Duration = Duration::from_secs(6 * 3600);
const SHORTEST_INTERVAL: Duration = Duration::from_secs(60);
const LONGEST_INTERVAL: Duration = Duration::from_secs(24 * 3600);
/// How much of the lifetime passes at most before the first question.
const FIRST_OF_LIFETIME: i32 = 8;
/// For how long a CA may be away before the status tells.
const OUTAGE: SignedDuration = SignedDuration::from_hours(24);

/// A CA that may be asked when to renew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ari {
    /// When this process began.
    pub started: Timestamp,
    /// Over how long the questions are spread that a process asks which has just begun.
    pub spread: Duration,
    pub memory: Option<Memory>,
}

/// What this process knows of the renewal of one certificate, lost with the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory {
    /// The certificate's name at the CA.
    pub id: String,
    /// When that came about.
    pub at: Timestamp,
    pub outcome: Outcome,
}

/// What came of asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nobody asked: the certificate was written by this process.
    Written,
    /// The CA does not say when to renew.
    NotOffered,
    Answered(RenewalAtCa),
    Failed(Failed),
}

/// Questions that were not answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    pub message: String,
    /// Whether the CA, or the way to it, was out of order; else the CA said something of no use.
    pub outage: bool,
    pub retry_after: Option<Duration>,
    /// How many in a row, and since when.
    pub count: u32,
    pub since: Timestamp,
}

impl Memory {
    /// What is left of a question that was not answered, after what was remembered before it.
    pub fn of_failure(before: Option<&Self>, failed: Self) -> Self {
        let earlier = before.filter(|before| before.id == failed.id).map(|before| &before.outcome);
        match (earlier, failed.outcome) {
            (Some(Outcome::Failed(earlier)), Outcome::Failed(now)) => {
                let now = Failed { count: earlier.count.saturating_add(1), since: earlier.since, ..now };
                Self { outcome: Outcome::Failed(now), ..failed }
            }
            (_, outcome) => Self { outcome, ..failed },
        }
    }
}

/// When a certificate is renewed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Schedule {
    /// What people are told.
    pub(super) told: Timestamp,
    /// When the renewal begins: a little before that, if the spec gives the time.
    pub(super) due: Timestamp,
    /// The CA's wish, where it has told one.
    pub(super) wish: Option<Wish>,
    /// Whether it is that wish which decides.
    pub(super) as_wished: bool,
}

impl Schedule {
    /// Why a renewal begins.
    pub(super) fn why(&self) -> String {
        match &self.wish {
            Some(wish) if self.as_wished => format!("the CA asks for the renewal {wish}"),
            _ => format!("renewal was due at {}", self.told),
        }
    }
}

/// `2027-01-15T08:00:00Z, as the CA asks: https://ca.example/why`
impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.told)?;
        match &self.wish {
            Some(Wish { explanation_url: Some(url), .. }) if self.as_wished => write!(f, ", as the CA asks: {url}"),
            Some(_) if self.as_wished => f.write_str(", as the CA asks"),
            _ => Ok(()),
        }
    }
}

/// The window in which the CA would like to see a renewal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wish {
    pub(super) start: Timestamp,
    pub(super) end: Timestamp,
    pub(super) explanation_url: Option<String>,
}

impl fmt::Display for Wish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { start, end, explanation_url } = self;
        write!(f, "between {start} and {end}")?;
        explanation_url.as_ref().map_or(Ok(()), |url| write!(f, ", for this reason: {url}"))
    }
}

impl Wish {
    fn of(answer: &RenewalAtCa) -> Self {
        let RenewalAtCa { start, end, explanation_url, retry_after: _ } = answer;
        // The API server keeps whole seconds, and a wish must be the same before and after.
        let (start, end) = (whole_seconds(*start), whole_seconds(*end));
        Self { start, end, explanation_url: explanation_url.clone() }
    }

    fn told(information: &RenewalInformation) -> Option<Self> {
        let SuggestedWindow { start, end } = information.suggested_window.as_ref()?;
        Some(Self { start: start.0, end: end.0, explanation_url: information.explanation_url.clone() })
    }
}

pub(super) fn is_wanted(observed: &Observed) -> bool {
    observed.spec.renewal.clone().unwrap_or_default().policy != Some(RenewalPolicy::Disabled)
}

/// When `pair` is renewed, by all that is known.
pub(super) fn schedule(observed: &Observed, pair: &Pair) -> Schedule {
    let told = told(observed, pair).map(|told| by_wish(observed, pair, told));
    let heard = heard(observed, pair).map(|heard| by_wish(observed, pair, heard));
    match (told, heard) {
        (Some(told), Some(heard)) if is_much_the_same(&told, &heard, pair) => Schedule { due: heard.due, ..told },
        (_, Some(heard)) => heard,
        (Some(told), None) => told,
        (None, None) => by_lifetime(observed, pair),
    }
}

/// What the status tells of the CA's wishes about this very certificate.
fn information<'a>(observed: &'a Observed, pair: &Pair) -> Option<&'a RenewalInformation> {
    let CertificateStatus { not_before, not_after, acme, .. } = &observed.status;
    let is_of = |told: &Option<Time>, time: Timestamp| told.as_ref().is_some_and(|told| told.0 == time);
    let is_this = observed.ari.is_some() && is_of(not_before, pair.not_before) && is_of(not_after, pair.not_after);
    acme.as_ref().filter(|_| is_this)?.ari.as_ref()
}

fn told(observed: &Observed, pair: &Pair) -> Option<Wish> {
    Wish::told(information(observed, pair)?)
}

/// What this process knows of this very certificate; none where nobody is asked.
fn memory<'a>(observed: &'a Observed, pair: &Pair) -> Option<Option<&'a Memory>> {
    let ari = observed.ari.as_ref()?;
    Some(ari.memory.as_ref().filter(|memory| Some(&memory.id) == pair.ari_id.as_ref()))
}

fn heard(observed: &Observed, pair: &Pair) -> Option<Wish> {
    match &memory(observed, pair)??.outcome {
        Outcome::Answered(answer) => Some(Wish::of(answer)),
        Outcome::Written | Outcome::NotOffered | Outcome::Failed(_) => None,
    }
}

/// When to look at `pair` again: when it is due, or when the CA is to be asked. One that is not renewed
/// expires.
pub(super) fn wake(observed: &Observed, pair: &Pair) -> Timestamp {
    if !is_wanted(observed) {
        return pair.not_after;
    }
    let due = schedule(observed, pair).due;
    question(observed, pair).map_or(due, |(at, _)| at.min(due))
}

/// By which name the CA is to be asked now.
pub(super) fn due_question(observed: &Observed, now: Timestamp) -> Option<String> {
    let SecretData::Pair(pair) = &observed.secret.as_ref()?.data else { return None };
    question(observed, pair).filter(|(at, _)| *at <= now).map(|(_, id)| id.to_owned())
}

/// The certificate that a new one takes the place of, where its CA wants to know.
pub(super) fn replaced(observed: &Observed) -> Option<&str> {
    let secret = observed.secret.as_ref().filter(|_| observed.ari.is_some())?;
    let SecretData::Pair(pair) = &secret.data else { return None };
    pair.ari_id.as_deref().filter(|_| violations::is_of_its_issuer(observed))
}

/// That the CA has moved a renewal, or says why.
pub(super) fn news(observed: &Observed, pair: &Pair, status: &CertificateStatus) -> Option<Event> {
    let wish = Wish::told(status.acme.as_ref()?.ari.as_ref()?)?;
    let before = told(observed, pair);
    let is_news = before.as_ref().map_or(wish.explanation_url.is_some(), |before| *before != wish);
    is_news.then(|| Event {
        severity: Severity::Normal,
        reason: "RenewalWindow",
        message: format!("The CA asks for the renewal {wish}"),
    })
}

/// What the status says of the CA's wishes.
pub(super) fn status(
    observed: &Observed,
    pair: &Pair,
    schedule: &Schedule,
    now: Timestamp,
) -> Option<CertificateAcmeStatus> {
    let memory = memory(observed, pair)?;
    let known = information(observed, pair).cloned().unwrap_or_default();
    let told = Wish::told(&known);
    let mut new = match &schedule.wish {
        Some(wish) if told.as_ref() != Some(wish) => RenewalInformation {
            suggested_window: Some(SuggestedWindow { start: Time(wish.start), end: Time(wish.end) }),
            explanation_url: wish.explanation_url.clone(),
            last_checked: memory.map(|memory| Time(whole_seconds(memory.at))),
            ..RenewalInformation::default()
        },
        Some(_) => known.clone(),
        None => RenewalInformation::default(),
    };
    new.last_error = match memory.map(|memory| &memory.outcome) {
        Some(Outcome::Failed(failed)) if known.last_error.is_none() => {
            let lasts = !failed.outage || now.duration_since(failed.since) >= OUTAGE;
            lasts.then(|| failed.message.clone())
        }
        // One that is told already stays as it is, in whatever words the next one comes.
        Some(Outcome::Failed(_)) | None => known.last_error,
        Some(Outcome::Written | Outcome::NotOffered | Outcome::Answered(_)) => None,
    };
    (new != RenewalInformation::default()).then_some(CertificateAcmeStatus { ari: Some(new) })
}

/// When to ask the CA about `pair`, and by which name; none where nobody is asked.
pub(super) fn question<'a>(observed: &Observed, pair: &'a Pair) -> Option<(Timestamp, &'a str)> {
    let ari = observed.ari.as_ref().filter(|_| is_wanted(observed))?;
    let id = pair.ari_id.as_deref()?;
    let share = share(id.as_bytes());
    let (since, wait) = match memory(observed, pair)? {
        None => (ari.started, ari.spread.mul_f64(share)),
        Some(Memory { id: _, at, outcome }) => match outcome {
            Outcome::Written => {
                let longest = Duration::try_from(lifetime(pair) / FIRST_OF_LIFETIME).unwrap_or(INTERVAL);
                (*at, longest.min(INTERVAL).mul_f64((1.0 + share) / 2.0))
            }
            Outcome::NotOffered => (*at, INTERVAL),
            Outcome::Answered(answer) => (*at, patience(answer.retry_after.unwrap_or(INTERVAL), share)),
            Outcome::Failed(failed) => (*at, patience(pause(failed), share)),
        },
    };
    let at = since.checked_add(wait).unwrap_or(since);
    Some((at, id))
}

/// How long to wait after a question that failed.
fn pause(failed: &Failed) -> Duration {
    let doublings = failed.count.saturating_sub(1).min(16);
    let chosen = if failed.outage { SHORTEST_INTERVAL * 2_u32.pow(doublings) } else { INTERVAL };
    failed.retry_after.unwrap_or(chosen.min(INTERVAL))
}

/// What the CA wants to wait, within reason and a little longer for some than for others.
fn patience(wait: Duration, share: f64) -> Duration {
    wait.mul_f64(1.0 + share / 10.0).clamp(SHORTEST_INTERVAL, LONGEST_INTERVAL)
}

/// By the lifetime alone. A time that the spec gives is told as it is; one that it does not give is spread.
fn by_lifetime(observed: &Observed, pair: &Pair) -> Schedule {
    let due = pair.renewal_time;
    let early = |most: SignedDuration| whole_seconds(due - most.mul_f64(share(observed.uid.as_bytes())));
    if observed.spec.renew_before.is_none() && observed.spec.renew_before_percentage.is_none() {
        let spread = early(lifetime(pair) / SPREAD);
        return Schedule { told: spread, due: spread, wish: None, as_wished: false };
    }
    let wait = due.duration_since(pair.not_before).max(SignedDuration::ZERO);
    let tolerance = LONGEST_TOLERANCE.min(lifetime(pair) / TOLERANCE).min(wait / TOLERANCE_OF_WAIT);
    Schedule { told: due, due: early(tolerance), wish: None, as_wished: false }
}

/// A point in the window, as far as that is before the time by the lifetime; that time, when no part of it is.
fn by_wish(observed: &Observed, pair: &Pair, wish: Wish) -> Schedule {
    let end = wish.end.min(pair.renewal_time);
    if wish.start >= end {
        return Schedule { wish: Some(wish), ..by_lifetime(observed, pair) };
    }
    let facts = format!("{}/{}/{}", pair.ari_id.as_deref().unwrap_or_default(), wish.start, wish.end);
    let point = wish.start + end.duration_since(wish.start).mul_f64(share(facts.as_bytes()));
    let pause = PAUSE.min(lifetime(pair) / PAUSE_OF_LIFETIME);
    let earliest = observed.replaced_at.and_then(|at| at.checked_add(pause).ok()).unwrap_or(point);
    let due = whole_seconds(point.max(earliest).min(pair.renewal_time));
    Schedule { told: due, due, wish: Some(wish), as_wished: true }
}

/// Whether what was told need not be told anew.
fn is_much_the_same(told: &Schedule, heard: &Schedule, pair: &Pair) -> bool {
    let url = |schedule: &Schedule| schedule.wish.as_ref().and_then(|wish| wish.explanation_url.clone());
    told.told.duration_since(heard.told).abs() <= lifetime(pair) / MATERIAL && url(told) == url(heard)
}

fn lifetime(pair: &Pair) -> SignedDuration {
    pair.not_after.duration_since(pair.not_before).max(SignedDuration::ZERO)
}
