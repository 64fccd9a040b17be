//! Against an API server in memory.

use super::*;
use crate::fake::Fake;

const WORLD: &str = r"
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: { name: web, namespace: team-a, uid: c }
spec: { secretName: web-tls, issuerRef: { name: le }, dnsNames: [web.example.com] }
status: { revision: 1, nextPrivateKeySecretName: web-next }
---
apiVersion: cert-manager.io/v1
kind: ClusterIssuer
metadata: { name: le }
spec: { selfSigned: {} }
---
apiVersion: v1
kind: Secret
metadata: { name: web-next, namespace: team-a }
---
apiVersion: cert-manager.io/v1
kind: CertificateRequest
metadata: { name: web-2, namespace: team-a, uid: r, annotations: { cert-manager.io/certificate-revision: '2' }, ownerReferences: [{ apiVersion: v, kind: Certificate, name: web, uid: c }] }
spec: { request: '', issuerRef: { name: le } }
---
apiVersion: cert-manager.io/v1
kind: CertificateRequest
metadata: { name: web-9, namespace: team-a, annotations: { cert-manager.io/certificate-revision: '9', cert-manager.io/certificate-name: web } }
spec: { request: '', issuerRef: { name: le } }
---
apiVersion: cert-manager.io/v1
kind: CertificateRequest
metadata: { name: api-2, namespace: team-a, annotations: { cert-manager.io/certificate-revision: '2', cert-manager.io/certificate-name: api } }
spec: { request: '', issuerRef: { name: le } }
---
apiVersion: acme.cert-manager.io/v1
kind: Order
metadata: { name: web-2-1, namespace: team-a, uid: o, ownerReferences: [{ apiVersion: v, kind: CertificateRequest, name: web-2, uid: r }] }
spec: { request: '', issuerRef: { name: le } }
---
apiVersion: acme.cert-manager.io/v1
kind: Order
metadata: { name: api-2-1, namespace: team-a, uid: p, ownerReferences: [{ apiVersion: v, kind: CertificateRequest, name: api-2, uid: s }] }
spec: { request: '', issuerRef: { name: le } }
---
apiVersion: acme.cert-manager.io/v1
kind: Challenge
metadata: { name: web-2-1-5, namespace: team-a, ownerReferences: [{ apiVersion: v, kind: Order, name: web-2-1, uid: o }] }
spec: { url: u, authorizationURL: a, dnsName: web.example.com, type: DNS-01, token: t, key: k, solver: {}, issuerRef: { name: le } }
---
apiVersion: acme.cert-manager.io/v1
kind: Challenge
metadata: { name: api-2-1-5, namespace: team-a, ownerReferences: [{ apiVersion: v, kind: Order, name: api-2-1, uid: p }] }
spec: { url: u, authorizationURL: a, dnsName: api.example.com, type: DNS-01, token: t, key: k, solver: {}, issuerRef: { name: le } }
";

const TLS_CRT: &str = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUJlakNDQVIrZ0F3SUJBZ0lFU2hzc1BUQUtCZ2dxaGtqT1BRUURBakFhTVJnd0ZnWURWUVFEREE5M1pXSXUKWlhoaGJYQnNaUzVqYjIwd0hoY05Nall4TVRJME1UQXdNVFF3V2hjTk16WXhNVEl4TVRBd01UUXdXakFhTVJndwpGZ1lEVlFRRERBOTNaV0l1WlhoaGJYQnNaUzVqYjIwd1dUQVRCZ2NxaGtqT1BRSUJCZ2dxaGtqT1BRTUJCd05DCkFBVHNWcUZuT3AyOFNSRnUvOXRoRTRvaEQ4VHQxc21ndDBPUWwwdnZ4NmFoTFhEQXBkQnpIc1hrQ1Z3MFM4TWcKa0Q0UVJBRWd5UzVIWktidUk2VFlSQkNFbzFNd1VUQWRCZ05WSFE0RUZnUVVIcytoM2hLU3BqM1JPT3VNeVhSagpOVUh4OUV3d0h3WURWUjBqQkJnd0ZvQVVIcytoM2hLU3BqM1JPT3VNeVhSak5VSHg5RXd3RHdZRFZSMFRBUUgvCkJBVXdBd0VCL3pBS0JnZ3Foa2pPUFFRREFnTkpBREJHQWlFQXoxODFTMlR1KzZGSkZ6bFRsYUtKT2Y4K3JCTkYKb3loSDR2ZldzVUZEME1JQ0lRQ3pOakFoV3NHcmxSV1FIR3ltcllPNnRyU1l3TTBiNUd2ZVRGeXN4S0xpelE9PQotLS0tLUVORCBDRVJUSUZJQ0FURS0tLS0tCg==";

fn secret() -> Secret {
    let value = serde_json::json!({ "type": "kubernetes.io/tls", "data": { "tls.crt": TLS_CRT, "tls.key": "" } });
    serde_json::from_value(value).unwrap()
}

