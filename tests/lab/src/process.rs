//! The supervisor's children: start, end and report them.
//!
//! Each is started through `signet-lab leash`, which asks the kernel to kill it when the
//! supervisor's thread dies and then becomes the program. So even a supervisor that is killed
//! leaves no process behind.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::os::unix::process::CommandExt;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use rustix::process::{Pid, Signal};
use tokio::process::{Child, Command};

use crate::control::{Component, Ending, Status};
use crate::site::Site;

/// What a component has of the environment of whoever started the lab: no proxies, no credentials.
const INHERITED: [&str; 5] = ["PATH", "HOME", "TMPDIR", "LANG", "RUST_BACKTRACE"];

struct Running {
    component: Component,
    child: Option<Child>,
    ended: Option<String>,
}

/// All processes of a lab, by name.
pub(crate) struct Processes {
    site: Site,
    running: BTreeMap<String, Running>,
}

impl Processes {
    pub(crate) fn new(site: Site) -> Self {
        Self { site, running: BTreeMap::new() }
    }

    /// Adds a component and starts it.
    pub(crate) fn run(&mut self, component: Component) -> Result<()> {
        self.reap();
        let name = component.name.clone();
        if self.running.get(&name).is_some_and(|running| running.child.is_some()) {
            bail!("{name} is running already");
        }
        let child = self.spawn(&component)?;
        self.running.insert(name, Running { component, child: Some(child), ended: None });
        Ok(())
    }

    /// Starts a component that has ended; does nothing to one that runs.
    pub(crate) fn start(&mut self, name: &str) -> Result<()> {
        self.reap();
        let running = self.find(name)?;
        if running.child.is_some() {
            return Ok(());
        }
        let component = running.component.clone();
        let child = self.spawn(&component)?;
        self.find(name)?.child = Some(child);
        Ok(())
    }

    /// Ends a component and waits until it is gone.
    pub(crate) async fn end(&mut self, name: &str, ending: Ending) -> Result<()> {
        let running = self.find(name)?;
        let Some(mut child) = running.child.take() else { return Ok(()) };
        if matches!(ending, Ending::Stop) {
            terminate(&child);
            if let Ok(status) = tokio::time::timeout(Duration::from_secs(10), child.wait()).await {
                running.ended = Some(status?.to_string());
                return Ok(());
            }
        }
        child.start_kill().context("could not kill it")?;
        running.ended = Some(child.wait().await?.to_string());
        Ok(())
    }

    /// Kills everything at once.
    pub(crate) async fn kill_all(&mut self) {
        for running in self.running.values_mut() {
            if let Some(child) = &mut running.child {
                let _ = child.start_kill();
            }
        }
        for running in self.running.values_mut() {
            if let Some(child) = &mut running.child {
                let _ = child.wait().await;
            }
        }
        self.running.clear();
    }

    pub(crate) fn status(&mut self) -> Vec<Status> {
        self.reap();
        let status = |(name, running): (&String, &Running)| Status {
            name: name.clone(),
            pid: running.child.as_ref().and_then(Child::id),
            ended: running.ended.clone(),
        };
        self.running.iter().map(status).collect()
    }

    /// Says which component has ended, with the end of its log: for a start that must not hang.
    pub(crate) fn require_alive(&mut self, name: &str) -> Result<()> {
        self.reap();
        let ended = match self.running.get(name) {
            Some(Running { child: None, ended: Some(ended), .. }) => ended.clone(),
            _ => return Ok(()),
        };
        bail!("{name} ended ({ended}):\n{}", tail(&self.site, name, 15))
    }

    fn reap(&mut self) {
        for running in self.running.values_mut() {
            if let Some(Ok(Some(status))) = running.child.as_mut().map(Child::try_wait) {
                running.child = None;
                running.ended = Some(status.to_string());
            }
        }
    }

    fn find(&mut self, name: &str) -> Result<&mut Running> {
        self.running.get_mut(name).ok_or_else(|| anyhow!("the lab has no component {name:?}"))
    }

    fn spawn(&self, component: &Component) -> Result<Child> {
        let log = self.site.log(&component.name);
        let log = OpenOptions::new().create(true).append(true).open(&log)?;
        Command::new(std::env::current_exe()?)
            .arg("leash")
            .arg(std::process::id().to_string())
            .arg(&component.program)
            .args(&component.args)
            .env_clear()
            .envs(std::env::vars_os().filter(|(name, _)| INHERITED.iter().any(|inherited| name == inherited)))
            .envs(&component.env)
            .current_dir(&self.site.dir)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("could not start {}", component.name))
    }
}

fn terminate(child: &Child) {
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    if let Some(pid) = pid {
        // It may have ended this instant; waiting for it tells.
        let _ = rustix::process::kill_process(pid, Signal::TERM);
    }
}

/// The last lines of a component's log.
pub(crate) fn tail(site: &Site, component: &str, lines: usize) -> String {
    let bytes = std::fs::read(site.log(component)).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

/// Becomes `program`, on a leash held by `parent`: returns only when that fails.
pub fn leash(parent: i32, program: &str, args: &[String]) -> Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    // The parent may have died before the signal was set.
    if rustix::process::getppid().map(Pid::as_raw_pid) != Some(parent) {
        return Ok(());
    }
    let error = std::process::Command::new(program).args(args).exec();
    Err(error).with_context(|| format!("could not run {program}"))
}
