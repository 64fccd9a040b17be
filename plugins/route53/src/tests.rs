//! Runs inside the host's engine against moto, an imitation of AWS, which `tests/e2e/tests/guests.rs` starts.
//!
//! `SIGNET_TEST_HOST` says where moto is, in the Secret `moto`, and holds the keys of the guide:
//! `{"secrets": {"moto": {"endpoint": "http://127.0.0.1:5000"}, "route53-secret":
//! {"access-key-id": "AKIAIOSFODNN7EXAMPLE", "secret-access-key": "any"}}, "hosts":
//! ["http://127.0.0.1:5000"], "networks": ["127.0.0.0/8"]}`

use signet_solver::{Error, SecretRef, http};

use super::*;
use crate::record::Form;
use crate::xml::{element, elements, unescape};

/// moto tells its services apart by the signature's scope, and checks nothing else of it.
const ROUTE53: &str =
    "AWS4-HMAC-SHA256 Credential=A/20261124/us-east-1/route53/aws4_request, SignedHeaders=h, Signature=s";

fn moto() -> Endpoints {
    let endpoint = SecretRef { name: "moto".to_owned(), key: "endpoint".to_owned() }.read().unwrap();
    let endpoint = Some(endpoint.text().unwrap().to_owned());
    Endpoints { route53: endpoint.clone(), sts: endpoint }
}

fn ask(request: http::Request) -> String {
    let response = request.header("authorization", ROUTE53).send().unwrap();
    String::from_utf8(response.body().to_vec()).unwrap()
}

fn url(path: &str) -> String {
    format!("{}/2013-04-01/{path}", moto().route53.unwrap())
}

/// Makes a hosted zone and returns its id.
fn make_zone(name: &str) -> String {
    let body = format!(
        "<CreateHostedZoneRequest xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><Name>{name}</Name>\
         <CallerReference>{name}</CallerReference></CreateHostedZoneRequest>"
    );
    let answer = ask(http::post(url("hostedzone")).body(body));
    element(&answer, "Id").unwrap().trim_start_matches("/hostedzone/").to_owned()
}

/// The TXT values in a zone.
fn values(zone: &str) -> Vec<String> {
    let answer = ask(http::get(url(&format!("hostedzone/{zone}/rrset"))));
    let txt = |set: &&str| element(set, "Type") == Some("TXT");
    let sets = elements(&answer, "ResourceRecordSet").into_iter().filter(txt);
    let mut values: Vec<String> = sets.flat_map(|set| elements(set, "Value")).map(unescape).collect();
    values.sort();
    values
}

fn challenge(zone: &str, value: &str) -> Challenge {
    Challenge {
        dns_name: zone.trim_end_matches('.').to_owned(),
        fqdn: format!("_acme-challenge.{zone}"),
        zone: zone.to_owned(),
        value: value.to_owned(),
        ambient_credentials: false,
    }
}

/// The guide's stanza, and `more` fields.
fn guide(more: &str) -> Config {
    let stanza = format!(
        r#"{{"accessKeyID":"access-key-id",
            "secretAccessKeySecretRef":{{"name":"route53-secret","key":"secret-access-key"}}{more}}}"#
    );
    serde_json::from_str(&stanza).unwrap()
}

#[test]
fn the_guides_stanza_adds_beside_others_and_removes_its_own() {
    let zone = make_zone("guide.test.");
    let (apex, wildcard) = (challenge("guide.test.", "apex"), challenge("guide.test.", "wildcard"));
    let receipt = present(&guide(""), &apex, &moto()).unwrap();
    assert_eq!(receipt, Receipt { zone: zone.clone(), form: Form::Own });
    present(&guide(""), &wildcard, &moto()).unwrap();
    present(&guide(""), &wildcard, &moto()).unwrap();
    assert_eq!(values(&zone), ["\"apex\"", "\"wildcard\""]);

    cleanup(&guide(""), &apex, Some(receipt), &moto()).unwrap();
    assert_eq!(values(&zone), ["\"wildcard\""]);
    cleanup(&guide(""), &wildcard, None, &moto()).unwrap();
    cleanup(&guide(""), &wildcard, None, &moto()).unwrap();
    assert!(values(&zone).is_empty());
}

#[test]
fn a_value_that_was_never_there_is_gone() {
    make_zone("never.test.");
    cleanup(&guide(""), &challenge("never.test.", "v"), None, &moto()).unwrap();
}

#[test]
fn a_zone_by_its_id_needs_no_look_and_a_wrong_one_is_named() {
    let zone = make_zone("byid.test.");
    let config = guide(&format!(r#","hostedZoneID":"{zone}""#));
    present(&config, &challenge("byid.test.", "v"), &moto()).unwrap();
    assert_eq!(values(&zone), ["\"v\""]);
    let wrong = present(&guide(r#","hostedZoneID":"ZNONE""#), &challenge("byid.test.", "v"), &moto());
    assert!(matches!(wrong, Err(Error::NotFound(message)) if message.contains("ZNONE")));
    let none = present(&guide(""), &challenge("nowhere.test.", "v"), &moto());
    assert!(matches!(none, Err(Error::NotFound(message)) if message.contains("nowhere.test.")));
}

#[test]
fn a_role_is_assumed() {
    let zone = make_zone("role.test.");
    let config = guide(r#","role":"arn:aws:iam::123456789012:role/dns","region":"eu-west-1""#);
    present(&config, &challenge("role.test.", "v"), &moto()).unwrap();
    assert_eq!(values(&zone), ["\"v\""]);
}

#[test]
fn a_plain_set_keeps_what_others_put_there() {
    let zone = make_zone("plain.test.");
    let body = "<ChangeResourceRecordSetsRequest xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><ChangeBatch>\
        <Changes><Change><Action>CREATE</Action><ResourceRecordSet><Name>_acme-challenge.plain.test.</Name>\
        <Type>TXT</Type><TTL>300</TTL><ResourceRecords><ResourceRecord><Value>\"theirs\"</Value></ResourceRecord>\
        <ResourceRecord><Value>\"ours\"</Value></ResourceRecord></ResourceRecords></ResourceRecordSet></Change>\
        </Changes></ChangeBatch></ChangeResourceRecordSetsRequest>";
    ask(http::post(url(&format!("hostedzone/{zone}/rrset"))).body(body));
    let receipt = Receipt { zone: zone.clone(), form: Form::Plain };
    cleanup(&guide(""), &challenge("plain.test.", "ours"), Some(receipt), &moto()).unwrap();
    assert_eq!(values(&zone), ["\"theirs\""]);
}

#[test]
fn a_secret_that_is_missing_is_named() {
    let stanza =
        r#"{"accessKeyID":"AKIAIOSFODNN7EXAMPLE","secretAccessKeySecretRef":{"name":"route53-secret","key":"no"}}"#;
    let config: Config = serde_json::from_str(stanza).unwrap();
    let refused = present(&config, &challenge("x.test.", "v"), &moto());
    assert!(refused.is_err_and(|error| error.message().contains("secretAccessKeySecretRef")));
}
