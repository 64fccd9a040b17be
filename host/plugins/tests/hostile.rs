//! Guests that do what a solver must not, in the real engine: each gets a clear error, and the
//! host goes on.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use signet_plugins::*;
use support::*;

/// The guests that these tests and those of `registry` and `runner` call: one that none calls
/// fails `every_guest_is_tested`.
const TESTED: &[&str] = &[
    "noop",
    "spin",
    "bomb",
    "chatter",
    "crash",
    "fetch",
    "peek",
    "receipt",
    "sleep",
    "trespass",
    "command",
    "passthrough",
];

#[test]
fn every_guest_is_tested() {
    let files = std::fs::read_dir(guests_directory().join("examples")).unwrap();
    let names = files.map(|file| file.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned());
    let tested: BTreeSet<String> = TESTED.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(names.collect::<BTreeSet<_>>(), tested);
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let read = |file: &str| std::fs::read_to_string(directory.join(file)).unwrap();
    let tests = [read("hostile.rs"), read("registry.rs"), read("runner.rs"), read("support/mod.rs")].concat();
    for name in TESTED {
        let call = [format!("load(&registry, \"{name}\")"), format!("guest(\"{name}\")"), format!("fails(\"{name}\"")];
        assert!(call.iter().any(|call| tests.contains(call.as_str())), "no test calls guest {name}");
    }
}

/// Presents through the guest `name`, whose failure is returned, and asserts that the host goes on.
async fn fails(name: &str, limits: Limits, config: Value, backend: Arc<Memory>) -> CallError {
    let registry = registry(engine(limits), json!({}));
    let plugin = load(&registry, name).await;
    let error = plugin.present(call(config, backend)).await.unwrap_err();
    assert_goes_on(&registry).await;
    error
}

#[tokio::test]
async fn an_infinite_loop_runs_out_of_cpu_time() {
    let error = fails("spin", limits(), json!({}), Arc::default()).await;
    assert_eq!((error.reason(), error.blame()), ("OutOfCpuTime", Blame::Plugin));
    assert!(error.to_string().contains("computed for more than its limit of 300ms"), "{error}");
}

#[tokio::test]
async fn an_infinite_loop_does_not_hold_up_other_calls() {
    let registry = Arc::new(registry(engine(Limits { cpu: Duration::from_secs(5), ..limits() }), json!({})));
    let spin = load(&registry, "spin").await;
    load(&registry, "noop").await;
    // One thread runs everything here: the loop must yield for the other call to get its turn.
    let looping = tokio::spawn(async move { spin.present(call(json!({}), Arc::default())).await });
    tokio::task::yield_now().await;
    for _ in 0..10 {
        assert_goes_on(&registry).await;
    }
    assert!(!looping.is_finished());
    looping.abort();
}

#[tokio::test]
async fn a_memory_bomb_meets_its_limit() {
    let error = fails("bomb", limits(), json!({}), Arc::default()).await;
    assert_eq!((error.reason(), error.blame()), ("OutOfMemory", Blame::Plugin));
    assert!(error.to_string().contains("limit of 16 MiB"), "{error}");
}

#[tokio::test]
async fn waiting_ends_with_the_clock() {
    let error =
        fails("sleep", Limits { timeout: Duration::from_millis(200), ..limits() }, json!({}), Arc::default()).await;
    assert_eq!((error.reason(), error.blame(), error.retry()), ("TimedOut", Blame::Plugin, Retry::Soon));
    assert!(error.to_string().contains("did not answer within 200ms"), "{error}");
}

#[tokio::test]
async fn a_crash_tells_the_trap_and_the_last_words() {
    let error = fails("crash", limits(), json!({}), Arc::default()).await;
    assert_eq!((error.reason(), error.blame(), error.retry()), ("Crashed", Blame::Plugin, Retry::Later));
    let text = error.to_string();
    assert!(text.contains("the plugin crashed") && text.contains("unreachable"), "{text}");
    assert!(
        text.ends_with("panicked at examples/crash.rs:5:14: the impossible"),
        "the panic's message is missing: {text}"
    );
}

#[tokio::test]
async fn a_flood_of_log_lines_is_cut() {
    let registry = registry(engine(Limits { cpu: Duration::from_secs(10), ..limits() }), json!({}));
    let plugin = load(&registry, "chatter").await;
    let backend = Arc::new(Memory::default());
    plugin.present(call(json!({}), backend.clone())).await.unwrap();
    let lines = backend.lines();
    assert_eq!(lines.len(), limits().log_lines + 1, "the limit, and one line that says how many are missing");
    assert!(lines.iter().all(|line| line.len() <= limits().log_line_bytes + "…".len()));
    assert_eq!(lines.last().unwrap(), "9901 more log lines of this call were dropped");
    assert_goes_on(&registry).await;
}

#[tokio::test]
async fn a_receipt_that_is_too_long_breaks_the_contract() {
    let error = fails("receipt", limits(), json!({}), Arc::default()).await;
    assert_eq!((error.reason(), error.retry()), ("ContractBroken", Retry::Later));
    assert!(error.to_string().contains("4097 bytes; at most 4096"), "{error}");
}

