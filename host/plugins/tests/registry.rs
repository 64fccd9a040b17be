//! Loading, replacing and removing plugins, from memory and from a directory.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use signet_plugins::*;
use support::*;

/// A component that exports nothing, with this manifest.
fn empty_component(manifest: &str) -> Vec<u8> {
    let mut section = vec![];
    length(&mut section, SECTION.len());
    section.extend(SECTION.as_bytes());
    section.extend(manifest.as_bytes());
    let mut wasm = b"\0asm\x0d\0\x01\0\0".to_vec();
    length(&mut wasm, section.len());
    wasm.extend(section);
    wasm
}

const SECTION: &str = "signet-solver-manifest";

/// LEB128.
fn length(out: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn manifest(name: &str, wit: &str) -> String {
    json!({ "name": name, "version": "2", "wit": wit, "challenges": ["dns-01"] }).to_string()
}

#[tokio::test]
async fn a_plugin_appears_is_replaced_and_goes() {
    let registry = registry(engine(limits()), json!({}));
    let mut changes = registry.changes();
    assert!(registry.plugin(ChallengeKind::Dns01, "noop").is_none());
    let loaded = registry.load(origin("a"), source(guest("noop"))).await.unwrap();
    assert_eq!((loaded.name.as_str(), loaded.changed), ("noop", true));
    assert!(changes.has_changed().unwrap());
    assert_eq!(registry.names(ChallengeKind::Dns01), ["noop"]);
    assert!(registry.names(ChallengeKind::Http01).is_empty());
    assert!(registry.plugin(ChallengeKind::Http01, "noop").is_none());

    changes.mark_unchanged();
    assert!(!registry.load(origin("a"), source(guest("noop"))).await.unwrap().changed);
    assert!(!changes.has_changed().unwrap(), "the same content changes nothing");

    registry.load(origin("a"), source(guest("receipt"))).await.unwrap();
    assert_eq!(registry.names(ChallengeKind::Dns01), ["receipt"]);
    registry.remove(&origin("a"));
    assert!(registry.names(ChallengeKind::Dns01).is_empty() && registry.states().is_empty());
}

#[tokio::test]
async fn a_broken_replacement_keeps_the_last_good_one() {
    let registry = registry(engine(limits()), json!({}));
    registry.load(origin("a"), source(guest("noop"))).await.unwrap();
    let mut cut = guest("noop");
    cut.truncate(cut.len() / 2);
    let cases = [
        (b"not wasm".to_vec(), "InvalidManifest", "parse the WebAssembly"),
        (cut, "InvalidManifest", "ends in the middle"),
        (b"\0asm\x01\0\0\0".to_vec(), "InvalidManifest", "core module, not a component"),
        (b"\0asm\x0d\0\x01\0".to_vec(), "InvalidManifest", "find no manifest"),
        (empty_component("{}"), "InvalidManifest", "missing field"),
        (empty_component(&manifest("noop", "signet:solver@7.0.0")), "InvalidManifest", "signet:solver@7.0.0"),
        (empty_component(&manifest("noop", "signet:solver@0.1.0")), "NotLinked", "does not export signet:solver/dns01"),
        (with_import(), "NotLinked", "imports evil, which this host does not offer"),
    ];
    for (wasm, reason, text) in cases {
        let error = registry.load(origin("a"), source(wasm)).await.unwrap_err();
        assert_eq!(error.reason(), reason, "{}", error.message());
        assert!(error.message().contains(text), "{text}: {}", error.message());
        let state = registry.states().remove(0);
        assert_eq!((state.name.as_deref(), state.active), (Some("noop"), true));
        assert_eq!(state.error.as_deref(), Some(error.message().as_str()));
        assert_goes_on_with_last_good(&registry).await;
    }
    registry.load(origin("a"), source(guest("noop"))).await.unwrap();
    assert_eq!(registry.states()[0].error, None, "the good content again heals it");
}

async fn assert_goes_on_with_last_good(registry: &Registry) {
    let plugin = registry.plugin(ChallengeKind::Dns01, "noop").unwrap();
    plugin.present(call(json!({}), Arc::default())).await.unwrap();
}

/// A component that imports a function `evil`.
fn with_import() -> Vec<u8> {
    let mut wasm = empty_component(&manifest("noop", "signet:solver@0.1.0"));
    wasm.extend([7, 5, 1, 0x40, 0, 1, 0]);
    wasm.extend([10, 9, 1, 0, 4, b'e', b'v', b'i', b'l', 1, 0]);
    wasm
}

#[tokio::test]
async fn a_call_finishes_on_the_plugin_that_it_began_with() {
    let registry = registry(engine(Limits { timeout: Duration::from_millis(500), ..limits() }), json!({}));
    let plugin = load(&registry, "sleep").await;
    let call = call(json!({}), Arc::default());
    let (outcome, ()) = tokio::join!(plugin.present(call), async {
        registry.load(origin("sleep"), source(guest("noop"))).await.unwrap();
        registry.remove(&origin("sleep"));
    });
    assert_eq!(outcome.unwrap_err().reason(), "TimedOut", "it was not cut short");
}

#[tokio::test]
async fn a_config_map_stands_before_a_file_of_the_same_name() {
    let registry = registry(engine(limits()), json!({}));
    registry.load(Origin::File("noop.wasm".to_owned()), source(guest("noop"))).await.unwrap();
    registry.load(origin("mine"), source(guest("noop"))).await.unwrap();
    let active: Vec<(String, bool)> =
        registry.states().into_iter().map(|state| (state.origin.to_string(), state.active)).collect();
    assert_eq!(active, [("ConfigMap signet/mine".to_owned(), true), ("file noop.wasm".to_owned(), false)]);
    registry.remove(&origin("mine"));
    assert!(registry.states()[0].active);
}

#[tokio::test]
async fn a_broken_file_keeps_no_other_from_loading() {
    let registry = registry(engine(limits()), json!({}));
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(directory.path().join(name), bytes).unwrap();
    write("a-broken.wasm", b"nonsense");
    write("noop.wasm", &guest("noop"));
    write("receipt.wasm", &guest("receipt"));
    write("receipt.grants.yaml", b"host: [typo]\n");
    write("README.md", b"ignored");
    std::os::unix::fs::symlink("/proc/self/exe", directory.path().join("outside.wasm")).unwrap();
    let outcomes = registry.load_directory(directory.path()).await.unwrap();
    let outcomes: Vec<(String, Result<String, &str>)> = outcomes
        .into_iter()
        .map(|(origin, outcome)| (origin.to_string(), outcome.map(|l| l.name).map_err(|error| error.reason())))
        .collect();
    assert_eq!(
        outcomes,
        [
            ("file a-broken.wasm".to_owned(), Err("InvalidManifest")),
            ("file noop.wasm".to_owned(), Ok("noop".to_owned())),
            ("file outside.wasm".to_owned(), Err("NotRead")),
            ("file receipt.wasm".to_owned(), Err("InvalidGrants")),
        ]
    );
    assert_goes_on_with_last_good(&registry).await;
    std::fs::remove_file(directory.path().join("noop.wasm")).unwrap();
    registry.load_directory(directory.path()).await.unwrap();
    assert!(registry.plugin(ChallengeKind::Dns01, "noop").is_none());
}

#[tokio::test]
async fn compiled_code_is_kept_between_starts() {
    let directory = tempfile::tempdir().unwrap();
    let cached = || {
        let config = EngineConfig { cache_dir: Some(directory.path().join("cache")), ..EngineConfig::default() };
        registry(Engine::new(config).unwrap(), json!({}))
    };
    let files = || std::fs::read_dir(directory.path().join("cache")).unwrap().count();
    load(&cached(), "noop").await;
    assert_eq!(files(), 1);
    let second = cached();
    assert_goes_on(&second).await;
    assert_eq!(files(), 1);
}

#[tokio::test]
async fn a_stanza_is_checked_against_the_schema() {
    let registry = registry(engine(limits()), json!({}));
    let plugin = load(&registry, "noop").await;
    assert!(plugin.validate(&json!({ "anything": 1 })).is_empty());
    let errors = plugin.validate(&json!("text"));
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].path, "");
}

