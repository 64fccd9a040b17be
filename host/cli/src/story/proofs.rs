//! The part of the story that is about ACME: the Order, and the proofs of its names.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use signet_api::{Challenge, ChallengeStatus, Solver, State};

use super::page::Page;
use super::parts::hidden;
use super::when;
use crate::gathered::{Gathered, Seen};

/// The order at the CA.
pub(super) fn order(page: &mut Page, gathered: &Gathered, _: Timestamp) {
    match &gathered.order {
        Seen::Missing => {}
        Seen::Hidden(why) => page.part("Order", &hidden(why)),
        Seen::There(order) => {
            let status = order.status.clone().unwrap_or_default();
            page.part("Order", order.metadata.name.as_deref().unwrap_or_default());
            page.row("State", &state(status.state));
            page.row_if("Reason", status.reason);
        }
    }
}

/// The names to prove, one a line.
pub(super) fn challenges(page: &mut Page, gathered: &Gathered, now: Timestamp) {
    match &gathered.challenges {
        Seen::Missing => {}
        Seen::Hidden(why) => page.part("Challenges", &hidden(why)),
        Seen::There(challenges) if challenges.is_empty() => {}
        Seen::There(challenges) => {
            let proven = challenges.iter().filter(|one| status(one).state == Some(State::Valid)).count();
            page.part("Challenges", &format!("{proven} of {} proven", challenges.len()));
            let rows: Vec<_> = challenges.iter().map(|one| challenge(one, now)).collect();
            page.table(&rows);
        }
    }
}

fn challenge(challenge: &Challenge, now: Timestamp) -> ([String; 4], Option<String>) {
    let ChallengeStatus { processing, presented, presented_at, reason, .. } = status(challenge);
    let shown = match presented_at.filter(|_| presented) {
        Some(Time(since)) => format!(", shown {}", when::relative(since, now)),
        None if presented => ", shown".to_owned(),
        None if processing => ", not shown".to_owned(),
        None => String::new(),
    };
    let spec = &challenge.spec;
    let kind = spec.type_.acme_name().to_uppercase();
    let cells = [domain(challenge), kind, plugin(&spec.solver), state(status(challenge).state) + &shown];
    // What is proven needs no more words.
    (cells, reason.filter(|_| status(challenge).state != Some(State::Valid)))
}

/// The name as it stands on the certificate.
pub(super) fn domain(challenge: &Challenge) -> String {
    let wildcard = if challenge.spec.wildcard { "*." } else { "" };
    format!("{wildcard}{}", challenge.spec.dns_name)
}

/// The solver plugin that shows the proof.
pub(super) fn plugin(solver: &Solver) -> String {
    if solver.dns_persist01.is_some() {
        return "by hand".to_owned();
    }
    match solver.way().and_then(|way| way.stanza()) {
        Ok(stanza) => stanza.plugin.to_owned(),
        Err(error) => format!("no solver ({error})"),
    }
}

pub(super) fn status(challenge: &Challenge) -> ChallengeStatus {
    challenge.status.clone().unwrap_or_default()
}

fn state(state: Option<State>) -> String {
    state.map_or("not begun".to_owned(), |state| format!("{state:?}").to_lowercase())
}
