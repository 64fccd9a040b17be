//! TLS-ALPN-01 without a node: names lead straight to Signet's port 443. What leads there in a cluster is made
//! all the same, and looked at.

mod answers;
mod failures;
mod handshake;
mod issuance;

use anyhow::Result;
use serde_json::{Value, json};
use signet_e2e::Stage;

/// A solver that makes nothing.
fn direct() -> Value {
    json!({ "tlsALPN01": { "service": { "type": "None" } } })
}

/// Leads a name to where Signet answers, and nowhere else.
async fn lead(stage: &Stage<'_>, name: &str) -> Result<()> {
    stage.lab.clear_a(name).await?;
    stage.lab.add_a(name, &stage.lab.site().tls_alpn01().ip().to_string()).await
}
