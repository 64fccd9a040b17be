//! The controller is killed around each write: before it is sent, once it is carried out, and once it is answered.

use std::fmt;
use std::time::Instant;

use anyhow::{Context, Result};

use crate::issuance::Issuance;
use crate::operation::Operation;
use crate::proxy::api_server::{Fault, MOMENTS, Moment};
use crate::way::Way;
use crate::world::World;

/// Which of all the points are tried.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// The first, counted from 0: three for each write.
    pub first: usize,
    /// How many are left out after each, and one.
    pub every: usize,
}

impl Sample {
    /// Every one.
    pub const ALL: Self = Self { first: 0, every: 1 };
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Report {
    /// How many points were tried.
    pub tried: usize,
    /// What went wrong, with the point before it.
    pub failed: Vec<String>,
}

impl Report {
    /// Both as one.
    pub fn and(mut self, other: Self) -> Self {
        self.tried += other.tried;
        self.failed.extend(other.failed);
        self
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "crash_points_tried: {}", self.tried)?;
        writeln!(f, "crash_points_failed: {}", self.failed.len())?;
        self.failed.iter().try_for_each(|failure| writeln!(f, "  {failure}"))
    }
}

/// Does an operation again and again, and kills the controller at another point each time.
///
/// # Errors
/// It does not end although nothing was killed, or the lab fails. What a death breaks is in the report.
pub async fn around_each_write(world: &World, way: Way, operation: Operation, sample: Sample) -> Result<Report> {
    let (mut report, mut kept) = (Report::default(), None);
    for index in (sample.first..).step_by(sample.every) {
        let point = Point { way, operation, number: index / MOMENTS.len() + 1, moment: MOMENTS[index % MOMENTS.len()] };
        let started = Instant::now();
        let mut issuance = match kept.take() {
            Some(issuance) => issuance,
            None => {
                ready_for(world, way, operation).await.with_context(|| format!("{point}: nothing was killed yet"))?
            }
        };
        let outcome = match point.kill(world, &mut issuance).await? {
            None => break,
            Some(write) => issuance.ends_well(1).await.with_context(|| format!("{point}: {write}")).map(|()| write),
        };
        report.tried += 1;
        match outcome {
            Ok(write) => {
                println!("{point}: {write} ({:.1?})", started.elapsed());
                issuance.take_back().await?;
                kept = operation.needs_a_certificate().then_some(issuance);
            }
            Err(error) => {
                println!("FAILED {error:?}");
                // Its cause may be a dump.
                let cause = error.root_cause().to_string();
                report.failed.push(format!("{error}: {}", cause.lines().next().unwrap_or_default()));
                // Whatever state it left the controller in is not to fail the next point too.
                world.bury().await?;
            }
        }
    }
    Ok(report)
}

/// One death.
#[derive(Clone, Copy)]
struct Point {
    way: Way,
    operation: Operation,
    number: usize,
    moment: Moment,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { way, operation, number, moment } = self;
        write!(f, "{way} {operation} {number} {moment:?}")
    }
}

impl Point {
    /// Begins, and kills at the point. The write that it was about; none when all was over before.
    async fn kill(self, world: &World, issuance: &mut Issuance<'_>) -> Result<Option<String>> {
        let namespace = issuance.namespace().to_owned();
        world.api_server.plan(&namespace, self.number, Fault::Death(self.moment));
        issuance.begin(self.operation).await?;
        let over = tokio::select! {
            biased;
            () = world.api_server.wants_a_death() => Ok(()),
            over = issuance.ends() => over,
        };
        let (writes, struck) = world.api_server.unplan(&namespace);
        if !struck {
            over.with_context(|| format!("{self}: nothing was killed"))?;
            println!("{} {}: over after {} writes", self.way, self.operation, writes.len());
            return Ok(None);
        }
        // It may have struck in the last moment.
        world.api_server.wants_a_death().await;
        world.bury().await?;
        Ok(writes.last().cloned())
    }
}

/// An issuance that waits for the operation.
async fn ready_for<'a>(world: &'a World, way: Way, operation: Operation) -> Result<Issuance<'a>> {
    let mut issuance = Issuance::prepare(world, way).await?;
    if operation.needs_a_certificate() || operation == Operation::Delete {
        issuance.begin(Operation::Issue).await?;
    }
    match operation {
        Operation::Issue => {}
        Operation::Delete => issuance.is_under_way().await?,
        Operation::Renew | Operation::Edit | Operation::Revoke => issuance.ends().await?,
    }
    Ok(issuance)
}
