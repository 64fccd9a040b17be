//! Against an API server in memory, with components that hold nothing but a manifest.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::*;
use crate::fake::Fake;

const MAP: &str = "/api/v1/namespaces/signet/configmaps/signet-plugin-hello";
const SIGNET: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: { name: signet, namespace: signet }
";

/// A component with one custom section, which is its manifest.
fn component(manifest: &Value) -> Vec<u8> {
    let (name, text) = ("signet-solver-manifest", manifest.to_string());
    let leb = |number: usize| [(number & 0x7f) as u8 | 0x80, (number >> 7) as u8];
    let mut wasm = b"\0asm\x0d\0\x01\0\0".to_vec();
    wasm.extend(leb(2 + name.len() + text.len()));
    wasm.extend(leb(name.len()));
    wasm.extend(name.bytes().chain(text.bytes()));
    wasm
}

fn hello(version: &str) -> Vec<u8> {
    component(&json!({ "name": "hello", "version": version, "wit": "signet:solver@0.1.0",
        "challenges": ["dns-01", "http-01"], "hosts": ["https://api.hello.test"],
        "kubernetes": [{ "apiVersion": "v1", "kind": "Service", "verbs": ["get", "apply"] }] }))
}

/// Runs the command in a folder with these files, and returns what it says, or its error.
async fn say(fake: &Fake, files: &[(&str, &[u8])], line: &str) -> Result<String, String> {
    use clap::Parser;
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    let words = ["kubectl-signet", "plugin"].into_iter().chain(line.split(' '));
    let arguments = crate::args::Arguments::parse_from(words);
    let crate::args::Command::Plugin { mut command } = arguments.command else { panic!("{line}") };
    if let Plugin::Install(Install { file, grants, .. }) = &mut command {
        let here = |path: &PathBuf| folder.path().join(path);
        (*file, *grants) = (file.as_ref().map(here), grants.as_ref().map(here));
    }
    let said = run(&fake.cluster(), arguments.connection.namespace.as_deref(), &command).await;
    let strip = |text: String| text.replace(&format!("{}/", folder.path().display()), "");
    said.map(strip).map_err(|error| strip(format!("{error:#}")))
}