#[tokio::test]
async fn a_secret_that_the_config_does_not_name_is_not_read() {
    let backend = Memory::with_secret("other", "token", "hunter2hunter2");
    let config = json!({ "name": "other", "key": "token", "tokenSecretRef": { "name": "own", "key": "token" } });
    let error = fails("peek", limits(), config, backend.clone()).await;
    assert_eq!(error.reason(), "NotAuthorized");
    assert!(error.to_string().contains("allowed: own/token"), "{error}");
    assert!(backend.touched.lock().unwrap().is_empty(), "the Secret was read all the same");
}

#[tokio::test]
async fn a_secret_that_is_handed_out_is_not_repeated() {
    let backend = Memory::with_secret("own", "token", "hunter2hunter2");
    let config = json!({ "name": "own", "key": "token", "tokenSecretRef": { "name": "own", "key": "token" } });
    let error = fails("peek", limits(), config, backend.clone()).await;
    assert_eq!(error.to_string(), "the provider refused [redacted]");
    assert_eq!(backend.lines(), ["the secret is [redacted]", "printed [redacted]"]);
}

#[tokio::test]
async fn a_missing_secret_is_named() {
    let config = json!({ "name": "own", "key": "token", "tokenSecretRef": { "name": "own", "key": "token" } });
    let error = fails("peek", limits(), config, Arc::default()).await;
    assert_eq!(
        (error.reason(), error.to_string().as_str()),
        ("NotFound", "there is no Secret \"own\" with a key \"token\"")
    );
}

#[tokio::test]
async fn the_sandbox_has_no_other_way_out() {
    let registry = registry(engine(limits()), json!({ "kubernetes": [] }));
    let plugin = load(&registry, "trespass").await;
    let backend = Arc::new(Memory::default());
    let listener = server().await;
    let found = plugin.present(call(json!({ "listener": listener }), backend.clone())).await.unwrap();
    assert_eq!(String::from_utf8(found).unwrap(), "");
    assert!(backend.touched.lock().unwrap().is_empty());
    assert_goes_on(&registry).await;
}

/// A registry with the guest `fetch`, which may reach the loopback network when `loopback`.
async fn fetcher(loopback: bool) -> Registry {
    let networks = if loopback { json!(["127.0.0.0/8"]) } else { json!([]) };
    let registry = registry(engine(limits()), json!({ "networks": networks }));
    load(&registry, "fetch").await;
    load(&registry, "noop").await;
    registry
}

/// Fetches `url` with a grant of `granted`, and asserts that the host goes on.
async fn fetch(registry: &Registry, granted: &str, url: &str) -> Result<String, CallError> {
    let plugin = registry.plugin(ChallengeKind::Dns01, "fetch").unwrap();
    let answer = plugin.present(call(json!({ "granted": granted, "url": url }), Arc::default())).await;
    assert_goes_on(registry).await;
    answer.map(|body| String::from_utf8(body).unwrap())
}

#[tokio::test]
async fn a_granted_host_is_reached_and_a_redirect_to_it_too() {
    let server = server().await;
    let granted = format!("http://{server}");
    let registry = fetcher(true).await;
    for path in ["ok".to_owned(), format!("to/{granted}/ok")] {
        assert_eq!(fetch(&registry, &granted, &format!("{granted}/{path}")).await.unwrap(), "200 5");
    }
}

#[tokio::test]
async fn what_is_not_granted_is_refused_and_named() {
    let server = server().await;
    let granted = format!("http://{server}");
    let port = server.split(':').next_back().unwrap();
    let cases = [
        ("https://other.test/", "https://other.test is not among the hosts that its manifest asks for"),
        (&format!("https://{server}/ok"), "is not among the hosts"),
        (&format!("http://127.0.0.1:{}/ok", 1), "is not among the hosts"),
        (&format!("http://user:hunter2@{server}/ok"), "credentials before a host are refused"),
        (&format!("http://{server}@other.test/ok"), "credentials before a host are refused"),
        (
            &format!("{granted}/to/http://localhost:{port}/ok"),
            &format!("http://localhost:{port} is not among the hosts"),
        ),
        (&format!("{granted}/to/http://169.254.169.254/latest"), "http://169.254.169.254 is not among the hosts"),
        (&format!("{granted}/big"), "longer than 1048576 bytes"),
    ];
    let registry = fetcher(true).await;
    for (url, expected) in cases {
        let error = fetch(&registry, &granted, url).await.unwrap_err();
        let text = error.to_string();
        assert!(text.contains("Signet refused") && text.contains(expected), "{url}: {text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[tokio::test]
async fn a_granted_name_at_a_special_address_is_refused() {
    let registry = fetcher(false).await;
    for (granted, expected) in [
        ("http://localhost:9", "loopback): add \"127.0.0.1/32\" to networks"),
        ("http://127.0.0.1:9", "127.0.0.1, loopback"),
        ("http://169.254.169.254", "169.254.169.254, cloud metadata"),
        ("http://[fd00:ec2::254]", "cloud metadata"),
        ("http://[::ffff:169.254.169.254]", "cloud metadata"),
        ("http://10.96.0.1", "10.96.0.1, private"),
    ] {
        let error = fetch(&registry, granted, &format!("{granted}/ok")).await.unwrap_err();
        let text = error.to_string();
        assert!(text.contains("may not reach") && text.contains(expected), "{granted}: {text}");
    }
}
