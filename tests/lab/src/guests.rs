//! Components for tests, built from their sources when a test asks for them.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};

/// Builds the crate in `folder` for wasm32-wasip2, its examples too if there are any, and returns
/// the folder that cargo puts release builds into. Built files are kept in `target/<kept>` of the
/// repository.
///
/// # Errors
/// cargo is missing, or the crate does not build.
pub fn build_guests(folder: &Path, kept: &str) -> Result<PathBuf> {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target").join(kept);
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--release", "--locked", "--lib", "--examples", "--target", "wasm32-wasip2"])
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", &target)
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .status()?;
    ensure!(status.success(), "{} does not build: `cargo build` there says why", folder.display());
    Ok(target.join("wasm32-wasip2/release"))
}
