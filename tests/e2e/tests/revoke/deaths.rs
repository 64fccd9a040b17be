//! The controller is killed between the question and the answer, and after each write: it is carried out for all
//! that, of the right certificate, and no more often than needed.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use kube::ResourceExt;
use serde_json::json;
use signet_api::Certificate;
use signet_e2e::{BOUND, Stage};
use signet_lab::{AcmeConfig, Config, Entry, Lab};

use crate::{at_ca, issued, revocations, revoke, says_revoked, serial, told};

/// What is written to the Certificate: what was done, the condition that tells of it, and the outcome of the issuance that
/// follows, of which other tests cut the rest.
const WRITES: usize = 3;

async fn lab() -> Result<Lab> {
    let acme = AcmeConfig { refused_nonces: 0, ..AcmeConfig::default() };
    Lab::start(Config { acme, ..Config::default() }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_while_nobody_is_there_is_done_later() -> Result<()> {
    let lab = lab().await?;
    let stage = Stage::on(&lab, "later").await?;
    let (old, doomed) = (issued(&stage, "web", json!({})).await?, issued(&stage, "doomed", json!({})).await?);
    lab.controller().kill().await?;
    revoke(&stage, "web", &["--reason", "keyCompromise"]).await?;
    // Asked for, and deleted before anybody has looked: it is held by the request itself.
    revoke(&stage, "doomed", &["--reason", "superseded"]).await?;
    stage.delete::<Certificate>("doomed").await?;
    at_ca(&lab, &old, None).await?;
    lab.controller().start().await?;
    told(&stage, "web", &old, "keyCompromise").await?;
    at_ca(&lab, &old, Some(1)).await?;
    stage.revision("web", 2).await?;
    let gone = async || Ok((stage.list::<Certificate>().await?.len() == 1).then_some(()));
    stage.eventually("the other Certificate is gone", gone).await?;
    at_ca(&lab, &doomed, Some(4)).await?;
    ensure!(revocations(&lab) == 2, "the CA was asked {} times", revocations(&lab));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_death_after_each_write() -> Result<()> {
    let lab = lab().await?;
    let stage = Stage::on(&lab, "deaths").await?;
    for number in 1..=WRITES {
        let name = format!("web{number}");
        let old = issued(&stage, &name, json!({})).await?;
        let (before, mut audit) = (revocations(&lab), lab.watch_audit_of_signet());
        revoke(&stage, &name, &["--reason", "keyCompromise"]).await?;
        let deadline = Instant::now() + BOUND;
        let mut writes = Vec::new();
        while writes.len() < number {
            ensure!(Instant::now() < deadline, "only {writes:?} were seen");
            let new = audit.read_on().context("read the audit log")?;
            // What is still taken away after the issuance before is none of this.
            let own = |entry: &Entry| entry.namespace == stage.namespace && entry.resource == "certificates";
            writes.extend(new.into_iter().filter(own));
            // The write must be seen when it happens, not some time after.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        lab.controller().restart().await?;
        let seen: Vec<_> = writes
            .iter()
            .map(|one| format!("{} {}/{} ({})", one.verb, one.resource, one.subresource, one.code))
            .collect();
        let death = format!("killed after {number}: {}", seen.join(", "));
        println!("{death}");
        let ends = async {
            // The event follows the last write, and may go with the process.
            let certificate = says_revoked(&stage, &name, &old, "keyCompromise").await?;
            ensure!(certificate.finalizers().is_empty(), "it is still held");
            stage.revision(&name, 2).await?;
            at_ca(&lab, &old, Some(1)).await?;
            at_ca(&lab, &serial(&stage, &name).await?, None).await?;
            let asked = revocations(&lab) - before;
            ensure!((1..=2).contains(&asked), "the CA was asked {asked} times");
            anyhow::Ok(())
        };
        ends.await.context(death)?;
    }
    Ok(())
}
