//! Where a lab lives: its directory, its loopback address and the well-known ports on it.
//!
//! Every lab has a loopback address to itself, so each part listens on the port that the world
//! expects there (DNS on 53, HTTP-01 on 80, the cloud API on 443) and no two labs ever meet.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::config::Level;

/// What pods and the node call the world outside of the cluster: the CA, DNS and the cloud API.
const WORLD: Ipv4Addr = Ipv4Addr::new(172, 30, 0, 1);

/// The node's address: the API server's, and where the ingress controller listens.
pub(crate) const NODE: Ipv4Addr = Ipv4Addr::new(172, 30, 0, 10);

/// The facts that everything else about a lab follows from.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Site {
    /// The lab's name: its directory is called so.
    pub name: String,
    /// The lab's own loopback address.
    pub address: Ipv4Addr,
    /// Holds all files of the lab; removed with it.
    pub dir: PathBuf,
    /// How much of a cluster it has.
    pub level: Level,
}

/// A port of the lab's address, named after what listens there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum Port {
    Dns = 53,
    /// What the CA's HTTP-01 connects to: Signet itself, or a node's ingress controller.
    Http01 = 80,
    /// The cloud API; from outside of a node, its ingress controller.
    Cloud = 443,
    CloudAdmin = 4443,
    EtcdClient = 2379,
    EtcdPeer = 2380,
    ApiServer = 6443,
    ChallengeDns = 8053,
    ChallengeAdmin = 8055,
    Metrics = 9402,
    Health = 9403,
    ControllerManager = 10257,
    Acme = 14000,
    AcmeAdmin = 15000,
}

impl Site {
    /// The folder beneath which this user's labs live.
    pub fn root() -> PathBuf {
        std::env::var_os("SIGNET_LAB_DIR").map_or_else(
            || {
                let user = rustix::process::getuid().as_raw();
                std::env::temp_dir().join(format!("signet-lab-{user}"))
            },
            PathBuf::from,
        )
    }

    /// The facts of a lab that is running, by its name.
    ///
    /// # Errors
    /// No lab of that name has been started, or its record cannot be read.
    pub fn load(name: &str) -> anyhow::Result<Self> {
        let path = Self::root().join(name).join("site.json");
        let text = std::fs::read_to_string(&path).map_err(|_| {
            anyhow::anyhow!("there is no lab named {name:?}: start it with `signet-lab up --name {name}`")
        })?;
        Ok(serde_json::from_str(&text)?)
    }

    /// The address by which everything inside the lab, pods included, reaches the lab's world.
    pub fn world(&self) -> Ipv4Addr {
        match self.level {
            Level::ControlPlane => self.address,
            Level::Node => WORLD,
        }
    }

    /// The address that names have which nobody gave another: where HTTP-01 is answered.
    pub fn edge(&self) -> Ipv4Addr {
        match self.level {
            Level::ControlPlane => self.address,
            Level::Node => NODE,
        }
    }

    /// Where a part of the lab that pods reach too binds one of its ports: a node's network is its own.
    pub(crate) fn listen(&self, port: Port) -> SocketAddrV4 {
        match self.level {
            Level::ControlPlane => self.at(port),
            Level::Node => SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port as u16),
        }
    }

    /// The socket address of one of the lab's ports.
    pub fn at(&self, port: Port) -> SocketAddrV4 {
        SocketAddrV4::new(self.address, port as u16)
    }

    /// Where Signet answers TLS-ALPN-01 in a lab without a node: at an address of its own, as port 443 of
    /// the lab's is the cloud's. A name leads there after `Lab::add_a`.
    pub fn tls_alpn01(&self) -> SocketAddrV4 {
        // Labs take theirs from the quarter below.
        let [first, second, third, fourth] = self.address.octets();
        SocketAddrV4::new(Ipv4Addr::new(first, second + 64, third, fourth), 443)
    }

    /// A file or folder in the lab's directory.
    pub fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.dir.join(relative)
    }

    /// The log of one component.
    pub fn log(&self, component: &str) -> PathBuf {
        self.path("logs").join(format!("{component}.log"))
    }

    /// The administrator's kubeconfig.
    pub fn kubeconfig(&self) -> PathBuf {
        self.path("kubeconfig")
    }

    pub(crate) fn control(&self) -> PathBuf {
        self.path("control.sock")
    }
}
