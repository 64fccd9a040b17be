//! Two replicas: one takes decisions, both answer HTTP-01, and either carries on where the other ends.

use std::net::SocketAddrV4;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::ResourceExt;
use serde_json::{Value, json};
use signet_api::Challenge;
use signet_e2e::{Stage, replica};
use signet_lab::{AcmeConfig, Chart, Config, Ending, Lab, Port};

/// Where the first replica answers HTTP-01. The second has the port that the CA knows.
const FIRST_PORT: u16 = 8089;
/// From the death of the leader to the other's first write.
const FAILOVER: Duration = Duration::from_secs(15);
/// From SIGTERM of the leader until the other leads.
const HANDOVER: Duration = Duration::from_secs(3);

/// A lab with both, of which the first leads.
async fn start() -> Result<Lab> {
    // No order is asked for again because of a nonce.
    let acme = AcmeConfig { refused_nonces: 0, ..AcmeConfig::default() };
    let lab = Lab::start(Config { acme, ..Config::bare() }).await?;
    let first = SocketAddrV4::new(lab.site().address, FIRST_PORT);
    let extra_args = vec![format!("--http01-listen-address={first}")];
    lab.install(&Chart { extra_args, ..Chart::default() }).await?;
    let mut second = replica::second(&lab).await?;
    second.args.retain(|argument| !argument.starts_with("--http01-listen-address="));
    second.args.push(format!("--http01-listen-address={}", lab.site().at(Port::Http01)));
    lab.run_component(second).await?;
    replica::waits_for_the_lease(&lab, replica::COMPONENT).await?;
    Ok(lab)
}

/// What the controller of EndpointSlices, which this lab has not, would write for the chart's Service:
/// the pod of each replica, which is ready, and one that is not.
async fn pods_are_known(lab: &Lab, pods: [&str; 2]) -> Result<()> {
    let endpoint = |address: &str, ready: bool| json!({ "addresses": [address], "conditions": { "ready": ready } });
    let slice = json!({
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": { "name": "signet-http01-x", "namespace": "cert-manager",
            "labels": { "kubernetes.io/service-name": "signet-http01" } },
        "addressType": "IPv4",
        "ports": [{ "name": "http01", "port": 8089, "protocol": "TCP" }],
        "endpoints": [endpoint(pods[0], true), endpoint(pods[1], true), endpoint("192.0.2.12", false)],
    });
    lab.apply(&slice.to_string()).await.map(drop)
}

/// What a replica answers for the Challenge's token.
async fn answer(address: SocketAddrV4, challenge: &Challenge) -> Result<String> {
    let path = format!("/.well-known/acme-challenge/{}", challenge.spec.token);
    let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", challenge.spec.dns_name);
    let mut stream = tokio::net::TcpStream::connect(address).await?;
    tokio::io::AsyncWriteExt::write_all(&mut stream, request.as_bytes()).await?;
    let mut answer = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut stream, &mut answer).await?;
    ensure!(answer.starts_with("HTTP/1.1 200"), "{address} answers {answer}");
    answer.rsplit_once("\r\n\r\n").map(|(_, body)| body.to_owned()).context("an answer has a body")
}

fn ingress() -> Value {
    json!({ "http01": { "ingress": { "ingressClassName": "nginx" } } })
}

/// Waits until the CA's request is led to these addresses.
async fn led_to(stage: &Stage<'_>, addresses: &[&str]) -> Result<()> {
    let name = stage.only::<EndpointSlice>().await?.name_any();
    let same = |slice: &EndpointSlice| {
        slice.endpoints.iter().flat_map(|endpoint| &endpoint.addresses).eq(addresses.iter()).then_some(())
    };
    stage.until(&name, &format!("leads to {addresses:?}"), same).await
}

#[tokio::test(flavor = "multi_thread")]
async fn both_answer_and_either_carries_on() -> Result<()> {
    let lab = start().await?;
    pods_are_known(&lab, ["192.0.2.10", "192.0.2.11"]).await?;
    let stage = Stage::on(&lab, "replicas").await?;
    let challenge = stage.pending(ingress(), "127.0.0.1").await?;
    let (first, second) = (SocketAddrV4::new(lab.site().address, FIRST_PORT), lab.site().at(Port::Http01));
    for replica in [first, second] {
        ensure!(answer(replica, &challenge).await? == challenge.spec.key, "{replica} has another answer");
    }
    led_to(&stage, &["192.0.2.10", "192.0.2.11"]).await?;
    // A rolling update: one pod goes, another comes.
    pods_are_known(&lab, ["192.0.2.10", "192.0.2.13"]).await?;
    led_to(&stage, &["192.0.2.10", "192.0.2.13"]).await?;
    let log = lab.log_tail(replica::COMPONENT, 100);
    let (_, since) = log.split_once("another replica leads").context("it waits")?;
    ensure!(since.lines().count() == 1, "the replica that waits does something: {since}");

    let mut audit = lab.watch_audit_of_signet();
    lab.controller().kill().await?;
    let killed = Instant::now();
    lab.clear_a(&stage.domain).await?;
    let writes = async || Ok(audit.read_on()?.iter().any(|entry| entry.resource != "leases").then_some(()));
    lab.eventually("the other replica writes", signet_e2e::BOUND, writes).await?;
    let failover = killed.elapsed();
    println!("the other replica wrote {failover:?} after the leader was killed");
    ensure!(failover < FAILOVER, "it took {failover:?}");
    stage.ready("web").await?;
    stage.none_left::<Challenge>().await?;
    let orders = lab.acme_requests().get("POST /order-plz").copied().unwrap_or(0);
    ensure!(orders == 1, "the CA was asked for {orders} orders");

    lab.controller().start().await?;
    replica::waits_for_the_lease(&lab, "controller").await?;
    let told = Instant::now();
    let (ends, leads) =
        tokio::join!(lab.end_component(replica::COMPONENT, Ending::Stop), replica::leads(&lab, "signet-0"));
    ends?;
    leads?;
    let handover = told.elapsed();
    println!("the first replica led {handover:?} after the second was told to stop");
    ensure!(handover < HANDOVER, "it took {handover:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_ends_leads_requests_to_those_that_stay() -> Result<()> {
    let lab = Lab::start(Config::default()).await?;
    let stage = Stage::on(&lab, "ends").await?;
    let challenge = stage.pending(ingress(), "127.0.0.1").await?;
    led_to(&stage, &["192.0.2.10"]).await?;
    pods_are_known(&lab, ["192.0.2.10", "192.0.2.11"]).await?;
    led_to(&stage, &["192.0.2.10", "192.0.2.11"]).await?;

    let controller = lab.controller();
    let answers_meanwhile = async || {
        led_to(&stage, &["192.0.2.11"]).await?;
        answer(lab.site().at(Port::Http01), &challenge).await
    };
    let (ended, answer) = tokio::join!(controller.stop(), answers_meanwhile());
    ended?;
    ensure!(answer? == challenge.spec.key, "it answers as long as requests may still come");
    // What comes next is another process, and its pod has another name and address.
    lab.controller().start().await?;
    lab.clear_a(&stage.domain).await?;
    stage.ready("web").await?;
    lab.down().await
}
