//! `signet-bench`: measures Signet in a lab, prints a table, and writes `target/bench.json`. Ends with
//! 1 when a figure breaks its bound.
//!
//! The plugin engine is measured in this process, all else from outside: the API server's audit log
//! says what Signet wrote, Pebble's log what it asked the CA, and a watch when a Certificate is Ready.
//! `signet` is the program beside this one, or `$SIGNET_BIN`; only a release build is worth a look.

mod figures;
mod node;
mod plugin;
mod site;
mod speed;
mod writes;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;
use signet_lab::{AcmeConfig, Config, Lab};

use figures::Figures;
use site::{Site, Way};

/// How long the controller is left alone before its memory is looked at.
const SETTLING: Duration = Duration::from_secs(10);
/// How long it is watched for writes once nothing is left to do.
const CONVERGED: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let mut figures = Figures::default();
    image(&mut figures).context("could not read how large the image is; make bench writes it first")?;
    plugin::measure(&mut figures).await.context("could not measure the plugin engine")?;
    // One request to the CA is one that was needed: nonces are refused by chance.
    let acme = AcmeConfig { refused_nonces: 0, ..AcmeConfig::default() };
    let lab = Lab::start(Config { acme, ..Config::default() }).await?;
    in_lab(&lab, &mut figures).await?;
    lab.down().await?;
    reused(&mut figures).await.context("could not measure the reuse of authorizations")?;
    match signet_lab::obstacle() {
        None => node::measure(&mut figures).await.context("could not measure on a node")?,
        Some(obstacle) => println!("nothing is measured on a node, since {obstacle}"),
    }
    let file = target("bench.json");
    figures.write(&file)?;
    println!("\n{figures}\n{}", file.canonicalize()?.display());
    Ok(if figures.keep_their_bounds() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// In a lab whose CA uses every valid authorization again.
async fn reused(figures: &mut Figures) -> Result<()> {
    let acme = AcmeConfig { refused_nonces: 0, reused_authorizations: 100, ..AcmeConfig::default() };
    let lab = Lab::start(Config { acme, ..Config::default() }).await?;
    writes::reused(&Site::build(&lab, Way::Http01).await?, figures).await?;
    lab.down().await
}

/// Where everything that make writes is, whatever folder cargo builds into.
fn target(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target").join(name)
}

/// What a node pulls, compressed as it is.
fn image(figures: &mut Figures) -> Result<()> {
    let described: Value = serde_json::from_slice(&std::fs::read(target("image/image.json"))?)?;
    let bytes = described["pulled_bytes"].as_f64().context("image.json has pulled_bytes")?;
    figures.add("image_mib", bytes / f64::from(1 << 20), "MiB");
    Ok(())
}

async fn in_lab(lab: &Lab, figures: &mut Figures) -> Result<()> {
    memory(lab, figures).await?;
    let http01 = Site::build(lab, Way::Http01).await?;
    let dns01 = Site::build(lab, Way::Dns01).await?;
    let tls = Site::build(lab, Way::TlsAlpn01).await?;
    writes::measure(&http01, &dns01, &tls, figures).await.context("could not count writes")?;
    speed::measure(&http01, &dns01, &tls, figures).await.context("could not measure times")?;
    writes::converged(lab, CONVERGED, figures).await.context("could not watch the converged controller")
}

/// What the process holds while there is nothing to do: after it compiled its plugins, and after it
/// found them compiled.
async fn memory(lab: &Lab, figures: &mut Figures) -> Result<()> {
    for name in ["rss_idle_mib", "rss_idle_restarted_mib"] {
        println!("{name}: waiting {SETTLING:?}");
        tokio::time::sleep(SETTLING).await;
        let mib = lab.controller().resident_kib().await? as f64 / 1024.0;
        figures.add(name, mib, "MiB");
        lab.controller().restart().await?;
        lab.controller().wait_ready().await?;
    }
    Ok(())
}
