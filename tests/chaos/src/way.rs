//! The ways to a certificate, each with an issuer of its own.

use std::fmt;

use anyhow::Result;
use serde_json::{Value, json};
use signet_e2e::Stage;
use signet_lab::Lab;

/// The hosted zone of DNS-01. It has no addresses, so HTTP-01 is elsewhere.
pub(crate) const ZONE: &str = "chaos.example";

/// A way to a certificate; its name is that of a ClusterIssuer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// By the plugin `ingress`.
    Http01,
    /// By the plugin `route53`.
    Dns01,
    /// By the plugin `service`.
    TlsAlpn01,
    /// Without a CA.
    SelfSigned,
}

/// All of them.
pub const WAYS: [Way; 4] = [Way::Http01, Way::Dns01, Way::TlsAlpn01, Way::SelfSigned];

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http01 => "http01",
            Self::Dns01 => "dns01",
            Self::TlsAlpn01 => "tlsalpn01",
            Self::SelfSigned => "selfsigned",
        })
    }
}

/// Makes the ClusterIssuer of a way, and waits until it is Ready.
pub(crate) async fn make_issuer(lab: &Lab, way: Way) -> Result<()> {
    let (stage, name) = (Stage::on(lab, "issuer").await?, way.to_string());
    let spec = match way {
        Way::SelfSigned => json!({ "selfSigned": {} }),
        Way::Http01 => {
            json!({ "acme": stage.acme(&name, json!({ "http01": { "ingress": { "ingressClassName": "nginx" } } })) })
        }
        Way::Dns01 => json!({ "acme": stage.acme(&name, route53(lab).await?) }),
        Way::TlsAlpn01 => json!({ "acme": stage.acme(&name, json!({ "tlsALPN01": { "service": {} } })) }),
    };
    let issuer = json!({
        "apiVersion": "cert-manager.io/v1",
        "kind": "ClusterIssuer",
        "metadata": { "name": name },
        "spec": spec,
    });
    lab.apply(&issuer.to_string()).await?;
    stage.cluster_issuer_ready(&name).await
}

/// A solver that may change the one hosted zone, made now.
async fn route53(lab: &Lab) -> Result<Value> {
    let zone = lab.create_hosted_zone(ZONE).await?;
    let allow = json!({ "Effect": "Allow", "Action": "route53:*", "Resource": "*" });
    let key = lab.create_iam_user("chaos", &json!({ "Version": "2012-10-17", "Statement": [allow] })).await?;
    let secret = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": { "name": "aws", "namespace": "cert-manager" },
        "stringData": { "id": key.access_key_id, "secret": key.secret_access_key },
    });
    lab.apply(&secret.to_string()).await?;
    Ok(signet_e2e::route53_solver(&zone))
}
