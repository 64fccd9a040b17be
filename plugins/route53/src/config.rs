//! The stanza `dns01.route53` of an Issuer. The manifest's JSON Schema has checked its form.

use serde::Deserialize;
use signet_solver::SecretRef;

const DEFAULT_REGION: &str = "us-east-1";
const DEFAULT_AUDIENCE: &str = "sts.amazonaws.com";

/// The stanza.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Config {
    region: Option<String>,
    #[serde(rename = "hostedZoneID")]
    hosted_zone_id: Option<String>,
    role: Option<String>,
    #[serde(rename = "accessKeyID")]
    access_key_id: Option<String>,
    #[serde(rename = "accessKeyIDSecretRef")]
    pub(crate) access_key_id_secret_ref: Option<SecretRef>,
    pub(crate) secret_access_key_secret_ref: Option<SecretRef>,
    auth: Option<Auth>,
}

#[derive(Debug, Deserialize)]
struct Auth {
    kubernetes: Kubernetes,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kubernetes {
    service_account_ref: ServiceAccountRef,
}

/// A ServiceAccount that the role trusts.
#[derive(Debug, Deserialize)]
pub(crate) struct ServiceAccountRef {
    pub(crate) name: String,
    #[serde(default)]
    audiences: Vec<String>,
}

impl ServiceAccountRef {
    /// What the token is for: AWS's STS unless given.
    pub(crate) fn audiences(&self) -> Vec<String> {
        if self.audiences.is_empty() { vec![DEFAULT_AUDIENCE.to_owned()] } else { self.audiences.clone() }
    }
}

impl Config {
    /// Route 53 is one service for the whole partition; a region says which partition that is, and
    /// where the STS is.
    pub(crate) fn region(&self) -> &str {
        given(&self.region).unwrap_or(DEFAULT_REGION)
    }

    /// The id alone; the console and some tools show it as `/hostedzone/Z…`.
    pub(crate) fn hosted_zone(&self) -> Option<&str> {
        given(&self.hosted_zone_id).map(|id| id.trim_start_matches("/hostedzone/"))
    }

    pub(crate) fn role(&self) -> Option<&str> {
        given(&self.role)
    }

    pub(crate) fn access_key_id(&self) -> Option<&str> {
        given(&self.access_key_id)
    }

    pub(crate) fn service_account(&self) -> Option<&ServiceAccountRef> {
        self.auth.as_ref().map(|auth| &auth.kubernetes.service_account_ref)
    }
}

fn given(field: &Option<String>) -> Option<&str> {
    field.as_deref().map(str::trim).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_field() {
        let config: Config = serde_json::from_str(
            r#"{"region":"eu-west-1","hostedZoneID":"/hostedzone/Z1","role":"arn:aws:iam::1:role/r","accessKeyID":"id",
                "accessKeyIDSecretRef":{"name":"a","key":"b"},"secretAccessKeySecretRef":{"name":"c","key":"d"},
                "auth":{"kubernetes":{"serviceAccountRef":{"name":"sa"}}}}"#,
        )
        .unwrap();
        assert_eq!((config.region(), config.hosted_zone()), ("eu-west-1", Some("Z1")));
        assert_eq!((config.role(), config.access_key_id()), (Some("arn:aws:iam::1:role/r"), Some("id")));
        assert_eq!(config.access_key_id_secret_ref.as_ref().map(|r| r.key.as_str()), Some("b"));
        assert_eq!(config.secret_access_key_secret_ref.as_ref().map(|r| r.key.as_str()), Some("d"));
        assert_eq!(
            config.service_account().map(ServiceAccountRef::audiences),
            Some(vec!["sts.amazonaws.com".to_owned()])
        );
    }

    #[test]
    fn the_guides_stanza_has_no_region() {
        let stanza = r#"{"accessKeyID":"access-key-id",
            "secretAccessKeySecretRef":{"name":"route53-secret","key":"secret-access-key"}}"#;
        let config: Config = serde_json::from_str(stanza).unwrap();
        assert_eq!((config.region(), config.hosted_zone(), config.role()), ("us-east-1", None, None));
    }
}
