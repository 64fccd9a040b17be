//! How a test or the command line talks to a lab's supervisor: a line of JSON each way over a
//! unix socket in the lab's directory.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result, anyhow};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

use crate::site::Site;

/// A process of the lab: what to run and what to call it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Component {
    /// Names the process in `status`, `logs` and the log file.
    pub name: String,
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// Environment variables beside the supervisor's own.
    pub env: BTreeMap<String, String>,
}

impl Component {
    pub(crate) fn new(name: &str, program: PathBuf, args: Vec<String>) -> Self {
        Self { name: name.to_owned(), program, args, env: BTreeMap::new() }
    }

    pub(crate) fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.insert(name.to_owned(), value.into());
        self
    }
}

/// How a process is asked to end.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub enum Ending {
    /// SIGTERM, and SIGKILL after ten seconds.
    Stop,
    /// SIGKILL.
    Kill,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Request {
    Status,
    /// Adds a component, or replaces one that is not running, and starts it.
    Run(Component),
    /// Starts a component that was ended.
    Start(String),
    End(String, Ending),
    /// Ends the whole lab; answered once everything is gone.
    Down,
}

/// What became of a component.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Status {
    /// The component's name.
    pub name: String,
    /// Its process, while it runs.
    pub pid: Option<u32>,
    /// How it last ended, if it has.
    pub ended: Option<String>,
}

pub(crate) type Reply = std::result::Result<Vec<Status>, String>;

/// Sends one request and waits for its answer.
pub(crate) async fn call(site: &Site, request: &Request) -> Result<Vec<Status>> {
    let stream = UnixStream::connect(site.control())
        .await
        .with_context(|| format!("the lab {:?} does not answer: it is down, or on its way", site.name))?;
    let (read, mut write) = stream.into_split();
    write.write_all((serde_json::to_string(request)? + "\n").as_bytes()).await?;
    let mut line = String::new();
    BufReader::new(read).read_line(&mut line).await?;
    if line.is_empty() && matches!(request, Request::Down) {
        return Ok(Vec::new());
    }
    let reply: Reply = serde_json::from_str(&line).context("the lab's supervisor broke off")?;
    reply.map_err(|message| anyhow!(message))
}
