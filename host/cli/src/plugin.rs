//! `kubectl signet plugin`: puts a solver into the cluster, lists those that are there, takes one out.
//!
//! A plugin is a ConfigMap as `charts/signet-plugin` makes it; the controller watches for them. What
//! the file says of itself is read here without running it, so that a person learns at once what it
//! asks for, or why Signet would refuse it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail, ensure};
use k8s_openapi::ByteString;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt};
use signet_package::source::digest;
use signet_package::{
    ChallengeKind, Content, DIGEST, GRANTS, LABEL, Manifest, OperatorGrants, PULL_SECRET, REFERENCE, from_config_map,
};

use crate::args::{Install, Plugin};
use crate::cluster::{Cluster, sentence};

const MANAGER: &str = "kubectl-signet";
const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
const INSTANCE: &str = "app.kubernetes.io/instance";
/// The labels of Signet's own Deployment.
pub(crate) const CONTROLLER: &str = "app.kubernetes.io/name=signet,app.kubernetes.io/component=controller";
/// The API server's bound on what a ConfigMap holds.
const ROOM: usize = 1024 * 1024;

/// Does what is asked for and returns what there is to say. `namespace` is the one that was named.
pub(crate) async fn run(cluster: &Cluster, namespace: Option<&str>, command: &Plugin) -> Result<String> {
    let namespace = match namespace {
        Some(namespace) => namespace.to_owned(),
        None => home(cluster).await?,
    };
    match command {
        Plugin::Install(wanted) => install(cluster, &namespace, wanted).await,
        Plugin::List => list(cluster, &namespace).await,
        Plugin::Remove { name } => remove(cluster, &namespace, name).await,
    }
}

/// The namespace that Signet runs in, which is where it looks for plugins.
async fn home(cluster: &Cluster) -> Result<String> {
    let api = Api::<Deployment>::all(cluster.client.clone());
    let found = api.list(&ListParams::default().labels(CONTROLLER)).await;
    let found = found.map_err(|error| anyhow!(sentence(&error)));
    let found = found.context("could not look for Signet's namespace, name it with --namespace")?;
    let mut namespaces: Vec<_> = found.items.iter().filter_map(ResourceExt::namespace).collect();
    namespaces.dedup();
    match namespaces.as_slice() {
        [one] => Ok(one.clone()),
        [] => bail!("found no Deployment of Signet in this cluster; name its namespace with --namespace"),
        several => bail!("Signet is in several namespaces ({}); name one with --namespace", several.join(", ")),
    }
}

async fn install(cluster: &Cluster, namespace: &str, wanted: &Install) -> Result<String> {
    let Install { file, reference, digest, pull_secret, name, grants } = wanted;
    let granted = grants.as_deref().map(read_grants).transpose()?;
    let text = granted.as_ref().map(|(text, _)| text.clone());
    let (what, map, story) = match (file, reference) {
        (Some(file), _) => {
            let wasm = fs::read(file).with_context(|| format!("could not read {}", file.display()))?;
            let manifest = Manifest::of_component(&wasm).with_context(|| format!("{} is no plugin", file.display()))?;
            let map = holding(name.as_deref().unwrap_or(&manifest.name), namespace, &wasm, text)?;
            let story = story(&manifest, granted.as_ref().map(|(_, grants)| grants));
            (format!("{} {}", manifest.name, manifest.version), map, story)
        }
        (None, Some(reference)) => {
            let name = name.as_deref().context("--reference needs --name")?;
            let map = naming(name, namespace, reference, digest.as_deref(), pull_secret.as_deref(), text)?;
            (name.to_owned(), map, format!("  comes from          {reference}\n"))
        }
        (None, None) => bail!("name a file, or an OCI artifact with --reference"),
    };
    let object = map.name_any();
    let api = Api::<ConfigMap>::namespaced(cluster.client.clone(), namespace);
    let there = api.get_opt(&object).await.map_err(|error| anyhow!(sentence(&error)))?;
    if let Some(there) = &there {
        check_replaceable(there)?;
    }
    let applied = api.patch(&object, &PatchParams::apply(MANAGER), &Patch::Apply(&map)).await;
    applied.map_err(|error| anyhow!("could not apply ConfigMap {namespace}/{object}: {}", sentence(&error)))?;
    let done = if there.is_some() { "replaced in" } else { "installed as" };
    Ok(format!(
        "Plugin {what} is {done} ConfigMap {namespace}/{object}.\n{story}\
         Signet takes it up within seconds; an Issuer that names it says so.\n",
    ))
}

/// The text of a grants file, and what it means.
fn read_grants(file: &Path) -> Result<(String, OperatorGrants)> {
    let text = fs::read_to_string(file).with_context(|| format!("could not read {}", file.display()))?;
    let grants = serde_yaml::from_str(&text);
    Ok((text, grants.with_context(|| format!("could not understand the grants in {}", file.display()))?))
}

