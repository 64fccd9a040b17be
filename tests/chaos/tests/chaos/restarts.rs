//! What dies more than once, what else dies, and what is stopped with its consent.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use signet_chaos::proxy::api_server::{Fault, Moment};
use signet_chaos::{Issuance, Operation, Way, World};
use signet_e2e::replica;
use signet_lab::Ending;

/// Begins to issue, and returns once the write of this number is answered and all others are held.
async fn reaches(world: &World, issuance: &mut Issuance<'_>, number: usize) -> Result<()> {
    world.api_server.plan(issuance.namespace(), number, Fault::Death(Moment::Answered));
    issuance.begin(Operation::Issue).await?;
    tokio::select! {
        () = world.api_server.wants_a_death() => Ok(()),
        ended = issuance.ends() => bail!("over before write {number}: {ended:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuance_survives_many_deaths() -> Result<()> {
    let world = World::start(&[Way::Http01]).await?;
    let mut issuance = Issuance::prepare(&world, Way::Http01).await?;
    let namespace = issuance.namespace().to_owned();
    // A solver that is cut off begins again, and the Ingress takes three writes: give it more each time.
    let mut deaths = 0;
    world.api_server.plan(&namespace, 1, Fault::Death(Moment::Committed));
    issuance.begin(Operation::Issue).await?;
    loop {
        tokio::select! {
            () = world.api_server.wants_a_death() => {}
            ended = issuance.ends() => break ended?,
        }
        deaths += 1;
        world.api_server.plan(&namespace, 1 + deaths, Fault::Death(Moment::Committed));
        world.bury().await?;
    }
    ensure!(deaths >= 4, "{deaths} deaths are not many");
    issuance.ends_well(1).await.with_context(|| format!("after {deaths} deaths"))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuance_survives_a_restart_of_the_api_server() -> Result<()> {
    let world = World::start(&[Way::Http01, Way::Dns01, Way::SelfSigned]).await?;
    let process = world.lab.controller().pid().await?;
    let cases =
        [(Way::Http01, 3), (Way::Http01, 7), (Way::Http01, 14), (Way::Dns01, 4), (Way::Dns01, 8), (Way::SelfSigned, 2)];
    for (way, number) in cases {
        let mut issuance = Issuance::prepare(&world, way).await?;
        reaches(&world, &mut issuance, number).await?;
        // The Lease is good for some seconds more, so it is not to wait for this end of the proxy too.
        world.api_server.reopen();
        world.lab.restart_apiserver().await?;
        let restart = format!("{way}: the API server was killed after write {number}");
        println!("{restart}");
        issuance.ends_well(0).await.context(restart)?;
    }
    ensure!(world.lab.controller().pid().await? == process, "the controller is another process now");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_stops_hands_over_at_once() -> Result<()> {
    let world = World::start(&[Way::Dns01, Way::SelfSigned]).await?;
    let lab = &world.lab;
    lab.run_component(replica::second(lab).await?).await?;
    replica::waits_for_the_lease(lab, replica::COMPONENT).await?;

    let mut issuance = Issuance::prepare(&world, Way::Dns01).await?;
    reaches(&world, &mut issuance, 5).await?;
    world.api_server.reopen();
    lab.controller().stop().await?;
    let stopped = Instant::now();
    replica::leads(lab, replica::POD).await?;
    // The Lease is good for 15 s, and for so long a replica that was killed keeps it.
    ensure!(stopped.elapsed() < Duration::from_secs(6), "the Lease was free after {:?} only", stopped.elapsed());
    issuance.ends_well(0).await?;
    let status = lab.status().await?.into_iter().find(|status| status.name == "controller");
    let ended = status.and_then(|status| status.ended).unwrap_or_default();
    ensure!(ended == "exit status: 0", "SIGTERM ended it with {ended}");

    lab.controller().start().await?;
    replica::waits_for_the_lease(lab, "controller").await?;
    lab.end_component(replica::COMPONENT, Ending::Stop).await?;
    replica::leads(lab, "signet-0").await?;
    let mut issuance = Issuance::prepare(&world, Way::SelfSigned).await?;
    issuance.begin(Operation::Issue).await?;
    issuance.ends_well(0).await
}
