//! The last line of the story, by what keeps the Certificate.

use super::fixtures::{ISSUER, SECRET, gathered, issuing, now};
use crate::story::next::next;

fn check(documents: &[&str], wanted: &str) {
    let said = next(&gathered(documents), now());
    assert!(said.starts_with(wanted), "{said}\nwas to begin with\n{wanted}");
}

fn certificate(status: &str) -> String {
    format!(
        r"
kind: Certificate
metadata: {{ name: web, namespace: team-a, generation: 2 }}
spec: {{ secretName: web-tls, issuerRef: {{ name: letsencrypt }}, dnsNames: [web.example.com] }}
status: {{ {status} }}
"
    )
}

fn not_ready(reason: &str, message: &str) -> String {
    certificate(&format!("conditions: [{{ type: Ready, status: 'False', reason: {reason}, message: '{message}' }}]"))
}

fn ready(renewal: &str) -> String {
    let status =
        "conditions: [{ type: Ready, status: 'True', reason: Ready, message: m }], notAfter: 2027-03-16T08:00:00Z";
    certificate(&format!("{status}, renewalTime: {renewal}"))
}

/// The first issuance, with an issuer that is Ready.
fn under_way(documents: &[&str], wanted: &str) {
    let certificate = issuing("");
    let all: Vec<_> = [certificate.as_str(), ISSUER].into_iter().chain(documents.iter().copied()).collect();
    check(&all, wanted);
}

fn request(revision: u32, conditions: &str) -> String {
    format!(
        r"
kind: CertificateRequest
metadata: {{ name: web-{revision}, annotations: {{ cert-manager.io/certificate-revision: '{revision}' }} }}
spec: {{ request: '', issuerRef: {{ name: letsencrypt }} }}
status: {{ conditions: [{conditions}] }}
"
    )
}

const APPROVED: &str = "{ type: Approved, status: 'True' }";

fn order(status: &str) -> String {
    format!(
        "kind: Order\nmetadata: {{ name: web-1-2 }}\nspec: {{ request: '', issuerRef: {{ name: le }} }}\nstatus: {{ {status} }}"
    )
}

fn challenge(type_: &str, status: &str) -> String {
    let solver = if type_ == "DNS-01" { "dns01: { route53: {} }" } else { "http01: { ingress: {} }" };
    format!(
        r"
kind: Challenge
spec: {{ url: u, authorizationURL: a, dnsName: web.example.com, type: {type_}, token: tok, key: k, solver: {{ {solver} }}, issuerRef: {{ name: le }} }}
status: {{ {status} }}
"
    )
}

#[test]
fn what_only_the_person_can_mend() {
    check(
        &[&not_ready("InvalidSpec", "dnsNames: a..b is no name"), ISSUER],
        "Nothing until you act: dnsNames: a..b is no name. Signet goes on at once after `kubectl edit certificate web -n team-a`.",
    );
    check(
        &[&not_ready("CannotRegenerateKey", "the private key can not be kept."), ISSUER],
        "Nothing until you act: the private key can not be kept. ",
    );
    check(
        &[&not_ready("IncorrectCertificate", "Secret web-tls already belongs to Certificate old"), ISSUER],
        "Nothing until you act: Secret web-tls already belongs to Certificate old. Signet looks again every 3 minutes.",
    );
}

