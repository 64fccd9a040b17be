//! The Kubernetes control plane: etcd, the API server and the controller manager.

use std::fs;
use std::path::Path;

use anyhow::Result;
use serde_json::json;

use crate::config::Level;
use crate::control::Component;
use crate::pki::Pair;
use crate::site::{Port, Site};
use crate::tools::Tools;

/// Counts every write by user, verb and object, without bodies. The lab's own housekeeping
/// reads are left out, so that the log stays small.
const AUDIT_POLICY: &str = "\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  users: [system:apiserver, system:kube-controller-manager]
  verbs: [get, list, watch]
- level: None
  userGroups: [system:serviceaccounts:kube-system]
- level: None
  nonResourceURLs: ['*']
- level: Metadata
";

/// The controllers that tests rely on where there is no node, so nothing that makes pods.
const CONTROLLERS: &str = "garbage-collector-controller,namespace-controller,serviceaccount-controller,\
    serviceaccount-token-controller,root-ca-certificate-publisher-controller,\
    clusterrole-aggregation-controller,validatingadmissionpolicy-status-controller";

pub(crate) fn write_config(site: &Site) -> Result<()> {
    fs::write(site.path("audit-policy.yaml"), AUDIT_POLICY)?;
    write_kubeconfig(site, &site.kubeconfig(), &client_pair(site, "admin"))?;
    write_user(site, "controller-manager")
}

/// Writes the kubeconfig of a part of the cluster that has a client certificate.
pub(crate) fn write_user(site: &Site, name: &str) -> Result<()> {
    write_kubeconfig(site, &site.path(format!("{name}.kubeconfig")), &client_pair(site, name))
}

pub(crate) fn etcd(site: &Site, tools: &Tools) -> Component {
    let client = format!("http://{}", site.at(Port::EtcdClient));
    let peer = format!("http://{}", site.at(Port::EtcdPeer));
    let flags = [
        ("data-dir", site.path("etcd").display().to_string()),
        ("listen-client-urls", client.clone()),
        ("advertise-client-urls", client),
        ("listen-peer-urls", peer.clone()),
        ("initial-advertise-peer-urls", peer.clone()),
        ("initial-cluster", format!("default={peer}")),
        ("unsafe-no-fsync", "true".to_owned()),
        ("log-level", "warn".to_owned()),
    ];
    Component::new("etcd", tools.program("etcd"), arguments(&flags))
}

pub(crate) fn apiserver(site: &Site, tools: &Tools) -> Component {
    let pki = site.path("pki/cluster");
    let file = |name: &str| pki.join(name).display().to_string();
    let mut flags = vec![
        ("etcd-servers", format!("http://{}", site.at(Port::EtcdClient))),
        ("bind-address", site.listen(Port::ApiServer).ip().to_string()),
        ("secure-port", (Port::ApiServer as u16).to_string()),
        ("client-ca-file", file("ca.crt")),
        ("tls-cert-file", file("apiserver.crt")),
        ("tls-private-key-file", file("apiserver.key")),
        ("service-account-issuer", "https://kubernetes.default.svc".to_owned()),
        ("service-account-key-file", file("tokens.pub")),
        ("service-account-signing-key-file", file("tokens.key")),
        ("service-cluster-ip-range", "10.96.0.0/16".to_owned()),
        ("authorization-mode", "Node,RBAC".to_owned()),
        ("allow-privileged", "true".to_owned()),
        ("audit-policy-file", site.path("audit-policy.yaml").display().to_string()),
        ("audit-log-path", site.log("audit").display().to_string()),
        ("shutdown-delay-duration", "0s".to_owned()),
    ];
    match site.level {
        Level::ControlPlane => flags.extend([
            // Loopback may not be published as an endpoint, and nothing in the lab asks for it.
            ("advertise-address", "192.0.2.1".to_owned()),
            ("endpoint-reconciler-type", "none".to_owned()),
        ]),
        Level::Node => flags.extend([
            ("advertise-address", site.edge().to_string()),
            ("kubelet-certificate-authority", file("ca.crt")),
            ("kubelet-client-certificate", file("kubelet-client.crt")),
            ("kubelet-client-key", file("kubelet-client.key")),
            ("kubelet-preferred-address-types", "InternalIP".to_owned()),
            ("enable-admission-plugins", "NodeRestriction".to_owned()),
        ]),
    }
    Component::new("apiserver", tools.program("kube-apiserver"), arguments(&flags))
}

pub(crate) fn controller_manager(site: &Site, tools: &Tools) -> Component {
    let pki = site.path("pki/cluster");
    let kubeconfig = site.path("controller-manager.kubeconfig").display().to_string();
    let flags = [
        ("kubeconfig", kubeconfig.clone()),
        ("authentication-kubeconfig", kubeconfig.clone()),
        ("authorization-kubeconfig", kubeconfig),
        ("bind-address", site.address.to_string()),
        ("secure-port", (Port::ControllerManager as u16).to_string()),
        ("cert-dir", site.path("controller-manager").display().to_string()),
        ("service-account-private-key-file", pki.join("tokens.key").display().to_string()),
        ("root-ca-file", pki.join("ca.crt").display().to_string()),
        ("use-service-account-credentials", "true".to_owned()),
        ("leader-elect", "false".to_owned()),
        ("controllers", if site.level == Level::Node { "*" } else { CONTROLLERS }.to_owned()),
    ];
    Component::new("controller-manager", tools.program("kube-controller-manager"), arguments(&flags))
}

/// Writes a kubeconfig that authenticates with a client certificate.
fn write_kubeconfig(site: &Site, path: &Path, user: &Pair) -> Result<()> {
    let user = json!({ "client-certificate": user.certificate, "client-key": user.key });
    fs::write(path, kubeconfig(site, &user).to_string())?;
    Ok(())
}

/// A kubeconfig for the lab's API server, with the given `user` entry.
pub(crate) fn kubeconfig(site: &Site, user: &serde_json::Value) -> serde_json::Value {
    let cluster = json!({
        "server": format!("https://{}", site.at(Port::ApiServer)),
        "certificate-authority": site.path("pki/cluster/ca.crt"),
    });
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": "lab", "cluster": cluster }],
        "users": [{ "name": "lab", "user": user }],
        "contexts": [{ "name": "lab", "context": { "cluster": "lab", "user": "lab" } }],
        "current-context": "lab",
    })
}

fn client_pair(site: &Site, file: &str) -> Pair {
    Pair::at(&site.path("pki/cluster"), file)
}

pub(crate) fn arguments(flags: &[(&str, String)]) -> Vec<String> {
    flags.iter().map(|(name, value)| format!("--{name}={value}")).collect()
}
