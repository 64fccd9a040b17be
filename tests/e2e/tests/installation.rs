//! What `helm test` runs, as the chart's hook runs it but for the pod: with its arguments, and with the
//! rights of its ServiceAccount and no others.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Output;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::ListParams;
use serde::Deserialize;
use serde_json::{Value, json};
use signet_api::{Certificate, Issuer};
use signet_lab::{Config, Lab, Port};
use tokio::process::Command;

const NAMESPACE: &str = "cert-manager";

/// The objects of the hook.
async fn hook(lab: &Lab) -> Result<Vec<Value>> {
    let chart = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../charts/signet");
    let chart = chart.display().to_string();
    let shown = "--show-only=templates/tests/installation.yaml";
    let text = lab.helm(["template", "signet", &chart, "--namespace", NAMESPACE, shown]).await?;
    let objects: Result<Vec<Value>, _> = serde_yaml::Deserializer::from_str(&text).map(Value::deserialize).collect();
    Ok(objects?)
}

/// A kubeconfig with a token of the hook's ServiceAccount.
async fn kubeconfig(lab: &Lab) -> Result<PathBuf> {
    let token = lab.kubectl(["create", "token", "signet-test", "--namespace", NAMESPACE]).await?;
    let mut config: Value = serde_yaml::from_slice(&std::fs::read(lab.site().kubeconfig())?)?;
    config["users"][0]["user"] = json!({ "token": token.trim() });
    let path = lab.site().path("test-installation.kubeconfig");
    std::fs::write(&path, config.to_string())?;
    Ok(path)
}

/// Runs the hook's container as a process. Its Service is a name of the cluster's; here it is an address.
async fn test(lab: &Lab, pod: &Value, extra: &[&str]) -> Result<Output> {
    let args = strings(&pod["spec"]["containers"][0]["args"]).filter(|one| !one.starts_with("--http01-service="));
    let beside = std::env::current_exe()?.ancestors().nth(2).context("cargo's folder")?.join("signet");
    let mut command = Command::new(std::env::var_os("SIGNET_BIN").map_or(beside, PathBuf::from));
    command.args(args).args(extra).arg(format!("--http01-service={}", lab.site().at(Port::Http01)));
    command.arg("--kubeconfig").arg(kubeconfig(lab).await?);
    Ok(command.kill_on_drop(true).output().await?)
}

async fn nothing_is_left(lab: &Lab) -> Result<()> {
    let client = lab.client().await;
    let all = ListParams::default();
    let certificates = Api::<Certificate>::namespaced(client.clone(), NAMESPACE).list(&all).await?;
    let issuers = Api::<Issuer>::namespaced(client.clone(), NAMESPACE).list(&all).await?;
    ensure!(certificates.items.is_empty() && issuers.items.is_empty(), "{certificates:?} {issuers:?}");
    let secret = Api::<Secret>::namespaced(client, NAMESPACE).get_opt("signet-test").await?;
    ensure!(secret.is_none(), "the Secret is left");
    Ok(())
}

fn strings(value: &Value) -> impl Iterator<Item = &str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// Every right of the hook's Role, and every one that was used; an error when one was refused.
fn rights(lab: &Lab, role: &Value) -> Result<(BTreeSet<String>, BTreeSet<String>)> {
    let mut granted = BTreeSet::new();
    for rule in role["rules"].as_array().context("the Role has rules")? {
        for resource in strings(&rule["resources"]) {
            granted.extend(strings(&rule["verbs"]).map(|verb| format!("{verb} {resource}")));
        }
    }
    let user = format!("system:serviceaccount:{NAMESPACE}:signet-test");
    let mut used = BTreeSet::new();
    for entry in lab.audit().into_iter().filter(|entry| entry.user == user && !entry.resource.is_empty()) {
        ensure!(entry.code != 403, "refused: {} {} {}", entry.verb, entry.resource, entry.name);
        used.insert(format!("{} {}", entry.verb, entry.resource));
    }
    Ok((granted, used))
}

#[tokio::test(flavor = "multi_thread")]
async fn helm_test_says_whether_signet_works() -> Result<()> {
    let lab = Lab::start(Config::default()).await?;
    let objects = hook(&lab).await?;
    let of_kind = |kind: &str| objects.iter().find(|object| object["kind"] == kind).context("the hook has each kind");
    for kind in ["ServiceAccount", "Role", "RoleBinding"] {
        lab.apply(&of_kind(kind)?.to_string()).await?;
    }
    let pod = of_kind("Pod")?;

    let output = test(&lab, pod, &[]).await?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success() && said.matches("ok: ").count() == 3, "{output:?}");
    nothing_is_left(&lab).await?;
    let every_right_is_used = async || {
        let (granted, used) = rights(&lab, of_kind("Role")?)?;
        ensure!(granted == used, "granted {granted:?}, used {used:?}");
        Ok(Some(()))
    };
    lab.eventually("every right was used", signet_e2e::BOUND, every_right_is_used).await?;

    // The pod is one that a namespace for restricted pods takes.
    let level = "pod-security.kubernetes.io/enforce=restricted";
    lab.kubectl(["label", "namespace", NAMESPACE, level]).await?;
    let file = lab.site().path("test-installation.json");
    std::fs::write(&file, pod.to_string())?;
    lab.kubectl(["create", "--dry-run=server", "--filename", &file.display().to_string()]).await?;

    // Nobody leads, nobody answers: the first that is missed is named, with what to look at.
    lab.controller().stop().await?;
    let output = test(&lab, pod, &["--timeout-seconds=1"]).await?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(!output.status.success() && said.contains("look at the pods"), "{output:?}");
    lab.down().await
}
