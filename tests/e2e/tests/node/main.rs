//! Signet as users install it: in pods of a real node, behind a real ingress controller.
//!
//! These need root, so cargo runs them only when they are named; `hack/test` names them where a node can be.

mod docs;
mod guide;
mod names;
mod pages;
mod pressure;
mod rollout;
mod solvers;
mod tls_alpn;
mod traces;

use std::ops::Deref;

use anyhow::Result;
use signet_e2e::Stage;
use signet_lab::{Config, Lab, Level};
use tokio::sync::{OnceCell, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Held by all who use the node; by one alone who takes something away from everybody.
static NODE: RwLock<()> = RwLock::const_new(());

/// A stage on the node that the tests of this program share.
struct OnNode<Guard> {
    stage: Stage<'static>,
    _guard: Guard,
}

impl<Guard> Deref for OnNode<Guard> {
    type Target = Stage<'static>;

    fn deref(&self) -> &Self::Target {
        &self.stage
    }
}

/// A stage beside those of other tests.
async fn stage(prefix: &str) -> Result<OnNode<RwLockReadGuard<'static, ()>>> {
    Ok(OnNode { _guard: NODE.read().await, stage: make(prefix).await? })
}

/// A stage without any other test.
async fn stage_alone(prefix: &str) -> Result<OnNode<RwLockWriteGuard<'static, ()>>> {
    Ok(OnNode { _guard: NODE.write().await, stage: make(prefix).await? })
}

async fn make(prefix: &str) -> Result<Stage<'static>> {
    static SHARED: OnceCell<Lab> = OnceCell::const_new();
    let start = async || match std::env::var("SIGNET_LAB") {
        Ok(name) => Lab::attach(&name).await,
        Err(_) => Lab::start(Config { level: Level::Node, ..Config::default() }).await,
    };
    Stage::on(SHARED.get_or_try_init(start).await?, prefix).await
}
