//! What the tests share: the guests, an engine with small limits, a backend in memory, a server.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    reason = "each test program uses a part of it"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use signet_plugins::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

pub fn guests_directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/hostile")
}

/// The bytes of a guest; all are built on first use.
pub fn guest(name: &str) -> Vec<u8> {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/hostile");
        let status = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--release", "--locked", "--examples", "--target", "wasm32-wasip2"])
            .current_dir(guests_directory())
            .env("CARGO_TARGET_DIR", &target)
            .env_remove("RUSTFLAGS")
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .status()
            .expect("cargo runs");
        assert!(status.success(), "the guests do not build: run cargo build in tests/hostile");
        target.join("wasm32-wasip2/release/examples")
    });
    std::fs::read(built.join(format!("{name}.wasm"))).unwrap_or_else(|error| panic!("no guest {name}: {error}"))
}

pub fn limits() -> Limits {
    Limits { memory: 16 << 20, cpu: Duration::from_millis(300), timeout: Duration::from_secs(20), ..Limits::default() }
}

pub fn engine(limits: Limits) -> Engine {
    let egress = EgressConfig { max_body: 1 << 20, ..EgressConfig::default() };
    Engine::new(EngineConfig { limits, egress, cache_dir: None }).unwrap()
}

/// A registry that grants every plugin `operator`.
pub fn registry(engine: Engine, operator: Value) -> Registry {
    let defaults = serde_json::from_value(operator).unwrap();
    Registry::new(engine, RegistryConfig { grants: BTreeMap::new(), defaults })
}

pub fn origin(name: &str) -> Origin {
    Origin::ConfigMap { namespace: "signet".to_owned(), name: name.to_owned() }
}

pub fn source(wasm: Vec<u8>) -> PluginSource {
    PluginSource { wasm, grants: None }
}

#[derive(Default)]
pub struct Memory {
    pub secrets: BTreeMap<(String, String), Vec<u8>>,
    pub lines: Mutex<Vec<String>>,
    pub touched: Mutex<Vec<String>>,
}

impl Memory {
    pub fn with_secret(name: &str, key: &str, value: &str) -> Arc<Memory> {
        let secrets = BTreeMap::from([((name.to_owned(), key.to_owned()), value.as_bytes().to_vec())]);
        Arc::new(Memory { secrets, ..Memory::default() })
    }

    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    fn touch(&self, what: &str) {
        self.touched.lock().unwrap().push(what.to_owned());
    }
}

#[async_trait]
impl Backend for Memory {
    async fn secret(&self, name: &str, key: &str) -> Result<Option<Vec<u8>>, BackendError> {
        self.touch("secret");
        Ok(self.secrets.get(&(name.to_owned(), key.to_owned())).cloned())
    }
    async fn kube_apply(&self, object: Value) -> Result<Value, BackendError> {
        self.touch("apply");
        Ok(object)
    }
    async fn kube_get(&self, _: &str, _: &str, _: &str) -> Result<Option<Value>, BackendError> {
        self.touch("get");
        Ok(None)
    }
    async fn kube_patch(&self, _: &str, _: &str, _: &str, patch: Value) -> Result<Value, BackendError> {
        self.touch("patch");
        Ok(patch)
    }
    async fn kube_delete(&self, _: &str, _: &str, _: &str) -> Result<(), BackendError> {
        self.touch("delete");
        Ok(())
    }
    async fn service_account_token(&self, _: &str, _: &[String]) -> Result<String, BackendError> {
        self.touch("token");
        Ok("token".to_owned())
    }
    async fn dns_lookup(&self, _: &str, _: RecordType) -> Result<Vec<String>, BackendError> {
        Ok(vec![])
    }
    async fn responder(&self) -> Result<Endpoint, BackendError> {
        self.touch("responder");
        Ok(Endpoint { addresses: vec![], port: 1 })
    }
    async fn tls_responder(&self) -> Result<Endpoint, BackendError> {
        self.touch("tls responder");
        Ok(Endpoint { addresses: vec!["192.0.2.1".to_owned()], port: 8443 })
    }
    fn log(&self, _: LogLevel, message: &str) {
        self.lines.lock().unwrap().push(message.to_owned());
    }
}

pub fn call(config: Value, backend: Arc<Memory>) -> Call {
    let challenge = Challenge::Dns01 {
        dns_name: "a.test".to_owned(),
        fqdn: "_acme-challenge.a.test.".to_owned(),
        zone: "test.".to_owned(),
        value: "value".to_owned(),
        ambient_credentials: false,
    };
    Call { config, challenge, backend, label: "team/web-1".to_owned() }
}

/// Loads a guest and returns the plugin.
pub async fn load(registry: &Registry, name: &str) -> Arc<Plugin> {
    registry.load(origin(name), source(guest(name))).await.unwrap();
    registry.plugin(ChallengeKind::Dns01, name).unwrap()
}

/// The host goes on: the well-behaved guest still works in the same engine.
pub async fn assert_goes_on(registry: &Registry) {
    let noop = load(registry, "noop").await;
    let receipt = noop.present(call(json!({}), Arc::default())).await.unwrap();
    assert_eq!(receipt, b"_acme-challenge.a.test.");
    noop.cleanup(call(json!({}), Arc::default()), Some(receipt)).await.unwrap();
}

/// A server on a free loopback port: `/ok`, `/big` (2 MiB), `/to/URL` (a redirect). Returns
/// `127.0.0.1:PORT`.
pub async fn server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut head = vec![];
                while !head.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    if stream.read(&mut byte).await.unwrap_or(0) == 0 {
                        return;
                    }
                    head.push(byte[0]);
                }
                let head = String::from_utf8(head).unwrap();
                let path = head.split(' ').nth(1).unwrap();
                let answer = match path {
                    "/big" => format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{}", 2 << 20, "x".repeat(2 << 20)),
                    _ => match path.strip_prefix("/to/") {
                        Some(url) => format!("HTTP/1.1 302 Found\r\nlocation: {url}\r\ncontent-length: 0\r\n\r\n"),
                        None => "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello".to_owned(),
                    },
                };
                let _ = stream.write_all(answer.as_bytes()).await;
            });
        }
    });
    address
}
