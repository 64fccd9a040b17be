//! A machine within the machine: namespaces, mounts and a network that only the lab sees.
//!
//! The supervisor itself goes in, so all that it starts is inside. It keeps sockets of the network
//! that it came from, and leads whoever connects to them to the lab's own: tests and people use a
//! node's lab as any other, at its loopback address.

use std::fs;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::sethostname;
use tokio::net::{TcpListener, TcpStream, UdpSocket};

use super::{NAME, cgroups};
use crate::site::{NODE, Port, Site};

/// What is reached from outside: what listens on the node, and the lab's own parts.
const PORTS: [Port; 7] =
    [Port::Http01, Port::Cloud, Port::ApiServer, Port::Acme, Port::AcmeAdmin, Port::ChallengeAdmin, Port::CloudAdmin];

/// Sockets of the network that the lab was started from.
pub(crate) struct Outside {
    /// Each with what inside it leads to.
    pub(crate) listeners: Vec<(TcpListener, SocketAddrV4)>,
    pub(crate) dns: UdpSocket,
}

impl Outside {
    pub(crate) async fn bind(site: &Site) -> Result<Self> {
        let mut listeners = Vec::new();
        for port in PORTS {
            let listener = TcpListener::bind(site.at(port)).await?;
            listeners.push((listener, SocketAddrV4::new(inside(site, port), port as u16)));
        }
        let dns = UdpSocket::bind(site.at(Port::Dns)).await?;
        Ok(Self { listeners, dns })
    }
}

/// Leads connections into the network that this process is in, as long as it lives.
pub(crate) fn lead(listeners: Vec<(TcpListener, SocketAddrV4)>) {
    for (listener, to) in listeners {
        tokio::spawn(async move {
            while let Ok((outer, _)) = listener.accept().await {
                tokio::spawn(join(outer, to));
            }
        });
    }
}

fn inside(site: &Site, port: Port) -> Ipv4Addr {
    match port {
        Port::Http01 | Port::Cloud => NODE,
        _ => site.address,
    }
}

async fn join(mut outer: TcpStream, to: SocketAddrV4) {
    // Whoever connects to a port on which nothing listens sees the connection end, as it would there.
    let Ok(mut inner) = TcpStream::connect(to).await else { return };
    let _ = tokio::io::copy_bidirectional(&mut outer, &mut inner).await;
}

/// Moves this process into a machine of its own.
pub(crate) fn enter(site: &Site) -> Result<()> {
    cgroups::join(site)?;
    let own = CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWNET
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWCGROUP;
    unshare(own).context("could not make namespaces")?;
    sethostname(NAME)?;
    mounts(site)?;
    network()
}

fn mounts(site: &Site) -> Result<()> {
    let none = None::<&str>;
    // The kubelet shares what it mounts with its pods; nothing goes further than this namespace.
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_SHARED, none)?;
    mount(Some("sysfs"), "/sys", Some("sysfs"), MsFlags::empty(), none)?;
    cgroups::mount_own()?;
    mount(Some("tmpfs"), "/run", Some("tmpfs"), MsFlags::empty(), Some("mode=755"))?;
    fs::create_dir("/run/lock")?;
    for (folder, at) in [("kubelet", "/var/lib/kubelet"), ("pod-logs", "/var/log"), ("cni", "/var/lib/cni")] {
        let folder = site.path(folder);
        fs::create_dir(&folder)?;
        fs::create_dir_all(at)?;
        mount(Some(&folder), at, none, MsFlags::MS_BIND, none)?;
        mount(none, at, none, MsFlags::MS_SHARED, none)?;
    }
    // The kubelet insists on values of the kernel's own settings, and is shown them.
    let settings = site.path("settings");
    fs::create_dir(&settings)?;
    for (setting, value) in [("vm/overcommit_memory", "1"), ("kernel/panic", "10"), ("kernel/panic_on_oops", "1")] {
        let file = settings.join(setting.replace('/', "."));
        fs::write(&file, format!("{value}\n"))?;
        let at = Path::new("/proc/sys").join(setting);
        mount(Some(&file), &at, none, MsFlags::MS_BIND, none)?;
    }
    Ok(())
}

fn network() -> Result<()> {
    // The gateway is nobody: what leaves the node for anywhere else is lost.
    let steps = [
        "link set lo up",
        "link add node0 type veth peer name node0-peer",
        "link set node0 up",
        "link set node0-peer up",
        "address add 172.30.0.10/24 dev node0",
        "address add 172.30.0.1/24 dev node0",
        "address add 172.30.0.2/24 dev node0",
        "route add default via 172.30.0.254 dev node0",
        "neighbour add 172.30.0.254 lladdr 02:00:00:00:00:01 dev node0",
    ];
    for step in steps {
        let output = Command::new("ip").args(step.split(' ')).output().context("could not run `ip`")?;
        ensure!(output.status.success(), "`ip {step}` failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    fs::write("/proc/sys/net/ipv4/ip_forward", "1")?;
    let bridged = Path::new("/proc/sys/net/bridge/bridge-nf-call-iptables");
    if bridged.exists() {
        fs::write(bridged, "1")?;
    }
    Ok(())
}
