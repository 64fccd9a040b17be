//! The node of a lab: kubelet, containerd, kube-proxy and a scheduler, in namespaces of the lab's own.

pub(crate) mod addons;
mod cgroups;
mod edge;
pub(crate) mod images;
mod init;
mod obstacle;
pub(crate) mod staging;
pub(crate) mod world;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Node;
use serde_json::{Value, json};

pub use edge::Page;
pub use init::{enter, init};
pub use obstacle::obstacle;

use crate::control::Component;
use crate::control_plane::{arguments, write_user};
use crate::ready;
use crate::site::{NODE, Site};
use crate::tools::Tools;

/// The node's name, and its host name.
pub(crate) const NAME: &str = "node0";

/// Where the cluster's DNS is: a Service with an address of the range that the API server hands out.
pub(crate) const CLUSTER_DNS: &str = "10.96.0.10";

pub(crate) const POD_NETWORK: &str = "10.244.0.0/24";

/// The image that holds a pod's namespaces.
pub(crate) const PAUSE: &str = "localhost/pod:1";

pub(crate) fn containerd_socket(site: &Site) -> PathBuf {
    site.path("containerd.sock")
}

pub(crate) fn write_config(site: &Site) -> Result<()> {
    for user in ["kubelet", "scheduler", "proxy"] {
        write_user(site, user)?;
    }
    // In a pod that uses the node's own, this is what asks the lab's DNS.
    fs::write(site.path("resolv.conf"), format!("nameserver {}\n", site.world()))?;
    fs::write(site.path("kubelet.yaml"), kubelet_config(site).to_string())?;
    fs::write(site.path("proxy.yaml"), proxy_config(site).to_string())?;
    Ok(())
}

pub(crate) fn containerd(site: &Site, tools: &Tools) -> Result<Component> {
    fs::create_dir(site.path("cni.d"))?;
    fs::write(site.path("cni.d/10-pods.conflist"), cni().to_string())?;
    let config = site.path("containerd.toml");
    fs::write(&config, containerd_config(site, tools)?)?;
    let args = vec!["--config".to_owned(), config.display().to_string()];
    Ok(Component::new("containerd", tools.program("containerd"), args))
}

pub(crate) fn scheduler(site: &Site, tools: &Tools) -> Component {
    let kubeconfig = site.path("scheduler.kubeconfig").display().to_string();
    let flags = [
        ("kubeconfig", kubeconfig.clone()),
        ("authentication-kubeconfig", kubeconfig.clone()),
        ("authorization-kubeconfig", kubeconfig),
        ("cert-dir", site.path("scheduler").display().to_string()),
        ("leader-elect", "false".to_owned()),
    ];
    Component::new("scheduler", tools.program("kube-scheduler"), arguments(&flags))
}

pub(crate) fn kubelet(site: &Site, tools: &Tools) -> Component {
    let flags = [
        ("config", site.path("kubelet.yaml").display().to_string()),
        ("kubeconfig", site.path("kubelet.kubeconfig").display().to_string()),
        ("root-dir", "/var/lib/kubelet".to_owned()),
        ("node-ip", NODE.to_string()),
        ("hostname-override", NAME.to_owned()),
    ];
    Component::new("kubelet", tools.program("kubelet"), arguments(&flags))
}

pub(crate) fn proxy(site: &Site, tools: &Tools) -> Component {
    let flags = [("config", site.path("proxy.yaml").display().to_string())];
    Component::new("proxy", tools.program("kube-proxy"), arguments(&flags))
}

pub(crate) async fn ready(site: &Site) -> Result<()> {
    let node = kube::Api::<Node>::all(ready::client(site).await?).get(NAME).await?;
    let conditions = node.status.and_then(|status| status.conditions).unwrap_or_default();
    let ready = conditions.into_iter().find(|condition| condition.type_ == "Ready").context("it has no condition")?;
    ensure!(ready.status == "True", "{}", ready.message.unwrap_or_default());
    Ok(())
}

fn cni() -> Value {
    let ranges = json!([[{ "subnet": POD_NETWORK }]]);
    let ipam = json!({ "type": "host-local", "ranges": ranges, "routes": [{ "dst": "0.0.0.0/0" }] });
    json!({ "cniVersion": "1.0.0", "name": "pods", "plugins": [
        { "type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": false, "hairpinMode": true, "ipam": ipam },
        { "type": "portmap", "capabilities": { "portMappings": true } },
    ]})
}

fn kubelet_config(site: &Site) -> Value {
    let pki = |file: &str| site.path("pki/cluster").join(file);
    json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "failCgroupV1": false,
        "cgroupDriver": "cgroupfs",
        "containerRuntimeEndpoint": format!("unix://{}", containerd_socket(site).display()),
        "authentication": {
            "anonymous": { "enabled": false },
            "webhook": { "enabled": true },
            "x509": { "clientCAFile": pki("ca.crt") },
        },
        "authorization": { "mode": "Webhook" },
        "tlsCertFile": pki("kubelet.crt"),
        "tlsPrivateKeyFile": pki("kubelet.key"),
        "clusterDNS": [CLUSTER_DNS],
        "clusterDomain": "cluster.local",
        "resolvConf": site.path("resolv.conf"),
        "enforceNodeAllocatable": [],
        "failSwapOn": false,
        "evictionHard": {
            "memory.available": "50Mi", "nodefs.available": "1%", "imagefs.available": "1%", "nodefs.inodesFree": "1%",
        },
        "imageGCHighThresholdPercent": 100,
        // These two ask for no more than a process without CAP_SYS_RESOURCE may have.
        "oomScoreAdj": 0,
        "maxOpenFiles": 20000,
        "serializeImagePulls": false,
        "syncFrequency": "10s",
        "nodeStatusUpdateFrequency": "4s",
        "shutdownGracePeriod": "0s",
    })
}

fn proxy_config(site: &Site) -> Value {
    json!({
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": { "kubeconfig": site.path("proxy.kubeconfig") },
        "clusterCIDR": POD_NETWORK,
        "hostnameOverride": NAME,
        "mode": "iptables",
        "oomScoreAdj": 0,
        // The table's size is the machine's own and stays what it is.
        "conntrack": { "maxPerCore": 0, "min": 0 },
        "iptables": { "minSyncPeriod": "200ms" },
    })
}

fn containerd_config(site: &Site, tools: &Tools) -> Result<String> {
    let runc = obstacle::find("runc").context("there is no `runc` on PATH")?;
    let bridge = tools.program("bridge");
    let plugins = bridge.parent().context("a program is in a folder")?;
    let (root, state, socket) = (site.path("containerd"), "/run/containerd", containerd_socket(site));
    let networks = site.path("cni.d");
    Ok(format!(
        r#"version = 3
root = {root:?}
state = {state:?}
[grpc]
address = {socket:?}
[plugins."io.containerd.cri.v1.images"]
snapshotter = "overlayfs"
[plugins."io.containerd.cri.v1.images".pinned_images]
sandbox = {PAUSE:?}
[plugins."io.containerd.cri.v1.runtime"]
restrict_oom_score_adj = true
disable_hugetlb_controller = true
tolerate_missing_hugetlb_controller = true
disable_apparmor = true
[plugins."io.containerd.cri.v1.runtime".cni]
bin_dirs = [{plugins:?}]
conf_dir = {networks:?}
[plugins."io.containerd.cri.v1.runtime".containerd]
default_runtime_name = "runc"
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
BinaryName = {runc:?}
SystemdCgroup = false
"#
    ))
}