/// What `charts/signet-plugin` makes of the same plugin.
fn holding(name: &str, namespace: &str, wasm: &[u8], grants: Option<String>) -> Result<ConfigMap> {
    let packed = zstd::encode_all(wasm, 19).context("could not compress the component")?;
    let size = packed.len() + grants.as_ref().map_or(0, String::len);
    ensure!(
        size <= ROOM,
        "the component is too large: compressed it is {} KiB, and a ConfigMap holds {} KiB. Build it with opt-level = \"z\" \
         and stripped, push it to a registry and name it with --reference, or put the file into the folder of --plugin-dir",
        size.div_ceil(1024),
        ROOM / 1024,
    );
    let digest = format!("sha256:{}", digest(wasm));
    Ok(ConfigMap {
        binary_data: Some([("plugin.wasm.zst".to_owned(), ByteString(packed))].into()),
        ..config_map(name, namespace, Some(&digest), grants.map(|grants| (GRANTS, grants)))
    })
}

/// The same for one that stays in its registry. What Signet would refuse is refused here.
fn naming(
    name: &str,
    namespace: &str,
    reference: &str,
    digest: Option<&str>,
    pull_secret: Option<&str>,
    grants: Option<String>,
) -> Result<ConfigMap> {
    let pull_secret = pull_secret.map(|secret| (PULL_SECRET, secret.to_owned()));
    let grants = grants.map(|grants| (GRANTS, grants));
    let data = [Some((REFERENCE, reference.to_owned())), pull_secret, grants].into_iter().flatten();
    let map = config_map(name, namespace, digest, data);
    content(&map)?;
    Ok(map)
}