#[test]
fn what_the_controller_does_by_itself() {
    check(&[&certificate("")], "Signet has not looked at the Certificate yet. If nothing moves");
    check(
        &[&not_ready("RequestChanged", "spec.dnsNames changed"), ISSUER, SECRET],
        "Signet begins an issuance, because spec.dnsNames changed. If",
    );
    check(
        &[&ready("2027-02-14T08:00:00Z"), ISSUER, SECRET],
        "Signet renews the certificate at 2027-02-14T08:00:00Z (in 30 days). There is",
    );
    check(
        &[&ready("2027-01-15T07:00:00Z"), ISSUER, SECRET],
        "The renewal was due at 2027-01-15T07:00:00Z (60 minutes ago). If",
    );
    check(
        &[&ready("2027-02-14T08:00:00Z"), SECRET],
        "Signet renews the certificate at 2027-02-14T08:00:00Z (in 30 days). Until then: Issuer or ClusterIssuer letsencrypt does not exist",
    );
    let expired = ready("2027-02-14T08:00:00Z").replace("2027-03-16", "2027-01-14");
    check(
        &[&expired, ISSUER, SECRET],
        "The certificate expired at 2027-01-14T08:00:00Z (24 hours ago); Signet issues a new one.",
    );
    let disabled = ready("null").replace("spec: {", "spec: { renewal: { policy: Disabled },");
    check(
        &[&disabled, ISSUER, SECRET],
        "Nothing by itself: spec.renewal.policy is Disabled. Run `kubectl signet renew web -n team-a` before the certificate expires at 2027-03-16T08:00:00Z (in 60 days).",
    );
    let deleting = ready("null").replace("generation: 2", "deletionTimestamp: 2027-01-15T08:00:00Z");
    check(&[&deleting], "The Certificate is being deleted");
}

#[test]
fn a_failure_waits_unless_the_spec_changed() {
    let failed = |generation| {
        certificate(&format!(
            "failedIssuanceAttempts: 1, lastFailureTime: 2027-01-15T07:30:00Z, conditions: [\
            {{ type: Ready, status: 'False', reason: DoesNotExist, message: no Secret }}, \
            {{ type: Issuing, status: 'False', reason: Failed, message: m, observedGeneration: {generation} }}]"
        ))
    };
    check(
        &[&failed(2), ISSUER],
        "Signet tries again at 2027-01-15T08:30:00Z (in 30 minutes). To try sooner, correct what the Issuing condition says, then run `kubectl signet renew web -n team-a`.",
    );
    check(&[&failed(1), ISSUER], "Signet begins an issuance, because no Secret.");
    let due = failed(2).replace("07:30", "06:30");
    check(&[&due, ISSUER], "The next attempt is due now.");
}

#[test]
fn an_issuance_waits_for_its_request() {
    let pending = request(1, APPROVED);
    under_way(&[], "Signet makes a private key and a CertificateRequest with it.");
    under_way(&[&request(1, "")], "CertificateRequest web-1 waits for approval.");
    under_way(&[&pending], "Signet makes an Order for the request.");
    under_way(
        &[&request(1, "{ type: Denied, status: 'True', message: not you. }")],
        "The request was denied: not you. Signet",
    );
    under_way(&[&request(1, "{ type: InvalidRequest, status: 'True' }")], "The request can not be signed. Signet");
    under_way(
        &[&request(1, "{ type: Ready, status: 'False', reason: Failed, message: no }")],
        "The request failed: no. Signet",
    );
    under_way(
        &[&request(1, "{ type: Ready, status: 'True', reason: Issued }")],
        "The certificate is signed; Signet writes it into Secret web-tls.",
    );

    // A request of the revision that is in use says nothing about the renewal.
    let renewing = issuing("").replace("status:\n", "status:\n  revision: 1\n");
    check(&[&renewing, ISSUER, &request(1, "{ type: Ready, status: 'True' }")], "Signet makes a private key");
}

#[test]
fn an_issuance_waits_for_its_issuer() {
    let broken = ISSUER.replace("'True'", "'False'").replace("The account is registered", "the CA does not answer.");
    check(
        &[&issuing(""), &broken],
        "ClusterIssuer letsencrypt can not sign: the CA does not answer. Issuance goes on once it is Ready.",
    );
    check(&[&issuing("Issuer")], "Issuer letsencrypt does not exist: create it, or correct spec.issuerRef.");
    let foreign = issuing("PCA").replace("kind: 'PCA'", "kind: PCA, group: awspca.example.com");
    check(&[&foreign, "kind: Foreign", &request(1, APPROVED)], "The controller of awspca.example.com has to sign;");
    let ca = r"
kind: Issuer
metadata: { name: letsencrypt }
spec: { ca: { secretName: ca } }
status: { conditions: [{ type: Ready, status: 'True' }] }
";
    check(&[&issuing(""), ca, &request(1, APPROVED)], "Issuer letsencrypt signs the request.");
}

