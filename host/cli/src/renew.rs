//! `kubectl signet renew`: asks for an issuance by setting the condition Issuing, as `cmctl renew`
//! does. The controller takes it from there, also when it was waiting after a failure.

use std::process::ExitCode;

use anyhow::{Context, Result, anyhow, bail};
use jiff::Timestamp;
use kube::Api;
use kube::api::{ListParams, Patch, PatchParams};
use serde_json::{Value, json};
use signet_api::certificate::condition::ISSUING;
use signet_api::meta::{condition, set_condition};
use signet_api::{Certificate, Condition, ConditionStatus};

use crate::args::Renew;
use crate::cluster::{Cluster, sentence};
use crate::gather::certificate;

const MANAGER: &str = "kubectl-signet";
/// How often somebody else may write in between before this gives up.
const ATTEMPTS: usize = 5;

/// What came of asking.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Asked,
    /// Since when and why, in words.
    UnderWay(String),
}

/// Asks for each that is wanted, with a line for each. What fails does not stop the others.
pub(crate) async fn renew(cluster: &Cluster, wanted: &Renew, now: Timestamp) -> Result<ExitCode> {
    let chosen = choose(cluster, wanted).await?;
    if chosen.is_empty() {
        eprintln!("There is no Certificate {} to renew.", place(cluster, wanted));
    }
    let mut code = ExitCode::SUCCESS;
    for (namespace, name) in chosen {
        match ask(cluster, &namespace, &name, now).await {
            Ok(Answer::Asked) => println!(
                "Certificate {namespace}/{name}: issuance asked for; see `kubectl signet status certificate {name} -n {namespace}`"
            ),
            Ok(Answer::UnderWay(why)) => {
                println!("Certificate {namespace}/{name}: an issuance is under way already{why}")
            }
            Err(error) => {
                eprintln!("error: {error:#}");
                code = ExitCode::FAILURE;
            }
        }
    }
    Ok(code)
}

/// Namespace and name of each Certificate that is wanted.
async fn choose(cluster: &Cluster, wanted: &Renew) -> Result<Vec<(String, String)>> {
    let Renew { names, all: _, selector, all_namespaces } = wanted;
    if !names.is_empty() {
        return Ok(names.iter().map(|name| (cluster.namespace.clone(), name.clone())).collect());
    }
    let api = match all_namespaces {
        true => Api::<Certificate>::all(cluster.client.clone()),
        false => Api::namespaced(cluster.client.clone(), &cluster.namespace),
    };
    let params = selector.as_ref().map_or_else(ListParams::default, |labels| ListParams::default().labels(labels));
    let list = api.list(&params).await.map_err(|error| anyhow!(sentence(&error))).with_context(|| {
        format!("the Certificates {} can not be listed in context {}", place(cluster, wanted), cluster.context)
    })?;
    let named = list.items.into_iter().map(|found| (found.metadata.namespace, found.metadata.name));
    Ok(named.map(|(namespace, name)| (namespace.unwrap_or_default(), name.unwrap_or_default())).collect())
}

fn place(cluster: &Cluster, wanted: &Renew) -> String {
    let labels = wanted.selector.as_ref().map_or(String::new(), |labels| format!("with labels {labels} "));
    match wanted.all_namespaces {
        true => format!("{labels}in any namespace"),
        false => format!("{labels}in namespace {}", cluster.namespace),
    }
}

/// Asks for one. A write that somebody else's came before is decided and tried again.
async fn ask(cluster: &Cluster, namespace: &str, name: &str, now: Timestamp) -> Result<Answer> {
    let api = Api::<Certificate>::namespaced(cluster.client.clone(), namespace);
    let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
    for _ in 0..ATTEMPTS {
        let found = certificate(cluster, namespace, name).await?;
        let patch = match decide(&found, now)? {
            Decision::Write(patch) => patch,
            Decision::Leave(why) => return Ok(Answer::UnderWay(why)),
        };
        match api.patch_status(name, &params, &Patch::Merge(&patch)).await {
            Ok(_) => return Ok(Answer::Asked),
            Err(kube::Error::Api(status)) if status.is_conflict() => {}
            Err(error) => {
                return Err(anyhow!(sentence(&error)))
                    .with_context(|| format!("Certificate {namespace}/{name} can not be marked for issuance"));
            }
        }
    }
    bail!("Certificate {namespace}/{name} was changed by others {ATTEMPTS} times while it was being marked; try again")
}

#[derive(Debug, PartialEq)]
enum Decision {
    /// A merge patch for the status. It holds the resourceVersion, so that it only lands on what
    /// was looked at.
    Write(Value),
    Leave(String),
}

fn decide(certificate: &Certificate, now: Timestamp) -> Result<Decision> {
    let metadata = &certificate.metadata;
    let (namespace, name) = (metadata.namespace.as_deref(), metadata.name.as_deref());
    if metadata.deletion_timestamp.is_some() {
        let (namespace, name) = (namespace.unwrap_or_default(), name.unwrap_or_default());
        bail!("Certificate {namespace}/{name} is being deleted");
    }
    let mut conditions = certificate.status.as_ref().map_or_else(Vec::new, |status| status.conditions.clone());
    if let Some(issuing) = condition(&conditions, ISSUING).filter(|issuing| issuing.is_true()) {
        let message = issuing.message.as_ref().map_or(String::new(), |message| format!(": {message}"));
        return Ok(Decision::Leave(message));
    }
    let asked =
        Condition::new(ISSUING, ConditionStatus::True, "ManuallyTriggered", "asked for with kubectl signet renew");
    set_condition(&mut conditions, asked.observed(metadata.generation), now);
    Ok(Decision::Write(json!({
        "metadata": { "resourceVersion": metadata.resource_version },
        "status": { "conditions": conditions },
    })))
}

#[cfg(test)]
mod tests;
