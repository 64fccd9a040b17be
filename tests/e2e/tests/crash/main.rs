//! The controller is killed after each write of an issuance, the API server in the middle of one,
//! and whoever comes next carries on: one certificate, whose key is its own, and nothing left over.

mod ingress;
mod issuance;
mod replica;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use signet_lab::{AcmeConfig, Config, Ending, Lab};

use ingress::Ingress;
use issuance::{Issuance, Way, make_issuer};

/// A lab whose CA refuses no nonce, so that one order is one request.
async fn start(ways: &[Way]) -> Result<(Lab, Ingress)> {
    let acme = AcmeConfig { refused_nonces: 0, ..AcmeConfig::default() };
    let lab = Lab::start(Config { acme, ..Config::bare() }).await?;
    let ingress = Ingress::before_signet(&lab).await?;
    for way in ways {
        make_issuer(&lab, *way).await?;
    }
    Ok((lab, ingress))
}

/// Issues a certificate for each number of writes that an issuance takes, and kills the controller
/// once that many are done.
async fn dies_after_each_write(way: Way) -> Result<()> {
    let (lab, _ingress) = start(&[way]).await?;
    for number in 1.. {
        let mut issuance = Issuance::begin(&lab, way).await?;
        if !issuance.reaches(number).await? {
            println!("{way}: an issuance takes {} writes", number - 1);
            ensure!(number > 5, "an issuance of {} writes is not what this test is about", number - 1);
            break;
        }
        lab.controller().restart().await?;
        let death = format!("{way}: killed after write {number}, {}", issuance.last_write());
        println!("{death}");
        issuance.ends_well(2).await.context(death)?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn http01_survives_a_death_after_each_write() -> Result<()> {
    dies_after_each_write(Way::Http01).await
}

#[tokio::test(flavor = "multi_thread")]
async fn dns01_survives_a_death_after_each_write() -> Result<()> {
    dies_after_each_write(Way::Dns01).await
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_alpn01_survives_a_death_after_each_write() -> Result<()> {
    dies_after_each_write(Way::TlsAlpn01).await
}

#[tokio::test(flavor = "multi_thread")]
async fn self_signed_survives_a_death_after_each_write() -> Result<()> {
    dies_after_each_write(Way::SelfSigned).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuance_survives_many_deaths() -> Result<()> {
    let (lab, _ingress) = start(&[Way::Http01]).await?;
    let mut issuance = Issuance::begin(&lab, Way::Http01).await?;
    let mut deaths = 0;
    // A solver that is cut off begins again, and the Ingress takes three writes: give it more each time.
    while issuance.reaches(issuance.writes.len() + 1 + deaths).await? {
        deaths += 1;
        lab.controller().restart().await?;
    }
    ensure!(deaths >= 4, "{deaths} deaths are not many");
    issuance.ends_well(2).await.with_context(|| format!("after {deaths} deaths"))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuance_survives_a_restart_of_the_api_server() -> Result<()> {
    let (lab, _ingress) = start(&[Way::Http01, Way::Dns01, Way::SelfSigned]).await?;
    let process = lab.controller().pid().await?;
    let cases =
        [(Way::Http01, 3), (Way::Http01, 7), (Way::Http01, 14), (Way::Dns01, 4), (Way::Dns01, 8), (Way::SelfSigned, 2)];
    for (way, number) in cases {
        let mut issuance = Issuance::begin(&lab, way).await?;
        ensure!(issuance.reaches(number).await?, "{way}: over before write {number}");
        lab.restart_apiserver().await?;
        let restart = format!("{way}: the API server was killed after write {number}, {}", issuance.last_write());
        println!("{restart}");
        issuance.ends_well(1).await.context(restart)?;
    }
    ensure!(lab.controller().pid().await? == process, "the controller is another process now");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_stops_hands_over_at_once() -> Result<()> {
    let (lab, _ingress) = start(&[Way::Dns01, Way::SelfSigned]).await?;
    lab.run_component(replica::second(&lab).await?).await?;
    replica::waits_for_the_lease(&lab, replica::COMPONENT).await?;

    let mut issuance = Issuance::begin(&lab, Way::Dns01).await?;
    ensure!(issuance.reaches(5).await?, "over before it could be handed over");
    lab.controller().stop().await?;
    let stopped = Instant::now();
    replica::leads(&lab, replica::POD).await?;
    // The Lease is good for 15 s, and for so long a replica that was killed keeps it.
    ensure!(stopped.elapsed() < Duration::from_secs(6), "the Lease was free after {:?} only", stopped.elapsed());
    issuance.ends_well(1).await?;
    let status = lab.status().await?.into_iter().find(|status| status.name == "controller");
    let ended = status.and_then(|status| status.ended).unwrap_or_default();
    ensure!(ended == "exit status: 0", "SIGTERM ended it with {ended}");

    lab.controller().start().await?;
    replica::waits_for_the_lease(&lab, "controller").await?;
    lab.end_component(replica::COMPONENT, Ending::Stop).await?;
    replica::leads(&lab, "signet-0").await?;
    Issuance::begin(&lab, Way::SelfSigned).await?.ends_well(0).await
}
