//! The process that owns a lab: it brings the parts up in order, answers requests about them, and
//! takes everything down when told to, when signalled, or when whoever holds its leash is gone.
//!
//! It runs on one thread, because the kernel ties a child's leash to the thread that started it.

use std::fs;
use std::io::Write;

use anyhow::Result;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use hickory_server::Server;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::OwnedWriteHalf;
use tokio::net::{UdpSocket, UnixListener, UnixStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Mutex, Notify};

use crate::address::Claim;
use crate::config::{Config, Level};
use crate::control::{Reply, Request};
use crate::folder::Folder;
use crate::node::world::Outside;
use crate::process::Processes;
use crate::site::Site;
use crate::tools::Tools;
use crate::{acme, cloud, control_plane, dns, node, pki, ready};

/// What a supervisor tells whoever started it, a line of JSON each, on its standard output.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Progress {
    Up(Site),
    Failed(String),
}

/// Brings a lab up and stays with it until it is taken down.
///
/// With `leashed`, the end of standard input is the end of the lab.
///
/// # Errors
/// The lab could not come up; everything that had started is gone again.
pub async fn supervise(name: &str, config: Config, leashed: bool) -> Result<()> {
    // Ctrl-C at a terminal reaches its whole session: the lab ends in its own order instead.
    let _ = rustix::process::setsid();
    let finish = live_and_die(name, &config, leashed).await;
    if let Err(error) = &finish {
        tell(&Progress::Failed(format!("{error:#}")));
    }
    finish
}

async fn live_and_die(name: &str, config: &Config, leashed: bool) -> Result<()> {
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    let claim = Claim::take(&Site::root())?;
    let dir = Site::root().join(name);
    let site = Site { name: name.to_owned(), address: claim.address, dir, level: config.level };
    let folder = Folder::create(&site)?;
    let outside = match config.level {
        Level::ControlPlane => None,
        Level::Node => {
            let outside = Outside::bind(&site).await?;
            node::world::enter(&site)?;
            node::world::lead(outside.listeners);
            Some(outside.dns)
        }
    };
    let processes = Mutex::new(Processes::new(site.clone()));
    let farewell = Farewell::default();
    let finish = tokio::select! {
        finish = live(&site, config, outside, &processes, &farewell) => finish,
        _ = interrupted.recv() => Ok(()),
        _ = terminated.recv() => Ok(()),
        () = leash_dropped(leashed) => Ok(()),
    };
    processes.lock().await.kill_all().await;
    drop((claim, folder));
    // Whoever asked for the end learns by this that nothing is left.
    drop(farewell);
    finish
}

/// The connections of those who asked for the lab's end, open until it has come.
type Farewell = Mutex<Vec<OwnedWriteHalf>>;

async fn leash_dropped(leashed: bool) {
    if !leashed {
        return std::future::pending().await;
    }
    let until_the_end = || std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
    let _ = tokio::task::spawn_blocking(until_the_end).await;
}

async fn live(
    site: &Site,
    config: &Config,
    outside: Option<UdpSocket>,
    processes: &Mutex<Processes>,
    farewell: &Farewell,
) -> Result<()> {
    let tools = Tools::ready_for(site.level)?;
    let _dns = match site.level {
        Level::ControlPlane => bring_up(site, &tools, config, outside, processes).await?,
        Level::Node => {
            // The control plane takes as long as the images do, and neither needs the other.
            let images = add_containerd(site, &tools, processes);
            let (dns, ()) = tokio::try_join!(bring_up(site, &tools, config, outside, processes), images)?;
            add_node(site, &tools, processes).await?;
            dns
        }
    };
    let listener = UnixListener::bind(site.control())?;
    fs::write(site.path("site.json"), serde_json::to_string(site)?)?;
    tell(&Progress::Up(site.clone()));
    serve(&listener, processes, farewell).await;
    Ok(())
}

