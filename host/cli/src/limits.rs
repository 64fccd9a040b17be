//! `kubectl signet limits`: what is used of the CAs' limits, by whom, and who waits for room.
//!
//! It is counted from the objects that the person may read, by the same function as in the controller; what was
//! spent for objects that are gone is in the Lease of the leader, and the limits that the operator has set are in
//! Signet's Deployment. What can not be read is said.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use anyhow::{Result, anyhow};
use jiff::Timestamp;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::ListParams;
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use signet_api::{Certificate, ClusterIssuer, Issuer, IssuerRef, IssuerSpec, IssuerStatus, Order, State, labels};
use signet_core::limits::history::{self, AccountAt};
use signet_core::limits::{Book, Kind, Line, report};

use crate::args::{IssuerKind, Limits};
use crate::cluster::{Cluster, sentence};
use crate::issuers::Issuers;
use crate::plugin::CONTROLLER;
use crate::story::when;

/// How many that wait are named.
const NAMED: usize = 5;

/// What could be read of a cluster.
#[derive(Default)]
struct Read {
    orders: Vec<Order>,
    certificates: Vec<Certificate>,
    /// By kind, namespace and name.
    accounts: BTreeMap<(&'static str, String, String), AccountAt>,
    book: Book,
    ledger: String,
    /// What could not be read, and what of it.
    notes: Vec<String>,
}

/// What there is to say.
pub(crate) async fn limits(cluster: &Cluster, wanted: &Limits, now: Timestamp) -> Result<String> {
    let only = only(cluster, wanted).await?;
    let read = read(cluster).await?;
    Ok(told(&read, only.as_ref(), now))
}

/// The account of the issuer that was named.
async fn only(cluster: &Cluster, wanted: &Limits) -> Result<Option<AccountAt>> {
    let (kind, name) = match (&wanted.issuer, &wanted.clusterissuer) {
        (Some(name), _) => (IssuerKind::Issuer, name),
        (None, Some(name)) => (IssuerKind::Clusterissuer, name),
        (None, None) => return Ok(None),
    };
    let issuers = Issuers::new(cluster, kind);
    let found = issuers.get(name).await?;
    let place = issuers.place(name);
    let account = account(&found.spec, &found.status);
    account.map(Some).ok_or_else(|| anyhow!("{place} has no account at an ACME CA, so no CA sets a limit to it"))
}

async fn read(cluster: &Cluster) -> Result<Read> {
    let mut read = Read::default();
    (read.orders, read.certificates) = (list(cluster, &mut read).await?, list(cluster, &mut read).await?);
    for Issuer { metadata, spec, status } in list(cluster, &mut read).await? {
        let place = ("Issuer", metadata.namespace.unwrap_or_default(), metadata.name.unwrap_or_default());
        read.accounts.extend(account(&spec, &status.unwrap_or_default()).map(|account| (place, account)));
    }
    match Api::<ClusterIssuer>::all(cluster.client.clone()).list(&ListParams::default()).await {
        Ok(issuers) => {
            for ClusterIssuer { metadata, spec, status } in issuers {
                let place = ("ClusterIssuer", String::new(), metadata.name.unwrap_or_default());
                read.accounts.extend(account(&spec.0, &status.unwrap_or_default()).map(|account| (place, account)));
            }
        }
        Err(error) => read.notes.push(format!("ClusterIssuers are left out: {}", sentence(&error))),
    }
    settings(cluster, &mut read).await;
    Ok(read)
}

/// Every object of a kind; those of one namespace where a person may not see more.
async fn list<K>(cluster: &Cluster, read: &mut Read) -> Result<Vec<K>>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + std::fmt::Debug,
{
    let all = Api::<K>::all(cluster.client.clone()).list(&ListParams::default()).await;
    if let Ok(all) = all {
        return Ok(all.items);
    }
    let api = Api::<K>::namespaced(cluster.client.clone(), &cluster.namespace);
    let found = api.list(&ListParams::default()).await.map_err(|error| anyhow!(sentence(&error)))?;
    let (kind, namespace) = (K::kind(&()), &cluster.namespace);
    read.notes.push(format!("Of kind {kind} only those of namespace {namespace} can be read, so more may be used"));
    Ok(found.items)
}

/// What the operator has set, and what the leader has written down.
async fn settings(cluster: &Cluster, read: &mut Read) {
    let deployments = Api::<Deployment>::all(cluster.client.clone());
    let found = deployments.list(&ListParams::default().labels(CONTROLLER)).await;
    let deployment = match found.map(|found| found.items.into_iter().next()) {
        Ok(Some(deployment)) => deployment,
        Ok(None) => return read.notes.push("There is no Deployment of Signet, so its settings are not known".into()),
        Err(error) => {
            let what = "Limits that the operator has set, and what was spent for objects that are gone, are left out";
            return read.notes.push(format!("{what}: {}", sentence(&error)));
        }
    };
    let argument = |flag: &str| argument(&deployment, flag);
    let said = argument("--acme-limits").map(|text| {
        let said = serde_yaml::from_str(&text).map_err(|error| error.to_string());
        said.and_then(|said| Book::default().with(&said))
    });
    match said {
        Some(Ok(book)) => read.book = book,
        Some(Err(error)) => read.notes.push(format!("--acme-limits of Signet's Deployment can not be read: {error}")),
        None => {}
    }
    let namespace = argument("--leader-election-namespace").filter(|name| !name.is_empty());
    let namespace = namespace.or_else(|| deployment.namespace()).unwrap_or_default();
    match Api::<Lease>::namespaced(cluster.client.clone(), &namespace).get_opt(labels::LEASE).await {
        Ok(lease) => {
            let spent = lease.and_then(|lease| lease.metadata.annotations?.remove(labels::SPENT));
            read.ledger = spent.unwrap_or_default();
        }
        Err(error) => {
            read.notes.push(format!("What was spent for objects that are gone is left out: {}", sentence(&error)));
        }
    }
}

/// The value of a flag of the controller; of several the last counts.
fn argument(deployment: &Deployment, flag: &str) -> Option<String> {
    let pod = deployment.spec.as_ref()?.template.spec.as_ref()?;
    let arguments = pod.containers.iter().flat_map(|container| container.args.iter().flatten());
    arguments.filter_map(|argument| argument.strip_prefix(flag)?.strip_prefix('=')).next_back().map(str::to_owned)
}

fn account(spec: &IssuerSpec, status: &IssuerStatus) -> Option<AccountAt> {
    let account = status.acme.as_ref()?.uri.clone()?;
    Some(AccountAt { directory: spec.acme.as_ref()?.server.clone(), account })
}

impl Read {
    /// Which account a reference means, as the controller finds it.
    fn account(&self, namespace: &str, reference: &IssuerRef) -> Option<AccountAt> {
        let of = |kind, namespace: &str| self.accounts.get(&(kind, namespace.to_owned(), reference.name.clone()));
        let found = match reference.kind_if_set() {
            Some("Issuer") => of("Issuer", namespace),
            Some("ClusterIssuer") => of("ClusterIssuer", ""),
            Some(_) => None,
            None => of("Issuer", namespace).or_else(|| of("ClusterIssuer", "")),
        };
        found.cloned()
    }
}

fn told(read: &Read, only: Option<&AccountAt>, now: Timestamp) -> String {
    let spent = history::read(&read.orders, &read.certificates, |namespace, issuer| read.account(namespace, issuer));
    let mut lines = report(&read.book, &spent, &read.ledger, now);
    if let Some(AccountAt { directory, account }) = only {
        lines.retain(|line| line.directory == *directory && (line.kind != Kind::NewOrders || line.of == *account));
    }
    let accounts = read.accounts.values().filter(|account| only.is_none_or(|only| only == *account));
    let directories: BTreeSet<&str> = accounts.map(|account| account.directory.as_str()).collect();
    let mut text = String::new();
    for directory in &directories {
        let _ = writeln!(text, "{directory}");
        let lines: Vec<_> = lines.iter().filter(|line| line.directory == **directory).collect();
        match (read.book.of(directory), lines.as_slice()) {
            (None, _) => text.push_str("  no limits are known of this CA; acme.limits of the chart can tell them\n"),
            (Some(_), []) => text.push_str("  nothing is used\n"),
            (Some(_), lines) => table(&mut text, lines, now),
        }
    }
    if directories.is_empty() {
        text.push_str("There is no issuer with an account at an ACME CA.\n");
    }
    waiting(&mut text, read, only);
    for note in &read.notes {
        let _ = writeln!(text, "Note: {note}.");
    }
    text
}

fn table(text: &mut String, lines: &[&Line], now: Timestamp) {
    let rows: Vec<[String; 3]> = lines.iter().map(|line| [what(line), used(line), by(line)]).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let (first, second) = (width(0), width(1));
    for (row, line) in rows.iter().zip(lines) {
        let _ = writeln!(text, "  {:first$}  {:second$}  {}", row[0], row[1], row[2]);
        if let Some(opens) = line.opens {
            let _ = writeln!(text, "    there is room again at {}", when::at(opens, now));
        }
    }
}

fn what(line: &Line) -> String {
    let (of, period) = (&line.of, line.limit.told_period());
    match line.kind {
        Kind::NewOrders | Kind::Share => format!("new orders in {period} of account {of}"),
        Kind::NewOrdersPerAddress => format!("new orders in {period} of one address"),
        Kind::CertificatesPerDomain => format!("certificates in {period} under {of}"),
        Kind::CertificatesPerSet => format!("certificates in {period} for exactly {of}"),
        Kind::FailuresPerName => format!("failures in {period} to prove {of}"),
        Kind::FailuresInARow => format!("failures in a row to prove {of}"),
    }
}

fn used(line: &Line) -> String {
    format!("{} of {}", line.used.min(line.limit.count), line.limit.count)
}

fn by(line: &Line) -> String {
    let mut by: Vec<_> = line.by.iter().collect();
    by.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    by.iter().map(|(namespace, count)| format!("{namespace} {count}")).collect::<Vec<_>>().join(", ")
}

/// The Orders that wait for room, the oldest first.
fn waiting(text: &mut String, read: &Read, only: Option<&AccountAt>) {
    let is_of = |order: &&Order| {
        let account = read.account(&order.namespace().unwrap_or_default(), &order.spec.issuer_ref);
        only.is_none_or(|only| account.as_ref() == Some(only))
    };
    let reason = |order: &Order| {
        let status = order.status.as_ref().filter(|status| status.url.is_none())?;
        let ended = status.state.is_some_and(State::is_final);
        status.reason.clone().filter(|reason| !ended && reason.starts_with("Waiting"))
    };
    let mut waiting: Vec<_> =
        read.orders.iter().filter(is_of).filter_map(|order| Some((order, reason(order)?))).collect();
    waiting.sort_by_key(|(order, _)| (order.creation_timestamp(), order.name_any()));
    if waiting.is_empty() {
        return;
    }
    let _ = writeln!(text, "Orders that wait: {}", waiting.len());
    for (order, reason) in waiting.iter().take(NAMED) {
        let reason: String = reason.chars().filter(|letter| !letter.is_control()).collect();
        let _ = writeln!(text, "  {}/{}: {reason}", order.namespace().unwrap_or_default(), order.name_any());
    }
    if let Some(more) = waiting.len().checked_sub(NAMED).filter(|more| *more > 0) {
        let _ = writeln!(text, "  and {more} more");
    }
}
