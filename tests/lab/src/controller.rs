//! The controller of a lab: start it, end it in every way, and look at it.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::control::Ending;
use crate::lab::Lab;
use crate::site::Port;

/// What the controller's process is called in the lab.
pub(crate) const NAME: &str = "controller";

/// A handle on the controller's process.
#[derive(Debug, Clone, Copy)]
pub struct Controller<'a> {
    lab: &'a Lab,
}

impl Lab {
    /// The controller that [`Lab::install`] runs.
    pub fn controller(&self) -> Controller<'_> {
        Controller { lab: self }
    }

    /// Kills the API server and starts it again; returns once it answers.
    ///
    /// # Errors
    /// It does not come back within a minute.
    pub async fn restart_apiserver(&self) -> Result<()> {
        self.end_component("apiserver", Ending::Kill).await?;
        self.start_component("apiserver").await?;
        let ready = async || crate::ready::apiserver(&self.site).await.map(Some);
        self.eventually("the API server is ready again", Duration::from_secs(60), ready).await
    }
}

impl Controller<'_> {
    /// Starts the controller after it has ended, with the arguments that it had.
    ///
    /// # Errors
    /// No chart has been installed.
    pub async fn start(&self) -> Result<()> {
        self.lab.start_component(NAME).await
    }

    /// Ends the controller with SIGTERM and waits for it.
    ///
    /// # Errors
    /// No chart has been installed.
    pub async fn stop(&self) -> Result<()> {
        self.lab.end_component(NAME, Ending::Stop).await
    }

    /// Ends the controller with SIGKILL.
    ///
    /// # Errors
    /// No chart has been installed.
    pub async fn kill(&self) -> Result<()> {
        self.lab.end_component(NAME, Ending::Kill).await
    }

    /// Kills the controller and starts it again; returns without waiting for it.
    ///
    /// # Errors
    /// No chart has been installed.
    pub async fn restart(&self) -> Result<()> {
        self.kill().await?;
        self.start().await
    }

    /// Waits until the controller says that it is ready.
    ///
    /// # Errors
    /// It is not ready within a minute, or has ended.
    pub async fn wait_ready(&self) -> Result<()> {
        let url = format!("http://{}/readyz", self.lab.site.at(Port::Health));
        let ready = async || {
            reqwest::get(&url).await?.error_for_status()?;
            Ok(Some(()))
        };
        self.lab.eventually("the controller is ready", Duration::from_secs(60), ready).await
    }

    /// The controller's process, while it runs.
    ///
    /// # Errors
    /// The lab is down.
    pub async fn pid(&self) -> Result<Option<u32>> {
        let status = self.lab.status().await?.into_iter().find(|status| status.name == NAME);
        Ok(status.and_then(|status| status.pid))
    }

    /// The memory that the controller's process holds, in KiB.
    ///
    /// # Errors
    /// It does not run.
    pub async fn resident_kib(&self) -> Result<u64> {
        let pid = self.pid().await?.context("the controller does not run")?;
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().next()).context("a process has a size")?;
        Ok(number.parse()?)
    }

    /// Where the controller serves its metrics.
    pub fn metrics_url(&self) -> String {
        format!("http://{}/metrics", self.lab.site.at(Port::Metrics))
    }

    /// The metrics as they are now, in Prometheus' text format.
    ///
    /// # Errors
    /// The controller does not answer.
    pub async fn metrics(&self) -> Result<String> {
        let answer = reqwest::get(self.metrics_url()).await?;
        ensure!(answer.status().is_success(), "the metrics answer with {}", answer.status());
        Ok(answer.text().await?)
    }

    /// The last lines of the controller's log.
    pub fn log_tail(&self, lines: usize) -> String {
        self.lab.log_tail(NAME, lines)
    }
}