#[test]
fn an_issuance_waits_for_its_order() {
    let request = request(1, APPROVED);
    for (status, wanted) in [
        ("", "Signet makes the order at the CA of ClusterIssuer letsencrypt."),
        (
            "state: pending, reason: the CA answers 503.",
            "Signet tries again by itself; what keeps the order is: the CA answers 503. If",
        ),
        ("state: ready", "Every name is proven; the CA signs."),
        ("state: valid", "The CA has signed; Signet hands the certificate on."),
        ("state: errored, reason: no", "The order ended;"),
    ] {
        under_way(&[&request, &order(status)], wanted);
    }
}

#[test]
fn an_issuance_waits_for_its_proofs() {
    let (request, order) = (request(1, APPROVED), order("state: pending"));
    for (type_, status, wanted) in [
        ("DNS-01", "", "The proof of web.example.com has not begun: Signet works on a limited number at once."),
        ("DNS-01", "processing: true, state: pending", "Solver plugin route53 shows the proof of web.example.com."),
        (
            "DNS-01",
            "processing: true, state: pending, reason: Secret aws does not exist",
            "Signet tries again by itself to show the proof of web.example.com. What keeps it is the reason above: look at the config of route53 on ClusterIssuer letsencrypt.",
        ),
        (
            "DNS-01",
            "processing: true, presented: true, state: pending",
            "The proof of web.example.com is shown; the CA looks at it.",
        ),
        (
            "HTTP-01",
            "processing: true, presented: true, state: pending, reason: it answers 404",
            "Signet looks again by itself; once the proof of web.example.com can be seen, it tells the CA to look, and the \
             certificate follows. See for yourself with `curl -L http://web.example.com/.well-known/acme-challenge/tok`.",
        ),
        ("DNS-01", "state: invalid, reason: no", "web.example.com could not be proven, so the order ends;"),
        ("DNS-01", "state: valid", "Every name is proven; the CA signs."),
    ] {
        under_way(&[&request, &order, &challenge(type_, status)], wanted);
    }
}

#[test]
fn a_revocation_is_told_until_it_is_done() {
    let asked = r#"annotations: { signet.dev/revoke: '{"serial": "4a1b2c3", "reason": "superseded"}' },"#;
    let web = ready("2027-02-14T08:00:00Z").replace("metadata: {", &format!("metadata: {{ {asked}"));
    check(
        &[&web, ISSUER, SECRET],
        "Signet asks the issuer: the certificate with serial number 4a1b2c3 is to be revoked as superseded. If nothing",
    );
    let refused = "{ type: Revoked, status: 'False', reason: CARefused, message: The CA says no. }";
    let stuck = web.replace("conditions: [", &format!("conditions: [{refused}, "));
    check(
        &[&stuck, ISSUER, SECRET],
        "The CA says no. To take the request back: `kubectl annotate certificate web -n team-a signet.dev/revoke-`.",
    );
    let going = stuck.replace(
        "metadata: {",
        "metadata: { deletionTimestamp: 2027-01-15T08:00:00Z, finalizers: [signet.dev/revoke],",
    );
    check(
        &[&going, ISSUER, SECRET],
        "The Certificate is being deleted, and goes once its certificates are revoked. The CA says no.",
    );
}

#[test]
fn what_was_revoked_is_told_by_what_follows() {
    let revoked = |reason: &str| {
        let records = format!(
            r#"[{{"serial": "04a1b2c3", "sha256": "ab", "reason": "{reason}", "at": "2027-01-15T07:00:00Z"}}]"#
        );
        let annotations = format!("metadata: {{ annotations: {{ signet.dev/revoked: '{records}' }},");
        not_ready("Revoked", "The certificate in Secret web-tls was revoked").replace("metadata: {", &annotations)
    };
    check(
        &[&revoked("superseded"), ISSUER, SECRET],
        "Signet begins an issuance, because the certificate in Secret web-tls was revoked.",
    );
    check(
        &[&revoked("cessationOfOperation"), ISSUER, SECRET],
        "Nothing by itself. The certificate in Secret web-tls was revoked.",
    );
    let told = crate::story::story(&gathered(&[&revoked("superseded"), ISSUER, SECRET]), now());
    assert!(told.contains("Serial      04a1b2c3, revoked as superseded at 2027-01-15T07:00:00Z"), "{told}");
}
