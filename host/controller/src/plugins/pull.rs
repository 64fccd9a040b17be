//! Fetches what a ConfigMap only names: the one layer of an OCI artifact that is a component.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use futures::TryStreamExt;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};
use oci_client::client::{Certificate, CertificateEncoding, ClientConfig};
use oci_client::errors::OciDistributionError;
use oci_client::manifest::{OCI_IMAGE_MEDIA_TYPE, OciDescriptor};
use oci_client::secrets::RegistryAuth;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use signet_plugins::{Artifact, ArtifactError, Layer, Login, PluginSource, SourceError};

use crate::error::sentence;
use crate::flags::variable;

/// How long a registry may take to answer, and for a component that trickles.
const ANSWER: Duration = Duration::from_secs(10);
const WHOLE: Duration = Duration::from_secs(60);
/// The key of a Secret with registries' credentials.
const DOCKER_CONFIG: &str = ".dockerconfigjson";

/// Why a component did not come.
#[derive(Debug, thiserror::Error)]
pub(super) enum PullError {
    #[error("read Secret {secret}, which pullSecret names")]
    ReadSecret { secret: String, source: Box<kube::Error> },
    #[error(
        "find Secret {0}, which pullSecret names: there is none; make one with kubectl create secret docker-registry"
    )]
    FindSecret(String),
    #[error(
        "read Secret {0}, which pullSecret names: it has no key .dockerconfigjson; make one with kubectl create secret \
         docker-registry"
    )]
    FindLogins(String),
    #[error("read Secret {secret}, which pullSecret names")]
    ReadLogins { secret: String, source: ArtifactError },
    #[error("pull {reference}")]
    Ask { reference: String, source: Box<OciDistributionError> },
    #[error(
        "pull {reference}: the registry refuses it to {who}; name a Secret of type kubernetes.io/dockerconfigjson that \
         may read it in pullSecret"
    )]
    Refused { reference: String, who: String },
    #[error("pull {reference}")]
    Understand { reference: String, source: ArtifactError },
    #[error("pull {reference}: it took longer than {} s", WHOLE.as_secs())]
    Wait { reference: String },
    #[error("pull {reference}: the registry sends other bytes than the manifest says")]
    Compare { reference: String },
    #[error(transparent)]
    Source(SourceError),
}

impl PullError {
    /// A word for events and logs.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::ReadSecret { .. } | Self::FindSecret(_) | Self::FindLogins(_) | Self::ReadLogins { .. } => {
                "InvalidPullSecret"
            }
            Self::Refused { .. } => "NotAuthorized",
            Self::Ask { .. } | Self::Wait { .. } | Self::Compare { .. } => "NotPulled",
            Self::Understand { .. } => "InvalidArtifact",
            Self::Source(error) => error.reason(),
        }
    }

    pub(super) fn sentence(&self) -> String {
        sentence(self)
    }
}

/// Pulls from registries.
#[derive(Clone)]
pub(crate) struct Puller {
    cluster: Client,
    /// In DER; trusted beside the system's.
    roots: Vec<Vec<u8>>,
}

impl Puller {
    /// Trusts the certificates in `ca_bundle`, in PEM, beside the system's.
    pub(crate) fn new(cluster: Client, ca_bundle: Option<&Path>) -> anyhow::Result<Self> {
        let mut roots = Vec::new();
        if let Some(path) = ca_bundle {
            let certificates = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
            let certificates = certificates.with_context(|| format!("could not read {}", path.display()))?;
            roots = certificates.iter().map(|certificate| certificate.to_vec()).collect();
        }
        Ok(Self { cluster, roots })
    }

    /// For one pull: a client that has been let in by a registry keeps that in mind, whoever asks next.
    fn client(&self) -> Result<oci_client::Client, OciDistributionError> {
        let root = |data: &Vec<u8>| Certificate { encoding: CertificateEncoding::Der, data: data.clone() };
        oci_client::Client::try_from(ClientConfig {
            extra_root_certificates: self.roots.iter().map(root).collect(),
            connect_timeout: Some(ANSWER),
            read_timeout: Some(ANSWER),
            user_agent: concat!("signet/", env!("CARGO_PKG_VERSION")),
            https_proxy: variable(["HTTPS_PROXY", "https_proxy"]),
            no_proxy: variable(["NO_PROXY", "no_proxy"]),
            // A component is for no platform.
            platform_resolver: None,
            ..ClientConfig::default()
        })
    }

    /// The plugin that `artifact`, of a ConfigMap in `namespace`, leads to.
    pub(super) async fn pull(&self, artifact: &Artifact, namespace: &str) -> Result<PluginSource, PullError> {
        let reference = artifact.reference.whole();
        let wasm = tokio::time::timeout(WHOLE, self.component(artifact, namespace));
        let wasm = wasm.await.map_err(|_| PullError::Wait { reference })??;
        artifact.clone().with_component(wasm).map_err(PullError::Source)
    }

    async fn component(&self, artifact: &Artifact, namespace: &str) -> Result<Vec<u8>, PullError> {
        let (reference, whole) = (&artifact.reference, artifact.reference.whole());
        let login = match &artifact.pull_secret {
            Some(secret) => Some(self.login(namespace, secret, reference.registry()).await?),
            None => None,
        };
        let who =
            login.as_ref().map_or("those who do not log in".to_owned(), |login| format!("user {}", login.username));
        let auth = login.map_or(RegistryAuth::Anonymous, |login| RegistryAuth::Basic(login.username, login.password));
        let failed = |error: OciDistributionError| match error {
            OciDistributionError::UnauthorizedError { .. } | OciDistributionError::AuthenticationFailure(_) => {
                PullError::Refused { reference: whole.clone(), who: who.clone() }
            }
            error => PullError::Ask { reference: whole.clone(), source: Box::new(error) },
        };
        let client = self.client().map_err(&failed)?;
        let asked = client.pull_manifest_raw(reference, &auth, &[OCI_IMAGE_MEDIA_TYPE]).await;
        let (manifest, _) = asked.map_err(&failed)?;
        let understand = |source| PullError::Understand { reference: whole.clone(), source };
        let layer = Layer::of_manifest(&manifest).map_err(understand)?;
        let descriptor = OciDescriptor { digest: layer.digest.clone(), ..OciDescriptor::default() };
        let mut blob = client.pull_blob_stream(reference, &descriptor).await.map_err(&failed)?.stream;
        let mut wasm = Vec::new();
        // The client compares digests, at the end: that there is an end is seen to here.
        while let Some(part) = blob.try_next().await.map_err(|error| failed(error.into()))? {
            wasm.extend_from_slice(&part);
            if wasm.len() as u64 > layer.size {
                return Err(PullError::Compare { reference: whole.clone() });
            }
        }
        Ok(wasm)
    }

    async fn login(&self, namespace: &str, name: &str, registry: &str) -> Result<Login, PullError> {
        let secret = format!("{namespace}/{name}");
        let found = Api::<Secret>::namespaced(self.cluster.clone(), namespace).get_opt(name).await;
        let found =
            found.map_err(|source| PullError::ReadSecret { secret: secret.clone(), source: Box::new(source) })?;
        let data = found.ok_or_else(|| PullError::FindSecret(secret.clone()))?.data.unwrap_or_default();
        let config = data.get(DOCKER_CONFIG).ok_or_else(|| PullError::FindLogins(secret.clone()))?;
        Login::in_docker_config(&config.0, registry).map_err(|source| PullError::ReadLogins { secret, source })
    }
}
