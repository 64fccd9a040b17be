//! The connection to the cluster, and its errors as sentences.

use anyhow::{Result, anyhow};
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};

use crate::args::Connection;

/// A cluster, and where in it a person looks.
pub(crate) struct Cluster {
    pub(crate) client: Client,
    pub(crate) namespace: String,
    /// The kubeconfig's name for it.
    pub(crate) context: String,
}

impl Cluster {
    /// Reads the kubeconfig. Nothing is sent yet.
    pub(crate) async fn connect(connection: &Connection) -> Result<Self> {
        // An error means that one is installed already, which is as good.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let Connection { namespace, context, kubeconfig } = connection;
        let (config, context) = match (kubeconfig, context) {
            (Some(file), _) => from(Kubeconfig::read_from(file).map_err(unreadable)?, context).await?,
            (None, Some(_)) => from(Kubeconfig::read().map_err(unreadable)?, context).await?,
            (None, None) => match Kubeconfig::read() {
                Ok(kubeconfig) => from(kubeconfig, context).await?,
                // As kubectl does in a pod.
                Err(error) => match Config::incluster() {
                    Ok(config) => (config, "of this pod".to_owned()),
                    Err(_) => return Err(unreadable(error)),
                },
            },
        };
        let namespace = namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
        let client = Client::try_from(config).map_err(|error| anyhow!(sentence(&error)))?;
        Ok(Self { client, namespace, context })
    }
}

async fn from(kubeconfig: Kubeconfig, context: &Option<String>) -> Result<(Config, String)> {
    let name = context.clone().or_else(|| kubeconfig.current_context.clone());
    let options = KubeConfigOptions { context: context.clone(), ..KubeConfigOptions::default() };
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(|error| match error {
        KubeconfigError::CurrentContextNotSet => {
            anyhow!("the kubeconfig has no current context; name one with --context")
        }
        KubeconfigError::LoadContext(name) => anyhow!("the kubeconfig has no context {name}"),
        KubeconfigError::LoadClusterOfContext(cluster) => anyhow!("the kubeconfig has no cluster {cluster}"),
        other => unreadable(other),
    })?;
    Ok((config, name.unwrap_or_default()))
}

fn unreadable(error: KubeconfigError) -> anyhow::Error {
    match error {
        KubeconfigError::ReadConfig(source, path) => {
            anyhow!("the kubeconfig {} can not be read: {source}", path.display())
        }
        KubeconfigError::FindPath => anyhow!("there is no kubeconfig: neither $KUBECONFIG nor a home folder is set"),
        // Their Display holds the source already.
        other => anyhow!("the kubeconfig can not be used: {other}"),
    }
}

/// What the API server said, or why it said nothing.
pub(crate) fn sentence(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) if status.code == 401 => {
            "the API server does not accept the credentials of this kubeconfig".to_owned()
        }
        kube::Error::Api(status) if is_unknown_kind(error) => {
            format!("the API server does not know this kind of object; is Signet installed? ({})", status.message)
        }
        kube::Error::Api(status) => status.message.clone(),
        kube::Error::Auth(error) => format!("the kubeconfig's credentials can not be used: {}", innermost(error)),
        other => format!("the API server can not be reached: {}", innermost(other)),
    }
}

/// Whether a 404 is about the kind and not about the object: the API server then names no object.
pub(crate) fn is_unknown_kind(error: &kube::Error) -> bool {
    let kube::Error::Api(status) = error else { return false };
    status.code == 404 && status.details.as_ref().is_none_or(|details| details.name.is_empty())
}

/// Whether the object does not exist.
pub(crate) fn is_missing(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 404) && !is_unknown_kind(error)
}

/// The cause at the end of the chain: the layers above it only name themselves.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    #[test]
    fn errors_are_sentences() {
        let api = |code, message: &str| kube::Error::Api(Status::failure(message, "").with_code(code).boxed());
        let unknown = api(404, "404 page not found");
        assert!(is_unknown_kind(&unknown) && !is_missing(&unknown));
        for (error, wanted) in [
            (api(401, "Unauthorized"), "the API server does not accept the credentials of this kubeconfig"),
            (api(403, "certificates is forbidden"), "certificates is forbidden"),
            (unknown, "the API server does not know this kind of object; is Signet installed? (404 page not found)"),
            (
                kube::Error::ReadEvents(std::io::Error::other("connection refused")),
                "the API server can not be reached: connection refused",
            ),
        ] {
            assert_eq!(sentence(&error), wanted);
        }
    }
}
