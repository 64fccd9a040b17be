//! When each part of a lab is ready: asked again and again until it says so or its process ends.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::config::{KubeConfigOptions, Kubeconfig};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::process::Processes;
use crate::site::Site;

/// How long any one part may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// Waits until `probe` succeeds; fails early, with the end of its log, when the component ends.
pub(crate) async fn wait<F>(processes: &Mutex<Processes>, name: &str, probe: impl Fn() -> F) -> Result<()>
where
    F: Future<Output = Result<()>>,
{
    let deadline = Instant::now() + PATIENCE;
    loop {
        let Err(error) = probe().await else { return Ok(()) };
        processes.lock().await.require_alive(name)?;
        if Instant::now() > deadline {
            return Err(error.context(format!("{name} was not ready after {PATIENCE:?}")));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// An administrator's client for the lab's API server.
pub(crate) async fn client(site: &Site) -> Result<kube::Client> {
    let kubeconfig = Kubeconfig::read_from(site.kubeconfig())?;
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    Ok(kube::Client::try_from(config)?)
}

pub(crate) async fn apiserver(site: &Site) -> Result<()> {
    let request = http_get("/readyz")?;
    let answer = client(site).await?.request_text(request).await?;
    ensure!(answer == "ok", "the API server says {answer}");
    Ok(())
}

/// Namespaces are usable from when the controller manager gives them their ServiceAccount.
pub(crate) async fn default_service_account(site: &Site) -> Result<()> {
    let api = kube::Api::<ServiceAccount>::namespaced(client(site).await?, "default");
    api.get("default").await.map(drop).context("the default namespace has no ServiceAccount yet")
}

fn http_get(path: &str) -> Result<http::Request<Vec<u8>>> {
    match http::Request::get(path).body(Vec::new()) {
        Ok(request) => Ok(request),
        Err(error) => bail!(error),
    }
}
