//! The Vault part of an issuer.

use k8s_openapi::ByteString;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::meta::{SecretRef, ServiceAccountRef};

/// A PKI secrets engine, and how to log in to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VaultIssuer {
    /// Address of the server, https://vault.example.com:8200.
    pub server: String,
    /// Path of the engine's sign endpoint, with the role: pki/sign/web.
    pub path: String,
    /// How to log in: exactly one way.
    pub auth: VaultAuth,
    /// Vault namespace that the path is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Name to expect in the server's certificate, when it is not the host in server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_name: Option<String>,
    /// Certificates, in PEM, to trust when talking to the server, in place of the system's. Not
    /// together with caBundleSecretRef.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::bytes")]
    pub ca_bundle: Option<ByteString>,
    /// The Secret that holds those certificates, in ca.crt unless a key is named. Not together
    /// with caBundle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_bundle_secret_ref: Option<SecretRef>,
    /// The Secret that holds the certificate to show to a server that wants one, in tls.crt unless
    /// a key is named. Together with clientKeySecretRef.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_cert_secret_ref: Option<SecretRef>,
    /// The Secret that holds the key of that certificate, in tls.key unless a key is named.
    /// Together with clientCertSecretRef.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_key_secret_ref: Option<SecretRef>,
}

/// Ways to log in to Vault.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VaultAuth {
    /// With a token, in a Secret, in the key token unless a key is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_secret_ref: Option<SecretRef>,
    /// With an AppRole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_role: Option<VaultAppRole>,
    /// With a client certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_certificate: Option<VaultClientCertificate>,
    /// With a token of a Kubernetes ServiceAccount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubernetes: Option<VaultKubernetes>,
    /// With an AWS identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aws: Option<VaultAws>,
}

/// Vault's approle method.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VaultAppRole {
    /// Where the method is mounted, approle for example.
    pub path: String,
    /// Identifier of the role.
    pub role_id: String,
    /// The Secret that holds the role's secret, in the key secretId unless a key is named.
    pub secret_ref: SecretRef,
}

/// Vault's cert method.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VaultClientCertificate {
    /// Where the method is mounted; /v1/auth/cert when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mount_path: Option<String>,
    /// Name of the TLS Secret that holds certificate and key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_name: Option<String>,
    /// Name of the certificate role; Vault tries all of them when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Vault's kubernetes method.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VaultKubernetes {
    /// Name of the role.
    pub role: String,
    /// Where the method is mounted; /v1/auth/kubernetes when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mount_path: Option<String>,
    /// The Secret that holds a ServiceAccount's token, in the key token unless a key is named.
    /// serviceAccountRef is the safer way: its tokens are short-lived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretRef>,
    /// The ServiceAccount to request a token for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_account_ref: Option<ServiceAccountRef>,
}

/// Vault's aws method.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VaultAws {
    /// Name of the Vault role.
    pub role: String,
    /// Where the method is mounted; /v1/auth/aws when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mount_path: Option<String>,
    /// AWS region to sign for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// ARN of the IAM role to assume with the ServiceAccount's token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iam_role_arn: Option<String>,
    /// Value of the header X-Vault-AWS-IAM-Server-ID, where Vault demands it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vault_header_value: Option<String>,
    /// The ServiceAccount to request a token for; the controller's own identity when it is left
    /// out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_account_ref: Option<ServiceAccountRef>,
}
