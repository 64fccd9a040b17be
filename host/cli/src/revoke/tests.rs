//! Against an API server in memory.

use super::*;
use crate::fake::Fake;

const WEB: &str = "/apis/cert-manager.io/v1/namespaces/team-a/certificates/web";
/// A certificate with serial number 04a1b2c3, and an earlier one with 0f.
const NEW: &str = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUJlVENDQVIrZ0F3SUJBZ0lFQktHeXd6QUtCZ2dxaGtqT1BRUURBakFhTVJnd0ZnWURWUVFEREE5M1pXSXUKWlhoaGJYQnNaUzVqYjIwd0hoY05Nall4TVRJME1UTXhOelF5V2hjTk16WXhNVEl4TVRNeE56UXlXakFhTVJndwpGZ1lEVlFRRERBOTNaV0l1WlhoaGJYQnNaUzVqYjIwd1dUQVRCZ2NxaGtqT1BRSUJCZ2dxaGtqT1BRTUJCd05DCkFBUzdXdkN5SW9aTkhTcWZNWWlEQ3kyNUc5MWMrQTJFSEtlYVZJR3IyZXNQMG9GOTROclQwU0FOeEkvODQ3VEoKNm5TOTBONy95aHpCcWRIeVNBWG92OTNxbzFNd1VUQWRCZ05WSFE0RUZnUVVVc0s4QjJ2NnZjM3piZm1KMzBEYwp2RE9hWTFjd0h3WURWUjBqQkJnd0ZvQVVVc0s4QjJ2NnZjM3piZm1KMzBEY3ZET2FZMWN3RHdZRFZSMFRBUUgvCkJBVXdBd0VCL3pBS0JnZ3Foa2pPUFFRREFnTklBREJGQWlBNnpFUWdBRFFGMFRuZ0JJbjBzditNRHJEOGlLTkMKUmM3cHAzeXBCWU1tZ1FJaEFNV2dpRTRNb0xYeTVWYTFiZ1lFU25IQWd0eWJHa1M1bHoyb0tRZ3hJRzFaCi0tLS0tRU5EIENFUlRJRklDQVRFLS0tLS0K";
const OLD: &str = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUJkVENDQVJ5Z0F3SUJBZ0lCRHpBS0JnZ3Foa2pPUFFRREFqQWFNUmd3RmdZRFZRUUREQTkzWldJdVpYaGgKYlhCc1pTNWpiMjB3SGhjTk1qWXhNVEkwTVRNeE56UXlXaGNOTXpZeE1USXhNVE14TnpReVdqQWFNUmd3RmdZRApWUVFEREE5M1pXSXVaWGhoYlhCc1pTNWpiMjB3V1RBVEJnY3Foa2pPUFFJQkJnZ3Foa2pPUFFNQkJ3TkNBQVN3CmJ4RWsrWVI3NmFnOXBEdnY1ZFlhL3pMci80NUZ0QzBZUEJBSFVqdS9HbFl0aFhRSk9qbTFzR0pmWE51YnhwQ2sKd1hpWDlkTUE1cHVlc0o1VUZiWnZvMU13VVRBZEJnTlZIUTRFRmdRVWVuZTZxcGxsZm0rWFdsbHRJb216dzZnTApmckF3SHdZRFZSMGpCQmd3Rm9BVWVuZTZxcGxsZm0rWFdsbHRJb216dzZnTGZyQXdEd1lEVlIwVEFRSC9CQVV3CkF3RUIvekFLQmdncWhrak9QUVFEQWdOSEFEQkVBaUFRSEc2NERXRlFpekI3Q3NWdENpN2ZrWUdZbTV1QmZxZE4KY3plQmRNY3dqUUlnWHp6VFk1eWxNM0pRR3VzR21JNVd0T1VubHFvM2k3TFB4UnZZWHg3QWhHST0KLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo=";

const ACME: &str = "acme: { server: https://ca.example/dir, privateKeySecretRef: { name: account } }";

/// Certificate `web` at revision 2, of an issuer with this spec.
fn world(issuer: &str) -> String {
    let certificate = "
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: { name: web, namespace: team-a, uid: c, generation: 3, resourceVersion: '7', annotations: { team: a } }
spec: { secretName: web-tls, issuerRef: { name: le }, dnsNames: [web.example.com] }
status: { revision: 2 }
";
    let issuer = format!(
        "
apiVersion: cert-manager.io/v1
kind: Issuer
metadata: {{ name: le, namespace: team-a }}
spec: {{ {issuer} }}
"
    );
    let secret = format!(
        "
apiVersion: v1
kind: Secret
metadata: {{ name: web-tls, namespace: team-a }}
data: {{ tls.crt: {NEW} }}
"
    );
    let request = |revision: u8, issued: &str| {
        format!(
            "
apiVersion: cert-manager.io/v1
kind: CertificateRequest
metadata:
  name: web-{revision}
  namespace: team-a
  annotations: {{ cert-manager.io/certificate-revision: '{revision}' }}
  ownerReferences: [{{ apiVersion: v, kind: Certificate, name: web, uid: c }}]
spec: {{ request: '', issuerRef: {{ name: le }} }}
status: {{ certificate: {issued} }}
"
        )
    };
    [certificate.to_owned(), issuer, secret, request(1, OLD), request(2, NEW)].join("---")
}

fn wanted(words: &str) -> Revoke {
    use clap::Parser;
    let line = ["kubectl-signet", "revoke", "certificate", "web"].into_iter();
    let line = line.chain(words.split(' ').filter(|word| !word.is_empty()));
    match crate::args::Arguments::parse_from(line).command {
        crate::args::Command::Revoke { of: crate::args::RevokeOf::Certificate(wanted) } => wanted,
        other => panic!("{other:?}"),
    }
}

