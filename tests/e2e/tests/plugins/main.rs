//! Plugins come, change, fail and go while the controller runs: it is never started anew, and calls
//! go to the last good one.

mod component;
mod provider;
mod registry;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::json;
use signet_api::{Challenge, Issuer};
use signet_e2e::Stage;
use signet_lab::Lab;
use tokio::sync::{Mutex, MutexGuard};

use component::{NAMESPACE, Plugin, hello, hostile, newer_hello, remove};
use provider::Provider;
use registry::{Registry, USER, tells};

/// How long it may take until what was put into the cluster is in use. A debug build of the
/// compiler is in it.
const SOON: Duration = Duration::from_secs(15);
const UNKNOWN: &str = "no plugin hello solves DNS-01 here";

/// The name `hello` in the shared lab belongs to one test at a time.
async fn hello_is_mine() -> MutexGuard<'static, ()> {
    static HELLO: Mutex<()> = Mutex::const_new(());
    HELLO.lock().await
}

/// A stage with an Issuer of `hello`, which says that there is no such plugin.
async fn stage_without_plugin<'a>(lab: &'a Lab, provider: &Provider<'_>, name: &str) -> Result<Stage<'a>> {
    let stage = Stage::on(lab, name).await?;
    let acme = stage.acme("issuer", provider.solver(&stage).await?);
    stage.create::<Issuer>("issuer", json!({ "acme": acme })).await?;
    stage.says::<Issuer>("issuer", &[UNKNOWN, "loaded are", "route53"]).await?;
    Ok(stage)
}

/// Issues a certificate and returns the provider's path that it took.
async fn issue(stage: &Stage<'_>, provider: &Provider<'_>, name: &str) -> Result<String> {
    let domain = format!("{name}.{}", stage.domain);
    stage.issue(name, json!({ "dnsNames": [domain], "privateKey": { "algorithm": "ECDSA" } })).await?;
    stage.none_left::<Challenge>().await?;
    let calls = provider.calls(&domain);
    let path = calls.first().and_then(|call| call.strip_prefix("POST ")).context("nothing was presented")?;
    ensure!(calls == [format!("POST {path}"), format!("DELETE {path}")], "{calls:?}");
    Ok(path.to_owned())
}

/// Waits for a line of the controller's log with all these words, after `since` bytes of it.
async fn logs(lab: &Lab, since: usize, words: &[&str]) -> Result<()> {
    let says = async || {
        let log = lab.controller().log_tail(usize::MAX);
        let new = log.get(since..).unwrap_or_default();
        Ok(new.lines().any(|line| words.iter().all(|word| line.contains(word))).then_some(()))
    };
    lab.eventually(&format!("the log says {words:?}"), SOON, says).await
}

