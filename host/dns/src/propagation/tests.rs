//! A small world of DNS: a recursive server, and the authoritative ones of its zones.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::stub::{self, Over, Stub};
use crate::{ChallengeRecord, DnsConfig};

const AT: &str = "_acme-challenge.www.example.test.";

/// A recursive server for zone `example.test.` with servers `a.` and `b.`, and the two.
async fn world(subnet: u8) -> (Dns, [Stub; 3], Arc<AtomicBool>) {
    let (first, second) = (format!("127.94.{subnet}.1"), format!("127.94.{subnet}.2"));
    let recursive = recursive(vec![("a.", first.clone()), ("b.", second.clone())]).await;
    // The first answers in full over TCP only; the second gets the record when it is told to.
    let a = stub::serve(&format!("{first}:0"), |query, reply, over| {
        reply.metadata.authoritative = true;
        match over {
            Over::Udp => reply.metadata.truncation = true,
            Over::Tcp => reply.answers.push(stub::txt(query.name(), "value")),
        }
        true
    })
    .await;
    let written = Arc::new(AtomicBool::new(false));
    let see = written.clone();
    let b = stub::serve(&format!("{second}:{}", a.address.port()), move |query, reply, _| {
        reply.metadata.authoritative = true;
        reply.answers.push(stub::txt(query.name(), if see.load(Ordering::SeqCst) { "value" } else { "old" }));
        true
    })
    .await;
    let mut dns = through(&recursive);
    dns.authoritative_port = a.address.port();
    (dns, [recursive, a, b], written)
}

fn through(recursive: &Stub) -> Dns {
    let config = DnsConfig { recursive_nameservers: vec![recursive.address.into()], recursive_only: false };
    Dns::new(config).expect("servers are given")
}

