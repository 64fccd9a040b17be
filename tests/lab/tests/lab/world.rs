//! An empty lab: the cluster, DNS, the cloud API and the CA.

use std::net::UdpSocket;
use std::process::Command;
use std::time::Duration;

use hickory_proto::op::{Message, Query};
use hickory_proto::rr::{Name, RecordType};
use serde_json::json;
use signet_lab::{AccessKey, Config, Lab, Port, Tools};

/// Puts or deletes a TXT value as an AWS client does: signed, over TLS.
const CHANGE: &str = r#"
import boto3, sys
action, address, ca, key, secret, zone, name, value = sys.argv[1:]
client = boto3.client("route53", endpoint_url=f"https://{address}", verify=ca, region_name="us-east-1",
                      aws_access_key_id=key, aws_secret_access_key=secret)
record = {"Name": name, "Type": "TXT", "TTL": 10, "ResourceRecords": [{"Value": f'"{value}"'}]}
client.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": [
    {"Action": action, "ResourceRecordSet": record}]})
"#;

fn change(lab: &Lab, action: &str, key: &AccessKey, zone: &str, name: &str, value: &str) -> Result<(), String> {
    let ca = lab.site().path("pki/world/ca.crt");
    let python = Tools::ready().unwrap().python();
    let mut command = Command::new(python);
    command.args(["-c", CHANGE, action, &lab.site().at(Port::Cloud).to_string()]).arg(ca);
    let output = command.args([&key.access_key_id, &key.secret_access_key, zone, name, value]).output().unwrap();
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

/// Asks the lab's DNS server and returns the data of the answers, sorted.
fn ask(lab: &Lab, name: &str, kind: RecordType) -> Vec<String> {
    let mut query = Message::query();
    query.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    socket.send_to(&query.to_vec().unwrap(), lab.dns_address()).unwrap();
    let mut buffer = [0; 4096];
    let (length, _) = socket.recv_from(&mut buffer).unwrap();
    let answer = Message::from_vec(&buffer[..length]).unwrap();
    let mut data: Vec<String> = answer.answers.iter().map(|record| record.data.to_string()).collect();
    data.sort();
    data
}

#[tokio::test]
async fn two_labs_side_by_side_keep_apart() {
    let (one, two) = tokio::try_join!(Lab::start(Config::bare()), Lab::start(Config::bare())).unwrap();
    let namespace = one.namespace("apart").await.unwrap();
    assert!(one.kubectl(["get", "namespace", &namespace]).await.is_ok());
    let error = two.kubectl(["get", "namespace", &namespace]).await.unwrap_err();
    assert!(error.to_string().contains("NotFound"), "{error}");
    let dir = two.site().dir.clone();
    two.down().await.unwrap();
    assert!(!dir.exists());
    assert!(one.kubectl(["get", "namespace", &namespace]).await.is_ok());
}

#[tokio::test]
async fn the_world_answers_as_the_real_one_does() {
    let lab = Lab::start(Config::bare()).await.unwrap();
    dns_serves_what_the_cloud_holds(&lab).await;
    dns_serves_names_outside_the_cloud(&lab).await;
    writes_are_audited(&lab).await;
    the_ca_is_there(&lab).await;
    the_api_server_comes_back(&lab).await;
}

async fn dns_serves_what_the_cloud_holds(lab: &Lab) {
    let zone = lab.create_hosted_zone("cloud.example").await.unwrap();
    let policy = |zone: &str| {
        let resource = format!("arn:aws:route53:::hostedzone/{zone}");
        json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Action": ["route53:ChangeResourceRecordSets"], "Resource": [resource] }]})
    };
    let may = lab.create_iam_user("may", &policy("*")).await.unwrap();
    let may_not = lab.create_iam_user("may-not", &policy("ANOTHER")).await.unwrap();
    let name = "_acme-challenge.www.cloud.example";

    let refused = change(lab, "CREATE", &may_not, &zone, name, "refused").unwrap_err();
    assert!(refused.contains("AccessDenied"), "{refused}");
    assert!(ask(lab, name, RecordType::TXT).is_empty());

    change(lab, "CREATE", &may, &zone, name, "seen").unwrap();
    assert_eq!(ask(lab, name, RecordType::TXT), ["seen"]);
    // An alias from outside leads in.
    lab.set_cname("_acme-challenge.elsewhere.test", name).await.unwrap();
    assert_eq!(ask(lab, "_acme-challenge.elsewhere.test", RecordType::TXT), [&format!("{name}."), "seen"]);
    change(lab, "DELETE", &may, &zone, name, "seen").unwrap();
    assert!(ask(lab, name, RecordType::TXT).is_empty());

    let servers = ask(lab, "cloud.example", RecordType::NS);
    assert_eq!(servers.len(), 4);
    for server in servers {
        assert_eq!(ask(lab, &server, RecordType::A), [lab.site().address.to_string()]);
    }
}

async fn dns_serves_names_outside_the_cloud(lab: &Lab) {
    lab.add_txt("_acme-challenge.a.other.test", "one").await.unwrap();
    lab.add_txt("_acme-challenge.a.other.test", "two").await.unwrap();
    assert_eq!(ask(lab, "_acme-challenge.a.other.test", RecordType::TXT), ["one", "two"]);
    assert!(ask(lab, "a.other.test", RecordType::SOA).is_empty());
    assert_eq!(ask(lab, "other.test", RecordType::SOA).len(), 1);
    assert_eq!(ask(lab, "other.test", RecordType::NS), ["ns1.other.test.", "ns2.other.test."]);
}

async fn writes_are_audited(lab: &Lab) {
    let namespace = lab.namespace("audited").await.unwrap();
    lab.kubectl(["create", "configmap", "noted", "--namespace", &namespace]).await.unwrap();
    let entries = lab.audit();
    let found: Vec<_> = entries.iter().filter(|entry| entry.is_write() && entry.name == "noted").collect();
    assert_eq!(found.len(), 1, "{entries:?}");
    assert_eq!((found[0].user.as_str(), found[0].verb.as_str(), found[0].code), ("admin", "create", 201));
}

async fn the_ca_is_there(lab: &Lab) {
    assert!(lab.pebble_root_pem().await.unwrap().starts_with("-----BEGIN CERTIFICATE-----"));
    assert!(lab.acme_requests().is_empty(), "{:?}", lab.acme_requests());
    assert!(lab.ca_bundle().starts_with("-----BEGIN CERTIFICATE-----"));
}

async fn the_api_server_comes_back(lab: &Lab) {
    let namespace = lab.namespace("kept").await.unwrap();
    lab.restart_apiserver().await.unwrap();
    assert!(lab.kubectl(["get", "namespace", &namespace]).await.is_ok());
}
