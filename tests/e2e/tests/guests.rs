//! The guests' own tests, as an author runs them: `cargo test` for `wasm32-wasip2`, whose runner is
//! `signet test-runner`, against a provider that listens on this machine.

use std::env;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use signet_lab::Tools;

const BOUND: Duration = Duration::from_secs(60);

#[test]
fn the_plugins_pass_in_the_engine() -> Result<()> {
    let moto = Provider::start("moto", ["-m", "moto.server", "-p"])?;
    let keys = json!({ "access-key-id": "AKIAIOSFODNN7EXAMPLE", "secret-access-key": "any" });
    let secrets = json!({ "moto": { "endpoint": moto.url() }, "route53-secret": keys });
    moto.explain(cargo_test("plugins", &surroundings(&moto, &secrets)))
}

#[test]
fn the_example_passes_in_the_engine() -> Result<()> {
    let folder = "examples/solver-hello";
    let api = Provider::start("hello", [repository().join(folder).join("api.py")])?;
    let secrets = json!({ "hello": { "token": "let-me-in", "endpoint": api.url() } });
    api.explain(cargo_test(folder, &surroundings(&api, &secrets)))
}

#[test]
fn a_guest_that_fails_is_told_with_what_it_said() {
    let failed = cargo_test("examples/solver-hello", &json!({})).unwrap_err().to_string();
    assert!(failed.contains("panicked at src/tests.rs"), "{failed}");
}

#[test]
fn a_program_without_a_test_does_not_pass() {
    let some = "test result: ok. 2 passed; 0 failed\n";
    let none = "test result: ok. 0 passed; 0 failed\n";
    assert!(every_program_tested(some));
    assert!(!every_program_tested(&format!("{some}{none}")));
    assert!(!every_program_tested("there was nothing to run"));
}

/// What `SIGNET_TEST_HOST` says: these Secrets, and a way to the provider.
fn surroundings(provider: &Provider, secrets: &Value) -> Value {
    json!({ "secrets": secrets, "hosts": [provider.url()], "networks": ["127.0.0.0/8"] })
}

/// Runs the tests of a workspace of guests, in the one folder where guests are built for tests.
fn cargo_test(workspace: &str, surroundings: &Value) -> Result<()> {
    let mut path = vec![programs()?];
    path.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
    let output = Command::new(env!("CARGO"))
        .args(["test", "--locked", "--workspace", "--target", "wasm32-wasip2", "--target-dir"])
        .arg(target().join("guests"))
        .current_dir(repository().join(workspace))
        .env("PATH", env::join_paths(path)?)
        .env("SIGNET_TEST_HOST", surroundings.to_string())
        // What someone asks of their own machine's compiler is not for this target.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .output()?;
    let (said, log) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "the tests of {workspace} fail ({}):\n{said}\n{log}", output.status);
    ensure!(every_program_tested(&said), "a program of {workspace} ran no test:\n{said}\n{log}");
    Ok(())
}

/// Whether cargo ran a test program, and each that it ran had a test that passed.
fn every_program_tested(said: &str) -> bool {
    let mut results = said.lines().filter_map(|line| line.strip_prefix("test result: ok. ")).peekable();
    results.peek().is_some() && results.all(|result| !result.starts_with("0 passed"))
}

/// A Python program that imitates a provider, on a port of its own until it is dropped.
struct Provider {
    process: Child,
    address: SocketAddrV4,
    log: PathBuf,
}

impl Provider {
    /// Starts it with the port as its last argument, and waits until it listens.
    fn start(name: &str, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Result<Self> {
        let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, free_port()?);
        let log = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}.log", std::process::id()));
        let written = File::create(&log)?;
        // On the lab's leash, so that it ends with this process however that ends.
        let process = Command::new(programs()?.join("signet-lab"))
            .args(["leash", &std::process::id().to_string()])
            .arg(Tools::ready()?.python())
            .args(args)
            .arg(address.port().to_string())
            .stdin(Stdio::null())
            .stdout(written.try_clone()?)
            .stderr(written)
            .spawn()
            .context("could not start signet-lab: `cargo build --workspace --bins` makes it")?;
        let mut provider = Self { process, address, log };
        let listens = provider.wait();
        provider.explain(listens)?;
        Ok(provider)
    }

    fn wait(&mut self) -> Result<()> {
        let deadline = Instant::now() + BOUND;
        while TcpStream::connect(self.address).is_err() {
            let ended = self.process.try_wait()?;
            ensure!(ended.is_none(), "the provider ended ({ended:?})");
            ensure!(Instant::now() < deadline, "the provider does not listen on {} within {BOUND:?}", self.address);
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Adds to a failure what the provider has to say.
    fn explain<T>(&self, outcome: Result<T>) -> Result<T> {
        outcome.map_err(|error| {
            let log = fs::read_to_string(&self.log).unwrap_or_default();
            error.context(format!("the log of {}:\n{log}", self.url()))
        })
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_file(&self.log);
    }
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Cargo's target folder of this build.
fn target() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("cargo names a folder in its target folder")
}

/// Where cargo puts the programs of this build.
fn programs() -> Result<PathBuf> {
    let this = env::current_exe()?;
    let folder = this.ancestors().find(|folder| folder.join("deps").is_dir());
    Ok(folder.context("the tests run from cargo's target folder")?.to_owned())
}