#[tokio::test]
async fn the_other_challenge_type_is_not_called() {
    let registry = registry(engine(limits()), json!({}));
    let plugin = load(&registry, "noop").await;
    let challenge = Challenge::Http01 { host: "a".into(), token: "t".into(), key_authorization: "k".into() };
    let call = Call { challenge, ..call(json!({}), Arc::default()) };
    let error = plugin.present(call).await.unwrap_err();
    assert_eq!((error.reason(), error.blame()), ("HostFailed", Blame::Host));
    assert!(error.to_string().contains("does not solve http-01"), "{error}");
}

/// The other guests are of the contract before: one host runs both.
#[tokio::test]
async fn a_component_of_the_newest_contract_is_told_where_to_lead_port_443() {
    let registry = registry(engine(limits()), json!({}));
    registry.load(origin("passthrough"), source(guest("passthrough"))).await.unwrap();
    assert!(registry.plugin(ChallengeKind::Http01, "passthrough").is_none());
    let plugin = registry.plugin(ChallengeKind::TlsAlpn01, "passthrough").unwrap();
    let memory = Arc::<Memory>::default();
    let challenge = Challenge::TlsAlpn01 {
        host: "192.0.2.7".to_owned(),
        server_name: "7.2.0.192.in-addr.arpa".to_owned(),
        token: "tok".to_owned(),
    };
    let call = Call { challenge, ..call(json!({}), memory.clone()) };
    let receipt = plugin.present(call.clone()).await.unwrap();
    assert_eq!(receipt, b"192.0.2.7 7.2.0.192.in-addr.arpa tok 192.0.2.1 8443");
    assert_eq!(*memory.touched.lock().unwrap(), ["tls responder"]);
    plugin.cleanup(call.clone(), Some(receipt)).await.unwrap();
    assert_eq!(plugin.cleanup(call, None).await.unwrap_err().reason(), "Permanent");
    assert_eq!(memory.touched.lock().unwrap().len(), 1, "cleaning up needs no endpoint");
    assert_goes_on(&registry).await;
}

#[tokio::test]
async fn the_benchmark_measures() {
    let registry = registry(engine(limits()), json!({}));
    let plugin = load(&registry, "noop").await;
    let figures = bench::measure(&plugin, &call(json!({}), Arc::default()), 200).await.unwrap();
    eprintln!("plugin_instantiate_p99_us {}", figures.instantiate_p99.as_micros());
    eprintln!("plugin_noop_call_p99_us {}", figures.call_p99.as_micros());
    assert!(figures.instantiate_p99 > Duration::ZERO && figures.instantiate_p99 < Duration::from_millis(50));
    assert!(figures.call_p99 > Duration::ZERO && figures.call_p99 < Duration::from_millis(200));
}
