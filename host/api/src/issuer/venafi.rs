//! The Venafi part of an issuer.

use k8s_openapi::ByteString;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::meta::{LocalObjectRef, SecretRef};

/// CyberArk Certificate Manager: a zone of exactly one of tpp, cloud and ngts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VenafiIssuer {
    /// The zone (a policy folder, or application and issuing template) that requests go to.
    pub zone: String,
    /// The self-hosted product, Trust Protection Platform.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tpp: Option<VenafiTpp>,
    /// The hosted product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloud: Option<VenafiCloud>,
    /// Next-Generation Trust Security.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ngts: Option<VenafiNgts>,
}

/// The self-hosted product.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VenafiTpp {
    /// Address of the API, https://tpp.example.com/vedsdk.
    pub url: String,
    /// The Secret that holds access-token, or username and password.
    pub credentials_ref: LocalObjectRef,
    /// Certificates, in PEM, to trust when talking to the server. Not together with
    /// caBundleSecretRef.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::bytes")]
    pub ca_bundle: Option<ByteString>,
    /// The Secret that holds those certificates, in ca.crt unless a key is named. Not together
    /// with caBundle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_bundle_secret_ref: Option<SecretRef>,
}

/// The hosted product.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VenafiCloud {
    /// The Secret that holds the API key.
    pub api_token_secret_ref: SecretRef,
    /// Address of the API, where it is not the usual one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// Next-Generation Trust Security.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VenafiNgts {
    /// Identifier of the tenant service group.
    #[serde(rename = "tsgID")]
    pub tsg_id: String,
    /// The Secret that holds the credentials of the service account.
    pub credentials_ref: LocalObjectRef,
    /// Address that gives tokens, where it is not the usual one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_endpoint: Option<String>,
    /// Address of the API, where it is not the usual one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}
