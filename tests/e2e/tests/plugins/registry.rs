//! A registry of OCI artifacts, as a process of the lab, that lets one user in.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::api::events::v1::Event;
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt};
use oci_client::client::{Certificate, CertificateEncoding, Client, ClientConfig, Config, ImageLayer};
use oci_client::secrets::RegistryAuth;
use serde_json::{Value, json};
use signet_api::labels;
use signet_e2e::BOUND;
use signet_lab::{Component, Lab, Tools};
use tokio::net::TcpStream;

use crate::component::{NAMESPACE, Plugin};

const COMPONENT: &str = "registry";
const PORT: u16 = 5000;
pub(crate) const USER: &str = "anna";
const PASSWORD: &str = "secret";
/// The password's hash, as htpasswd -B makes it.
const HASH: &str = "$2a$04$Ctczfuov2vRylNNsyRMxs.1mkf8k5YNCQj9d0qvA3Is4iuohgjs9e";

/// A handle on the registry.
pub(crate) struct Registry<'a> {
    lab: &'a Lab,
    client: Client,
}

impl<'a> Registry<'a> {
    /// Starts it.
    pub(crate) async fn start(lab: &'a Lab) -> Result<Self> {
        let site = lab.site();
        let (users, settings) = (site.path("registry.users"), site.path("registry.json"));
        std::fs::write(&users, format!("{USER}:{HASH}\n"))?;
        let address = format!("{}:{PORT}", site.address);
        let config = json!({
            "version": "0.1",
            "storage": { "filesystem": { "rootdirectory": site.path("registry") } },
            "http": { "addr": address, "tls": {
                "certificate": site.path("pki/world/cloud.crt"), "key": site.path("pki/world/cloud.key"),
            }},
            "auth": { "htpasswd": { "realm": "lab", "path": users } },
        });
        std::fs::write(&settings, config.to_string())?;
        let args = vec!["serve".to_owned(), settings.display().to_string()];
        let program = Tools::ready()?.program(COMPONENT);
        lab.run_component(Component { name: COMPONENT.to_owned(), program, args, env: BTreeMap::new() }).await?;
        let listens = async || Ok(Some(TcpStream::connect(&address).await?));
        lab.eventually("the registry listens", BOUND, listens).await?;
        let root =
            Certificate { encoding: CertificateEncoding::Pem, data: std::fs::read(site.path("pki/world/ca.crt"))? };
        let config = ClientConfig { extra_root_certificates: vec![root], ..ClientConfig::default() };
        Ok(Self { lab, client: Client::try_from(config)? })
    }

    /// Pushes a component under a tag; returns the reference that says exactly which it is.
    pub(crate) async fn push(&self, plugin: &Plugin, tag: &str) -> Result<String> {
        let tagged = format!("{}:{PORT}/solvers/hello:{tag}", self.lab.site().address).parse()?;
        let layer = ImageLayer::new(plugin.wasm.clone(), "application/wasm".to_owned(), None);
        let config = Config::new("{}", "application/vnd.wasm.config.v0+json".to_owned(), None);
        let auth = RegistryAuth::Basic(USER.to_owned(), PASSWORD.to_owned());
        self.client.push(&tagged, &[layer], config, &auth, None).await?;
        let digest = self.client.fetch_manifest_digest(&tagged, &auth).await?;
        Ok(format!("{}@{digest}", tagged.whole()))
    }

    /// Makes the Secret that lets Signet in.
    pub(crate) async fn make_pull_secret(&self, name: &str) -> Result<()> {
        let server = format!("--docker-server={}:{PORT}", self.lab.site().address);
        let (user, password) = (format!("--docker-username={USER}"), format!("--docker-password={PASSWORD}"));
        let create = ["create", "secret", "docker-registry", name, "--namespace", NAMESPACE, &server, &user, &password];
        self.lab.kubectl(create).await.map(drop)
    }
}

/// Puts a ConfigMap into the cluster that names what a registry holds.
pub(crate) async fn apply(lab: &Lab, name: &str, data: Value, digest: Option<&str>) -> Result<()> {
    let mut data = data;
    data["grants.yaml"] = json!("networks: [127.0.0.0/8]\n");
    let map = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "data": data,
        "metadata": {
            "name": format!("signet-plugin-{name}"), "labels": { labels::PLUGIN: name },
            "annotations": digest.map(|digest| json!({ labels::PLUGIN_DIGEST: digest })),
        },
    });
    let api = Api::<ConfigMap>::namespaced(lab.client().await, NAMESPACE);
    let force = PatchParams::apply("test").force();
    api.patch(&format!("signet-plugin-{name}"), &force, &Patch::Apply(&map)).await?;
    Ok(())
}

/// Waits for an event about the ConfigMap, of that reason, with all these words.
pub(crate) async fn tells(lab: &Lab, name: &str, reason: &str, words: &[&str]) -> Result<()> {
    let api = Api::<Event>::namespaced(lab.client().await, NAMESPACE);
    let object = format!("signet-plugin-{name}");
    let told = async || {
        let events = api.list(&ListParams::default()).await?.items;
        let about = |event: &&Event| event.regarding.as_ref().and_then(|of| of.name.as_ref()) == Some(&object);
        let found = events.iter().filter(about).find(|event| {
            let note = event.note.clone().unwrap_or_default();
            event.reason.as_deref() == Some(reason) && words.iter().all(|word| note.contains(word))
        });
        found
            .map(ResourceExt::name_any)
            .with_context(|| {
                let notes: Vec<_> = events.iter().filter(about).map(|event| (&event.reason, &event.note)).collect();
                format!("the events are {notes:?}")
            })
            .map(Some)
    };
    lab.eventually(&format!("an event {reason} says {words:?}"), BOUND, told).await.map(drop)
}
