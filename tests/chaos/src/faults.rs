//! The API server fails while Signet writes to it, and nobody dies.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;

use crate::issuance::Issuance;
use crate::operation::Operation;
use crate::proxy::api_server::Fault;
use crate::way::Way;
use crate::world::{AtCa, World};

/// All that may happen to a write.
pub const FAULTS: [Fault; 9] = [
    Fault::Refused(409),
    Fault::Refused(429),
    Fault::Refused(500),
    Fault::Cut,
    Fault::CutAfter,
    Fault::TimedOut,
    Fault::Twice,
    Fault::Late(Duration::from_secs(2)),
    Fault::Silence,
];

/// Issues a certificate for each of these, all at once, and has the fault happen to the write of that number of
/// each. Returns to how many it did.
///
/// # Errors
/// One does not end as it must, or the CA was asked for more than needed.
pub async fn at_writes(world: &World, way: Way, faults: &[(Fault, usize)]) -> Result<usize> {
    let before = world.at_ca();
    let struck = try_join_all(faults.iter().map(|(fault, number)| at_write(world, way, *fault, *number))).await?;
    asked_once_each(world, before, if way == Way::SelfSigned { 0 } else { faults.len() })?;
    Ok(struck.into_iter().filter(|struck| *struck).count())
}

/// Nobody died, so nothing was forgotten: an order for each certificate.
fn asked_once_each(world: &World, before: AtCa, wanted: usize) -> Result<()> {
    let asked = world.at_ca() - before;
    let is_once_each = asked.certificates == wanted && asked.orders == wanted;
    ensure!(is_once_each, "for {wanted} certificates the CA was asked for {asked:?}");
    Ok(())
}

async fn at_write(world: &World, way: Way, fault: Fault, number: usize) -> Result<bool> {
    let mut issuance = Issuance::prepare(world, way).await?;
    world.api_server.plan(issuance.namespace(), number, fault);
    issuance.begin(Operation::Issue).await?;
    let ended = issuance.ends_right().await;
    let (writes, struck) = world.api_server.unplan(issuance.namespace());
    ended
        .with_context(|| format!("{way}: {fault} at write {number}, {}", writes.last().cloned().unwrap_or_default()))?;
    Ok(struck)
}

/// Issues so many of each way at once while the watches are as `disturb` makes them.
///
/// # Errors
/// As for [`at_writes`].
pub async fn with_watches(world: &World, ways: &[Way], count: usize, disturb: impl Future<Output = ()>) -> Result<()> {
    let before = world.at_ca();
    let issue = async |way: Way| {
        let mut issuance = Issuance::prepare(world, way).await?;
        issuance.begin(Operation::Issue).await?;
        issuance.ends_right().await
    };
    let all = try_join_all(ways.iter().flat_map(|way| vec![*way; count]).map(issue));
    let (issued, ()) = tokio::join!(all, disturb);
    issued?;
    asked_once_each(world, before, count * ways.iter().filter(|way| **way != Way::SelfSigned).count())
}
