//! What each decision is made from, as the controller's edges read it.

use jiff::Timestamp;
use k8s_openapi::ByteString;
use signet_api::certificaterequest::condition as of_request;
use signet_api::certificaterequest::reason;
use signet_api::meta::{condition, has_condition};
use signet_api::solver::{Dns01, Http01};
use signet_api::{CertificateSpec, ConditionStatus, IssuerRef, OrderSpec, Solver};
use signet_core::acme::Identifier;
use signet_core::certificate::{self, NextKey, Outcome, Pair, SecretData, TargetSecret};
use signet_core::order::OwnChallenge;
use signet_core::{challenge, order, pki, request};

use crate::authority::{Authority, Issued};
use crate::cluster::{Cluster, Request};
use crate::process::Memories;
use crate::schedule::Way;

/// What the Certificate is called.
const NAME: &str = "web";

fn issuer_ref() -> IssuerRef {
    IssuerRef { name: "ca".to_owned(), ..IssuerRef::default() }
}

/// The number of a certificate, as objects hold it in the place of PEM.
pub(crate) fn number(certificate: &ByteString) -> u64 {
    std::str::from_utf8(&certificate.0).ok().and_then(|text| text.parse().ok()).expect("it was written by us")
}

fn pair(cluster: &Cluster, number: u64, issued: &Issued, key: Option<u64>) -> Pair {
    let is_wanted = issued.names == cluster.certificate.names;
    Pair {
        sha256: number.to_string(),
        not_before: issued.not_before,
        not_after: issued.not_after,
        renewal_time: pki::renewal_time(issued.not_before, issued.not_after, None, None),
        ari_id: None,
        key_matches: key == Some(issued.key),
        key_violation: None,
        spec_mismatches: if is_wanted { Vec::new() } else { vec!["spec.dnsNames".to_owned()] },
        standing: Box::default(),
    }
}

fn mismatches(cluster: &Cluster, request: &Request) -> Vec<String> {
    let mut fields = Vec::new();
    if request.names != cluster.certificate.names {
        fields.push("spec.dnsNames".to_owned());
    }
    fields
}

pub(crate) fn certificate(cluster: &Cluster, authority: &Authority, memories: &Memories) -> certificate::Observed {
    let status = cluster.certificate.status.clone();
    let revision = status.revision.unwrap_or(0);
    let of = |wanted: i64| cluster.requests.iter().find(move |(_, request)| request.revision == wanted);
    let current = of(revision).filter(|_| revision > 0);
    let mut past: Vec<_> = cluster.requests.iter().filter(|(_, request)| request.revision <= revision).collect();
    past.sort_by_key(|(_, request)| request.revision);
    past.pop();
    let target = cluster.secret.as_ref().map(|secret| TargetSecret {
        data: SecretData::Pair(pair(
            cluster,
            secret.certificate,
            &authority.issued[&secret.certificate],
            Some(secret.key),
        )),
        issuer: Some(("ca".to_owned(), "Issuer".to_owned(), "cert-manager.io".to_owned())),
        certificate_name: Some(NAME.to_owned()),
        drifted: false,
    });
    certificate::Observed {
        name: NAME.to_owned(),
        uid: "uid".to_owned(),
        generation: cluster.certificate.generation,
        deleting: false,
        spec: CertificateSpec {
            secret_name: "web-tls".to_owned(),
            issuer_ref: issuer_ref(),
            dns_names: cluster.certificate.names.clone(),
            ..CertificateSpec::default()
        },
        status,
        spec_errors: Vec::new(),
        rival: None,
        issuer_kind: Some("Issuer".to_owned()),
        secret: target,
        next_keys: cluster.keys.keys().map(|secret| NextKey { secret: secret.clone(), usable: true }).collect(),
        request: of(revision + 1).map(|(name, request)| next_request(cluster, authority, memories, name, request)),
        current_request_mismatches: current.map(|(_, request)| mismatches(cluster, request)),
        surplus_requests: past.into_iter().map(|(name, _)| name.clone()).collect(),
        ari: None,
        replaced_at: None,
    }
}

fn next_request(
    cluster: &Cluster,
    authority: &Authority,
    memories: &Memories,
    name: &str,
    request: &Request,
) -> certificate::Request {
    let key = cluster.keys.get(&request.key_secret).copied();
    let mut mismatches = mismatches(cluster, request);
    if key.is_some_and(|key| key != request.key) {
        mismatches.push("spec.privateKey".to_owned());
    }
    certificate::Request {
        name: name.to_owned(),
        key_secret: request.key_secret.clone(),
        mismatches,
        interrupted: memories.made != Some(request.uid),
        outcome: outcome(cluster, authority, request, key),
    }
}

