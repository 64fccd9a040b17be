//! Issuers and ClusterIssuers as one: what is read of both, and written to both.

use anyhow::{Context, Result, anyhow};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::Value;
use signet_api::{ClusterIssuer, Issuer, IssuerSpec, IssuerStatus};

use crate::args::IssuerKind;
use crate::cluster::{Cluster, is_missing, sentence};

/// An issuer of either kind.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// `Issuer` or `ClusterIssuer`.
    pub(crate) kind: &'static str,
    pub(crate) metadata: ObjectMeta,
    pub(crate) spec: IssuerSpec,
    pub(crate) status: IssuerStatus,
}

/// The issuers of a kind, where a person looks.
pub(crate) enum Issuers {
    Local { api: Api<Issuer>, namespace: String, context: String },
    Global { api: Api<ClusterIssuer>, context: String },
}

impl Issuers {
    pub(crate) fn new(cluster: &Cluster, kind: IssuerKind) -> Self {
        let (client, context) = (cluster.client.clone(), cluster.context.clone());
        match kind {
            IssuerKind::Issuer => {
                let namespace = cluster.namespace.clone();
                Self::Local { api: Api::namespaced(client, &namespace), namespace, context }
            }
            IssuerKind::Clusterissuer => Self::Global { api: Api::all(client), context },
        }
    }

    /// `Issuer team-a/web`, `ClusterIssuer web`.
    pub(crate) fn place(&self, name: &str) -> String {
        match self {
            Self::Local { namespace, .. } => format!("Issuer {namespace}/{name}"),
            Self::Global { .. } => format!("ClusterIssuer {name}"),
        }
    }

    /// Reads one; the error names it.
    pub(crate) async fn get(&self, name: &str) -> Result<Found> {
        let found = match self {
            Self::Local { api, .. } => api.get(name).await.map(|Issuer { metadata, spec, status }| Found {
                kind: "Issuer",
                metadata,
                spec,
                status: status.unwrap_or_default(),
            }),
            Self::Global { api, .. } => api.get(name).await.map(|ClusterIssuer { metadata, spec, status }| Found {
                kind: "ClusterIssuer",
                metadata,
                spec: spec.0,
                status: status.unwrap_or_default(),
            }),
        };
        let (Self::Local { context, .. } | Self::Global { context, .. }) = self;
        match found {
            Ok(found) => Ok(found),
            Err(error) if is_missing(&error) => {
                Err(anyhow!("{} does not exist in the cluster of context {context}", self.place(name)))
            }
            Err(error) => Err(anyhow!(sentence(&error)))
                .with_context(|| format!("{} can not be read in context {context}", self.place(name))),
        }
    }

    pub(crate) async fn patch_status(
        &self,
        name: &str,
        params: &PatchParams,
        patch: &Patch<&Value>,
    ) -> kube::Result<()> {
        match self {
            Self::Local { api, .. } => api.patch_status(name, params, patch).await.map(drop),
            Self::Global { api, .. } => api.patch_status(name, params, patch).await.map(drop),
        }
    }
}
