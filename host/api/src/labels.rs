//! Names of annotations, labels and finalizers: cert-manager's where it has one, ours under
//! `signet.dev/`.

/// On the target Secret and on a CertificateRequest: the Certificate that it belongs to.
pub const CERTIFICATE_NAME: &str = "cert-manager.io/certificate-name";
/// On a CertificateRequest: the revision of the Certificate that it makes, in decimal.
pub const CERTIFICATE_REVISION: &str = "cert-manager.io/certificate-revision";
/// On a CertificateRequest: the Secret that holds the key which signed the request.
pub const PRIVATE_KEY_SECRET_NAME: &str = "cert-manager.io/private-key-secret-name";
/// On a CertificateRequest: the certificate that it replaces, by the name that its CA has for it (RFC 9773).
pub const REPLACES: &str = "signet.dev/replaces";
/// Label of the temporary Secret that holds the next private key: `true`.
pub const NEXT_PRIVATE_KEY: &str = "cert-manager.io/next-private-key";
/// On a Certificate: `true` asks for a self-signed stand-in until the real certificate is there.
pub const ISSUE_TEMPORARY_CERTIFICATE: &str = "cert-manager.io/issue-temporary-certificate";
/// On the target Secret: name of the issuer.
pub const ISSUER_NAME: &str = "cert-manager.io/issuer-name";
/// On the target Secret: kind of the issuer.
pub const ISSUER_KIND: &str = "cert-manager.io/issuer-kind";
/// On the target Secret: group of the issuer.
pub const ISSUER_GROUP: &str = "cert-manager.io/issuer-group";
/// On the target Secret: the common name, even when it is empty.
pub const COMMON_NAME: &str = "cert-manager.io/common-name";
/// On the target Secret: DNS names, comma-separated, even when there are none.
pub const ALT_NAMES: &str = "cert-manager.io/alt-names";
/// On the target Secret: IP addresses, comma-separated, even when there are none.
pub const IP_SANS: &str = "cert-manager.io/ip-sans";
/// On the target Secret: URIs, comma-separated, even when there are none.
pub const URI_SANS: &str = "cert-manager.io/uri-sans";
/// On the target Secret: email addresses, comma-separated, when there are any.
pub const EMAIL_SANS: &str = "cert-manager.io/email-sans";
/// On the target Secret: organizations of the subject, when there are any.
pub const SUBJECT_ORGANIZATIONS: &str = "cert-manager.io/subject-organizations";
/// On the target Secret: organizational units of the subject, when there are any.
pub const SUBJECT_ORGANIZATIONAL_UNITS: &str = "cert-manager.io/subject-organizationalunits";
/// On the target Secret: countries of the subject, when there are any.
pub const SUBJECT_COUNTRIES: &str = "cert-manager.io/subject-countries";
/// On the target Secret: provinces of the subject, when there are any.
pub const SUBJECT_PROVINCES: &str = "cert-manager.io/subject-provinces";
/// On the target Secret: localities of the subject, when there are any.
pub const SUBJECT_LOCALITIES: &str = "cert-manager.io/subject-localities";
/// On the target Secret: street addresses of the subject, when there are any.
pub const SUBJECT_STREET_ADDRESSES: &str = "cert-manager.io/subject-streetaddresses";
/// On the target Secret: postal codes of the subject, when there are any.
pub const SUBJECT_POSTAL_CODES: &str = "cert-manager.io/subject-postalcodes";
/// On the target Secret: serial number of the subject, when there is one.
pub const SUBJECT_SERIAL_NUMBER: &str = "cert-manager.io/subject-serialnumber";
/// On a Secret: `true` lets its `ca.crt` be injected elsewhere.
pub const ALLOW_DIRECT_INJECTION: &str = "cert-manager.io/allow-direct-injection";
/// Label of every Secret that this project watches in full: `true`.
pub const WATCHED: &str = "controller.cert-manager.io/fao";

/// On a Certificate: `true` makes HTTP-01 edit the existing Ingress.
pub const HTTP01_EDIT_IN_PLACE: &str = "acme.cert-manager.io/http01-edit-in-place";
/// On a Certificate: the Ingress that HTTP-01 edits instead of the one that the solver names.
pub const HTTP01_OVERRIDE_INGRESS_NAME: &str = "acme.cert-manager.io/http01-override-ingress-name";
/// On a Certificate: the ingress class annotation that HTTP-01 sets instead of the solver's.
pub const HTTP01_OVERRIDE_INGRESS_CLASS: &str = "acme.cert-manager.io/http01-override-ingress-class";
/// On a Certificate: the ingressClassName that HTTP-01 sets instead of the solver's.
pub const HTTP01_OVERRIDE_INGRESS_CLASS_NAME: &str = "acme.cert-manager.io/http01-override-ingress-ingressclassname";
/// Label of what an HTTP-01 solver makes: Adler-32 of the domain, in decimal.
pub const HTTP_DOMAIN: &str = "acme.cert-manager.io/http-domain";
/// Label of what an HTTP-01 solver makes: Adler-32 of the token, in decimal.
pub const HTTP_TOKEN: &str = "acme.cert-manager.io/http-token";
/// Label of what an HTTP-01 solver makes: `true`.
pub const HTTP01_SOLVER: &str = "acme.cert-manager.io/http01-solver";

/// Finalizer of a Challenge: it goes once the solver has cleaned up.
pub const CHALLENGE_FINALIZER: &str = "acme.cert-manager.io/finalizer";
/// The same by the name that old releases gave it.
pub const LEGACY_CHALLENGE_FINALIZER: &str = "finalizer.acme.cert-manager.io";

/// On a Certificate: asks for the revocation of one of its certificates, as JSON.
pub const REVOKE: &str = "signet.dev/revoke";
/// On a Certificate: when its certificates are revoked without being asked: `deleted`, `replaced`,
/// both with a comma between them, or `never`.
pub const REVOKE_WHEN: &str = "signet.dev/revoke-when";
/// On a Certificate: which of its certificates were revoked, as JSON. Signet writes it.
pub const REVOKED: &str = "signet.dev/revoked";
/// Finalizer of a Certificate of which a certificate is to be revoked before it goes.
pub const REVOKE_FINALIZER: &str = "signet.dev/revoke";
/// On an issuer of type ca: the Secret that holds its list of revoked certificates.
pub const CRL_SECRET_NAME: &str = "signet.dev/crl-secret-name";
/// On such an issuer: how long a list is good for.
pub const CRL_DURATION: &str = "signet.dev/crl-duration";
/// On such an issuer: `true` has Signet serve the list over HTTP.
pub const CRL_SERVED: &str = "signet.dev/crl-served";

/// The Lease that replicas share: cert-manager's, so that the two never work on the same cluster at once.
pub const LEASE: &str = "cert-manager-controller";
/// On that Lease: what was spent of the CAs' limits for objects that are gone. Signet writes it.
pub const SPENT: &str = "signet.dev/spent";

/// Label of a ConfigMap that holds a solver plugin: the plugin's name.
pub const PLUGIN: &str = "signet.dev/plugin";
/// On such a ConfigMap: `sha256:` and the hex digest of the uncompressed component.
pub const PLUGIN_DIGEST: &str = "signet.dev/digest";