/// Starts the parts together and waits for each; the DNS server lives as long as the result.
async fn bring_up(
    site: &Site,
    tools: &Tools,
    config: &Config,
    outside: Option<UdpSocket>,
    processes: &Mutex<Processes>,
) -> Result<Server<dns::Answers>> {
    pki::create(site)?;
    control_plane::write_config(site)?;
    let server = dns::serve(site, outside).await?;
    let first = [
        control_plane::etcd(site, tools),
        control_plane::apiserver(site, tools),
        acme::challenge_server(site, tools),
        acme::pebble(site, tools, &config.acme)?,
        cloud::component(site, tools)?,
    ];
    for component in first {
        processes.lock().await.run(component)?;
    }
    ready::wait(processes, "apiserver", || ready::apiserver(site)).await?;
    processes.lock().await.run(control_plane::controller_manager(site, tools))?;
    ready::wait(processes, "pebble", || acme::ready(site)).await?;
    ready::wait(processes, "cloud", || cloud::ready(site)).await?;
    ready::wait(processes, "controller-manager", || ready::default_service_account(site)).await?;
    Ok(server)
}

/// Starts containerd, and returns once it has the images of all that the lab itself runs in pods.
async fn add_containerd(site: &Site, tools: &Tools, processes: &Mutex<Processes>) -> Result<()> {
    let containerd = node::containerd(site, tools)?;
    processes.lock().await.run(containerd)?;
    ready::wait(processes, "containerd", || node::images::answers(site, tools)).await?;
    node::images::import_tools(site, tools).await
}

/// Starts what a node has beside containerd, and returns once the cluster takes it.
async fn add_node(site: &Site, tools: &Tools, processes: &Mutex<Processes>) -> Result<()> {
    node::write_config(site)?;
    let staging = node::staging::component(site, tools)?;
    for component in [node::scheduler(site, tools), node::kubelet(site, tools), node::proxy(site, tools), staging] {
        processes.lock().await.run(component)?;
    }
    ready::wait(processes, "staging", || node::staging::ready(site)).await?;
    ready::wait(processes, "kubelet", || node::ready(site)).await
}

/// Answers requests until one of them ends the lab.
async fn serve(listener: &UnixListener, processes: &Mutex<Processes>, farewell: &Farewell) {
    let down = Notify::new();
    let mut callers = FuturesUnordered::new();
    loop {
        tokio::select! {
            Ok((stream, _)) = listener.accept() => callers.push(answer(stream, processes, farewell, &down)),
            // A caller that breaks off loses its answer, and nothing else.
            Some(_) = callers.next(), if !callers.is_empty() => {}
            () = down.notified() => return,
        }
    }
}

async fn answer(stream: UnixStream, processes: &Mutex<Processes>, farewell: &Farewell, down: &Notify) -> Result<()> {
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    BufReader::new(read).read_line(&mut line).await?;
    let request = serde_json::from_str(&line)?;
    if matches!(request, Request::Down) {
        farewell.lock().await.push(write);
        down.notify_one();
        return Ok(());
    }
    let reply: Reply = act(request, &mut *processes.lock().await).await.map_err(|error| format!("{error:#}"));
    write.write_all((serde_json::to_string(&reply)? + "\n").as_bytes()).await?;
    Ok(())
}

async fn act(request: Request, processes: &mut Processes) -> Result<Vec<crate::control::Status>> {
    match request {
        Request::Status | Request::Down => {}
        Request::Run(component) => processes.run(component)?,
        Request::Start(name) => processes.start(&name)?,
        Request::End(name, ending) => processes.end(&name, ending).await?,
    }
    Ok(processes.status())
}

fn tell(progress: &Progress) {
    let line = serde_json::to_string(progress).expect("progress is plain data");
    // Whoever started the lab may be gone; the lab lives by its leash, not by this.
    let _ = writeln!(std::io::stdout(), "{line}");
}
