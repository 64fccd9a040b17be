//! What a client outside of the cluster gets from the node's ingress controller.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::Pod;
use reqwest::tls::TlsInfo;

use super::images;
use super::obstacle::find;
use crate::control::Component;
use crate::lab::Lab;
use crate::site::Port;

/// A page, and the certificate that it came over.
#[derive(Debug, Clone)]
pub struct Page {
    /// The status of the answer.
    pub status: u16,
    /// The answer.
    pub text: String,
    /// The server's certificate, in DER.
    pub certificate: Vec<u8>,
}

impl Lab {
    /// Gets `https://<host>/` from the ingress controller on a new connection, as a client who trusts `root_pem` alone.
    ///
    /// # Errors
    /// There is no node, nobody answers, or the certificate is not good for the host.
    pub async fn page(&self, host: &str, root_pem: &str) -> Result<Page> {
        let root = reqwest::Certificate::from_pem(root_pem.as_bytes())?;
        let client = reqwest::Client::builder()
            .tls_certs_only([root])
            .tls_info(true)
            .no_proxy()
            .timeout(Duration::from_secs(10))
            .resolve(host, SocketAddr::from(self.site.at(Port::Cloud)))
            .build()?;
        let answer = client.get(format!("https://{host}/")).send().await?;
        let status = answer.status().as_u16();
        let certificate = answer.extensions().get::<TlsInfo>().and_then(TlsInfo::peer_certificate);
        let certificate = certificate.context("the server has a certificate")?.to_vec();
        Ok(Page { status, text: answer.text().await?, certificate })
    }

    /// Kills the processes of a pod's containers, as a crash of theirs would end them.
    ///
    /// # Errors
    /// There is no node, or a container does not run.
    pub async fn kill_containers(&self, pod: &Pod) -> Result<()> {
        let statuses = pod.status.as_ref().and_then(|status| status.container_statuses.as_ref());
        for status in statuses.into_iter().flatten() {
            let id = status.container_id.as_deref().and_then(|id| id.strip_prefix("containerd://"));
            let id = id.with_context(|| format!("the container {} does not run", status.name))?;
            images::ctr(&self.site, &self.tools, &["tasks", "kill", "--signal", "SIGKILL", id]).await?;
        }
        Ok(())
    }

    /// Whether pods are refused a port of each other's, as a NetworkPolicy may do.
    ///
    /// # Errors
    /// There is no node, or no `iptables`.
    pub async fn refuse_port(&self, port: u16, refused: bool) -> Result<()> {
        let (name, change) = if refused { ("refuse", "--insert") } else { ("allow", "--delete") };
        let rule = format!("{change} FORWARD --protocol tcp --dport {port} --jump REJECT --reject-with tcp-reset");
        let program = find("iptables").context("there is no `iptables`")?;
        let args = rule.split(' ').map(str::to_owned).collect();
        let (name, env) = (format!("{name}-{port}"), BTreeMap::new());
        self.run_component(Component { name, program, args, env }).await
    }

    /// Runs pods in a namespace that answer each request with a line, behind a Service `web` on port 80.
    ///
    /// # Errors
    /// There is no node, or they are not ready in time.
    pub async fn deploy_web(&self, namespace: &str) -> Result<()> {
        let labels = serde_json::json!({ "app": "web" });
        let container = serde_json::json!({
            "name": "web", "image": super::PAUSE, "args": ["web", ":8080"],
            "readinessProbe": { "tcpSocket": { "port": 8080 }, "periodSeconds": 1 },
        });
        let list = serde_json::json!({ "apiVersion": "v1", "kind": "List", "items": [
            { "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "web" }, "spec": {
                "selector": { "matchLabels": labels },
                "template": { "metadata": { "labels": labels }, "spec": { "containers": [container] } },
            }},
            { "apiVersion": "v1", "kind": "Service", "metadata": { "name": "web" }, "spec": {
                "selector": labels, "ports": [{ "port": 80, "targetPort": 8080 }],
            }},
        ]});
        let args = ["apply", "--namespace", namespace, "-f", "-"];
        self.run(&self.tools.program("kubectl"), args, Some(&list.to_string())).await?;
        self.rolled_out(namespace, "deployment/web").await
    }
}
