//! Stories of certificates that were issued.

use expect_test::expect;

use super::fixtures::{ISSUER, SECRET, check};

#[test]
fn a_certificate_that_is_ready() {
    check(
        &[
            r"
kind: Certificate
metadata: { name: web, namespace: team-a, generation: 2 }
spec: { secretName: web-tls, issuerRef: { name: letsencrypt }, dnsNames: [web.example.com, '*.web.example.com'] }
status:
  revision: 3
  notBefore: 2026-12-16T08:00:00Z
  notAfter: 2027-03-16T08:00:00Z
  renewalTime: 2027-02-14T08:00:00Z
  conditions:
    - { type: Ready, status: 'True', reason: Ready, observedGeneration: 2, lastTransitionTime: 2026-08-01T08:00:00Z,
        message: 'Certificate is up to date and has not expired; it is renewed at 2027-02-14T08:00:00Z' }
",
            ISSUER,
            SECRET,
            r"
kind: CertificateRequest
metadata: { name: web-3, annotations: { cert-manager.io/certificate-revision: '3' }, creationTimestamp: 2026-12-16T08:59:50Z }
spec: { request: '', issuerRef: { name: letsencrypt } }
status:
  conditions:
    - { type: Approved, status: 'True', reason: signet.dev, message: Signet approves requests of its own, lastTransitionTime: 2026-12-16T08:59:50Z }
    - { type: Ready, status: 'True', reason: Issued, message: The certificate was issued, lastTransitionTime: 2026-12-16T09:00:10Z }
",
            r"
kind: Order
metadata: { name: web-3-1234567890 }
spec: { request: '', issuerRef: { name: letsencrypt } }
status: { state: valid }
",
        ],
        expect![[r#"
            Certificate   team-a/web
              Names       web.example.com, *.web.example.com
              Ready       True for 167 days: Certificate is up to date and has not expired; it is renewed at 2027-02-14T08:00:00Z
              Not before  2026-12-16T08:00:00Z (30 days ago)
              Not after   2027-03-16T08:00:00Z (in 60 days)
              Renewal     2027-02-14T08:00:00Z (in 30 days)
              Revision    3

            Issuer        ClusterIssuer letsencrypt
              Type        ACME at https://acme-v02.api.letsencrypt.org/directory
              Ready       True for 167 days, ACMEAccountRegistered: The account is registered

            Secret        web-tls
              Type        kubernetes.io/tls
              Subject     CN=web.example.com
              Names       web.example.com, *.web.example.com
              Signed by   CN=R11,O=Let's Encrypt,C=US
              Serial      04a1b2c3
              Not after   2027-03-16T08:00:00Z (in 60 days)

            Request       CertificateRequest web-3, for revision 3, made 29 days ago
              Approved    True for 29 days, signet.dev: Signet approves requests of its own
              Ready       True for 29 days, Issued: The certificate was issued

            Order         web-3-1234567890
              State       valid

            Events        none lately

            Next:         Signet renews the certificate at 2027-02-14T08:00:00Z (in 30 days). There is nothing to do.
        "#]],
    );
}

#[test]
fn a_secret_that_is_gone_and_issuers_that_can_not_be_seen() {
    check(
        &[
            r"
kind: Certificate
metadata: { name: web, namespace: team-a, generation: 1 }
spec: { secretName: web-tls, issuerRef: { name: letsencrypt }, dnsNames: [web.example.com] }
status:
  revision: 1
  notBefore: 2026-12-16T08:00:00Z
  notAfter: 2027-03-16T08:00:00Z
  renewalTime: 2027-02-14T08:00:00Z
  conditions:
    - { type: Ready, status: 'True', reason: Ready, observedGeneration: 1, lastTransitionTime: 2026-12-16T09:00:00Z,
        message: 'Certificate is up to date and has not expired; it is renewed at 2027-02-14T08:00:00Z' }
",
            "kind: Hidden",
        ],
        expect![[r#"
            Certificate   team-a/web
              Names       web.example.com
              Ready       True for 29 days: Certificate is up to date and has not expired; it is renewed at 2027-02-14T08:00:00Z
              Not before  2026-12-16T08:00:00Z (30 days ago)
              Not after   2027-03-16T08:00:00Z (in 60 days)
              Renewal     2027-02-14T08:00:00Z (in 30 days)
              Revision    1

            Issuer        Issuer or ClusterIssuer letsencrypt
              State       can not be seen: clusterissuers is forbidden

            Secret        web-tls
              State       does not exist

            Request       there is no CertificateRequest

            Events        none lately

            Next:         Secret web-tls is gone; Signet issues a new certificate. If nothing moves within a minute, see whether the controller runs: `kubectl get pods -A -l app.kubernetes.io/name=signet`.
        "#]],
    );
}

#[test]
fn what_the_ca_wishes() {
    check(
        &[
            r"
kind: Certificate
metadata: { name: web, namespace: team-a, generation: 2 }
spec: { secretName: web-tls, issuerRef: { name: letsencrypt }, dnsNames: [web.example.com] }
status:
  revision: 3
  notBefore: 2026-12-16T08:00:00Z
  notAfter: 2027-03-16T08:00:00Z
  renewalTime: 2027-01-16T08:00:00Z
  acme:
    ari:
      suggestedWindow: { start: 2027-01-15T20:00:00Z, end: 2027-01-17T08:00:00Z }
      explanationURL: https://ca.example/incident
      lastError: acme-v02.api.letsencrypt.org did not answer within 10 s
  conditions:
    - { type: Ready, status: 'True', reason: Ready, observedGeneration: 2, lastTransitionTime: 2026-08-01T08:00:00Z,
        message: 'Certificate is up to date and has not expired; it is renewed at 2027-01-16T08:00:00Z' }
",
            ISSUER,
            SECRET,
        ],
        expect![[r#"
            Certificate   team-a/web
              Names       web.example.com
              Ready       True for 167 days: Certificate is up to date and has not expired; it is renewed at 2027-01-16T08:00:00Z
              Not before  2026-12-16T08:00:00Z (30 days ago)
              Not after   2027-03-16T08:00:00Z (in 60 days)
              Renewal     2027-01-16T08:00:00Z (in 24 hours)
              CA's wish   from 2027-01-15T20:00:00Z (in 12 hours) to 2027-01-17T08:00:00Z (in 2 days); it says why: https://ca.example/incident
              No answer   the CA does not say when to renew: acme-v02.api.letsencrypt.org did not answer within 10 s
              Revision    3

            Issuer        ClusterIssuer letsencrypt
              Type        ACME at https://acme-v02.api.letsencrypt.org/directory
              Ready       True for 167 days, ACMEAccountRegistered: The account is registered

            Secret        web-tls
              Type        kubernetes.io/tls
              Subject     CN=web.example.com
              Names       web.example.com, *.web.example.com
              Signed by   CN=R11,O=Let's Encrypt,C=US
              Serial      04a1b2c3
              Not after   2027-03-16T08:00:00Z (in 60 days)

            Request       there is no CertificateRequest

            Events        none lately

            Next:         Signet renews the certificate at 2027-01-16T08:00:00Z (in 24 hours). There is nothing to do.
        "#]],
    );
}
