//! Gathers from YAML documents what the API server would have shown.

use expect_test::Expect;
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_yaml::Value;
use signet_api::{Certificate, CertificateRequest, Challenge, ClusterIssuer, Issuer, Order};

use crate::gathered::{Gathered, Happening, IssuerFacts, Leaf, SecretFacts, Seen, SeenIssuer};
use crate::story::story;

pub(super) fn now() -> Timestamp {
    time("2027-01-15T08:00:00Z")
}

pub(super) fn check(documents: &[&str], wanted: Expect) {
    wanted.assert_eq(&story(&gathered(documents), now()));
}

pub(super) const ISSUER: &str = r"
kind: ClusterIssuer
metadata: { name: letsencrypt }
spec: { acme: { server: https://acme-v02.api.letsencrypt.org/directory, privateKeySecretRef: { name: account } } }
status:
  conditions: [{ type: Ready, status: 'True', reason: ACMEAccountRegistered, message: The account is registered, lastTransitionTime: 2026-08-01T08:00:00Z }]
";

pub(super) const SECRET: &str = r"
kind: Secret
type: kubernetes.io/tls
lacks: []
";

/// A Certificate whose first issuance began three minutes ago.
pub(super) fn issuing(issuer_kind: &str) -> String {
    format!(
        r"
kind: Certificate
metadata: {{ name: web, namespace: team-a, generation: 1 }}
spec: {{ secretName: web-tls, issuerRef: {{ name: letsencrypt, kind: '{issuer_kind}' }}, dnsNames: [web.example.com, '*.web.example.com'] }}
status:
  nextPrivateKeySecretName: web-5f3c9a01
  conditions:
    - {{ type: Issuing, status: 'True', reason: DoesNotExist, message: Secret web-tls does not exist yet,
        observedGeneration: 1, lastTransitionTime: 2027-01-15T07:57:00Z }}
    - {{ type: Ready, status: 'False', reason: DoesNotExist, message: Secret web-tls does not exist yet,
        observedGeneration: 1, lastTransitionTime: 2027-01-15T07:57:00Z }}
"
    )
}

/// The kinds are the API's, but for these: `Secret` and `Event` hold the facts themselves, and
/// `Hidden` hides the issuer, as it is from most people when it is a ClusterIssuer.
pub(super) fn gathered(documents: &[&str]) -> Gathered {
    let mut gathered = Gathered {
        certificate: Certificate::new("", Default::default()),
        issuer: SeenIssuer::Ours(Seen::Missing),
        secret: Seen::Missing,
        next_key: Seen::There(()),
        request: Seen::Missing,
        order: Seen::Missing,
        challenges: Seen::There(Vec::new()),
        happenings: Seen::There(Vec::new()),
    };
    for document in documents {
        let mut value: Value = serde_yaml::from_str(document).unwrap();
        let kind = value["kind"].as_str().unwrap().to_owned();
        let group = if matches!(kind.as_str(), "Order" | "Challenge") {
            "acme.cert-manager.io/v1"
        } else {
            "cert-manager.io/v1"
        };
        value["apiVersion"] = group.into();
        if value["metadata"].is_null() {
            value["metadata"] = Value::Mapping(Default::default());
        }
        add(&mut gathered, &kind, value);
    }
    gathered
}

fn add(gathered: &mut Gathered, kind: &str, value: Value) {
    match kind {
        "Certificate" => gathered.certificate = read(value),
        "Issuer" => {
            let issuer: Issuer = read(value);
            gathered.issuer = ours("Issuer", issuer.spec, issuer.status);
        }
        "ClusterIssuer" => {
            let issuer: ClusterIssuer = read(value);
            gathered.issuer = ours("ClusterIssuer", issuer.spec.0, issuer.status);
        }
        "Foreign" => gathered.issuer = SeenIssuer::Foreign,
        "Hidden" => gathered.issuer = SeenIssuer::Ours(Seen::Hidden("clusterissuers is forbidden".into())),
        "Secret" => gathered.secret = Seen::There(secret(&value)),
        "CertificateRequest" => gathered.request = Seen::There(read::<CertificateRequest>(value)),
        "Order" => gathered.order = Seen::There(read::<Order>(value)),
        "Challenge" => extend(&mut gathered.challenges, read::<Challenge>(value)),
        "Event" => extend(&mut gathered.happenings, happening(&value)),
        other => panic!("no fixture of kind {other}"),
    }
}

fn ours(kind: &'static str, spec: signet_api::IssuerSpec, status: Option<signet_api::IssuerStatus>) -> SeenIssuer {
    SeenIssuer::Ours(Seen::There(IssuerFacts { kind, spec, status: status.unwrap_or_default(), keeps_list: false }))
}

fn secret(value: &Value) -> SecretFacts {
    let leaf = Leaf {
        subject: "CN=web.example.com".into(),
        names: vec!["web.example.com".into(), "*.web.example.com".into()],
        issuer: "CN=R11,O=Let's Encrypt,C=US".into(),
        serial: "04a1b2c3".into(),
        not_after: time("2027-03-16T08:00:00Z"),
    };
    let lacks: Vec<String> = Deserialize::deserialize(&value["lacks"]).unwrap();
    SecretFacts {
        type_: text(&value["type"]),
        lacks: ["tls.crt", "tls.key"].into_iter().filter(|key| lacks.iter().any(|lack| lack == key)).collect(),
        leaf: (!lacks.iter().any(|lack| lack == "tls.crt")).then_some(Ok(leaf)),
        certificate_name: value["certificateName"].as_str().map(str::to_owned).or(Some("web".into())),
    }
}

fn happening(value: &Value) -> Happening {
    Happening {
        at: time(&text(&value["at"])),
        severity: text(&value["severity"]),
        reason: text(&value["reason"]),
        object: text(&value["object"]),
        message: text(&value["message"]),
        count: value["count"].as_i64().map_or(1, |count| i32::try_from(count).unwrap()),
    }
}

fn extend<T>(seen: &mut Seen<Vec<T>>, one: T) {
    let Seen::There(all) = seen else { panic!("it was hidden") };
    all.push(one);
}

fn read<T: DeserializeOwned>(value: Value) -> T {
    serde_yaml::from_value(value).unwrap()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}
