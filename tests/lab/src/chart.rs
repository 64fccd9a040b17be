//! Installs the real chart and runs its Deployment as a process of the lab: with the arguments,
//! files, environment and ServiceAccount token that it would have in a pod, under the chart's RBAC.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, PodSpec, Secret};
use kube::Api;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::config::Level;
use crate::control::Component;
use crate::controller::NAME;
use crate::lab::Lab;
use crate::node::images;
use crate::pod::{self, Pod, Source};
use crate::site::{Port, Site};
use crate::{control_plane, lab};

/// What holds the CA of the lab's world, for pods.
const WORLD: &str = "lab-world";

/// How to install Signet.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Chart {
    /// The release's namespace.
    pub namespace: String,
    /// Values over the lab's own, which are merged beneath them.
    pub values: Value,
    /// Arguments of the controller after the lab's own; the last of a repeated flag counts.
    pub extra_args: Vec<String>,
    /// Where the controller finds the API server, as a URL: at the lab's own, unless something is in between. A
    /// pod finds it as every pod does.
    pub api_server: Option<String>,
    /// The `signet` program: `$SIGNET_BIN`, or the one that cargo built beside `signet-lab`.
    pub program: Option<PathBuf>,
    /// The folder that the image has as `/plugins`: `$SIGNET_PLUGINS`, or `target/plugins`.
    pub plugins: Option<PathBuf>,
}

impl Default for Chart {
    fn default() -> Self {
        Self {
            namespace: "cert-manager".to_owned(),
            values: json!({}),
            extra_args: Vec::new(),
            api_server: None,
            program: None,
            plugins: None,
        }
    }
}

impl Lab {
    /// Installs or upgrades the chart with helm, and runs what it deploys: in pods where there is a node.
    ///
    /// # Errors
    /// helm refuses, the `signet` program is not built, or the controller does not become ready.
    pub async fn install(&self, chart: &Chart) -> Result<()> {
        let program = signet_program(chart)?;
        if self.site.level == Level::Node {
            let plugins = plugins_folder(&self.site, chart)?;
            images::import_signet(&self.site, &self.tools, &program, &plugins).await?;
            return self.upgrade(chart).await;
        }
        self.helm_install(chart, &lab_values(&self.site, chart), &[]).await?;
        let component = self.render(chart, program).await?;
        if self.status().await?.iter().any(|status| status.name == NAME) {
            self.controller().kill().await?;
        }
        self.run_component(component).await?;
        self.controller().wait_ready().await
    }

    /// Installs or upgrades the chart on a node that has the image, and waits for its pods.
    ///
    /// # Errors
    /// helm refuses, or the pods do not become ready.
    pub async fn upgrade(&self, chart: &Chart) -> Result<()> {
        let map = json!({
            "apiVersion": "v1",
            "kind": "List",
            "items": [
                { "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": chart.namespace } },
                {
                    "apiVersion": "v1",
                    "kind": "ConfigMap",
                    "metadata": { "name": WORLD, "namespace": chart.namespace },
                    "data": { "ca.crt": self.ca_bundle() },
                },
            ],
        });
        self.apply(&map.to_string()).await?;
        self.helm_install(chart, &node_values(&self.site, chart), &["--wait", "--timeout", "2m"]).await
    }

    async fn helm_install(&self, chart: &Chart, lab_values: &Value, flags: &[&str]) -> Result<()> {
        let folder = repository().join("charts/signet");
        let (own, given) = (self.site.path("values-lab.json"), self.site.path("values-given.json"));
        fs::write(&own, lab_values.to_string())?;
        fs::write(&given, chart.values.to_string())?;
        let text = |path: &Path| path.display().to_string();
        let args = ["upgrade", "--install", "signet", &text(&folder), "--namespace", &chart.namespace];
        let values = ["--create-namespace", "--values", &text(&own), "--values", &text(&given)];
        self.helm(args.iter().chain(&values).chain(flags)).await.map(drop)
    }

    /// Reads the Deployment back and makes of it what a kubelet would.
    async fn render(&self, chart: &Chart, program: PathBuf) -> Result<Component> {
        let api = Api::<Deployment>::namespaced(self.client().await, &chart.namespace);
        let deployments = api.list(&kube::api::ListParams::default()).await?;
        ensure!(deployments.items.len() == 1, "the chart made {} Deployments, not one", deployments.items.len());
        let deployment = deployments.items.into_iter().next().and_then(|deployment| deployment.spec);
        let spec = deployment.and_then(|spec| spec.template.spec).context("the Deployment has a pod template")?;
        let container = spec.containers.first().context("the Deployment has a container")?;
        let mut environment = pod::environment(container, &Pod { name: "signet-0", namespace: &chart.namespace })?;
        // The lab's CA stands among the roots that the system trusts, so manifests need no caBundle.
        environment.insert("SSL_CERT_FILE".to_owned(), self.site.path("pki/world/ca.crt").display().to_string());
        let mut folders = self.fill_volumes(chart, &spec).await?;
        folders.push(("/plugins".to_owned(), plugins_folder(&self.site, chart)?));
        let mut args = pod::arguments(container, &environment, &folders);
        args.push(format!("--kubeconfig={}", self.service_account_kubeconfig(chart, &spec).await?.display()));
        Ok(Component { name: NAME.to_owned(), program, args, env: environment })
    }

    /// Puts what the container's volumes hold into folders, by their mount paths.
    async fn fill_volumes(&self, chart: &Chart, spec: &PodSpec) -> Result<Vec<(String, PathBuf)>> {
        let mut folders = Vec::new();
        let container = spec.containers.first().context("the Deployment has a container")?;
        for (number, mount) in pod::mounts(spec, container)?.into_iter().enumerate() {
            let folder = self.site.path("volumes").join(number.to_string());
            fs::create_dir_all(&folder)?;
            for (file, content) in self.volume_files(&chart.namespace, &mount.source).await? {
                fs::write(folder.join(file), content)?;
            }
            folders.push((mount.at, folder));
        }
        Ok(folders)
    }

    async fn volume_files(&self, namespace: &str, source: &Source) -> Result<BTreeMap<String, Vec<u8>>> {
        let client = self.client().await;
        Ok(match source {
            Source::Empty => BTreeMap::new(),
            Source::ConfigMap(name) => {
                let map = Api::<ConfigMap>::namespaced(client, namespace).get(name).await?;
                let text = map.data.unwrap_or_default().into_iter().map(|(file, text)| (file, text.into_bytes()));
                let binary = map.binary_data.unwrap_or_default().into_iter().map(|(file, bytes)| (file, bytes.0));
                text.chain(binary).collect()
            }
            Source::Secret(name) => {
                let secret = Api::<Secret>::namespaced(client, namespace).get(name).await?;
                secret.data.unwrap_or_default().into_iter().map(|(file, bytes)| (file, bytes.0)).collect()
            }
        })
    }

    /// A kubeconfig that authenticates as the pod's ServiceAccount.
    async fn service_account_kubeconfig(&self, chart: &Chart, spec: &PodSpec) -> Result<PathBuf> {
        let account = spec.service_account_name.as_deref().unwrap_or("default");
        let args = ["create", "token", account, "--namespace", &chart.namespace, "--duration=48h"];
        let token = self.kubectl(args).await?;
        let path = self.site.path("controller.kubeconfig");
        let user = json!({ "token": token.trim() });
        let mut kubeconfig = control_plane::kubeconfig(&self.site, &user);
        if let Some(url) = &chart.api_server {
            kubeconfig["clusters"][0]["cluster"]["server"] = json!(url);
        }
        fs::write(&path, kubeconfig.to_string())?;
        Ok(path)
    }
}

