//! How much Signet writes to the API server, and asks of the CA.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::json;
use signet_lab::{Entry, Lab};

use crate::figures::{Figures, median};
use crate::site::Site;

/// How many certificates are counted, one after the other.
const CERTIFICATES: usize = 5;
/// How long nothing may be written before an issuance is taken to be over.
const QUIET: Duration = Duration::from_secs(2);

/// What one certificate took, from its creation until all is tidy.
struct Cost {
    writes: Vec<Entry>,
    events: usize,
    acme: usize,
}

/// Measures certificates of one DNS name.
pub(crate) async fn measure(http01: &Site<'_>, dns01: &Site<'_>, tls: &Site<'_>, figures: &mut Figures) -> Result<()> {
    let all = [costs("http01", http01).await?, costs("dns01", dns01).await?, costs("tlsalpn01", tls).await?];
    for (name, costs) in ["http01_writes", "dns01_writes", "tlsalpn01_writes"].into_iter().zip(&all) {
        figures.add(name, middle(costs, |cost| cost.writes.len()), "requests");
    }
    let larger = |number: fn(&Cost) -> usize| all.iter().map(|costs| middle(costs, number)).fold(0.0, f64::max);
    figures.add("events_per_certificate", larger(|cost| cost.events), "events");
    figures.add("acme_requests", larger(|cost| cost.acme), "requests");
    Ok(())
}

/// Counts what the CA is asked for a certificate of a name that the account has proven before.
pub(crate) async fn reused(site: &Site<'_>, figures: &mut Figures) -> Result<()> {
    let (stage, lab) = (&site.stage, site.stage.lab);
    site.issue(&["proven".to_owned()]).await?;
    site.is_tidy().await?;
    let asked: usize = lab.acme_requests().values().sum();
    stage.issue("again", json!({ "dnsNames": [format!("proven.{}", stage.domain)] })).await?;
    figures.add("acme_requests_reused", (lab.acme_requests().values().sum::<usize>() - asked) as f64, "requests");
    Ok(())
}

fn middle(costs: &[Cost], number: fn(&Cost) -> usize) -> f64 {
    median(costs.iter().map(|cost| number(cost) as f64).collect())
}

async fn costs(way: &str, site: &Site<'_>) -> Result<Vec<Cost>> {
    let mut costs = Vec::new();
    for number in 0..CERTIFICATES {
        costs.push(cost(site, &format!("counted-{number}")).await?);
    }
    if let Some(last) = costs.last() {
        println!("{way}: {} writes of one certificate", last.writes.len());
        print_by_object(&last.writes);
    }
    Ok(costs)
}

async fn cost(site: &Site<'_>, name: &str) -> Result<Cost> {
    let lab = site.stage.lab;
    let acme = || lab.acme_requests().values().sum::<usize>();
    let (mut audit, asked) = (lab.watch_audit_of_signet(), acme());
    site.issue(&[name.to_owned()]).await?;
    site.is_tidy().await?;
    let (mut entries, mut changed) = (Vec::new(), Instant::now());
    while changed.elapsed() < QUIET {
        let new = audit.read_on()?.into_iter().filter(|entry| entry.namespace == site.stage.namespace);
        let before = entries.len();
        entries.extend(new);
        if entries.len() > before {
            changed = Instant::now();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let (events, writes): (Vec<_>, Vec<_>) = entries.into_iter().partition(|entry| entry.resource == "events");
    Ok(Cost { writes, events: events.len(), acme: acme() - asked })
}

fn print_by_object(writes: &[Entry]) {
    let mut counts = BTreeMap::<_, usize>::new();
    for write in writes {
        let slash = if write.subresource.is_empty() { "" } else { "/" };
        let object = format!("{}{slash}{}", write.resource, write.subresource);
        *counts.entry((object, write.verb.clone(), write.code)).or_default() += 1;
    }
    for ((object, verb, code), count) in counts {
        println!("  {count:3} {verb:8} {object} ({code})");
    }
}

/// Counts what is written while there is nothing to do. The Lease is renewed all the while, by
/// design, and is told apart.
pub(crate) async fn converged(lab: &Lab, window: Duration, figures: &mut Figures) -> Result<()> {
    tokio::time::sleep(QUIET).await;
    let mut audit = lab.watch_audit_of_signet();
    println!("converged_writes: watching for {window:?}");
    tokio::time::sleep(window).await;
    let (leases, writes): (Vec<_>, Vec<_>) = audit.read_on()?.into_iter().partition(|entry| entry.resource == "leases");
    println!("the Lease was renewed {} times", leases.len());
    print_by_object(&writes);
    figures.add("converged_writes", writes.len() as f64, "requests");
    Ok(())
}