#[tokio::test]
async fn a_plugin_comes_is_listed_is_replaced_and_goes() {
    let (fake, wasm, newer) = (Fake::with(SIGNET), hello("1.0"), hello("1.1"));
    let said = say(&fake, &[("hello.wasm", &wasm)], "install hello.wasm").await.unwrap();
    expect_test::expect![[r#"
        Plugin hello 1.0 is installed as ConfigMap signet/signet-plugin-hello.
          solves              dns-01 as dns01.hello, http-01 as http01.hello
          asks for hosts      https://api.hello.test
          asks for kinds      Service of v1 (apply, get)
          is granted hosts    all that it asks for
          is granted kinds    all that it asks for
        Signet takes it up within seconds; an Issuer that names it says so.
    "#]]
    .assert_eq(&said);
    let map: ConfigMap = serde_json::from_value(fake.object(MAP)).unwrap();
    assert_eq!(manifest(&content(&map).unwrap()).unwrap().unwrap().version, "1.0");
    assert_eq!(map.labels()[LABEL], "hello");
    assert_eq!(map.data, None);

    let grants = b"hosts: []\nnetworks: [10.0.0.0/8]\n";
    let files: [(&str, &[u8]); 2] = [("hello.wasm", &newer), ("grants.yaml", grants)];
    let said = say(&fake, &files, "install hello.wasm --grants grants.yaml -n signet").await.unwrap();
    for words in ["hello 1.1 is replaced in", "is granted hosts    none\n", "may reach networks  10.0.0.0/8\n"] {
        assert!(said.contains(words), "{said}");
    }
    assert_eq!(fake.object(MAP)["data"][GRANTS], "hosts: []\nnetworks: [10.0.0.0/8]\n");

    let said = say(&fake, &[], "list").await.unwrap();
    let digest = &digest(&newer)[..12];
    let line =
        format!("hello   1.1       dns-01,http-01   sha256:{digest}   ConfigMap signet-plugin-hello (kubectl-signet)");
    assert!(said.starts_with("NAME    VERSION   CHALLENGES") && said.contains(&line), "{said}");

    let said = say(&fake, &[], "remove hello").await.unwrap();
    assert!(said.starts_with("Plugin hello is removed"), "{said}");
    let said = say(&fake, &[], "list").await.unwrap();
    assert!(said.starts_with("There are no plugins in namespace signet"), "{said}");
}

#[tokio::test]
async fn what_can_not_be_installed_is_told_in_a_sentence() {
    let mut big = hello("1.0");
    let noise = (0u64..200_000).flat_map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(n as u32).to_le_bytes());
    // A second custom section, which nobody reads.
    big.push(0);
    let noise: Vec<u8> = noise.collect();
    let size = noise.len() + 2;
    big.extend([(size & 0x7f) as u8 | 0x80, (size >> 7 & 0x7f) as u8 | 0x80, (size >> 14 & 0x7f) as u8]);
    big.extend([1, b'x']);
    big.extend(noise);
    let files: [(&str, &[u8]); 6] = [
        ("text.wasm", b"hello"),
        ("core.wasm", b"\0asm\x01\0\0\0"),
        ("bare.wasm", b"\0asm\x0d\0\x01\0"),
        ("hello.wasm", &hello("1.0")),
        ("big.wasm", &big),
        ("grants.yaml", b"host: [a]"),
    ];
    for (line, words) in [
        ("install none.wasm", "could not read none.wasm: No such file"),
        ("install text.wasm", "text.wasm is no plugin: read the component: parse the WebAssembly"),
        ("install core.wasm", "it is a core module, not a component"),
        ("install bare.wasm", "has no custom section \"signet-solver-manifest\""),
        (
            "install hello.wasm --grants grants.yaml",
            "could not understand the grants in grants.yaml: unknown field `host`",
        ),
        ("install big.wasm", "the component is too large: compressed it is"),
        ("remove hello", "there is no plugin hello in namespace signet"),
    ] {
        let error = say(&Fake::with(SIGNET), &files, line).await.unwrap_err();
        assert!(error.contains(words), "{line}: {error}");
    }
}

#[tokio::test]
async fn what_is_somebody_elses_is_left_alone() {
    let map = |labels: &str| {
        format!(
            "{SIGNET}---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: signet-plugin-hello, namespace: signet, labels: {{{labels}}} }}\n"
        )
    };
    let helm = "signet.dev/plugin: hello, app.kubernetes.io/managed-by: Helm, app.kubernetes.io/instance: site";
    for (labels, line, words) in [
        ("", "install hello.wasm", "holds no plugin"),
        (helm, "install hello.wasm", "belongs to the Helm release site"),
        (helm, "remove hello", "helm uninstall site"),
    ] {
        let fake = Fake::with(&map(labels));
        let error = say(&fake, &[("hello.wasm", &hello("1.0"))], line).await.unwrap_err();
        assert!(error.contains(words), "{error}");
        assert!(fake.requests().iter().all(|request| request.starts_with("GET")), "{:?}", fake.requests());
    }
    let said = say(&Fake::with(&map(helm)), &[], "list").await.unwrap();
    assert!(said.contains("Signet can not load ConfigMap signet-plugin-hello: read ConfigMap"), "{said}");
}

#[tokio::test]
async fn signets_namespace_is_found_or_asked_for() {
    let two = format!("{SIGNET}---\n{}", SIGNET.replace("namespace: signet", "namespace: other"));
    for (fake, words) in [
        (Fake::default(), "found no Deployment of Signet"),
        (Fake::with(&two), "in several namespaces (other, signet)"),
        (Fake::with(SIGNET).forbid("deployments"), "name it with --namespace: you may not"),
    ] {
        let error = say(&fake, &[], "list").await.unwrap_err();
        assert!(error.contains(words), "{error}");
    }
}

#[tokio::test]
async fn a_plugin_may_stay_in_its_registry() {
    let fake = Fake::with(SIGNET);
    let reference = format!("registry.test/solvers/hello@sha256:{}", "0".repeat(64));
    let line = format!("install --reference {reference} --name hello --pull-secret login");
    let said = say(&fake, &[], &line).await.unwrap();
    assert!(said.contains("Plugin hello is installed as ConfigMap signet/signet-plugin-hello"), "{said}");
    let map = fake.object(MAP);
    assert_eq!(map["data"], json!({ "reference": reference, "pullSecret": "login" }));
    let said = say(&fake, &[], "list").await.unwrap();
    assert!(said.contains(&format!("from {reference}")) && !said.contains("can not load"), "{said}");

    let unpinned = say(&fake, &[], "install --reference registry.test/hello:1 --name hello").await.unwrap_err();
    assert!(unpinned.contains("@sha256:"), "{unpinned}");
}
