//! `signet test-runner`: runs the test program of a solver's crate inside the engine that runs
//! plugins, as cargo's runner for `wasm32-wasip2`.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use signet_plugins::{Engine, EngineConfig, Limits, TestHost, run_command};

/// What surrounds the tests, as JSON; see [`TestHost`].
const HOST: &str = "SIGNET_TEST_HOST";
/// A whole test program takes longer than one call of a solver.
const TIME: Duration = Duration::from_secs(600);

/// Runs a solver's tests in the plugin engine.
#[derive(Args, Clone, Debug)]
pub struct TestRunner {
    /// The test program: a component, as `cargo test --target wasm32-wasip2` makes it.
    program: PathBuf,
    /// What is handed on to it.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Runs the tests; their outcome is the exit code.
pub async fn run_tests(runner: TestRunner) -> Result<i32> {
    let TestRunner { program, arguments } = runner;
    let wasm = std::fs::read(&program).with_context(|| format!("could not read {}", program.display()))?;
    let host = match std::env::var(HOST) {
        Ok(text) => serde_json::from_str(&text).with_context(|| format!("could not understand {HOST}"))?,
        Err(_) => TestHost::default(),
    };
    let limits = Limits { cpu: TIME, timeout: TIME, ..Limits::default() };
    let engine = Engine::new(EngineConfig { limits, ..EngineConfig::default() })?;
    Ok(run_command(&engine, &wasm, &arguments, host).await?)
}
