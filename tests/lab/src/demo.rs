//! `signet-lab demo`: the main job before one's eyes, from an empty cluster to certificates that
//! openssl verifies. Each step says what it does and how long it took.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use signet_lab::{Chart, Config, Lab, Level, Tools};

/// The guide's manifests.
macro_rules! guide {
    ($file:literal) => {
        include_str!(concat!("../../../examples/guide/", $file))
    };
}

const STAGING: &str = "https://acme-staging-v02.api.letsencrypt.org/directory";
const BOUND: Duration = Duration::from_secs(60);
const ZONE: &str = "example.org";

/// Prints steps with their times.
struct Steps {
    began: Instant,
}

impl Steps {
    fn say(&self, what: &str) {
        println!("\n[{:5.1} s] {what}", self.began.elapsed().as_secs_f32());
    }
}

/// Runs the demo. With `exit` nothing is left running.
pub(crate) async fn run(name: &str, exit: bool) -> Result<()> {
    let level = level();
    // What is built for it once is no part of the show.
    tokio::task::spawn_blocking(move || Tools::ready_for(level)).await??;
    let steps = Steps { began: Instant::now() };
    steps.say("starting etcd, the Kubernetes API server, an ACME CA (Pebble), DNS, and a Route 53 (moto)");
    if level == Level::Node {
        println!(
            "… and a node: kubelet, containerd, kube-proxy, CoreDNS, Contour with Envoy as its ingress controller"
        );
    }
    let lab = Lab::start_detached(name.to_owned(), Config { level, ..Config::bare() }).await?;
    let outcome = show(&lab, &steps).await;
    if exit || outcome.is_err() {
        steps.say("taking the cluster down");
        lab.down().await?;
        return outcome;
    }
    go_on(name, &lab);
    outcome
}

/// The most of a cluster that this machine can have; says which and why.
fn level() -> Level {
    match signet_lab::obstacle() {
        None => {
            println!("level: a node with pods, since this user may make one");
            Level::Node
        }
        Some(obstacle) => {
            println!("level: a control plane, and Signet as a process beside it, since {obstacle}");
            Level::ControlPlane
        }
    }
}

async fn show(lab: &Lab, steps: &Steps) -> Result<()> {
    let has_node = lab.site().level == Level::Node;
    steps.say(if has_node {
        "helm install signet charts/signet --wait"
    } else {
        "helm install signet charts/signet, and running the controller that it deploys"
    });
    lab.install(&Chart::default()).await?;
    if has_node {
        print(lab, &["get", "pods", "-A"]).await?;
    }

    steps.say("kubectl apply: the guide's ClusterIssuer (HTTP-01, class nginx) and Certificate");
    lab.apply(&staged(lab, guide!("clusterissuer.yaml"))).await?;
    lab.apply(guide!("certificate.yaml")).await?;
    watch(lab, steps, "example-com").await?;
    verify(lab, "example-com-tls").await?;
    if has_node {
        visit(lab, steps).await?;
    }

    steps.say(
        "kubectl apply: the guide's Secret and ClusterIssuer for Route 53, and a wildcard Certificate with its apex",
    );
    route53(lab).await?;
    watch(lab, steps, "example-org").await?;
    verify(lab, "example-org-tls").await?;
    steps.say("both certificates are Ready and verified");
    Ok(())
}

/// Serves a page over the certificate, and gets it through the ingress controller.
async fn visit(lab: &Lab, steps: &Steps) -> Result<()> {
    steps.say("kubectl apply: a Deployment, and an Ingress of class nginx that serves it over the Secret");
    lab.deploy_web("default").await?;
    lab.apply(include_str!("demo-ingress.yaml")).await?;
    let root = lab.pebble_root_pem().await?;
    let served = async || lab.page("example.com", &root).await.map(Some);
    let page = lab.eventually("https://example.com is served", BOUND, served).await?;
    println!("GET https://example.com/, trusting the CA's root alone: {} {}", page.status, page.text.trim());
    ensure!(page.status == 200, "the page is not served");
    Ok(())
}

/// The guide's manifest: as it stands, where a node's world leads the CA's name to the lab's CA, else with another
/// `server:` line.
fn staged(lab: &Lab, manifest: &str) -> String {
    match lab.site().level {
        Level::Node => manifest.to_owned(),
        Level::ControlPlane => manifest.replace(STAGING, &lab.directory_url()),
    }
}

