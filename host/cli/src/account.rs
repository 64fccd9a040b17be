//! `kubectl signet account`: asks for another key for the ACME account of an issuer, or for the account's
//! end, by setting the condition AccountChange. The controller takes it from there.

use anyhow::{Context, Result, anyhow, bail};
use jiff::Timestamp;
use kube::Api;
use kube::api::{ListParams, Patch, PatchParams};
use serde_json::{Value, json};
use signet_api::issuer::condition::{ACCOUNT_CHANGE, READY, change};
use signet_api::meta::{condition, set_condition};
use signet_api::{Certificate, Condition, ConditionStatus};

use crate::args::{Account, IssuerKind};
use crate::cluster::{Cluster, sentence};
use crate::issuers::{Found, Issuers};

const MANAGER: &str = "kubectl-signet";
/// How often somebody else may write in between before this gives up.
const ATTEMPTS: usize = 5;

/// Asks, and returns what to say of it.
pub(crate) async fn run(cluster: &Cluster, wanted: &Account, now: Timestamp) -> Result<String> {
    let (of, certain) = match wanted {
        Account::Rollover(of) => (of, true),
        Account::Deactivate { of, yes } => (of, *yes),
    };
    let issuers = Issuers::new(cluster, of.kind);
    let place = issuers.place(&of.name);
    let mut found = issuers.get(&of.name).await?;
    if !certain {
        bail!("{}", warning(cluster, &found, &place).await?);
    }
    for _ in 0..ATTEMPTS {
        let patch = match decide(&found, wanted, &place, now)? {
            Decision::Write(patch) => patch,
            Decision::Leave(why) => return Ok(format!("{place}: a change of its account is under way already{why}\n")),
        };
        let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        match issuers.patch_status(&of.name, &params, &Patch::Merge(&patch)).await {
            Ok(()) => return Ok(format!("{place}: {}\n", asked(&found, wanted, of.kind, &of.name, cluster))),
            Err(kube::Error::Api(status)) if status.is_conflict() => found = issuers.get(&of.name).await?,
            Err(error) => {
                return Err(anyhow!(sentence(&error)))
                    .with_context(|| format!("{place} can not be marked for a change of its account"));
            }
        }
    }
    bail!("{place} was changed by others {ATTEMPTS} times while it was being marked; try again")
}

fn asked(found: &Found, wanted: &Account, kind: IssuerKind, name: &str, cluster: &Cluster) -> String {
    let what = match wanted {
        Account::Rollover(_) => "another key for account",
        Account::Deactivate { .. } => "the end of account",
    };
    let namespace = match kind {
        IssuerKind::Issuer => format!(" -n {}", cluster.namespace),
        IssuerKind::Clusterissuer => String::new(),
    };
    let uri = uri(found).unwrap_or_default();
    format!("{what} {uri} asked for; see `kubectl signet status {} {name}{namespace}`", kind.word())
}

/// What comes of ending an account, for somebody who has not yet said that they know.
async fn warning(cluster: &Cluster, found: &Found, place: &str) -> Result<String> {
    let uri = registered(found, place)?;
    let users = match users(cluster, found).await {
        Some(0) => "no Certificate names it now".to_owned(),
        Some(1) => "1 Certificate names it now".to_owned(),
        Some(count) => format!("{count} Certificates name it now"),
        None => "which Certificates name it can not be seen".to_owned(),
    };
    Ok(format!(
        "{place}: ending account {uri} can not be undone. Nothing is ordered or renewed by this issuer afterwards \
         ({users}), nor by any other with the same account key; orders under way fail. What was issued stays valid. \
         To end it, run this again with --yes"
    ))
}

/// How many Certificates name the issuer, as far as this person may see them.
async fn users(cluster: &Cluster, found: &Found) -> Option<usize> {
    let api = match &found.metadata.namespace {
        Some(namespace) => Api::<Certificate>::namespaced(cluster.client.clone(), namespace),
        None => Api::all(cluster.client.clone()),
    };
    let all = api.list(&ListParams::default()).await.ok()?.items;
    let names_it = |certificate: &&Certificate| {
        let reference = &certificate.spec.issuer_ref;
        Some(&reference.name) == found.metadata.name.as_ref()
            && reference.kind_if_set().is_none_or(|kind| kind == found.kind)
            && reference.is_ours()
    };
    Some(all.iter().filter(names_it).count())
}

#[derive(Debug, PartialEq)]
enum Decision {
    /// A merge patch for the status. It holds the resourceVersion, so that it only lands on what
    /// was looked at.
    Write(Value),
    Leave(String),
}

fn decide(found: &Found, wanted: &Account, place: &str, now: Timestamp) -> Result<Decision> {
    if found.metadata.deletion_timestamp.is_some() {
        bail!("{place} is being deleted");
    }
    registered(found, place)?;
    let mut conditions = found.status.conditions.clone();
    if let Some(change) = condition(&conditions, ACCOUNT_CHANGE) {
        let message = change.message.as_ref().map_or(String::new(), |message| format!(": {message}"));
        if change.is_true() {
            return Ok(Decision::Leave(message));
        }
        if change.reason.as_deref() == Some(change::DEACTIVATED) {
            bail!("{place} has no account any more{message}");
        }
    }
    let (reason, message) = match wanted {
        Account::Rollover(_) => (change::ROLLOVER_REQUESTED, "asked for with kubectl signet account rollover"),
        Account::Deactivate { .. } => {
            (change::DEACTIVATION_REQUESTED, "asked for with kubectl signet account deactivate")
        }
    };
    let asked = Condition::new(ACCOUNT_CHANGE, ConditionStatus::True, reason, message);
    set_condition(&mut conditions, asked.observed(found.metadata.generation), now);
    Ok(Decision::Write(json!({
        "metadata": { "resourceVersion": found.metadata.resource_version },
        "status": { "conditions": conditions },
    })))
}

/// The address of the account, or why there is none to change.
fn registered<'a>(found: &'a Found, place: &str) -> Result<&'a str> {
    if found.spec.acme.is_none() {
        bail!("{place} is not of type acme, so it has no account");
    }
    let ready = condition(&found.status.conditions, READY).and_then(|ready| ready.message.as_deref());
    uri(found).with_context(|| {
        format!("{place} has no account yet: {}", ready.unwrap_or("Signet has not looked at it; does it run?"))
    })
}

fn uri(found: &Found) -> Option<&str> {
    found.status.acme.as_ref()?.uri.as_deref().filter(|uri| !uri.is_empty())
}

#[cfg(test)]
mod tests;
