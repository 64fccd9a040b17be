//! `signet`: the controller's binary.

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use signet_controller::{Flags, LogFormat, TestInstallation, TestRunner};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// Issues, renews and revokes TLS certificates in Kubernetes.
#[derive(Parser)]
#[command(name = "signet", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the controller.
    Controller(Box<Flags>),
    /// Prints the CustomResourceDefinitions as YAML.
    Crds,
    /// Runs a solver's tests in the plugin engine: cargo's runner for wasm32-wasip2.
    TestRunner(TestRunner),
    /// Tests an installation from inside the cluster, as helm test does.
    TestInstallation(TestInstallation),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Controller(flags) => controller(*flags),
        Command::Crds => {
            print!("{}", signet_api::crds_yaml());
            Ok(ExitCode::SUCCESS)
        }
        Command::TestRunner(runner) => tests(runner),
        Command::TestInstallation(test) => installation(test),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("signet: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn tests(runner: TestRunner) -> anyhow::Result<ExitCode> {
    install_crypto_provider();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let code = runtime.block_on(signet_controller::run_tests(runner))?;
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)))
}

fn installation(test: TestInstallation) -> anyhow::Result<ExitCode> {
    install_crypto_provider();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(signet_controller::test_installation(test))?;
    Ok(ExitCode::SUCCESS)
}

fn install_crypto_provider() {
    // Only the first provider counts; there is no other.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

fn controller(flags: Flags) -> anyhow::Result<ExitCode> {
    let filter = EnvFilter::try_new(filter(&flags.log_level))?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // Colours are for people; whoever collects a pod's log searches it for `reason="…"`.
    let lines = if std::io::stderr().is_terminal() { lines } else { lines.with_ansi(false) };
    match flags.log_format {
        LogFormat::Text => lines.init(),
        LogFormat::Json => lines.json().init(),
    }
    install_crypto_provider();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(signet_controller::run(flags))?;
    Ok(ExitCode::SUCCESS)
}

/// The filter for a level. A bare level is about Signet's own lines: at debug the compiler of plugins
/// alone writes tens of thousands, and nobody finds the others among them.
fn filter(level: &str) -> String {
    match level.parse::<LevelFilter>() {
        Ok(own) if own > LevelFilter::INFO => format!("info,signet={own}"),
        _ => level.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_about_our_own_lines() {
        for (level, expected) in [
            ("warn", "warn"),
            ("info", "info"),
            ("debug", "info,signet=debug"),
            ("TRACE", "info,signet=trace"),
            ("info,signet_plugins=debug", "info,signet_plugins=debug"),
            ("debug,kube=info", "debug,kube=info"),
        ] {
            assert_eq!(filter(level), expected);
        }
    }
}
