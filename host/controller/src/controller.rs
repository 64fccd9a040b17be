//! The controller from its start to its end: sets up the edges, reads the cluster, waits to lead,
//! takes decisions, and on SIGTERM finishes what it has begun.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use kube::Client;
use kube::client::ClientBuilder;
use kube::config::{KubeConfigOptions, Kubeconfig};
use signet_dns::{Dns, DnsConfig};
use signet_plugins::{EgressConfig, Engine, EngineConfig, OperatorGrants, Registry, RegistryConfig};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower_layer::layer_fn;

use crate::accounts::Accounts;
use crate::changes::SecretChanges;
use crate::context::{Context, Settings};
use crate::events::Events;
use crate::flags::{self, Flags};
use crate::kinds::certificate::Certificates;
use crate::kinds::challenge::Challenges;
use crate::kinds::issuer::{ClusterIssuers, Issuers};
use crate::kinds::order::Orders;
use crate::kinds::request::Requests;
use crate::kinds::revocation::Revocations;
use crate::lease::Leadership;
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::patience::Patience;
use crate::plugins::{ConfigMaps, Puller};
use crate::replicas::{Replicas, Service};
use crate::scope::Scope;
use crate::self_check::SelfCheck;
use crate::serve::{self, Server};
use crate::stores::{Queues, Stores};
use crate::tls_alpn01::{Look, Responder};
use crate::writer::Writer;
use crate::{plugins, reconcile, replicas, resync, watch};

/// How long work under way may take once the process is told to stop: less than the grace period
/// of a pod.
const GRACE: Duration = Duration::from_secs(25);
/// How long those who lead requests to the replicas may take to see that this one leaves.
const LAST_REQUESTS: Duration = Duration::from_secs(3);
/// How long answers under way may take after that.
const LAST_ANSWERS: Duration = Duration::from_secs(1);
/// How many objects of one kind are looked at at the same time, Challenges apart.
const AT_ONCE: usize = 64;

/// Runs until SIGTERM or SIGINT, or until the Lease is lost.
pub async fn run(flags: Flags) -> Result<()> {
    let client = client(flags.kubeconfig.as_deref()).await?;
    let stores = Arc::new(Stores::new(Scope::of(&flags)));
    let metrics = Arc::new(Metrics::new(stores.clone()));
    let ready = Arc::new(AtomicBool::new(false));
    let stop = CancellationToken::new();

    // They answer to the very end: the CA may be looking while work under way is finished.
    let serving = CancellationToken::new();
    let writer = Writer::new(client.clone(), stores.clone());
    let servers = serve(&flags, &writer, &metrics, &ready, &serving).await?;

    let registry = Arc::new(registry(&flags).await?);
    let identity = std::env::var("POD_NAME").unwrap_or_else(|_| format!("signet-{}", std::process::id()));
    let cx = context(&flags, client.clone(), stores, metrics, registry.clone(), &identity).await?;
    let leadership = flags.leader_elect.then(|| {
        let namespace = flags.or_cluster_resource(&flags.leader_election_namespace);
        Leadership::new(client.clone(), namespace, &identity, cx.limits.clone())
    });
    let cx = Arc::new(cx);

    let mut watches = watch::start(&cx, &client);
    let service = Service::parse(&flags.http01_service, &flags.cluster_resource_namespace);
    let others = service.map(|service| watches.spawn(replicas::watch(cx.clone(), client.clone(), service)));
    let plugin_namespace = flags.or_cluster_resource(&flags.plugin_namespace).to_owned();
    let (loaded, mut all_loaded) = tokio::sync::watch::channel(false);
    let config_maps = ConfigMaps {
        registry: registry.clone(),
        client: client.clone(),
        namespace: plugin_namespace,
        events: cx.events.clone(),
        puller: Puller::new(client.clone(), flags.plugin_http_ca_bundle.as_deref())?,
    };
    watches.spawn(config_maps.watch(loaded));
    if let Some(folder) = &flags.plugin_dir {
        plugins::load_directory(&registry, folder).await;
    }
    cx.stores.wait_synced().await;
    // Issuers must not be told that a plugin is missing which is on its way.
    all_loaded.wait_for(|loaded| *loaded).await.context("the watch of plugins ended")?;
    if others.is_some() {
        cx.replicas.wait_listed().await;
    }
    ready.store(true, Ordering::Release);
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "ready");

    let mut terminated = terminated()?;
    if let Some(leadership) = &leadership {
        tokio::select! {
            () = leadership.acquire() => {}
            () = terminated.wait() => {
                last_requests(&cx).await;
                return Ok(());
            }
        }
    }
    cx.started.get_or_init(Timestamp::now);
    if !cx.stores.scope.watches_secrets() {
        watches.spawn(resync::run(cx.clone(), client.clone(), flags.secrets_resync_period));
    }
    let turns = cx.clone();
    watches.spawn(async move { turns.limits.run(&turns).await });
    let workers = start(cx.clone(), &stop);
    let lost = async {
        match &leadership {
            Some(leadership) => leadership.keep().await,
            None => std::future::pending().await,
        }
    };
    let outcome = tokio::select! {
        () = terminated.wait() => {
            tracing::info!("stopping: finishing what is under way");
            Ok(())
        }
        () = lost => Err(anyhow::anyhow!("the Lease was lost: another replica leads now; this one ends to start anew")),
    };
    // From now on requests are led to the replicas that stay.
    cx.replicas.leave();
    stop.cancel();
    if tokio::time::timeout(GRACE, workers.join_all()).await.is_err() {
        tracing::warn!(?GRACE, "some work did not end in time; the next process carries it on");
    }
    if let (Some(leadership), Ok(())) = (&leadership, &outcome) {
        leadership.release().await;
    }
    last_requests(&cx).await;
    serving.cancel();
    // Whoever still holds a connection open is not waited for.
    let _ = tokio::time::timeout(LAST_ANSWERS, servers.join_all()).await;
    outcome
}

