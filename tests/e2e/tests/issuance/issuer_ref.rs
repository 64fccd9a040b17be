//! Which issuer an issuerRef means that says no kind.

use anyhow::{Result, ensure};
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use serde_json::json;
use signet_api::labels;
use signet_e2e::Stage;

/// The kind of the issuer, by what the Secret says.
async fn kind_of_issuer(stage: &Stage<'_>) -> Result<String> {
    let secret = stage.api::<Secret>().get("web-tls").await?;
    Ok(secret.annotations().get(labels::ISSUER_KIND).cloned().unwrap_or_default())
}

#[tokio::test]
async fn the_issuer_of_the_namespace_comes_before_the_cluster_issuer() -> Result<()> {
    let (without, with) = (Stage::shared("ref").await?, Stage::shared("ref").await?);
    let name = without.namespace.clone();
    let cluster_issuer = format!(
        "apiVersion: cert-manager.io/v1\nkind: ClusterIssuer\nmetadata: {{name: {name}}}\nspec: {{selfSigned: {{}}}}"
    );
    without.lab.apply(&cluster_issuer).await?;
    without.cluster_issuer_ready(&name).await?;
    with.self_signed_issuer(&name).await?;

    for (stage, kind) in [(&without, "ClusterIssuer"), (&with, "Issuer")] {
        stage.issue("web", json!({ "dnsNames": [stage.domain], "issuerRef": { "name": name } })).await?;
        let used = kind_of_issuer(stage).await?;
        ensure!(used == kind, "{} used a {used}", stage.namespace);
    }
    Ok(())
}