fn outcome(cluster: &Cluster, authority: &Authority, request: &Request, key: Option<u64>) -> Outcome {
    let status = &request.status;
    let failed = |reason: &str| {
        let at = status.failure_time.as_ref().map_or(request.created, |time| time.0);
        Outcome::Failed(certificate::Failure { at, reason: reason.to_owned(), message: "it failed".to_owned() })
    };
    if has_condition(&status.conditions, of_request::INVALID_REQUEST, ConditionStatus::True) {
        return failed("InvalidRequest");
    }
    let Some(ready) = condition(&status.conditions, of_request::READY) else { return Outcome::New(request.created) };
    match (&status.certificate, ready.is_true(), ready.reason.as_deref()) {
        (Some(issued), true, _) => {
            let number = number(issued);
            Outcome::Issued(pair(cluster, number, &authority.issued[&number], key))
        }
        (_, false, Some(why @ (reason::FAILED | reason::DENIED))) => failed(why),
        _ => Outcome::Pending(ready.message.clone()),
    }
}

pub(crate) fn request(cluster: &Cluster, memories: &Memories, way: Way, name: &str) -> request::Observed {
    let request = &cluster.requests[name];
    let issuer = match way {
        Way::SelfSigned => request::Issuer::SelfSigned { key_secret: request.key_secret.clone() },
        Way::Http01 | Way::Dns01 => match cluster.orders.iter().find(|(_, order)| order.owner == request.uid) {
            Some((name, order)) => request::Issuer::Acme {
                name: name.clone(),
                spec: Box::new(order.spec.clone()),
                order: Some(order.status.clone()),
            },
            None => {
                let spec = OrderSpec {
                    request: ByteString(format!("{} {:?}", request.key, request.names).into_bytes()),
                    issuer_ref: issuer_ref(),
                    dns_names: request.names.clone(),
                    ..OrderSpec::default()
                };
                request::Issuer::Acme { name: request::order_name(name, &spec), spec: Box::new(spec), order: None }
            }
        },
    };
    request::Observed {
        name: name.to_owned(),
        created: request.created,
        status: request.status.clone(),
        invalid: None,
        auto_approve: true,
        issuer,
        memory: memories.requests.get(&request.uid).cloned().unwrap_or_default(),
    }
}

pub(crate) fn order(cluster: &Cluster, memories: &Memories, way: Way, name: &str) -> order::Observed {
    let order = &cluster.orders[name];
    let stanzas = [("any".to_owned(), serde_json::json!({}))].into();
    let solver = match way {
        Way::Dns01 => Solver { dns01: Some(Dns01 { stanzas, ..Dns01::default() }), ..Solver::default() },
        Way::Http01 | Way::SelfSigned => Solver { http01: Some(Http01 { stanzas }), ..Solver::default() },
    };
    let own = cluster.challenges.iter().filter(|(_, challenge)| challenge.owner == order.uid);
    order::Observed {
        name: name.to_owned(),
        identifiers: order.spec.dns_names.iter().cloned().map(Identifier::Dns).collect(),
        profile: None,
        replaces: None,
        not_after: None,
        issuer_ref: issuer_ref(),
        labels: Default::default(),
        solvers: vec![solver],
        looks_at_caa: false,
        status: order.status.clone(),
        challenges: own
            .map(|(name, challenge)| OwnChallenge {
                name: name.clone(),
                authorization_url: challenge.spec.authorization_url.clone(),
                dns_name: challenge.spec.dns_name.clone(),
                status: challenge.status.clone(),
                deleting: challenge.deleting,
            })
            .collect(),
        turn: Some(signet_core::limits::Turn::Now),
        memory: memories.orders.get(&order.uid).cloned().unwrap_or_default(),
    }
}

pub(crate) fn challenge(cluster: &Cluster, memories: &Memories, way: Way, name: &str) -> challenge::Observed {
    let challenge = &cluster.challenges[name];
    challenge::Observed {
        dns_name: challenge.spec.dns_name.clone(),
        created: challenge.created,
        deleting: challenge.deleting,
        finalizer: true,
        status: challenge.status.clone(),
        slot: true,
        orphaned: false,
        behind: None,
        wait_instead_of_check: None,
        served: way == Way::Http01,
        replicas: Default::default(),
        process_started: memories.started,
        memory: memories.challenges.get(&challenge.uid).cloned().unwrap_or_default(),
    }
}

/// The API server tells in whole seconds when something was made.
pub(crate) fn whole_seconds(time: Timestamp) -> Timestamp {
    signet_api::meta::whole_seconds(time)
}