/// Goes on answering while requests may still be led here, if there is anything to ask for.
async fn last_requests(cx: &Context) {
    if !cx.stores.served().is_empty() {
        tokio::time::sleep(LAST_REQUESTS).await;
    }
}

/// Opens every port, so that one that is taken is found out at the start.
async fn serve(
    flags: &Flags,
    writer: &Writer,
    metrics: &Arc<Metrics>,
    ready: &Arc<AtomicBool>,
    serving: &CancellationToken,
) -> Result<JoinSet<std::io::Result<()>>> {
    let mut servers = JoinSet::new();
    let lists = serve::lists(writer.clone(), flags.cluster_resource_namespace.clone());
    for (what, address, router) in [
        (
            "HTTP-01 (--http01-listen-address)",
            flags.http01_listen_address,
            serve::responder(writer.stores().clone()).merge(lists),
        ),
        ("health (--healthz-listen-address)", flags.healthz_listen_address, serve::health(ready.clone())),
        ("metrics (--metrics-listen-address)", flags.metrics_listen_address, serve::metrics(metrics.clone())),
    ] {
        let server = Server::bind(address, router).await;
        let server = server.with_context(|| format!("could not listen on {address} for {what}"))?;
        servers.spawn(server.run(serving.clone()));
    }
    let address = flags.tls_alpn01_listen_address;
    let responder = Responder::bind(address, writer.stores().clone()).await;
    let responder = responder
        .with_context(|| format!("could not listen on {address} for TLS-ALPN-01 (--tls-alpn01-listen-address)"))?;
    servers.spawn(responder.run(serving.clone()));
    Ok(servers)
}

/// The workers of every kind.
fn start(cx: Arc<Context>, stop: &CancellationToken) -> JoinSet<()> {
    let mut workers = JoinSet::new();
    let challenges_at_once = cx.settings.max_challenges.saturating_mul(2).max(AT_ONCE);
    workers.spawn(reconcile::run(Certificates::default(), cx.clone(), AT_ONCE, stop.clone()));
    workers.spawn(reconcile::run(Revocations::default(), cx.clone(), AT_ONCE, stop.clone()));
    workers.spawn(reconcile::run(Requests::default(), cx.clone(), AT_ONCE, stop.clone()));
    workers.spawn(reconcile::run(Orders::default(), cx.clone(), AT_ONCE, stop.clone()));
    let challenges = Challenges::new(cx.settings.max_challenges);
    workers.spawn(reconcile::run(challenges, cx.clone(), challenges_at_once, stop.clone()));
    workers.spawn(reconcile::run(Issuers::default(), cx.clone(), AT_ONCE, stop.clone()));
    workers.spawn(reconcile::run(ClusterIssuers::default(), cx, AT_ONCE, stop.clone()));
    workers
}

