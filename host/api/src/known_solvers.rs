//! Schemas of the solver stanzas that cert-manager has. Nothing is decoded into these types: they
//! only let the API server check such stanzas and kubectl explain them. Each has a plugin of its
//! name; any other plugin's stanza may stand in its place.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema};

use crate::meta::{SecretRef, ServiceAccountRef};
use crate::pod_template::PodTemplate;
use crate::solver::CnameStrategy;

/// Lets other properties stand beside the known ones, and keeps them.
pub(crate) fn open(mut schema: Schema) -> Schema {
    schema.insert("x-kubernetes-preserve-unknown-fields".to_owned(), true.into());
    schema
}

/// Stanzas of HTTP-01.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Http01 {
    /// Lead the authority's request through an Ingress, made for the Challenge or an existing one.
    ingress: Option<Ingress>,
    /// Lead the authority's request through a Gateway, by an HTTPRoute made for the Challenge.
    #[serde(rename = "gatewayHTTPRoute")]
    gateway_http_route: Option<GatewayHttpRoute>,
}

/// By an Ingress. At most one of ingressClassName, class and name.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Ingress {
    /// Value of spec.ingressClassName of the Ingress that is made.
    ingress_class_name: Option<String>,
    /// Value of the annotation kubernetes.io/ingress.class of the Ingress that is made, for
    /// controllers that go by it.
    class: Option<String>,
    /// Name of an existing Ingress, in the namespace of the Certificate, that the path is added to
    /// and removed from. None is made.
    name: Option<String>,
    /// Type of the Service that is made: ClusterIP or NodePort.
    service_type: Option<String>,
    /// Accepted for compatibility. No pod is made, as Signet itself answers the request.
    pod_template: Option<PodTemplate>,
    /// Annotations and labels for the Ingress that is made.
    ingress_template: Option<IngressTemplate>,
}

/// What to add to the Ingress that is made.
#[derive(JsonSchema)]
struct IngressTemplate {
    /// Its metadata.
    metadata: Option<TemplateMetadata>,
}

/// Metadata for an object that is made.
#[derive(JsonSchema)]
pub(crate) struct TemplateMetadata {
    /// Annotations to set.
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
    /// Labels to set.
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
}

/// By an HTTPRoute.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
struct GatewayHttpRoute {
    /// The Gateways that the HTTPRoute attaches to.
    parent_refs: Option<Vec<ParentRef>>,
    /// Labels for the HTTPRoute.
    labels: Option<BTreeMap<String, String>>,
    /// Type of the Service that is made: ClusterIP or NodePort.
    service_type: Option<String>,
    /// Accepted for compatibility. No pod is made, as Signet itself answers the request.
    pod_template: Option<PodTemplate>,
}

/// A Gateway, or another parent of an HTTPRoute.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ParentRef {
    /// API group of the parent.
    #[schemars(
        extend("default" = "gateway.networking.k8s.io"),
        length(max = 253),
        regex(pattern = r"^$|^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
    )]
    group: Option<String>,
    /// Kind of the parent.
    #[schemars(
        extend("default" = "Gateway"),
        length(min = 1, max = 63),
        regex(pattern = r"^[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?$")
    )]
    kind: Option<String>,
    /// Namespace of the parent; that of the Certificate when it is left out. The parent must allow
    /// routes from there.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    namespace: Option<String>,
    /// Name of the parent.
    #[schemars(length(min = 1, max = 253))]
    name: String,
    /// Listener of the parent, by its name.
    #[schemars(
        length(min = 1, max = 253),
        regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
    )]
    section_name: Option<String>,
    /// Listener of the parent, by its port.
    #[schemars(range(min = 1, max = 65535))]
    port: Option<i32>,
}

/// Stanzas of DNS-01, and what goes for all of them.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Dns01 {
    /// What to do when the record's name is an alias (CNAME) for another. Follow writes the record
    /// where the alias leads; None, the way when it is left out, writes it at the name itself.
    cname_strategy: Option<CnameStrategy>,
    /// Servers to ask whether the record can be seen, in place of the zone's own: host:port, or an
    /// https address for DNS over HTTPS.
    nameservers: Option<Vec<String>>,
    /// Whether the record stands at a label of the account's own (dns-account-01), so that several clusters
    /// can prove one name. Left out, that is where the CA offers nothing else. (An addition of Signet.)
    account_label: Option<bool>,
    /// An acme-dns server, which the names delegate their records to.
    #[serde(rename = "acmeDNS")]
    acme_dns: Option<AcmeDns>,
    /// Akamai Edge DNS.
    akamai: Option<Akamai>,
    /// Azure DNS.
    #[serde(rename = "azureDNS")]
    azure_dns: Option<AzureDns>,
    /// Google Cloud DNS.
    #[serde(rename = "cloudDNS")]
    cloud_dns: Option<CloudDns>,
    /// Cloudflare.
    cloudflare: Option<Cloudflare>,
    /// DigitalOcean.
    digitalocean: Option<DigitalOcean>,
    /// Any DNS server that takes dynamic updates (RFC 2136), BIND or Knot for example.
    rfc2136: Option<Rfc2136>,
    /// Amazon Route 53.
    route53: Option<Route53>,
    /// The plugin that solverName names, in the form that cert-manager's webhook solvers have.
    webhook: Option<Webhook>,
}

/// acme-dns.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
struct AcmeDns {
    /// Address of the server's API.
    host: String,
    /// The Secret that holds the accounts, as JSON by domain.
    account_secret_ref: SecretRef,
}