fn config_map(
    name: &str,
    namespace: &str,
    digest: Option<&str>,
    data: impl IntoIterator<Item = (&'static str, String)>,
) -> ConfigMap {
    let labels = [(LABEL, name), ("app.kubernetes.io/name", "signet-plugin"), (INSTANCE, name), (MANAGED_BY, MANAGER)];
    let data: BTreeMap<_, _> = data.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    ConfigMap {
        metadata: ObjectMeta {
            name: Some(format!("signet-plugin-{}", name.to_lowercase())),
            namespace: Some(namespace.to_owned()),
            labels: Some(labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into()),
            annotations: digest.map(|digest| [(DIGEST.to_owned(), digest.to_owned())].into()),
            ..ObjectMeta::default()
        },
        data: (!data.is_empty()).then_some(data),
        ..ConfigMap::default()
    }
}

/// Refuses to touch what is no plugin, and what Helm would put back.
fn check_replaceable(map: &ConfigMap) -> Result<()> {
    let (namespace, name) = (map.namespace().unwrap_or_default(), map.name_any());
    ensure!(map.labels().contains_key(LABEL), "ConfigMap {namespace}/{name} holds no plugin, so it is left alone");
    if map.labels().get(MANAGED_BY).is_some_and(|by| by == "Helm") {
        let release = map.labels().get(INSTANCE).map_or("its", String::as_str);
        bail!(
            "ConfigMap {namespace}/{name} belongs to the Helm release {release}: use helm upgrade or helm uninstall {release}"
        );
    }
    Ok(())
}

/// What the plugin does, asks for and gets.
fn story(manifest: &Manifest, grants: Option<&OperatorGrants>) -> String {
    let list = |items: Vec<String>| if items.is_empty() { "none".to_owned() } else { items.join(", ") };
    let stanza = |kind: &ChallengeKind| format!("{} as {}.{}", kind.as_str(), kind.interface(), manifest.name);
    let kinds = manifest.kubernetes.iter().map(|kind| {
        let verbs = kind.verbs.iter().map(|verb| format!("{verb:?}").to_lowercase());
        format!("{} of {} ({})", kind.kind, kind.api_version, verbs.collect::<Vec<_>>().join(", "))
    });
    let mut text = String::new();
    let mut line = |what: &str, value: String| {
        let _ = writeln!(text, "  {what:<20}{value}");
    };
    line("solves", list(manifest.challenges.iter().map(stanza).collect()));
    line("asks for hosts", list(manifest.hosts.clone()));
    line("asks for kinds", list(kinds.collect()));
    let written = |of: fn(&OperatorGrants) -> Option<Vec<String>>| match grants.and_then(of) {
        Some(items) => list(items),
        None => "all that it asks for".to_owned(),
    };
    line("is granted hosts", written(|grants| grants.hosts.clone()));
    let granted_kinds = |grants: &OperatorGrants| {
        grants.kubernetes.as_ref().map(|kinds| kinds.iter().map(|kind| kind.kind.clone()).collect())
    };
    line("is granted kinds", written(granted_kinds));
    if let Some(grants) = grants.filter(|grants| !grants.networks.is_empty()) {
        line("may reach networks", list(grants.networks.iter().map(ToString::to_string).collect()));
    }
    text
}

/// The ConfigMaps with plugins, as the controller finds them.
async fn installed(cluster: &Cluster, namespace: &str) -> Result<Vec<ConfigMap>> {
    let api = Api::<ConfigMap>::namespaced(cluster.client.clone(), namespace);
    let found = api.list(&ListParams::default().labels(LABEL)).await;
    let found = found.map_err(|error| anyhow!(sentence(&error)));
    Ok(found.with_context(|| format!("could not list the plugins in namespace {namespace}"))?.items)
}

async fn list(cluster: &Cluster, namespace: &str) -> Result<String> {
    let maps = installed(cluster, namespace).await?;
    if maps.is_empty() {
        return Ok(format!("There are no plugins in namespace {namespace}, beside those in Signet's image.\n"));
    }
    let mut rows = vec![["NAME", "VERSION", "CHALLENGES", "DIGEST", "SOURCE"].map(str::to_owned)];
    let mut faults = String::new();
    for map in &maps {
        let name = || map.labels().get(LABEL).cloned().unwrap_or_default();
        let unread = || ["-".to_owned(), "-".to_owned()];
        let (name, [version, challenges]) = match content(map).and_then(|content| manifest(&content)) {
            Ok(Some(manifest)) => {
                let challenges: Vec<_> = manifest.challenges.iter().map(|kind| kind.as_str()).collect();
                (manifest.name, [manifest.version, challenges.join(",")])
            }
            Ok(None) => (name(), unread()),
            Err(error) => {
                let _ = writeln!(faults, "Signet can not load ConfigMap {}: {error:#}", map.name_any());
                (name(), unread())
            }
        };
        rows.push([name, version, challenges, short(map), source(map)]);
    }
    Ok(table(&rows) + &faults)
}

fn content(map: &ConfigMap) -> Result<Content> {
    let binary: BTreeMap<_, _> =
        map.binary_data.clone().unwrap_or_default().into_iter().map(|(key, bytes)| (key, bytes.0)).collect();
    let data = map.data.clone().unwrap_or_default();
    Ok(from_config_map(&map.name_any(), map.labels(), map.annotations(), &binary, &data)?)
}

/// What the plugin says of itself, unless it is in a registry.
fn manifest(content: &Content) -> Result<Option<Manifest>> {
    match content {
        Content::Held(source) => Ok(Some(Manifest::of_component(&source.wasm)?)),
        Content::Elsewhere(_) => Ok(None),
    }
}

/// As much of the digest as tells two apart.
fn short(map: &ConfigMap) -> String {
    map.annotations().get(DIGEST).map_or_else(|| "-".to_owned(), |digest| digest.chars().take(19).collect())
}

/// Where it is, and who put it there.
fn source(map: &ConfigMap) -> String {
    let by = map.labels().get(MANAGED_BY).map(|by| match (by.as_str(), map.labels().get(INSTANCE)) {
        ("Helm", Some(release)) => format!(" (Helm release {release})"),
        _ => format!(" ({by})"),
    });
    let from = map.data.as_ref().and_then(|data| data.get(REFERENCE)).map(|reference| format!(", from {reference}"));
    format!("ConfigMap {}{}{}", map.name_any(), by.unwrap_or_default(), from.unwrap_or_default())
}

fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<_> = (0..N).map(width).collect();
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        format!("{}\n", cells.collect::<Vec<_>>().join("   ").trim_end())
    };
    rows.iter().map(line).collect()
}

async fn remove(cluster: &Cluster, namespace: &str, name: &str) -> Result<String> {
    let called = |map: &&ConfigMap| map.labels().get(LABEL).is_some_and(|label| label == name);
    let maps = installed(cluster, namespace).await?;
    let found: Vec<_> = maps.iter().filter(called).collect();
    ensure!(!found.is_empty(), "there is no plugin {name} in namespace {namespace}; see kubectl signet plugin list");
    found.iter().try_for_each(|map| check_replaceable(map))?;
    let api = Api::<ConfigMap>::namespaced(cluster.client.clone(), namespace);
    let mut text = String::new();
    for map in found {
        let object = map.name_any();
        let gone = api.delete(&object, &DeleteParams::background()).await;
        gone.map_err(|error| anyhow!("could not delete ConfigMap {namespace}/{object}: {}", sentence(&error)))?;
        let _ =
            writeln!(text, "Plugin {name} is removed, with ConfigMap {namespace}/{object}. Calls under way finish.");
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
