//! Names that are never proven hold up their own namespace.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use signet_api::Challenge;
use signet_e2e::Stage;
use signet_lab::{Chart, Config, Lab};

/// How many names are never proven, and how many are worked on at once.
const NEVER: usize = 300;
const AT_ONCE: u32 = 20;
/// How many certificates are measured, and how much longer the middle one may take. On a machine that builds and
/// tests other things too, a time is worth little below the second.
const MEASURED: usize = 5;
const SLOWER: u32 = 2;
const NOISE: Duration = Duration::from_secs(1);

fn ingress() -> Value {
    json!({ "http01": { "ingress": { "ingressClassName": "nginx" } } })
}

/// The middle time of certificates that are issued one after the other.
async fn middle(stage: &Stage<'_>, prefix: &str) -> Result<Duration> {
    let mut times = Vec::new();
    for number in 0..MEASURED {
        let (name, begun) = (format!("{prefix}-{number}"), Instant::now());
        stage.issue(&name, json!({ "dnsNames": [format!("{name}.{}", stage.domain)] })).await?;
        times.push(begun.elapsed());
    }
    times.sort();
    times.get(MEASURED / 2).copied().context("several were measured")
}

#[tokio::test]
async fn names_that_are_never_proven_do_not_slow_another_namespace() -> Result<()> {
    let chart = Chart { values: json!({ "maxConcurrentChallenges": AT_ONCE }), ..Chart::default() };
    let lab = Lab::start(Config { chart: Some(chart), ..Config::default() }).await?;
    let victim = Stage::on(&lab, "victim").await?;
    victim.issuer("issuer", ingress()).await?;
    let alone = middle(&victim, "alone").await?;

    let tenant = Stage::on(&lab, "tenant").await?;
    tenant.issuer("issuer", ingress()).await?;
    for number in 0..NEVER {
        let name = format!("never-{number}.{}", tenant.domain);
        lab.add_a(&name, "127.0.0.1").await?;
        tenant.certificate(&format!("never-{number}"), json!({ "dnsNames": [name] })).await?;
    }
    let shown = async || {
        let challenges = tenant.list::<Challenge>().await?;
        let is_shown = |one: &&Challenge| one.status.as_ref().is_some_and(|status| status.presented);
        let shown = challenges.iter().filter(is_shown).count();
        ensure!(shown >= AT_ONCE as usize && challenges.len() == NEVER, "{shown} of {}", challenges.len());
        Ok(Some(()))
    };
    lab.eventually("the tenant has all that there is", Duration::from_secs(180), shown).await?;
    let beside = middle(&victim, "beside").await?;
    println!("alone {alone:?}, beside {NEVER} names that are never proven {beside:?}");
    ensure!(beside <= alone * SLOWER + NOISE, "alone {alone:?}, beside {NEVER} names {beside:?}\n{}", lab.dump().await);
    lab.down().await
}