/// It knows where the servers of `example.test.` are, and names outside that zone with aliases.
async fn recursive(servers: Vec<(&'static str, String)>) -> Stub {
    stub::serve("127.0.0.1:0", move |query, reply, _| {
        let name = query.name().to_lowercase();
        let text = name.to_ascii();
        match (query.query_type(), text.as_str()) {
            (RecordType::SOA, zone @ ("example.test." | "wild.test." | "lb.test.")) => {
                reply.answers.push(stub::soa(zone))
            }
            (RecordType::SOA, at) if at.ends_with("example.test.") => {
                reply.authorities.push(stub::soa("example.test."))
            }
            // A wildcard gives every name below an alias, and the answer goes on to where that leads.
            (RecordType::CNAME | RecordType::SOA, at) if at.ends_with(".wild.test.") => {
                reply.answers.push(stub::cname(&name, "edge.lb.test."));
                reply.authorities.push(stub::soa("lb.test."));
            }
            (RecordType::CNAME, "_acme-challenge.alias.test.") => {
                reply.answers.push(stub::cname(&name, "second.alias.test."));
            }
            (RecordType::CNAME, "second.alias.test.") => reply.answers.push(stub::cname(&name, "target.example.test.")),
            (RecordType::CNAME, "_acme-challenge.loop.test.") => reply.answers.push(stub::cname(&name, &text)),
            (RecordType::NS, "example.test.") => {
                reply.answers.extend(servers.iter().map(|(server, _)| stub::ns(&name, server)));
            }
            (RecordType::A, host) => {
                let of = servers.iter().filter(|(server, address)| *server == host && !address.is_empty());
                reply.answers.extend(of.map(|(_, address)| stub::a(&name, address)));
            }
            (RecordType::SOA, _) => stub::code(reply, ResponseCode::NXDomain),
            _ => {}
        }
        true
    })
    .await
}

#[tokio::test]
async fn waits_for_the_last_server() {
    let (dns, stubs, written) = world(1).await;
    let record = dns.challenge_record("_acme-challenge", "*.www.example.test", false).await.expect("a zone");
    assert_eq!(record, ChallengeRecord { fqdn: AT.into(), zone: "example.test.".into() });

    let seen = dns.propagation(AT, "example.test.", "value").await.expect("servers");
    let Propagation::Missing(missing) = seen else { panic!("b. has an old value") };
    let lines: Vec<String> = missing.iter().map(ToString::to_string).collect();
    assert_eq!(lines, [format!("b. ({}) has another TXT value at {AT}, not ours yet", stubs[2].address)]);

    written.store(true, Ordering::SeqCst);
    assert_eq!(dns.propagation(AT, "example.test.", "value").await.expect("servers"), Propagation::Everywhere);
}

#[tokio::test]
async fn follows_cnames_and_stops_in_a_loop() {
    let (dns, _stubs, _) = world(2).await;
    let record = dns.challenge_record("_acme-challenge", "alias.test", true).await.expect("a zone");
    assert_eq!(record, ChallengeRecord { fqdn: "target.example.test.".into(), zone: "example.test.".into() });
    let error = dns.challenge_record("_acme-challenge", "loop.test", true).await.expect_err("a loop");
    assert_eq!(error.reason(), "DNSCNAMELoop");
    let error = dns.challenge_record("_acme-challenge", "nowhere.test", false).await.expect_err("no zone");
    assert_eq!(error.reason(), "DNSZoneNotFound");
}

/// The alias of a wildcard is for a website: the record goes where it was asked for, in the zone of that name.
#[tokio::test]
async fn the_alias_of_a_wildcard_is_not_followed() {
    let (dns, _stubs, _) = world(3).await;
    for follow in [true, false] {
        let record = dns.challenge_record("_acme-challenge", "shop.wild.test", follow).await.expect("a zone");
        let expected = ChallengeRecord { fqdn: "_acme-challenge.shop.wild.test.".into(), zone: "wild.test.".into() };
        assert_eq!(record, expected, "{follow}");
    }
}

/// Each fault of one of two servers, in the words that people read.
#[tokio::test]
async fn a_server_that_does_not_have_the_record_is_named_with_what_it_does() {
    type Fault = fn(&mut Message, &hickory_proto::op::Query) -> bool;
    let table: [(&str, Fault, &str); 9] = [
        ("nothing", |_, _| true, "is named in the NS records of example.test. but does not serve it"),
        ("no record", |reply, _| authoritative(reply, ResponseCode::NoError), "has no TXT record at"),
        (
            "no name",
            |reply, _| authoritative(reply, ResponseCode::NXDomain),
            "answered NXDOMAIN: the name does not exist",
        ),
        (
            "trouble",
            |reply, _| authoritative(reply, ResponseCode::ServFail),
            "answered SERVFAIL: it can not load or verify",
        ),
        (
            "another zone's",
            |reply, _| {
                stub::code(reply, ResponseCode::Refused);
                true
            },
            "refuses to answer for example.test.: it does not serve that zone",
        ),
        (
            "another value",
            |reply, query| {
                reply.answers.push(stub::txt(query.name(), "old"));
                authoritative(reply, ResponseCode::NoError)
            },
            "has another TXT value at",
        ),
        (
            "other values",
            |reply, query| {
                reply.answers.extend(["old", "older"].map(|value| stub::txt(query.name(), value)));
                authoritative(reply, ResponseCode::NoError)
            },
            "has 2 other TXT values at",
        ),
        (
            "half an answer",
            |reply, _| {
                reply.metadata.truncation = true;
                authoritative(reply, ResponseCode::NotImp)
            },
            "answered Not Implemented",
        ),
        ("silence", |_, _| false, "did not answer in time: it is down, or a firewall blocks"),
    ];
    let looks = table.iter().zip(10..).map(async |((what, fault, words), subnet)| {
        let (address, good) = (format!("127.94.{subnet}.1"), format!("127.94.{subnet}.2"));
        let fault = *fault;
        let bad = stub::serve(&format!("{address}:0"), move |query, reply, _| fault(reply, query)).await;
        let _good = stub::serve(&format!("{good}:{}", bad.address.port()), |query, reply, _| {
            reply.answers.push(stub::txt(query.name(), "value"));
            authoritative(reply, ResponseCode::NoError)
        })
        .await;
        let recursive = recursive(vec![("a.", address), ("b.", good)]).await;
        let mut dns = through(&recursive);
        dns.authoritative_port = bad.address.port();
        let seen = dns.propagation(AT, "example.test.", "value").await.expect("servers");
        let Propagation::Missing(missing) = seen else { panic!("{what}: it was seen") };
        let lines: Vec<String> = missing.iter().map(ToString::to_string).collect();
        let expected = format!("a. ({}) {words}", bad.address);
        assert!(lines.len() == 1 && lines[0].starts_with(&expected), "{what}: {lines:?}");
    });
    futures::future::join_all(looks).await;
}

fn authoritative(reply: &mut Message, code: ResponseCode) -> bool {
    reply.metadata.authoritative = true;
    stub::code(reply, code);
    true
}

#[tokio::test]
async fn servers_that_can_not_be_asked_are_named() {
    // One has no address, at that of the other nobody listens.
    let nobody = recursive(vec![("a.", String::new()), ("b.", "127.94.9.9".to_owned())]).await;
    let mut dns = through(&nobody);
    dns.authoritative_port = 1;
    let seen = dns.propagation(AT, "example.test.", "value").await.expect("servers");
    let Propagation::Missing(missing) = seen else { panic!("nobody answers") };
    let lines: Vec<String> = missing.iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        [
            "a. has no address that can be reached from here",
            "b. (127.94.9.9:1) refused the connection: no DNS server listens there"
        ]
    );
    let none = through(&recursive(Vec::new()).await);
    assert!(none.propagation(AT, "example.test.", "value").await.is_err());
    let nobody = recursive(Vec::new()).await;
    let error = through(&nobody).propagation(AT, "example.test.", "value").await.expect_err("no servers");
    assert_eq!(error.to_string(), "could not find the servers of zone example.test.: it has no NS records");
}

#[tokio::test]
async fn a_recursive_server_that_fails_is_named() {
    let failing = stub::serve("127.0.0.1:0", |_, reply, _| {
        stub::code(reply, ResponseCode::ServFail);
        true
    })
    .await;
    let dns = through(&failing).through(vec![failing.address.into()]);
    let told = format!("{} answered SERVFAIL", failing.address);
    let seen = dns.propagation("x.example.test.", "example.test.", "value").await.expect("servers");
    let Propagation::Missing(missing) = seen else { panic!("it fails") };
    assert!(missing[0].to_string().starts_with(&told), "{missing:?}");
    let error = dns.addresses("x.example.test").await.expect_err("it fails").to_string();
    assert!(error.contains(&told), "{error}");
}
