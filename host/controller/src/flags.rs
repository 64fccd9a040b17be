//! The flags of `signet controller`, under cert-manager's names where the meaning is the same. A switch
//! is taken as `--flag`, `--flag=true` and `--flag=false`, as Kubernetes' own programs do.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, ValueEnum};
use signet_core::limits::Book;

/// Runs the controller.
#[derive(Args, Clone, Debug)]
pub struct Flags {
    /// A kubeconfig; without it, that of KUBECONFIG or of the pod.
    #[arg(long)]
    pub kubeconfig: Option<PathBuf>,
    /// Work in these namespaces only, and without ClusterIssuers; in all of them when none is named.
    #[arg(long, value_delimiter = ',')]
    pub namespace: Vec<String>,
    /// Whether Secrets are watched: ours by their label, the metadata of the others. Else each is read by its
    /// name when it is needed, and that it has changed is found out at the next resync.
    #[arg(long, default_value = "true", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = ArgAction::Set)]
    pub watch_secrets: bool,
    /// How often everything that rests on Secrets is looked at where they are not watched.
    #[arg(long, default_value = "10m", value_parser = period)]
    pub secrets_resync_period: Duration,
    /// Where Secrets of ClusterIssuers, and plugins, are.
    #[arg(long, env = "POD_NAMESPACE", default_value = "kube-system")]
    pub cluster_resource_namespace: String,

    /// Work only while holding the Lease that replicas share.
    #[arg(long, default_value = "true", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = ArgAction::Set)]
    pub leader_elect: bool,
    /// Where the Lease is; the cluster resource namespace when it is empty.
    #[arg(long, default_value = "")]
    pub leader_election_namespace: String,

    /// Where the metrics are served.
    #[arg(long, default_value = "0.0.0.0:9402")]
    pub metrics_listen_address: SocketAddr,
    /// Where health is told.
    #[arg(long, default_value = "0.0.0.0:9403")]
    pub healthz_listen_address: SocketAddr,
    /// Where HTTP-01 challenges are answered.
    #[arg(long, default_value = "0.0.0.0:8089")]
    pub http01_listen_address: SocketAddr,
    /// Where TLS-ALPN-01 challenges are answered.
    #[arg(long, default_value = "0.0.0.0:8443")]
    pub tls_alpn01_listen_address: SocketAddr,
    /// The address under which the cluster reaches this process, for HTTP-01 and TLS-ALPN-01.
    #[arg(long, env = "POD_IP", value_delimiter = ',')]
    pub http01_advertise_address: Vec<IpAddr>,
    /// A Service of all replicas, as [NAMESPACE/]NAME: the CA is led to each that is ready, for HTTP-01
    /// and TLS-ALPN-01.
    /// In the cluster resource namespace when none is named; this process alone when it is empty.
    #[arg(long, default_value = "")]
    pub http01_service: String,

    /// A folder with plugins: NAME.wasm, with NAME.grants.yaml beside it.
    #[arg(long)]
    pub plugin_dir: Option<PathBuf>,
    /// A folder for compiled plugins that only Signet can write to.
    #[arg(long)]
    pub plugin_cache_dir: Option<PathBuf>,
    /// A file with what each plugin may do, by its name.
    #[arg(long)]
    pub plugin_grants: Option<PathBuf>,
    /// Where ConfigMaps with plugins are; the cluster resource namespace when it is empty.
    #[arg(long, default_value = "")]
    pub plugin_namespace: String,
    /// DNS servers for plugins' own requests; the system's when there are none.
    #[arg(long, value_delimiter = ',')]
    pub plugin_http_nameservers: Vec<String>,
    /// Certificates, in PEM, that are trusted beside the system's: by plugins' requests, and for registries
    /// that plugins are pulled from.
    #[arg(long)]
    pub plugin_http_ca_bundle: Option<PathBuf>,

    /// How many Challenges are worked on at once.
    #[arg(long, default_value_t = 60)]
    pub max_concurrent_challenges: usize,
    /// Limits of CAs beside those that Let's Encrypt publishes, or in their place, as YAML or JSON:
    /// {URL of the directory: {newOrders: {count: 300, period: 3h}, certificatesPerSet: none}}.
    #[arg(long, default_value = "", value_parser = book)]
    pub acme_limits: Book,
    /// DNS servers for finding zones and looking at records; the system's when there are none.
    #[arg(long, value_delimiter = ',')]
    pub dns01_recursive_nameservers: Vec<String>,
    /// Ask only those, never a zone's own servers.
    #[arg(long, default_value = "false", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = ArgAction::Set)]
    pub dns01_recursive_nameservers_only: bool,
    /// Look whether CAA records let the CA sign before anything is ordered.
    #[arg(long, default_value = "true", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = ArgAction::Set)]
    pub check_caa: bool,
    /// DNS servers for looking at what HTTP-01 and TLS-ALPN-01 show; the system's when there are none.
    #[arg(long, value_delimiter = ',')]
    pub acme_http01_solver_nameservers: Vec<String>,

    /// Whether a Secret goes when its Certificate goes.
    #[arg(long, default_value = "false", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = ArgAction::Set)]
    pub enable_certificate_owner_ref: bool,
    /// Whether requests wait for another approver.
    #[arg(long, default_value = "false", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = ArgAction::Set)]
    pub disable_auto_approval: bool,
    /// Whether solvers of Issuers may use credentials of Signet's own environment.
    #[arg(long, default_value = "false", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = ArgAction::Set)]
    pub issuer_ambient_credentials: bool,
    /// Whether solvers of ClusterIssuers may.
    #[arg(long, default_value = "true", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = ArgAction::Set)]
    pub cluster_issuer_ambient_credentials: bool,

    /// text or json.
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
    /// error, warn, info, debug or trace; or a filter such as info,signet_plugins=debug.
    #[arg(long, default_value = "info")]
    pub log_level: String,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    Text,
    Json,
}

/// The value of a variable that goes by either name, unless it is empty.
pub(crate) fn variable(names: [&str; 2]) -> Option<String> {
    names.iter().find_map(|name| std::env::var(name).ok()).filter(|value| !value.is_empty())
}

fn book(text: &str) -> Result<Book, String> {
    let said = serde_yaml::from_str(text).map_err(|error| format!("this is no YAML: {error}"))?;
    Book::default().with(&said)
}

fn period(text: &str) -> Result<Duration, String> {
    let period: signet_api::Duration = text.parse().map_err(|error: signet_api::DurationError| error.to_string())?;
    let period = Duration::try_from(period.get()).ok().filter(|period| !period.is_zero());
    period.ok_or_else(|| "a period must be longer than nothing".to_owned())
}

impl Flags {
    /// A namespace flag, with the cluster resource namespace for an empty one.
    pub fn or_cluster_resource<'a>(&'a self, namespace: &'a str) -> &'a str {
        if namespace.is_empty() { &self.cluster_resource_namespace } else { namespace }
    }
}