fn asked(fake: &Fake) -> Request {
    let web = fake.object(WEB);
    assert_eq!(web["metadata"]["annotations"]["team"], "a", "other annotations stay");
    assert_eq!(web["metadata"]["finalizers"], json!([REVOKE_FINALIZER]));
    Request::parse(web["metadata"]["annotations"][REVOKE].as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn one_write_names_the_certificate_in_use_by_serial_number_and_fingerprint() {
    let fake = Fake::with(&world(ACME));
    let said = revoke(&fake.cluster(), &wanted("--reason keyCompromise --with-certificate-key")).await.unwrap();
    assert_eq!(
        said,
        "Certificate team-a/web: revocation of the certificate with serial number 04a1b2c3 asked for, as keyCompromise; see \
         `kubectl signet status certificate web -n team-a`\n"
    );
    let request = asked(&fake);
    assert_eq!((request.serial.as_str(), request.reason.name()), ("4a1b2c3", "keyCompromise"));
    assert!(request.with_certificate_key && request.sha256.is_some_and(|digest| digest.len() == 64));
    assert_eq!(fake.requests().iter().filter(|request| request.starts_with("PATCH")).count(), 1);
}

#[tokio::test]
async fn an_earlier_certificate_is_named_by_its_serial_number() {
    let fake = Fake::with(&world(ACME));
    revoke(&fake.cluster(), &wanted("--serial 0F --reason superseded")).await.unwrap();
    assert_eq!(asked(&fake).serial, "f");
    let error = revoke(&fake.cluster(), &wanted("--serial 77")).await.unwrap_err().to_string();
    assert!(error.contains("no certificate with serial number 77 any more; it has 0f, 04a1b2c3"), "{error}");
    let error = revoke(&fake.cluster(), &wanted("--serial first")).await.unwrap_err().to_string();
    assert_eq!(error, "--serial first is not hexadecimal");
}

#[tokio::test]
async fn whoever_may_not_see_the_secret_goes_by_the_requests() {
    let fake = Fake::with(&world(ACME)).forbid("/secrets/");
    revoke(&fake.cluster(), &wanted("")).await.unwrap();
    assert_eq!(asked(&fake).serial, "4a1b2c3");
}

#[tokio::test]
async fn a_write_of_another_in_between_is_not_lost() {
    let fake = Fake::with(&world(ACME)).rivals(ATTEMPTS - 1);
    revoke(&fake.cluster(), &wanted("")).await.unwrap();
    assert_eq!(asked(&fake).serial, "4a1b2c3");
    let fake = Fake::with(&world(ACME)).rivals(ATTEMPTS);
    let error = revoke(&fake.cluster(), &wanted("")).await.unwrap_err().to_string();
    assert!(error.contains("was changed by others 5 times"), "{error}");
}

#[tokio::test]
async fn errors_name_the_certificate_and_the_field() {
    let acme = world(ACME);
    let never =
        acme.replace("\ndata: {", "\nstringData: {").replace("\nstatus: { certificate:", "\nignored: { certificate:");
    let pending =
        |serial: &str| acme.replace("team: a", &format!("team: a, signet.dev/revoke: '{{\"serial\": \"{serial}\"}}'"));
    for (world, words) in [
        (world("selfSigned: {}"), "(spec.issuerRef) that can not revoke: Issuer le is of type selfSigned"),
        (world("ca: { secretName: root }"), "Issuer le keeps no list of revoked certificates; set its annotation"),
        (acme.replace("name: le }, dns", "name: le, group: other.example }, dns"), "le is of the group other.example"),
        (acme.replace("name: web, namespace", "name: api, namespace"), "Certificate team-a/web does not exist"),
        (never, "no certificate to revoke: there is none in Secret team-a/web-tls"),
        (acme.replace("uid: c,", "uid: c, deletionTimestamp: '2027-01-15T08:00:00Z',"), "team-a/web is being deleted"),
        (pending("0f"), "the revocation of serial number f is still under way; wait for it, or"),
    ] {
        let fake = Fake::with(&world);
        let error = format!("{:#}", revoke(&fake.cluster(), &wanted("")).await.unwrap_err());
        assert!(error.contains("Certificate team-a/web") && error.contains(words), "{error}");
        assert!(fake.requests().iter().all(|request| request.starts_with("GET")));
    }
    // The same once more is no error, and may change the reason.
    let fake = Fake::with(
        &pending("04a1b2c3").replace("uid: c, generation", "uid: c, finalizers: [signet.dev/revoke], generation"),
    );
    revoke(&fake.cluster(), &wanted("--reason superseded")).await.unwrap();
    assert_eq!(asked(&fake).reason.name(), "superseded");
}

#[tokio::test]
async fn what_is_revoked_already_is_said_and_left() {
    use signet_core::revocation::{Reason, Record, write_records};
    let fake = Fake::with(&world(ACME));
    let found = certificate(&fake.cluster(), "team-a", "web").await.unwrap();
    let meant = choose(&fake.cluster(), &found, &wanted("")).await.unwrap();
    let at = "2027-01-15T08:00:00Z".parse().unwrap();
    let record = Record {
        serial: meant.serial,
        sha256: meant.sha256,
        reason: Reason::Superseded,
        at,
        compromised_key: None,
        refused: false,
    };
    let records = write_records(&[record]);
    let fake = Fake::with(&world(ACME).replace("team: a", &format!("team: a, signet.dev/revoked: '{records}'")));
    let said = revoke(&fake.cluster(), &wanted("")).await.unwrap();
    assert_eq!(
        said,
        "Certificate team-a/web: the certificate with serial number 04a1b2c3 was revoked already, as superseded at 2027-01-15T08:00:00Z\n"
    );
}