fn event(number: i64, kind: &str, name: &str) -> String {
    let namespace = if kind == "ClusterIssuer" { "default" } else { "team-a" };
    format!(
        r"
---
apiVersion: events.k8s.io/v1
kind: Event
metadata: {{ name: {kind}.{name}.{number}, namespace: {namespace} }}
eventTime: 2027-01-15T07:{number:02}:00.000000Z
regarding: {{ kind: {kind}, name: {name} }}
reason: Something
type: Normal
note: number {number}
"
    )
}

async fn gathered(fake: &Fake) -> Gathered {
    gather(&fake.cluster(), "web").await.unwrap()
}

fn name<K: Resource>(object: &K) -> &str {
    object.meta().name.as_deref().unwrap()
}

#[tokio::test]
async fn the_chain_is_followed_from_owner_to_owned() {
    let gathered = gathered(&Fake::with(WORLD)).await;
    assert_eq!(gathered.issuer_name(), "ClusterIssuer le");
    assert_eq!((gathered.secret.clone(), gathered.next_key.clone()), (Seen::Missing, Seen::There(())));
    // The request of the revision to come goes before a later one.
    assert_eq!(gathered.request.there().map(name), Some("web-2"));
    assert_eq!(gathered.order.there().map(name), Some("web-2-1"));
    let challenges: Vec<_> = gathered.challenges.there().unwrap().iter().map(name).collect();
    assert_eq!(challenges, ["web-2-1-5"]);
}

#[tokio::test]
async fn an_issuer_of_the_namespace_goes_before_one_of_the_cluster() {
    let local = WORLD
        .replacen("ClusterIssuer", "Issuer", 1)
        .replace("metadata: { name: le }", "metadata: { name: le, namespace: team-a }");
    assert_eq!(gathered(&Fake::with(&local)).await.issuer_name(), "Issuer le");
    let wrong = WORLD.replacen("issuerRef: { name: le }", "issuerRef: { name: le, kind: Issuer }", 1);
    let gathered_wrong = gathered(&Fake::with(&wrong)).await;
    assert_eq!(gathered_wrong.issuer, SeenIssuer::Ours(Seen::Missing));
    let foreign = WORLD.replacen("issuerRef: { name: le }", "issuerRef: { name: le, group: example.com }", 1);
    assert_eq!(gathered(&Fake::with(&foreign)).await.issuer, SeenIssuer::Foreign);
}

#[tokio::test]
async fn what_is_forbidden_is_hidden_and_the_rest_is_told() {
    let fake = Fake::with(WORLD).forbid("/secrets").forbid("/clusterissuers").forbid("/events");
    let gathered = gathered(&fake).await;
    let hidden = "you may not".to_owned();
    assert_eq!(gathered.secret, Seen::Hidden(hidden.clone()));
    assert_eq!(gathered.issuer, SeenIssuer::Ours(Seen::Hidden(hidden.clone())));
    assert_eq!(gathered.happenings, Seen::Hidden(hidden));
    assert_eq!(gathered.request.there().map(name), Some("web-2"));
}

#[tokio::test]
async fn the_last_ten_events_of_these_objects_are_told_in_order() {
    let mut yaml = WORLD.to_owned();
    for number in 0..12 {
        yaml += &event(number, "Certificate", "web");
        yaml += &event(number, "Certificate", "api");
    }
    yaml += &event(20, "ClusterIssuer", "le");
    yaml += &event(21, "Challenge", "web-2-1-5");
    let gathered = gathered(&Fake::with(&yaml)).await;
    let told: Vec<_> = gathered.happenings.there().unwrap().iter().map(|event| event.message.as_str()).collect();
    let wanted: Vec<_> = (4..12).chain([20, 21]).map(|number| format!("number {number}")).collect();
    assert_eq!(told, wanted);
}

#[tokio::test]
async fn errors_name_the_certificate_and_the_context() {
    for (fake, wanted) in [
        (Fake::default(), "Certificate team-a/web does not exist in the cluster of context test"),
        (
            Fake::default().forbid("/certificates"),
            "Certificate team-a/web can not be read in context test: you may not",
        ),
    ] {
        let error = gather(&fake.cluster(), "web").await.unwrap_err();
        assert_eq!(format!("{error:#}"), wanted);
    }
}

#[test]
fn a_secret_is_told_by_its_certificate() {
    let facts = secret_facts(&secret());
    assert_eq!(facts.lacks, ["tls.key"]);
    let leaf = facts.leaf.unwrap().unwrap();
    assert_eq!((leaf.subject.as_str(), leaf.serial.as_str()), ("CN=web.example.com", "4a1b2c3d"));

    let mut broken = secret();
    broken.data.as_mut().unwrap().insert("tls.crt".into(), k8s_openapi::ByteString(b"no PEM".to_vec()));
    assert!(secret_facts(&broken).leaf.unwrap().is_err());
}
