//! What the chart makes beside a running controller: files, policies, and a pod that may run anywhere.

use std::path::{Path, PathBuf};
use std::process::Command;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::PostParams;
use serde_json::{Value, json};
use signet_lab::{Config, Lab, Tools};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// What a program prints, whatever becomes of it.
fn output(program: &Path, args: &[&str]) -> (bool, String) {
    let output = Command::new(program).args(args).current_dir(repository()).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(text).unwrap())
}

fn helm(args: &[&str]) -> (bool, String) {
    output(&Tools::ready().unwrap().program("helm"), args)
}

/// All that is off by itself.
const EVERYTHING: &[&str] = &[
    "--set=networkPolicy.enabled=true,podDisruptionBudget.enabled=true,prometheus.podmonitor.enabled=true,replicaCount=2",
    "--set-json=networkPolicy.egress=[{}]",
    "--set-json=networkPolicy.http01From=[{\"namespaceSelector\":{}}]",
    "--set-json=volumes=[{\"name\":\"ca\",\"emptyDir\":{}}]",
    "--set-json=volumeMounts=[{\"name\":\"ca\",\"mountPath\":\"/ca\"}]",
];

#[test]
fn install_yaml_is_what_the_chart_makes() {
    let helm = Tools::ready().unwrap().program("helm");
    let (made, text) = output(&repository().join("hack/manifest"), &[helm.to_str().unwrap()]);
    assert!(made, "{text}");
    let kept = std::fs::read_to_string(repository().join("charts/install.yaml")).unwrap();
    assert!(text == kept, "charts/install.yaml is not what charts/signet makes: run `make gen`");
}

#[test]
fn helm_finds_no_fault() {
    let (good, text) = helm(&[&["lint", "--strict", "charts/signet"], EVERYTHING].concat());
    assert!(good, "{text}");
    let digest = format!("--set=digest=sha256:{}", "0".repeat(64));
    let (good, text) = helm(&["lint", "--strict", "charts/signet-plugin", &digest, "--set=plugin=KLUv/QA="]);
    assert!(good, "{text}");
}

/// A value that the schema does not know is refused wherever it stands, so the schema knows all.
#[test]
fn a_misspelt_value_is_refused() {
    let values: Value =
        serde_yaml::from_slice(&std::fs::read(repository().join("charts/signet/values.yaml")).unwrap()).unwrap();
    let mut groups = vec!["image".to_owned()];
    let free = ["resources", "podAnnotations", "podLabels", "nodeSelector", "affinity"];
    for (name, value) in values.as_object().unwrap() {
        // Helm itself puts values of its own into global.
        if value.is_object() && name != "global" && !free.contains(&name.as_str()) {
            groups.push(name.clone());
        }
    }
    for group in groups {
        let (good, text) = helm(&["template", "x", "charts/signet", &format!("--set={group}.misspelt=1")]);
        assert!(!good && text.contains("misspelt"), "{group}: {text}");
    }
    let (good, text) = helm(&[
        "template",
        "x",
        "charts/signet",
        "--set=prometheus.podmonitor.enabled=true,prometheus.servicemonitor.enabled=true",
    ]);
    assert!(!good && text.contains("counted twice"), "{text}");
}

/// A server of the lab's version judges install.yaml, the policy for the network, and the pod.
#[tokio::test]
async fn an_api_server_takes_it_and_its_pod_is_restricted() {
    let lab = Lab::start(Config::bare()).await.unwrap();
    let file = repository().join("charts/install.yaml");
    let applied = lab.kubectl(["apply", "--server-side", "--filename", file.to_str().unwrap()]).await.unwrap();
    assert!(applied.contains("deployment.apps/signet serverside-applied"), "{applied}");

    let shown = ["template", "signet", "charts/signet", "--show-only=templates/networkpolicy.yaml"];
    let (good, policy) = helm(&[&shown, EVERYTHING].concat());
    assert!(good, "{policy}");
    lab.apply(&policy).await.unwrap();

    let client = lab.client().await;
    let deployment = Api::<Deployment>::namespaced(client.clone(), "signet").get("signet").await.unwrap();
    let template = deployment.spec.unwrap().template;
    let mut pod: Pod = serde_json::from_value(json!({ "metadata": { "name": "signet-0" } })).unwrap();
    (pod.metadata.labels, pod.spec) = (template.metadata.and_then(|metadata| metadata.labels), template.spec);
    let pods = Api::<Pod>::namespaced(client, "signet");
    let dry_run = PostParams { dry_run: true, ..PostParams::default() };
    pods.create(&dry_run, &pod).await.unwrap();

    // The namespace of install.yaml does hold pods to the standard.
    pod.spec.as_mut().unwrap().host_network = Some(true);
    let refused = pods.create(&dry_run, &pod).await.unwrap_err().to_string();
    assert!(refused.contains("violates PodSecurity \"restricted"), "{refused}");
}
