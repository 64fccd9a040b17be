//! A test program in the engine that runs plugins.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use signet_plugins::*;
use support::*;

#[tokio::test]
async fn a_program_runs_with_its_grants_and_returns_its_code() {
    let engine = engine(limits());
    let url = format!("http://{}/ok", server().await);
    let program = guest("command");
    let granted = TestHost {
        hosts: vec![url.trim_end_matches("/ok").to_owned()],
        networks: vec!["127.0.0.0/8".parse().unwrap()],
        ..TestHost::default()
    };
    let run =
        async |host, code: &str| run_command(&engine, &program, &[url.clone(), code.to_owned()], host).await.unwrap();
    assert_eq!(run(granted.clone(), "0").await, 0);
    // WASI 0.2 tells success from failure; other codes arrive as 1.
    assert_eq!(run(granted, "7").await, 1);
    assert_eq!(run(TestHost::default(), "0").await, 1, "it reached what it was not granted");
}
