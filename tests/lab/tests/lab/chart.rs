//! The chart as a process: a stand-in for the controller writes down how it was started.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};
use signet_lab::{Chart, Config, Lab, Port};

/// Notes its arguments and environment, and says that it is ready.
const STAND_IN: &str = r#"#!/usr/bin/env python3
import http.server, json, os, sys
with open("seen.new", "w") as file:
    json.dump({"args": sys.argv[1:], "env": dict(os.environ)}, file)
os.rename("seen.new", "seen.json")
address = [a for a in sys.argv if a.startswith("--healthz-listen-address=")][0].split("=")[1]
host, port = address.split(":")
class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
http.server.ThreadingHTTPServer((host, int(port)), Ready).serve_forever()
"#;

fn value<'a>(args: &'a [Value], flag: &str) -> Vec<&'a str> {
    let prefix = format!("--{flag}=");
    args.iter().filter_map(|arg| arg.as_str()?.strip_prefix(&prefix)).collect()
}

#[tokio::test]
async fn the_chart_runs_under_its_own_rights() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("signet");
    fs::write(&program, STAND_IN).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let chart = Chart {
        program: Some(program),
        plugins: Some(folder.path().to_owned()),
        values: json!({ "maxConcurrentChallenges": 7 }),
        ..Chart::default()
    };
    let lab = Lab::start(Config { chart: Some(chart), ..Config::default() }).await.unwrap();
    let seen: Value = serde_json::from_slice(&fs::read(lab.site().path("seen.json")).unwrap()).unwrap();
    let args = seen["args"].as_array().unwrap();

    assert_eq!(args[0], "controller");
    assert_eq!(value(args, "max-concurrent-challenges"), ["7"]);
    assert_eq!(value(args, "cluster-resource-namespace"), ["cert-manager"]);
    assert_eq!(value(args, "http01-listen-address"), [lab.site().at(Port::Http01).to_string()]);
    assert_eq!(value(args, "plugin-dir"), [folder.path().to_str().unwrap()]);
    assert_eq!(seen["env"]["POD_IP"], "192.0.2.10");
    assert!(seen["env"].get("CARGO").is_none(), "the test's own environment leaks into the controller");
    let grants = fs::read_to_string(value(args, "plugin-grants")[0]).unwrap();
    assert!(grants.contains("127.0.0.0/8"), "{grants}");
    rights_are_the_charts(&lab, value(args, "kubeconfig")[0]).await;
    controller_ends_and_starts(&lab).await;
}

async fn rights_are_the_charts(lab: &Lab, kubeconfig: &str) {
    let can = async |verb, what| {
        lab.kubectl(["auth", "can-i", "--kubeconfig", kubeconfig, "--all-namespaces", verb, what]).await.is_ok()
    };
    assert!(can("list", "certificates.cert-manager.io").await);
    assert!(can("create", "secrets").await);
    assert!(!can("delete", "nodes").await);
}

async fn controller_ends_and_starts(lab: &Lab) {
    let controller = lab.controller();
    let first = controller.pid().await.unwrap().unwrap();
    assert!(controller.resident_kib().await.unwrap() > 0);
    controller.restart().await.unwrap();
    controller.wait_ready().await.unwrap();
    assert_ne!(controller.pid().await.unwrap().unwrap(), first);
    controller.stop().await.unwrap();
    assert_eq!(controller.pid().await.unwrap(), None);
}