/// A client of the cluster that a kubeconfig names; without one, that of KUBECONFIG or of the pod.
pub(crate) async fn client(kubeconfig: Option<&Path>) -> Result<Client> {
    let config = match kubeconfig {
        Some(path) => {
            let read = Kubeconfig::read_from(path);
            let read = read.with_context(|| format!("could not read the kubeconfig {}", path.display()))?;
            kube::Config::from_custom_kubeconfig(read, &KubeConfigOptions::default()).await?
        }
        None => kube::Config::infer().await.context(
            "found no cluster: this is not a pod, and there is no kubeconfig; name one with --kubeconfig or KUBECONFIG",
        )?,
    };
    let builder = ClientBuilder::try_from(config).context("could not set up the client of the API server")?;
    Ok(builder.with_layer(&layer_fn(Patience)).build())
}

async fn registry(flags: &Flags) -> Result<Registry> {
    let read = |path: &std::path::PathBuf| fs::read(path).with_context(|| format!("could not read {}", path.display()));
    let nameservers = signet_dns::addresses(&flags.plugin_http_nameservers).await;
    let egress = EgressConfig {
        nameservers: nameservers.context("--plugin-http-nameservers")?,
        extra_roots: flags.plugin_http_ca_bundle.as_ref().map(read).transpose()?,
        proxy: proxy()?,
        ..EgressConfig::default()
    };
    let config = EngineConfig { egress, cache_dir: flags.plugin_cache_dir.clone(), ..EngineConfig::default() };
    let engine = Engine::new(config).context("could not set up the engine of plugins")?;
    let grants: BTreeMap<String, OperatorGrants> = match &flags.plugin_grants {
        Some(path) => {
            let parsed: Option<_> = serde_yaml::from_slice(&read(path)?)
                .with_context(|| format!("could not understand the grants in {}", path.display()))?;
            parsed.unwrap_or_default()
        }
        None => BTreeMap::new(),
    };
    Ok(Registry::new(engine, RegistryConfig { grants, defaults: OperatorGrants::default() }))
}

/// The proxy of plugins' requests, by the variable that every HTTP client knows.
fn proxy() -> Result<Option<http::Uri>> {
    let value = flags::variable(["HTTPS_PROXY", "https_proxy"]);
    value.map(|value| value.parse().with_context(|| format!("HTTPS_PROXY is not a URL: {value}"))).transpose()
}

async fn context(
    flags: &Flags,
    client: Client,
    stores: Arc<Stores>,
    metrics: Arc<Metrics>,
    registry: Arc<Registry>,
    identity: &str,
) -> Result<Context> {
    let servers = async |list: &[String], flag: &str| {
        signet_dns::nameservers(list).await.with_context(|| format!("could not read {flag}"))
    };
    let recursive = servers(&flags.dns01_recursive_nameservers, "--dns01-recursive-nameservers").await?;
    let config = DnsConfig { recursive_nameservers: recursive, recursive_only: flags.dns01_recursive_nameservers_only };
    let dns = Dns::new(config)?;
    let of_http01 = servers(&flags.acme_http01_solver_nameservers, "--acme-http01-solver-nameservers").await?;
    let of_http01 = (!of_http01.is_empty()).then(|| dns.through(of_http01));
    Ok(Context {
        settings: Settings {
            cluster_resource_namespace: flags.cluster_resource_namespace.clone(),
            max_challenges: flags.max_concurrent_challenges.max(1),
            certificate_owner_ref: flags.enable_certificate_owner_ref,
            auto_approve: !flags.disable_auto_approval,
            issuer_ambient: flags.issuer_ambient_credentials,
            cluster_issuer_ambient: flags.cluster_issuer_ambient_credentials,
            check_caa: flags.check_caa,
            responder_port: flags.http01_listen_address.port(),
            tls_responder_port: flags.tls_alpn01_listen_address.port(),
        },
        writer: Writer::new(client.clone(), stores.clone()),
        events: Events::new(client, identity),
        accounts: Accounts::new(metrics.clone()),
        limits: Arc::new(Limits::new(flags.acme_limits.clone())),
        tls_look: Look::new(of_http01.clone()),
        self_check: SelfCheck::new(of_http01, flags.http01_listen_address.port())
            .context("could not set up the HTTP-01 self-check")?,
        replicas: Arc::new(Replicas::new(&flags.http01_advertise_address)),
        secret_changes: SecretChanges::default(),
        queues: Queues::default(),
        started: OnceLock::new(),
        stores,
        metrics,
        dns,
        registry,
    })
}

/// SIGTERM or SIGINT.
struct Terminated {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

fn terminated() -> Result<Terminated> {
    Ok(Terminated { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
}

impl Terminated {
    async fn wait(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
