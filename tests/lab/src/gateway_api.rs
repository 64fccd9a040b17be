//! The Gateway API, which a cluster has only where somebody installs it.

use std::time::Duration;

use anyhow::Result;

use crate::lab::Lab;

impl Lab {
    /// Installs the CRDs of the Gateway API, and returns once the API server serves their kinds.
    /// Nothing in a control plane acts on them.
    ///
    /// # Errors
    /// The API server refuses them, or does not serve them within a minute.
    pub async fn install_gateway_api(&self) -> Result<()> {
        let folder = self.tools.gateway_api_manifests().display().to_string();
        self.kubectl(["apply", "--server-side", "--kustomize", &folder]).await?;
        let served = async || self.kubectl(["get", "gateways,httproutes,tlsroutes", "-A"]).await.map(Some);
        self.eventually("the Gateway API is served", Duration::from_secs(60), served).await.map(drop)
    }
}
