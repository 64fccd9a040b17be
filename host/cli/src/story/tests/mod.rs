//! Stories by situation: what stands in the API server, as YAML, and the whole text.

mod fixtures;
mod next;
mod settled;

use expect_test::expect;

use fixtures::{ISSUER, check, issuing};

#[test]
fn an_issuance_that_waits_for_the_dns() {
    check(
        &[
            &issuing("ClusterIssuer"),
            ISSUER,
            r"
kind: CertificateRequest
metadata: { name: web-1, annotations: { cert-manager.io/certificate-revision: '1' }, creationTimestamp: 2027-01-15T07:57:00Z }
spec: { request: '', issuerRef: { name: letsencrypt } }
status:
  conditions:
    - { type: Approved, status: 'True', reason: signet.dev, message: Signet approves requests of its own, lastTransitionTime: 2027-01-15T07:57:00Z }
    - { type: Ready, status: 'False', reason: Pending, message: Order web-1-1234567890 is pending, lastTransitionTime: 2027-01-15T07:57:00Z }
",
            r"
kind: Order
metadata: { name: web-1-1234567890 }
spec: { request: '', issuerRef: { name: letsencrypt } }
status: { state: pending }
",
            r"
kind: Challenge
spec: { url: u, authorizationURL: a, dnsName: web.example.com, type: DNS-01, token: t, key: k, solver: { dns01: { route53: {} } }, issuerRef: { name: letsencrypt } }
status: { processing: true, presented: true, state: valid, reason: web.example.com is proven, presentedAt: 2027-01-15T07:57:03Z }
",
            r"
kind: Challenge
spec: { url: u, authorizationURL: a, dnsName: web.example.com, wildcard: true, type: DNS-01, token: t, key: k, solver: { dns01: { webhook: { groupName: g, solverName: cumulus } } }, issuerRef: { name: letsencrypt } }
status:
  processing: true
  presented: true
  presentedAt: 2027-01-15T07:57:05Z
  state: pending
  reason: 'web.example.com does not show the proof yet: ns1.example.net (192.0.2.53) has no TXT record _acme-challenge.web.example.com. Signet goes on looking, every 10 s'
",
            r"
kind: Event
at: 2027-01-15T07:57:00Z
severity: Normal
reason: Issuing
object: Certificate web
message: 'Issuing a certificate: Secret web-tls does not exist yet'
",
            r"
kind: Event
at: 2027-01-15T07:58:30Z
severity: Warning
reason: PresentError
object: Challenge web-1-1234567890-42
message: 'cumulus: putting the TXT record of web.example.com: the API answers 503 Service Unavailable, and says that it will be back'
count: 4
",
        ],
        expect![[r#"
            Certificate   team-a/web
              Names       web.example.com, *.web.example.com
              Ready       False for 3 minutes, DoesNotExist: Secret web-tls does not exist yet
              Issuing     True for 3 minutes, DoesNotExist: Secret web-tls does not exist yet

            Issuer        ClusterIssuer letsencrypt
              Type        ACME at https://acme-v02.api.letsencrypt.org/directory
              Ready       True for 167 days, ACMEAccountRegistered: The account is registered

            Secret        web-tls
              State       does not exist

            Next key      Secret web-5f3c9a01
              State       holds the private key of the issuance under way

            Request       CertificateRequest web-1, for revision 1, made 3 minutes ago
              Approved    True for 3 minutes, signet.dev: Signet approves requests of its own
              Ready       False for 3 minutes, Pending: Order web-1-1234567890 is pending

            Order         web-1-1234567890
              State       pending

            Challenges    1 of 2 proven
              web.example.com    DNS-01  route53  valid, shown 2 minutes ago
              *.web.example.com  DNS-01  cumulus  pending, shown 2 minutes ago
                web.example.com does not show the proof yet: ns1.example.net (192.0.2.53) has no TXT record _acme-challenge.web.example.com. Signet goes on looking, every 10 s

            Events
              3 minutes ago   Normal   Issuing       Certificate web                Issuing a certificate: Secret web-tls does not exist yet
              90 seconds ago  Warning  PresentError  Challenge web-1-1234567890-42  cumulus: putting the TXT record of web.example.com: the API answers 503 Service Unavailable, and say… (x4)

            Next:         Signet looks again by itself; once the proof of *.web.example.com can be seen, it tells the CA to look, and the certificate follows. See for yourself with `dig +short TXT _acme-challenge.web.example.com`.
        "#]],
    );
}

#[test]
fn an_issuance_that_failed_and_backs_off() {
    check(
        &[
            r"
kind: Certificate
metadata: { name: web, namespace: team-a, generation: 1 }
spec: { secretName: web-tls, issuerRef: { name: letsencrypt, kind: ClusterIssuer }, dnsNames: [web.example.com] }
status:
  failedIssuanceAttempts: 2
  lastFailureTime: 2027-01-15T07:30:00Z
  conditions:
    - { type: Ready, status: 'False', reason: DoesNotExist, observedGeneration: 1, lastTransitionTime: 2027-01-15T06:20:00Z,
        message: Secret web-tls does not exist yet }
    - { type: Issuing, status: 'False', reason: Failed, observedGeneration: 1, lastTransitionTime: 2027-01-15T07:30:00Z,
        message: 'The CA refused the order: CAA record for example.com prevents issuance; attempt 2 failed, the next one is at 2027-01-15T09:30:00Z, or at once with `kubectl signet renew web` or an edit of the spec' }
",
            ISSUER,
            r"
kind: CertificateRequest
metadata: { name: web-1, annotations: { cert-manager.io/certificate-revision: '1' }, creationTimestamp: 2027-01-15T07:29:00Z }
spec: { request: '', issuerRef: { name: letsencrypt } }
status:
  failureTime: 2027-01-15T07:30:00Z
  conditions:
    - { type: Ready, status: 'False', reason: Failed, message: 'The CA refused the order: CAA record for example.com prevents issuance', lastTransitionTime: 2027-01-15T07:30:00Z }
",
            r"
kind: Order
metadata: { name: web-1-1234567890 }
spec: { request: '', issuerRef: { name: letsencrypt } }
status: { state: invalid, reason: 'The CA refused the order: CAA record for example.com prevents issuance' }
",
        ],
        expect![[r#"
            Certificate   team-a/web
              Names       web.example.com
              Ready       False for 100 minutes, DoesNotExist: Secret web-tls does not exist yet
              Issuing     False for 30 minutes, Failed: The CA refused the order: CAA record for example.com prevents issuance; attempt 2 failed, the next one is at 2027-01-15T09:30:00Z, or at once with `kubectl signet renew web` or an edit of the spec
              Failures    2 since the last success, the last at 2027-01-15T07:30:00Z (30 minutes ago); next attempt at 2027-01-15T09:30:00Z (in 90 minutes)

            Issuer        ClusterIssuer letsencrypt
              Type        ACME at https://acme-v02.api.letsencrypt.org/directory
              Ready       True for 167 days, ACMEAccountRegistered: The account is registered

            Secret        web-tls
              State       does not exist

            Request       CertificateRequest web-1, for revision 1, made 31 minutes ago
              Ready       False for 30 minutes, Failed: The CA refused the order: CAA record for example.com prevents issuance

            Order         web-1-1234567890
              State       invalid
              Reason      The CA refused the order: CAA record for example.com prevents issuance

            Events        none lately

            Next:         Signet tries again at 2027-01-15T09:30:00Z (in 90 minutes). To try sooner, correct what the Issuing condition says, then run `kubectl signet renew web -n team-a`.
        "#]],
    );
}

#[test]
fn an_issuer_that_does_not_exist() {
    check(
        &[&issuing("")],
        expect![[r#"
        Certificate   team-a/web
          Names       web.example.com, *.web.example.com
          Ready       False for 3 minutes, DoesNotExist: Secret web-tls does not exist yet
          Issuing     True for 3 minutes, DoesNotExist: Secret web-tls does not exist yet

        Issuer        Issuer or ClusterIssuer letsencrypt
          State       does not exist

        Secret        web-tls
          State       does not exist

        Next key      Secret web-5f3c9a01
          State       holds the private key of the issuance under way

        Request       there is no CertificateRequest

        Events        none lately

        Next:         Issuer or ClusterIssuer letsencrypt does not exist: create it, or correct spec.issuerRef. Signet carries on by itself once it is there.
    "#]],
    );
}