fn log_length(lab: &Lab) -> usize {
    lab.controller().log_tail(usize::MAX).len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_config_map_teaches_a_running_controller_a_provider() -> Result<()> {
    let (lab, _hello) = (Lab::shared().await, hello_is_mine().await);
    let (first, second) = (hello()?, newer_hello()?);
    let provider = Provider::of(lab).await?;
    let process = lab.controller().pid().await?;
    let stage = stage_without_plugin(lab, &provider, "configmap").await?;

    let applied = Instant::now();
    first.apply(lab, "hello").await?;
    stage.issuer_ready("issuer").await?;
    println!("the plugin was in use after {:?}", applied.elapsed());
    ensure!(applied.elapsed() < SOON, "it took {:?} until the plugin was in use", applied.elapsed());
    ensure!(issue(&stage, &provider, "first").await? == "/records");

    second.apply(lab, "hello").await?;
    logs(lab, 0, &["loaded plugin", "version=\"0.2.0\"", second.digest.trim_start_matches("sha256:")]).await?;
    ensure!(issue(&stage, &provider, "second").await? == "/v2/records");

    for Bad { name, plugin, packed, reason } in bad_ones(&first)? {
        let since = log_length(lab);
        plugin.apply_packed(lab, "hello", packed).await?;
        let why = format!("reason=\"{reason}\"");
        logs(lab, since, &["could not load a plugin", "signet-plugin-hello", &why, "what it held before goes on"])
            .await?;
        stage.issuer_ready("issuer").await?;
        ensure!(issue(&stage, &provider, name).await? == "/v2/records", "after {reason}");
    }

    remove(lab, "hello").await?;
    stage.says::<Issuer>("issuer", &["Ready=False", UNKNOWN]).await?;
    ensure!(lab.controller().pid().await? == process, "the controller was started anew");
    Ok(())
}

/// What can not be loaded, and the reason that is told.
struct Bad {
    name: &'static str,
    plugin: Plugin,
    packed: Vec<u8>,
    reason: &'static str,
}

fn bad_ones(good: &Plugin) -> Result<[Bad; 3]> {
    let garbage = Plugin::new(b"this is no component".to_vec());
    let lying = Plugin { digest: garbage.digest.clone(), ..good.clone() };
    Ok([
        Bad { name: "garbage", packed: garbage.packed()?, plugin: garbage, reason: "InvalidManifest" },
        Bad { name: "lying", packed: lying.packed()?, plugin: lying, reason: "DigestMismatch" },
        Bad { name: "unpacked", packed: good.wasm.clone(), plugin: good.clone(), reason: "NotDecompressed" },
    ])
}

#[tokio::test(flavor = "multi_thread")]
async fn helm_installs_and_uninstalls_a_plugin() -> Result<()> {
    let (lab, _hello) = (Lab::shared().await, hello_is_mine().await);
    let (plugin, file) = (hello()?, lab.site().path("hello.wasm.zst.b64"));
    plugin.write_for_helm(&file)?;
    let provider = Provider::of(lab).await?;
    let process = lab.controller().pid().await?;
    let stage = stage_without_plugin(lab, &provider, "helm").await?;

    let chart = concat!(env!("CARGO_MANIFEST_DIR"), "/../../charts/signet-plugin");
    let (file, digest) = (format!("plugin={}", file.display()), format!("digest={}", plugin.digest));
    let values = ["--set-file", &file, "--set", &digest, "--set-json", "grants={\"networks\":[\"127.0.0.0/8\"]}"];
    lab.helm(["install", "hello", chart, "--namespace", NAMESPACE].iter().chain(&values)).await?;
    stage.issuer_ready("issuer").await?;
    ensure!(issue(&stage, &provider, "site").await? == "/records");

    lab.helm(["uninstall", "hello", "--namespace", NAMESPACE]).await?;
    stage.says::<Issuer>("issuer", &["Ready=False", UNKNOWN]).await?;
    ensure!(lab.controller().pid().await? == process, "the controller was started anew");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_installs_lists_and_removes_a_plugin() -> Result<()> {
    let (lab, _hello) = (Lab::shared().await, hello_is_mine().await);
    let (file, grants) = (lab.site().path("hello.wasm"), lab.site().path("hello.grants.yaml"));
    std::fs::write(&file, hello()?.wasm)?;
    std::fs::write(&grants, "networks: [127.0.0.0/8]\n")?;
    let provider = Provider::of(lab).await?;
    let stage = stage_without_plugin(lab, &provider, "commandline").await?;
    let signet = async |line: &str| lab.kubectl(["signet", "plugin"].into_iter().chain(line.split(' '))).await;

    // It finds Signet's namespace by itself.
    let said = signet(&format!("install {} --grants {}", file.display(), grants.display())).await?;
    ensure!(said.contains(&format!("installed as ConfigMap {NAMESPACE}/signet-plugin-hello")), "{said}");
    stage.issuer_ready("issuer").await?;
    ensure!(issue(&stage, &provider, "site").await? == "/records");
    let said = signet("list").await?;
    ensure!(said.lines().any(|line| line.starts_with("hello ") && line.contains("dns-01")), "{said}");

    let said = signet("remove hello").await?;
    ensure!(said.contains("Plugin hello is removed"), "{said}");
    stage.says::<Issuer>("issuer", &["Ready=False", UNKNOWN]).await?;
    Ok(())
}

/// The Challenge for a name, once `check` gives a value.
async fn challenge<T>(stage: &Stage<'_>, domain: &str, check: impl Fn(&Challenge) -> Option<T>) -> Result<T> {
    stage
        .eventually(&format!("the Challenge for {domain} is as it should be"), async || {
            let all = stage.list::<Challenge>().await?;
            let found = all.iter().find(|challenge| challenge.spec.dns_name == domain).context("there is none")?;
            match check(found) {
                Some(value) => Ok(Some(value)),
                None => bail!("its status is {:?}", found.status),
            }
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_plugins_are_stopped_and_the_rest_goes_on() -> Result<()> {
    let lab = Lab::shared().await;
    let stage = Stage::on(lab, "hostile").await?;
    let process = lab.controller().pid().await?;
    let stopped = [
        ("spin", "solver spin: the plugin was stopped: it computed for more than its limit of 2s"),
        ("bomb", "solver bomb: the plugin was stopped: it needs more than its limit of 64 MiB of memory"),
        ("crash", "solver crash: the plugin crashed"),
    ];
    for name in ["spin", "bomb", "crash", "trespass", "chatter"] {
        hostile(name)?.apply(lab, name).await?;
        // Where a guest that looks for a way out would find one.
        let config = json!({ "listener": lab.site().at(signet_lab::Port::ApiServer).to_string() });
        stage.issuer(name, json!({ "dns01": { name: config } })).await?;
        let (domain, issuer) = (format!("{name}.{}", stage.domain), json!({ "name": name }));
        stage.certificate(name, json!({ "dnsNames": [domain], "issuerRef": issuer })).await?;
    }
    stage.issuer("issuer", json!({ "http01": { "ingress": { "ingressClassName": "nginx" } } })).await?;
    stage.issue("good", json!({ "dnsNames": [format!("good.{}", stage.domain)] })).await?;

    for (name, words) in stopped {
        let says = |challenge: &Challenge| {
            let reason = challenge.status.as_ref()?.reason.as_ref()?;
            reason.contains(words).then_some(())
        };
        challenge(&stage, &format!("{name}.{}", stage.domain), says).await?;
    }
    for name in ["trespass", "chatter"] {
        // It tells in its receipt what it found: nothing.
        let found_nothing = |challenge: &Challenge| {
            let status = challenge.status.as_ref()?;
            (status.presented && status.receipt.is_none()).then_some(())
        };
        challenge(&stage, &format!("{name}.{}", stage.domain), found_nothing).await?;
    }
    let chatter =
        lab.controller().log_tail(usize::MAX).lines().filter(|line| line.contains("plugin=\"chatter\"")).count();
    ensure!((1..=200).contains(&chatter), "chatter wrote {chatter} lines into the log");
    stage.issue("later", json!({ "dnsNames": [format!("later.{}", stage.domain)] })).await?;
    ensure!(lab.controller().pid().await? == process, "the controller was started anew");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_may_stay_in_a_registry() -> Result<()> {
    let lab = Lab::start(signet_lab::Config::default()).await?;
    let (first, second) = (hello()?, newer_hello()?);
    let provider = Provider::of(&lab).await?;
    let registry = Registry::start(&lab).await?;
    let (older, newer) = (registry.push(&first, "0.1.0").await?, registry.push(&second, "0.2.0").await?);
    let stage = stage_without_plugin(&lab, &provider, "registry").await?;

    // What keeps it away is told, and looked at again.
    registry::apply(&lab, "hello", json!({ "reference": older }), None).await?;
    tells(&lab, "hello", "NotAuthorized", &["those who do not log in", "pullSecret"]).await?;
    registry::apply(&lab, "hello", json!({ "reference": older, "pullSecret": "login" }), None).await?;
    tells(&lab, "hello", "InvalidPullSecret", &["Secret cert-manager/login", "kubectl create secret"]).await?;
    registry.make_pull_secret("login").await?;
    stage.issuer_ready("issuer").await?;
    ensure!(issue(&stage, &provider, "first").await? == "/records");

    // A tag alone is not enough, and what the tag leads to must be what was meant.
    let tag = newer.split('@').next().unwrap_or_default();
    let tagged = json!({ "reference": tag, "pullSecret": "login" });
    registry::apply(&lab, "hello", tagged.clone(), None).await?;
    tells(&lab, "hello", "DigestMismatch", &[tag, "@sha256:"]).await?;
    registry::apply(&lab, "hello", tagged.clone(), Some(&first.digest)).await?;
    tells(&lab, "hello", "DigestMismatch", &[&first.digest, &second.digest]).await?;
    ensure!(issue(&stage, &provider, "second").await? == "/records");
    registry::apply(&lab, "hello", tagged, Some(&second.digest)).await?;
    logs(&lab, 0, &["loaded plugin", "version=\"0.2.0\""]).await?;
    ensure!(issue(&stage, &provider, "third").await? == "/v2/records");

    // Without its registry there is no plugin after a start, until the registry is there again.
    lab.end_component("registry", signet_lab::Ending::Stop).await?;
    lab.controller().restart().await?;
    tells(&lab, "hello", "NotPulled", &["Signet tries again in"]).await?;
    lab.start_component("registry").await?;
    stage.issuer_ready("issuer").await?;
    ensure!(issue(&stage, &provider, "fourth").await? == "/v2/records");
    ensure!(!lab.controller().log_tail(usize::MAX).contains("secret\""), "the password of {USER} is in the log");
    lab.down().await
}
