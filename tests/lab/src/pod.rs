//! What the kubelet would make of a Deployment, for a lab without nodes: its container's arguments
//! and environment, with the volumes in folders of the lab and the paths to them rewritten.
//!
//! Pure; `chart` reads the objects and writes the folders.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use k8s_openapi::api::core::v1::{Container, EnvVar, PodSpec};

/// Documentation's own address (RFC 5737): EndpointSlices refuse the loopback one.
const POD_IP: &str = "192.0.2.10";

/// What a volume is filled from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    ConfigMap(String),
    Secret(String),
    Empty,
}

/// Where a container sees a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mount {
    pub(crate) at: String,
    pub(crate) source: Source,
}

/// What the container is told about the pod that it would be in.
pub(crate) struct Pod<'a> {
    pub(crate) name: &'a str,
    pub(crate) namespace: &'a str,
}

pub(crate) fn mounts(spec: &PodSpec, container: &Container) -> Result<Vec<Mount>> {
    let mount = |name: &str, at: &str| {
        let volume = spec.volumes.iter().flatten().find(|volume| volume.name == name);
        let volume =
            volume.with_context(|| format!("the Deployment mounts the volume {name:?} and does not have it"))?;
        let source = if let Some(map) = &volume.config_map {
            Source::ConfigMap(map.name.clone())
        } else if let Some(secret) = &volume.secret {
            Source::Secret(secret.secret_name.clone().unwrap_or_default())
        } else if volume.empty_dir.is_some() {
            Source::Empty
        } else {
            bail!("the volume {name:?} is of a kind that the lab does not know")
        };
        Ok(Mount { at: at.trim_end_matches('/').to_owned(), source })
    };
    container.volume_mounts.iter().flatten().map(|volume| mount(&volume.name, &volume.mount_path)).collect()
}

/// The container's environment as its process would see it.
pub(crate) fn environment(container: &Container, pod: &Pod<'_>) -> Result<BTreeMap<String, String>> {
    let value = |variable: &EnvVar| {
        let Some(source) = &variable.value_from else { return Ok(variable.value.clone().unwrap_or_default()) };
        let field = source.field_ref.as_ref().map(|field| field.field_path.as_str());
        Ok(match field {
            Some("metadata.name") => pod.name.to_owned(),
            Some("metadata.namespace") => pod.namespace.to_owned(),
            Some("status.podIP" | "status.hostIP") => POD_IP.to_owned(),
            _ => bail!("the lab cannot give the environment variable {} its value", variable.name),
        })
    };
    let variables = container.env.iter().flatten();
    variables.map(|variable| Ok((variable.name.clone(), value(variable)?))).collect()
}

/// The arguments, with `$(NAME)` replaced, paths led to `folders`, and only the last of a flag that
/// is given again: so what the lab adds overrules what the chart says.
pub(crate) fn arguments(
    container: &Container,
    environment: &BTreeMap<String, String>,
    folders: &[(String, PathBuf)],
) -> Vec<String> {
    let expand = |argument: &String| {
        environment.iter().fold(argument.clone(), |text, (name, value)| text.replace(&format!("$({name})"), value))
    };
    let all: Vec<String> =
        container.args.iter().flatten().map(|argument| rewrite(&expand(argument), folders)).collect();
    let overruled = |place: usize| {
        let flag = |text: &str| text.split_once('=').map(|(flag, _)| flag.to_owned());
        let this = flag(&all[place]);
        this.is_some() && all[place + 1..].iter().any(|later| flag(later) == this)
    };
    (0..all.len()).filter(|place| !overruled(*place)).map(|place| all[place].clone()).collect()
}

/// Leads the path in `--flag=path` into the folder that stands for its mount.
fn rewrite(argument: &str, folders: &[(String, PathBuf)]) -> String {
    let Some((flag, path)) = argument.split_once('=') else { return argument.to_owned() };
    let led = folders.iter().find_map(|(at, folder)| {
        let rest = Path::new(path).strip_prefix(at).ok()?;
        Some(if rest.as_os_str().is_empty() { folder.clone() } else { folder.join(rest) })
    });
    led.map_or_else(|| argument.to_owned(), |led| format!("{flag}={}", led.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const POD_SPEC: &str = r#"{
        "containers": [{
            "name": "controller",
            "args": ["controller", "--a=$(POD_NAMESPACE)", "--grants=/etc/signet/grants.yaml", "--listen=0.0.0.0:80",
                     "--plugin-dir=/plugins", "--leader-elect", "--listen=127.0.0.2:80"],
            "env": [{"name": "POD_NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
                    {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
                    {"name": "PLAIN", "value": "x"}],
            "volumeMounts": [{"name": "grants", "mountPath": "/etc/signet"}]}],
        "volumes": [{"name": "grants", "configMap": {"name": "signet-grants"}}]}"#;

    #[test]
    fn a_deployment_becomes_a_process() {
        let spec: PodSpec = serde_json::from_str(POD_SPEC).unwrap();
        let container = &spec.containers[0];
        let environment = environment(container, &Pod { name: "signet-0", namespace: "cert-manager" }).unwrap();
        let folders = [("/etc/signet".into(), "/lab/grants".into()), ("/plugins".into(), "/target/plugins".into())];
        let expected = [
            "controller",
            "--a=cert-manager",
            "--grants=/lab/grants/grants.yaml",
            "--plugin-dir=/target/plugins",
            "--leader-elect",
            "--listen=127.0.0.2:80",
        ];
        assert_eq!(arguments(container, &environment, &folders), expected);
        assert_eq!((environment["POD_IP"].as_str(), environment["PLAIN"].as_str()), ("192.0.2.10", "x"));
        let mount = Mount { at: "/etc/signet".into(), source: Source::ConfigMap("signet-grants".into()) };
        assert_eq!(mounts(&spec, container).unwrap(), [mount]);
    }
}
