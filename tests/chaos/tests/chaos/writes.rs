//! Something happens to a write.

use std::time::Duration;

use anyhow::{Result, ensure};
use futures::future::try_join_all;
use signet_chaos::deaths::{Report, Sample, around_each_write};
use signet_chaos::faults::{FAULTS, at_writes, with_watches};
use signet_chaos::{OPERATIONS, Operation, WAYS, Way, World};

use crate::everything;

/// What is tried in a short run.
fn some(way: Way) -> [(Operation, Sample); 2] {
    let of = |operation, first, every| (operation, Sample { first, every });
    match way {
        Way::Http01 => [of(Operation::Issue, 0, 13), of(Operation::Revoke, 4, 19)],
        Way::Dns01 => [of(Operation::Issue, 2, 13), of(Operation::Delete, 1, 7)],
        Way::TlsAlpn01 => [of(Operation::Issue, 4, 13), of(Operation::Edit, 3, 31)],
        Way::SelfSigned => [of(Operation::Issue, 1, 7), of(Operation::Renew, 3, 7)],
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_controller_dies_around_each_write() -> Result<()> {
    let ways = [vec![Way::Http01, Way::SelfSigned], vec![Way::Dns01, Way::TlsAlpn01]];
    let reports = try_join_all(ways.map(async |ways| {
        let (world, mut report) = (World::start(&ways).await?, Report::default());
        for way in ways {
            let all = OPERATIONS.map(|operation| (operation, Sample::ALL)).to_vec();
            for (operation, sample) in if everything() { all } else { some(way).to_vec() } {
                report = report.and(around_each_write(&world, way, operation, sample).await?);
            }
        }
        anyhow::Ok(report)
    }));
    let report = reports.await?.into_iter().fold(Report::default(), Report::and);
    println!("{report}");
    ensure!(report.failed.is_empty() && report.tried > 20, "{report}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_server_fails_at_each_write() -> Result<()> {
    let world = World::start(&WAYS).await?;
    if !everything() {
        let all = FAULTS.iter().flat_map(|fault| (1..=21).step_by(5).map(|number| (*fault, number)));
        let struck = at_writes(&world, Way::Http01, &all.collect::<Vec<_>>()).await?;
        ensure!(struck > 4 * FAULTS.len(), "only {struck} were struck");
        return Ok(());
    }
    for way in WAYS {
        for fault in FAULTS {
            let all: Vec<_> = (1..=24).map(|number| (fault, number)).collect();
            let struck = at_writes(&world, way, &all).await?;
            println!("{way}: {fault} struck {struck} writes");
            ensure!(struck > 5, "{way}: {fault} struck {struck} writes");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn watches_are_late_or_end() -> Result<()> {
    let world = World::start(&WAYS).await?;
    world.api_server.hold_watches(true);
    with_watches(&world, &WAYS, 4, async {
        // This is how late they are, and nothing is waited for.
        tokio::time::sleep(Duration::from_secs(5)).await;
        world.api_server.hold_watches(false);
    })
    .await?;
    let mut often = tokio::time::interval(Duration::from_millis(300));
    with_watches(&world, &WAYS, 4, async {
        for _ in 0..10 {
            often.tick().await;
            world.api_server.expire_watches();
        }
    })
    .await
}
