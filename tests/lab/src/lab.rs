//! The API that tests use: a lab, and what can be asked of it and done to it.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::net::SocketAddrV4;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::PostParams;
use tokio::sync::OnceCell;

use crate::chart::Chart;
use crate::config::{Config, Level};
use crate::control::{self, Component, Ending, Request, Status};
use crate::node;
use crate::ready;
use crate::site::{Port, Site};
use crate::supervisor::Progress;
use crate::tools::Tools;

/// A running lab. Dropping it takes the lab down, unless it was only attached to.
#[derive(Debug)]
pub struct Lab {
    pub(crate) site: Site,
    pub(crate) tools: Tools,
    _leash: Option<Leash>,
}

/// Holds the supervisor: it ends when its standard input does, however this process ends.
#[derive(Debug)]
struct Leash {
    supervisor: Child,
    held: Option<ChildStdin>,
}

impl Drop for Leash {
    fn drop(&mut self) {
        drop(self.held.take());
        let _ = self.supervisor.wait();
    }
}

impl Lab {
    /// The lab that all tests of this process share, started by the first that asks. With
    /// `SIGNET_LAB` in the environment it is the running lab of that name.
    pub async fn shared() -> &'static Self {
        static SHARED: OnceCell<Lab> = OnceCell::const_new();
        let start = async || match std::env::var("SIGNET_LAB") {
            Ok(name) => Self::attach(&name).await,
            Err(_) => Self::start(Config::default()).await,
        };
        SHARED.get_or_init(async || start().await.expect("the shared lab starts")).await
    }

    /// Starts a lab of its own for a test that will break it.
    ///
    /// # Errors
    /// A program cannot be built, or a part of the lab does not become ready.
    pub async fn start(config: Config) -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("test-{}-{count}", std::process::id());
        Self::launch_with_chart(name, config, true).await
    }

    /// Starts a lab that stays up after this process: until `signet-lab down`.
    ///
    /// # Errors
    /// As for [`Lab::start`]; or a lab of that name is up already.
    pub async fn start_detached(name: String, config: Config) -> Result<Self> {
        Self::launch_with_chart(name, config, false).await
    }

    /// Uses a lab that is up; dropping the result leaves it up.
    ///
    /// # Errors
    /// There is no such lab, or it does not answer.
    pub async fn attach(name: &str) -> Result<Self> {
        let site = Site::load(name)?;
        control::call(&site, &Request::Status).await?;
        let level = site.level;
        let tools = tokio::task::spawn_blocking(move || Tools::ready_for(level)).await??;
        install_crypto_provider();
        Ok(Self { site, tools, _leash: None })
    }

    async fn launch_with_chart(name: String, config: Config, leashed: bool) -> Result<Self> {
        let chart = config.chart.clone();
        let lab = tokio::task::spawn_blocking(move || Self::launch(&name, &config, leashed)).await??;
        match lab.furnish(chart).await {
            Ok(()) => Ok(lab),
            Err(error) => {
                // It was started for this alone; the error has the end of its logs.
                let _ = lab.down().await;
                Err(error)
            }
        }
    }

    async fn furnish(&self, chart: Option<Chart>) -> Result<()> {
        if self.site.level == Level::Node {
            self.furnish_node().await?;
        }
        match chart {
            Some(chart) => self.install(&chart).await,
            None => Ok(()),
        }
    }

    fn launch(name: &str, config: &Config, leashed: bool) -> Result<Self> {
        if let Some(obstacle) = (config.level == Level::Node).then(node::obstacle).flatten() {
            bail!("{obstacle}; a lab without a node needs nothing of that");
        }
        install_crypto_provider();
        let tools = Tools::ready_for(config.level)?;
        let mut command = Command::new(supervisor_program()?);
        command.args(["supervise", name, &serde_json::to_string(config)?]);
        if leashed {
            command.arg("--leashed").stdin(Stdio::piped());
        } else {
            command.stdin(Stdio::null()).stderr(Stdio::null());
        }
        let mut supervisor = command.stdout(Stdio::piped()).spawn()?;
        let output = supervisor.stdout.take().context("the supervisor has a standard output")?;
        let held = supervisor.stdin.take();
        let leash = leashed.then(|| Leash { supervisor, held });
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        match serde_json::from_str(&line).context("the lab's supervisor ended without a word")? {
            Progress::Up(site) => Ok(Self { site, tools, _leash: leash }),
            Progress::Failed(message) => bail!("the lab could not come up: {message}"),
        }
    }

    /// Where the lab is: its address, its ports, its files.
    pub fn site(&self) -> &Site {
        &self.site
    }

    /// Where the lab's DNS server listens, which knows every name of the lab's world.
    pub fn dns_address(&self) -> SocketAddrV4 {
        self.site.at(Port::Dns)
    }

    /// A client with an administrator's rights. Each call makes a new one, which belongs to the
    /// runtime of the test that asked.
    pub async fn client(&self) -> kube::Client {
        ready::client(&self.site).await.expect("the lab's kubeconfig is its own")
    }

    /// Runs kubectl as an administrator and returns what it prints.
    ///
    /// # Errors
    /// kubectl fails; the error holds what it said.
    pub async fn kubectl(&self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Result<String> {
        self.run(&self.tools.program("kubectl"), args, None).await
    }

    /// Applies a manifest with kubectl, from its text.
    ///
    /// # Errors
    /// kubectl fails; the error holds what it said.
    pub async fn apply(&self, manifest: &str) -> Result<String> {
        self.run(&self.tools.program("kubectl"), ["apply", "-f", "-"], Some(manifest)).await
    }

    /// Runs helm as an administrator and returns what it prints.
    ///
    /// # Errors
    /// helm fails; the error holds what it said.
    pub async fn helm(&self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Result<String> {
        self.run(&self.tools.program("helm"), args, None).await
    }

    /// The environment in which kubectl, helm and the like act on this lab.
    pub fn environment(&self) -> Vec<(String, String)> {
        let mut path = self.tools.path_entries();
        // Where kubectl finds its plugin `signet`.
        path.extend(build_folder());
        path.extend(std::env::var_os("PATH").iter().flat_map(std::env::split_paths));
        let path = std::env::join_paths(path).expect("no folder has a colon in its name");
        let text = |path: PathBuf| path.display().to_string();
        vec![
            ("KUBECONFIG".to_owned(), text(self.site.kubeconfig())),
            ("PATH".to_owned(), path.to_string_lossy().into_owned()),
            ("HELM_CACHE_HOME".to_owned(), text(self.site.path("helm/cache"))),
            ("HELM_CONFIG_HOME".to_owned(), text(self.site.path("helm/config"))),
            ("HELM_DATA_HOME".to_owned(), text(self.site.path("helm/data"))),
            ("SIGNET_LAB".to_owned(), self.site.name.clone()),
            ("SIGNET_LAB_ADDRESS".to_owned(), self.site.address.to_string()),
        ]
    }

    /// Makes a namespace with a name that nothing else uses.
    ///
    /// # Errors
    /// The API server refuses or does not answer.
    pub async fn namespace(&self, prefix: &str) -> Result<String> {
        let mut namespace = Namespace::default();
        namespace.metadata.generate_name = Some(format!("{prefix}-"));
        let api = kube::Api::<Namespace>::all(self.client().await);
        let made = api.create(&PostParams::default(), &namespace).await?;
        made.metadata.name.context("a created namespace has a name")
    }

    /// What runs in the lab, and what has ended.
    ///
    /// # Errors
    /// The lab is down.
    pub async fn status(&self) -> Result<Vec<Status>> {
        control::call(&self.site, &Request::Status).await
    }

    /// Runs a further process in the lab, by a name of its own.
    ///
    /// # Errors
    /// A component of that name runs already, or the program does not start.
    pub async fn run_component(&self, component: Component) -> Result<()> {
        control::call(&self.site, &Request::Run(component)).await.map(drop)
    }

    /// Starts a component that has ended.
    ///
    /// # Errors
    /// There is no such component, or it does not start.
    pub async fn start_component(&self, name: &str) -> Result<()> {
        control::call(&self.site, &Request::Start(name.to_owned())).await.map(drop)
    }

    /// Ends a component and returns once it is gone.
    ///
    /// # Errors
    /// There is no such component.
    pub async fn end_component(&self, name: &str, ending: Ending) -> Result<()> {
        control::call(&self.site, &Request::End(name.to_owned(), ending)).await.map(drop)
    }

    /// The last lines of a component's log.
    pub fn log_tail(&self, component: &str, lines: usize) -> String {
        crate::process::tail(&self.site, component, lines)
    }

    /// Takes the lab down and returns once nothing is left.
    ///
    /// # Errors
    /// The lab is down already.
    pub async fn down(self) -> Result<()> {
        control::call(&self.site, &Request::Down).await?;
        // Of a node, the first process removes what the supervisor could not.
        let gone = async || {
            while self.site.dir.exists() {
                tokio::time::sleep(Duration::from_millis(20)).await
            }
        };
        let patience = Duration::from_secs(30);
        let left = || format!("{} is not gone {patience:?} after the lab's end", self.site.dir.display());
        tokio::time::timeout(patience, gone()).await.with_context(left)
    }

    pub(crate) async fn run(
        &self,
        program: &Path,
        args: impl IntoIterator<Item = impl AsRef<OsStr>>,
        input: Option<&str>,
    ) -> Result<String> {
        let mut command = tokio::process::Command::new(program);
        command.args(args).envs(self.environment()).kill_on_drop(true);
        command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        if let (Some(mut stdin), Some(input)) = (child.stdin.take(), input) {
            tokio::io::AsyncWriteExt::write_all(&mut stdin, input.as_bytes()).await?;
        }
        let output = child.wait_with_output().await?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("{} failed ({}): {said}", program.display(), output.status);
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

fn install_crypto_provider() {
    // A second test finds it installed, which is as good.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

/// The `signet-lab` program: this one, or the one that cargo builds beside the tests.
fn supervisor_program() -> Result<PathBuf> {
    let this = std::env::current_exe()?;
    if this.file_name() == Some(OsStr::new("signet-lab")) {
        return Ok(this);
    }
    let program = build_folder()?.join("signet-lab");
    if is_stale(&program) {
        // The whole workspace, as the tests are built: a package alone has other features, and so
        // would have all that it stands on compiled once more.
        let status = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--workspace", "--bins"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status()?;
        anyhow::ensure!(status.success(), "could not build signet-lab: `cargo build --workspace --bins` says why");
    }
    Ok(program)
}

/// Where cargo puts the programs of this build.
pub(crate) fn build_folder() -> Result<PathBuf> {
    let this = std::env::current_exe()?;
    let folder = this.ancestors().find(|folder| folder.join("deps").is_dir());
    Ok(folder.context("the lab runs from cargo's target folder")?.to_owned())
}

/// Whether the program is missing, or older than the source that this test was built with.
fn is_stale(program: &Path) -> bool {
    let modified = |path: &Path| path.metadata().and_then(|metadata| metadata.modified()).ok();
    let Some(built) = modified(program) else { return true };
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = std::fs::read_dir(source).into_iter().flatten().flatten();
    files.filter_map(|file| modified(&file.path())).any(|changed| changed > built)
}
