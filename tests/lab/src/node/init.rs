//! The first process of a node's lab: it starts the supervisor, is the parent of all orphans, and
//! its end is everybody's.

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustix::process::{WaitOptions, wait};

use super::cgroups;
use crate::folder;

/// Becomes the first process of a process namespace, which runs this program with `args`; returns
/// only when that fails.
///
/// # Errors
/// `unshare` cannot be run.
pub fn enter(lab: &str, args: &[String]) -> Result<()> {
    // Ctrl-C at a terminal reaches its whole session.
    let _ = rustix::process::setsid();
    let error = Command::new("unshare")
        .args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--"])
        .arg(std::env::current_exe()?)
        .args(["init", lab, "--"])
        .args(args)
        .exec();
    Err(error).context("could not run `unshare`")
}

/// Runs this program with `args` and, when that has ended, leaves no process, no control group and no file.
///
/// # Errors
/// The program does not start.
pub fn init(lab: &str, args: &[String]) -> Result<ExitCode> {
    let supervisor = Command::new(std::env::current_exe()?).args(args).spawn()?.id();
    let mut code = ExitCode::FAILURE;
    while let Ok(Some((pid, status))) = wait(WaitOptions::empty()) {
        if u32::try_from(pid.as_raw_pid()).is_ok_and(|pid| pid == supervisor) {
            if status.exit_status() == Some(0) {
                code = ExitCode::SUCCESS;
            }
            break;
        }
    }
    // Everybody else of this process namespace.
    let _ = kill(Pid::from_raw(-1), Signal::SIGKILL);
    while let Ok(Some(_)) = wait(WaitOptions::empty()) {}
    cgroups::remove(lab)?;
    folder::remove(lab);
    Ok(code)
}