async fn route53(lab: &Lab) -> Result<()> {
    use base64::prelude::{BASE64_STANDARD, Engine};

    let mut policy: serde_json::Value = serde_json::from_str(guide!("route53-policy.json"))?;
    // The guide's policy knows no way from a name to its zone, and the guide names no hostedZoneID.
    let find = serde_json::json!({ "Effect": "Allow", "Action": "route53:ListHostedZonesByName", "Resource": "*" });
    policy["Statement"].as_array_mut().context("a policy has statements")?.push(find);
    lab.create_hosted_zone(ZONE).await?;
    let key = lab.create_iam_user("signet", &policy).await?;
    let secret = guide!("route53-secret.yaml")
        .replace("<base64-encoded-access-key-id>", &BASE64_STANDARD.encode(&key.access_key_id))
        .replace("<base64-encoded-secret-access-key>", &BASE64_STANDARD.encode(&key.secret_access_key));
    lab.apply(&secret).await?;
    lab.apply(&staged(lab, guide!("route53-clusterissuer.yaml"))).await?;
    let certificate = guide!("certificate.yaml")
        .replace("example-com", "example-org")
        .replace("www.example.com", "'*.example.org'")
        .replace("example.com", ZONE);
    lab.apply(&certificate).await.map(drop)
}

/// Shows the objects each time that they change, until the Certificate is Ready.
async fn watch(lab: &Lab, steps: &Steps, certificate: &str) -> Result<()> {
    let mut shown = String::new();
    let columns = "-o=custom-columns=KIND:.kind,NAME:.metadata.name,STATE:.status.state,READY:.status.conditions[?(@.type=='Ready')].status";
    lab.eventually(&format!("Certificate {certificate} is Ready"), BOUND, async || {
        let now = lab.kubectl(["get", "certificates,orders,challenges", columns]).await?;
        if now != shown {
            steps.say("kubectl get certificates,orders,challenges");
            print!("{now}");
            shown = now;
        }
        let ready = "-o=jsonpath={.status.conditions[?(@.type=='Ready')].status}";
        let ready = lab.kubectl(["get", "certificate", certificate, ready]).await?;
        Ok((ready == "True").then_some(()))
    })
    .await?;
    steps.say(&format!("kubectl get certificate {certificate} -o wide"));
    print(lab, &["get", "certificate", certificate, "-o", "wide"]).await
}

/// Has openssl check the chain in a Secret against the CA's root.
async fn verify(lab: &Lab, secret: &str) -> Result<()> {
    use base64::prelude::{BASE64_STANDARD, Engine};

    let encoded = lab.kubectl(["get", "secret", secret, "-o=jsonpath={.data.tls\\.crt}"]).await?;
    let chain = BASE64_STANDARD.decode(encoded.trim())?;
    let (chain_file, root_file) = (lab.site().path("demo-chain.pem"), lab.site().path("demo-root.pem"));
    std::fs::write(&chain_file, chain)?;
    std::fs::write(&root_file, lab.pebble_root_pem().await?)?;
    let mut openssl = tokio::process::Command::new("openssl");
    openssl.args(["verify", "-CAfile"]).arg(&root_file).arg("-untrusted").arg(&chain_file).arg(&chain_file);
    let output = openssl.output().await.context("the demo verifies with openssl: install it, and try again")?;
    println!("openssl verify of {secret}: {}", String::from_utf8_lossy(&output.stdout).trim());
    ensure!(output.status.success(), "openssl does not verify {secret}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

async fn print(lab: &Lab, arguments: &[&str]) -> Result<()> {
    print!("{}", lab.kubectl(arguments).await?);
    Ok(())
}

fn go_on(name: &str, lab: &Lab) {
    println!("\nThe cluster stays up; `make demo-down` takes it down. Go on by hand:\n");
    println!("  export KUBECONFIG={}", lab.site().kubeconfig().display());
    println!(
        "  export PATH={}",
        lab.environment().iter().find(|(name, _)| name == "PATH").map_or("", |(_, path)| path)
    );
    println!("  kubectl get certificates,certificaterequests,orders,challenges -A");
    println!("  kubectl signet status certificate example-com");
    println!("  kubectl signet renew example-com");
    match lab.site().level {
        Level::ControlPlane => println!("  signet-lab --name {name} logs controller"),
        Level::Node => println!("  kubectl logs --namespace cert-manager deployment/signet"),
    }
}
