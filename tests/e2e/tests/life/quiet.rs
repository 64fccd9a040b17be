//! How much Signet writes: what an issuance takes, and nothing when there is nothing to do.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use signet_api::{Certificate, CertificateRequest, Challenge, Issuer};
use signet_e2e::Stage;
use signet_lab::{Config, Entry, Lab};

/// For how long nothing may be written.
const QUIET: Duration = Duration::from_secs(20);
/// An issuance that takes long tells how far it is, which takes writes; so the best of several counts.
const TRIES: usize = 3;

fn shown(entries: &[Entry]) -> String {
    let line = |entry: &Entry| {
        let Entry { verb, resource, subresource, namespace, name, code, .. } = entry;
        format!("{verb} {resource}/{subresource} {namespace}/{name} {code}\n")
    };
    entries.iter().map(line).collect()
}

/// What Signet wrote in the stage's namespace, events apart, and how many events.
fn written(stage: &Stage<'_>) -> (Vec<Entry>, usize) {
    let all = stage.lab.audit_of_signet().into_iter().filter(|entry| entry.namespace == stage.namespace);
    let (events, rest): (Vec<_>, Vec<_>) = all.partition(|entry| entry.resource == "events");
    (rest, events.len())
}

/// Issues a name several times on stages of their own, and holds the least that it took to the budget.
async fn within_budget(prefix: &str, solver: Option<Value>, writes: usize, events: usize) -> Result<()> {
    let mut least = usize::MAX;
    let mut last = String::new();
    for _ in 0..TRIES {
        let stage = Stage::shared(prefix).await?;
        let solver = match &solver {
            Some(solver) => solver.clone(),
            None => stage.route53().await?,
        };
        stage.issuer("issuer", solver).await?;
        let before = written(&stage);
        stage.issue("web", json!({ "dnsNames": [stage.domain] })).await?;
        stage.none_left::<Challenge>().await?;
        let settled = || written(&stage).0.iter().any(|entry| entry.verb == "delete" && entry.resource == "secrets");
        stage.eventually("the next key is deleted", async || Ok(settled().then_some(()))).await?;
        let after = written(&stage);
        let entries = &after.0[before.0.len()..];
        ensure!(entries.iter().all(|entry| entry.code != 409), "writes met each other:\n{}", shown(entries));
        ensure!(after.1 - before.1 <= events, "{} events", after.1 - before.1);
        least = least.min(entries.len());
        last = shown(entries);
        if least <= writes {
            return Ok(());
        }
    }
    anyhow::bail!("it took {least} writes, not {writes}; the last try:\n{last}")
}

#[tokio::test]
async fn one_name_by_http01_takes_twenty_writes() -> Result<()> {
    within_budget("budget", Some(json!({ "http01": { "ingress": { "class": "nginx" } } })), 20, 4).await
}

#[tokio::test]
async fn one_name_by_dns01_takes_fourteen_writes() -> Result<()> {
    within_budget("budget", None, 14, 4).await
}

/// In a lab of its own: every object is in a state to stay in, and a process that has just started
/// finds nothing to do, and goes on finding nothing.
#[tokio::test]
async fn a_converged_cluster_is_left_alone() -> Result<()> {
    let lab = Lab::start(Config::default()).await?;
    let stage = Stage::on(&lab, "quiet").await?;
    let route53 = stage.route53().await?;
    stage.self_signed_issuer("self").await?;
    stage.issuer("http", json!({ "http01": { "ingress": { "class": "nginx" } } })).await?;
    stage.issuer("dns", route53).await?;
    let unknown = json!({ "dns01": { "cumulus": {} } });
    stage.create::<Issuer>("unknown", json!({ "acme": stage.acme("unknown", unknown) })).await?;
    stage.says::<Issuer>("unknown", &["Ready=False"]).await?;
    let of = |issuer: &str, name: &str| json!({ "dnsNames": [name], "issuerRef": { "name": issuer } });
    let elsewhere = format!("a.elsewhere-{}", stage.domain);
    stage.certificate("waiting", of("unknown", &stage.domain)).await?;
    stage.certificate("missing", of("nobody", &stage.domain)).await?;
    stage.certificate("refused", of("http", "refused.example")).await?;
    for issuer in ["self", "http", "dns"] {
        let name = if issuer == "http" { &elsewhere } else { &stage.domain };
        stage.issue(issuer, of(issuer, name)).await?;
    }
    stage.says::<CertificateRequest>("waiting-1", &["Ready=False Pending"]).await?;
    stage.says::<CertificateRequest>("missing-1", &["Ready=False Pending"]).await?;
    stage.says::<Certificate>("refused", &["Issuing=False"]).await?;
    stage.none_left::<Challenge>().await?;

    quiet(&stage).await?;
    lab.controller().restart().await?;
    lab.controller().wait_ready().await?;
    quiet(&stage).await?;
    // The new process was not asleep.
    stage.issue("after", of("self", &stage.domain)).await?;
    let writes = lab.audit_of_signet();
    let met: Vec<_> = writes.into_iter().filter(|entry| entry.code == 409 && entry.resource != "leases").collect();
    ensure!(met.is_empty(), "writes met each other:\n{}", shown(&met));
    lab.down().await
}

/// Waits for [`QUIET`], in which nothing may be written but Leases.
async fn quiet(stage: &Stage<'_>) -> Result<()> {
    let written = || {
        let all = stage.lab.audit_of_signet().into_iter();
        all.filter(|entry| entry.resource != "leases").collect::<Vec<_>>()
    };
    // The last issuance may still be tidying up.
    let mut settled = (written().len(), Instant::now());
    stage
        .eventually("writing has come to an end", async || {
            let now = written().len();
            if now != settled.0 {
                settled = (now, Instant::now());
            }
            Ok((settled.1.elapsed() > Duration::from_secs(3)).then_some(()))
        })
        .await?;
    let (before, since) = (written().len(), Instant::now());
    stage.eventually("it was quiet", async || Ok((since.elapsed() >= QUIET).then_some(()))).await?;
    let after = written();
    ensure!(after.len() == before, "somebody wrote without a reason:\n{}", shown(&after[before..]));
    Ok(())
}
