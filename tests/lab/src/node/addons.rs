//! What makes a node a cluster that people know: DNS for its pods, and a controller for Ingress and Gateway.

use std::fs;
use std::time::Duration;

use anyhow::Result;

use super::{CLUSTER_DNS, images};
use crate::lab::Lab;
use crate::site::NODE;

const COREDNS: &str = include_str!("coredns.yaml");
const KUSTOMIZATION: &str = include_str!("kustomization.yaml");
const GATEWAY: &str = include_str!("gateway.yaml");

/// How long pods may take to be ready on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

impl Lab {
    /// Gives the node DNS and the ingress controller; returns once all of it serves.
    pub(crate) async fn furnish_node(&self) -> Result<()> {
        tokio::try_join!(self.install_coredns(), self.install_contour(), self.name_staging()).map(drop)
    }

    async fn install_coredns(&self) -> Result<()> {
        let dns = COREDNS
            .replace("{image}", images::COREDNS)
            .replace("{address}", CLUSTER_DNS)
            .replace("{world}", &self.site.world().to_string());
        self.apply(&dns).await?;
        self.rolled_out("kube-system", "deployment/coredns").await
    }

    async fn install_contour(&self) -> Result<()> {
        self.install_gateway_api().await?;
        let folder = self.site.path("contour");
        fs::create_dir(&folder)?;
        for manifest in fs::read_dir(self.tools.contour_manifests())? {
            let manifest = manifest?;
            fs::copy(manifest.path(), folder.join(manifest.file_name()))?;
        }
        let (name, tag) = images::ENVOY.rsplit_once(':').unwrap_or((images::ENVOY, "latest"));
        let kustomization = KUSTOMIZATION
            .replace("{envoy_name}", name)
            .replace("{envoy_tag}", tag)
            .replace("{node}", &NODE.to_string());
        fs::write(folder.join("kustomization.yaml"), kustomization)?;
        fs::write(folder.join("gateway.yaml"), GATEWAY)?;
        let folder = folder.display().to_string();
        self.kubectl(["apply", "--server-side", "--kustomize", &folder]).await?;
        self.rolled_out("projectcontour", "deployment/contour").await?;
        self.rolled_out("projectcontour", "daemonset/envoy").await
    }

    /// Waits until a workload has the pods that it should have, and they are ready.
    ///
    /// # Errors
    /// They are not within two minutes.
    pub async fn rolled_out(&self, namespace: &str, workload: &str) -> Result<()> {
        let status = async || {
            let args = ["rollout", "status", workload, "--namespace", namespace, "--timeout=10s"];
            self.kubectl(args).await.map(Some)
        };
        self.eventually(&format!("{workload} in {namespace} is rolled out"), PATIENCE, status).await.map(drop)
    }
}