/// Akamai Edge DNS.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Akamai {
    /// Host of the API, as it stands in the API client's credentials.
    service_consumer_domain: String,
    /// The Secret that holds the client token.
    client_token_secret_ref: SecretRef,
    /// The Secret that holds the client secret.
    client_secret_secret_ref: SecretRef,
    /// The Secret that holds the access token.
    access_token_secret_ref: SecretRef,
}

/// Azure DNS, logged in to with clientID and a secret, or with a managed identity.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
struct AzureDns {
    /// Identifier of the subscription.
    #[serde(rename = "subscriptionID")]
    subscription_id: String,
    /// Resource group of the zone.
    resource_group_name: String,
    /// Name of the zone; found in the DNS when it is left out.
    hosted_zone_name: Option<String>,
    /// Which Azure cloud; the public one when it is left out.
    environment: Option<AzureEnvironment>,
    /// Whether the zone is a public or a private one; public when it is left out.
    zone_type: Option<AzureZoneType>,
    /// Identifier of the tenant. With clientID and clientSecretSecretRef.
    #[serde(rename = "tenantID")]
    tenant_id: Option<String>,
    /// Identifier of the application.
    #[serde(rename = "clientID")]
    client_id: Option<String>,
    /// The Secret that holds the application's secret.
    client_secret_secret_ref: Option<SecretRef>,
    /// A managed or workload identity. Not together with clientID.
    managed_identity: Option<AzureManagedIdentity>,
}

#[derive(JsonSchema)]
#[expect(clippy::enum_variant_names, reason = "these are the provider's names")]
enum AzureEnvironment {
    AzurePublicCloud,
    AzureChinaCloud,
    AzureGermanCloud,
    AzureUSGovernmentCloud,
}

#[derive(JsonSchema)]
enum AzureZoneType {
    AzurePublicZone,
    AzurePrivateZone,
}

/// An Azure identity; the usual one of the environment when all is left out.
#[derive(JsonSchema)]
struct AzureManagedIdentity {
    /// Its client identifier. Not together with resourceID.
    #[serde(rename = "clientID")]
    client_id: Option<String>,
    /// Its resource identifier. Not together with clientID.
    #[serde(rename = "resourceID")]
    resource_id: Option<String>,
    /// Its tenant.
    #[serde(rename = "tenantID")]
    tenant_id: Option<String>,
}

/// Google Cloud DNS.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
struct CloudDns {
    /// Identifier of the project.
    project: String,
    /// Name of the managed zone; found by the domain when it is left out.
    hosted_zone_name: Option<String>,
    /// The Secret that holds a service account's key, as JSON; the environment's own credentials
    /// when it is left out.
    service_account_secret_ref: Option<SecretRef>,
}

/// Cloudflare, with a token (better) or with a key and the account's email.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Cloudflare {
    /// Email address of the account. With apiKeySecretRef.
    email: Option<String>,
    /// The Secret that holds the account's global key. Not together with apiTokenSecretRef.
    api_key_secret_ref: Option<SecretRef>,
    /// The Secret that holds a token which may edit the zone. Not together with apiKeySecretRef.
    api_token_secret_ref: Option<SecretRef>,
}

/// DigitalOcean.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
struct DigitalOcean {
    /// The Secret that holds an API token.
    token_secret_ref: SecretRef,
}

/// Dynamic updates.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Rfc2136 {
    /// The zone's primary server: an IP address or host, with :port where it is not 53.
    nameserver: String,
    /// How to reach it; UDP when it is left out.
    protocol: Option<Rfc2136Protocol>,
    /// Name of the key that signs updates (TSIG).
    tsig_key_name: Option<String>,
    /// Algorithm of the key: HMACMD5 (the way when it is left out), HMACSHA1, HMACSHA256 or
    /// HMACSHA512.
    tsig_algorithm: Option<String>,
    /// The Secret that holds the key.
    tsig_secret_secret_ref: Option<SecretRef>,
}

#[derive(JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
enum Rfc2136Protocol {
    Tcp,
    Udp,
}

/// Amazon Route 53.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Route53 {
    /// AWS region to sign for; the environment's, or us-east-1, when it is left out.
    region: Option<String>,
    /// Identifier of the hosted zone. With it, no permission to list zones is needed.
    #[serde(rename = "hostedZoneID")]
    hosted_zone_id: Option<String>,
    /// ARN of an IAM role to assume.
    role: Option<String>,
    /// The access key's identifier, or the name of the key that holds it in the Secret of
    /// secretAccessKeySecretRef. Not together with accessKeyIDSecretRef.
    #[serde(rename = "accessKeyID")]
    access_key_id: Option<String>,
    /// The Secret that holds the access key's identifier. Not together with accessKeyID.
    #[serde(rename = "accessKeyIDSecretRef")]
    access_key_id_secret_ref: Option<SecretRef>,
    /// The Secret that holds the secret access key.
    secret_access_key_secret_ref: Option<SecretRef>,
    /// Another way to log in.
    auth: Option<Route53Auth>,
}

/// Ways to log in to AWS.
#[derive(JsonSchema)]
struct Route53Auth {
    /// With a token of a Kubernetes ServiceAccount, to assume role.
    kubernetes: Route53Kubernetes,
}

/// A ServiceAccount whose token AWS trusts.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Route53Kubernetes {
    /// The ServiceAccount to request a token for.
    service_account_ref: ServiceAccountRef,
}

/// A plugin by another name.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Webhook {
    /// API group of the webhook that this stanza was written for. It is not looked at.
    group_name: String,
    /// Name of the plugin.
    solver_name: String,
    /// The plugin's config.
    #[schemars(schema_with = "crate::schema::any")]
    #[serde(default)]
    config: Option<serde_json::Value>,
}