/// What a lab must tell the controller: where it may listen, and that the world's names and
/// certificates are the lab's.
fn lab_values(site: &Site, chart: &Chart) -> Value {
    let dns = site.at(Port::Dns).to_string();
    let mut args = vec![
        format!("--metrics-listen-address={}", site.at(Port::Metrics)),
        format!("--healthz-listen-address={}", site.at(Port::Health)),
        format!("--http01-listen-address={}", site.at(Port::Http01)),
        format!("--tls-alpn01-listen-address={}", site.tls_alpn01()),
        format!("--acme-http01-solver-nameservers={dns}"),
        format!("--plugin-http-nameservers={dns}"),
        format!("--plugin-http-ca-bundle={}", site.path("pki/world/ca.crt").display()),
    ];
    args.extend(chart.extra_args.iter().cloned());
    json!({
        "dns01RecursiveNameservers": [dns],
        "extraArgs": args,
        // The cloud API is on loopback, where no plugin may go unless its operator says so.
        "plugins": { "grants": { "route53": { "networks": ["127.0.0.0/8"] } } },
    })
}

/// What a pod must be told: that the world's certificates are the lab's. Names it finds as any pod does.
fn node_values(site: &Site, chart: &Chart) -> Value {
    let file = format!("/etc/{WORLD}/ca.crt");
    let mut args = vec![format!("--plugin-http-ca-bundle={file}")];
    args.extend(chart.extra_args.iter().cloned());
    json!({
        "image": { "repository": images::SIGNET.0, "tag": images::SIGNET.1 },
        "extraArgs": args,
        "extraEnv": [{ "name": "SSL_CERT_FILE", "value": file }],
        "volumes": [{ "name": WORLD, "configMap": { "name": WORLD } }],
        "volumeMounts": [{ "name": WORLD, "mountPath": format!("/etc/{WORLD}"), "readOnly": true }],
        // The cloud API has a private address, where no plugin may go unless its operator says so.
        "plugins": { "grants": { "route53": { "networks": [format!("{}/32", site.world())] } } },
    })
}

fn signet_program(chart: &Chart) -> Result<PathBuf> {
    let given = chart.program.clone().or_else(|| std::env::var_os("SIGNET_BIN").map(PathBuf::from));
    let program = match given {
        Some(program) => program,
        None => lab::build_folder()?.join("signet"),
    };
    let built = "build it with `cargo build -p signet-controller`, or name another in SIGNET_BIN";
    ensure!(program.exists(), "there is no program {}: {built}", program.display());
    Ok(program)
}

/// The plugins of the image; an empty folder when none are built, and then every solver is unknown.
fn plugins_folder(site: &Site, chart: &Chart) -> Result<PathBuf> {
    let given = chart.plugins.clone().or_else(|| std::env::var_os("SIGNET_PLUGINS").map(PathBuf::from));
    let folder = given.unwrap_or_else(|| repository().join("target/plugins"));
    if folder.is_dir() {
        return Ok(folder);
    }
    let empty = site.path("no-plugins");
    fs::create_dir_all(&empty)?;
    Ok(empty)
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
