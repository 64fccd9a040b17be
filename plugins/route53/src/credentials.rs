//! Keys for AWS, from what the Issuer says, through the host.

use aws_credential_types::Credentials;
use signet_solver::{Context, Error, Result, Secret, SecretRef, kube};

use crate::Endpoints;
use crate::config::{Config, ServiceAccountRef};
use crate::failure::Origin;
use crate::sts::{self, Sts};

/// The keys to sign with, and where they are from, for messages.
pub(crate) fn resolve(config: &Config, ambient: bool, endpoints: &Endpoints) -> Result<(Credentials, Origin)> {
    let sts = Sts::new(config.region(), endpoints);
    if let Some(account) = config.service_account() {
        let origin = Origin(format!("the token of ServiceAccount {:?}", account.name));
        return Ok((by_service_account(&sts, config, account, &origin)?, origin));
    }
    let (keys, origin) = by_keys(config, ambient)?;
    match config.role() {
        None => Ok((keys, origin)),
        Some(role) => {
            Ok((sts.assume_role(&keys, role, &origin)?, Origin(format!("role {role}, assumed with {}", origin.0))))
        }
    }
}

fn by_service_account(
    sts: &Sts<'_>,
    config: &Config,
    account: &ServiceAccountRef,
    origin: &Origin,
) -> Result<Credentials> {
    let role = config.role().ok_or_else(|| {
        Error::config("route53.auth.kubernetes needs route53.role: the ARN of the role that trusts the ServiceAccount")
    })?;
    let token = kube::service_account_token(&account.name, &account.audiences())
        .context(format_args!("asking for a token of ServiceAccount {:?}", account.name))?;
    sts.assume_role_with_web_identity(token.text()?, role, origin)
}

fn by_keys(config: &Config, ambient: bool) -> Result<(Credentials, Origin)> {
    let Some(secret_ref) = &config.secret_access_key_secret_ref else {
        let hint = "set route53.accessKeyID (or accessKeyIDSecretRef) and secretAccessKeySecretRef, or role and auth.kubernetes";
        return Err(Error::config(match ambient {
            true => format!("credentials of Signet's own environment are not handed to plugins: {hint}"),
            false => format!("there are no credentials: {hint}"),
        }));
    };
    let secret = read(secret_ref, "secretAccessKeySecretRef")?;
    let id = access_key_id(config, secret_ref)?;
    let origin = Origin(format!("{} and Secret {:?}, key {:?}", id.origin, secret_ref.name, secret_ref.key));
    Ok((sts::credentials(&id.value, secret.text()?, None), origin))
}

struct AccessKeyId {
    value: String,
    origin: String,
}

/// The id of the access key. `accessKeyID` may be the id itself or, as cert-manager's users write
/// it at times, the name of a key beside the secret one: an id has one form, so whatever has
/// another is looked for in the Secret first.
fn access_key_id(config: &Config, secret_ref: &SecretRef) -> Result<AccessKeyId> {
    if let Some(reference) = &config.access_key_id_secret_ref {
        let value = read(reference, "accessKeyIDSecretRef")?.text()?.to_owned();
        return Ok(AccessKeyId { value, origin: format!("Secret {:?}, key {:?}", reference.name, reference.key) });
    }
    let Some(text) = config.access_key_id() else {
        return Err(Error::config(
            "the access key's id is missing: set route53.accessKeyID, or route53.accessKeyIDSecretRef",
        ));
    };
    let literal = || AccessKeyId { value: text.to_owned(), origin: "accessKeyID".to_owned() };
    if is_access_key_id(text) {
        return Ok(literal());
    }
    let beside = SecretRef { name: secret_ref.name.clone(), key: text.to_owned() };
    match beside.read() {
        Ok(value) => Ok(AccessKeyId {
            value: value.text()?.to_owned(),
            origin: format!("Secret {:?}, key {text:?} (named by accessKeyID)", beside.name),
        }),
        Err(Error::NotFound(_)) => Ok(literal()),
        Err(error) => Err(error.context("reading the access key's id")),
    }
}

/// Whether the text has the form of an id: `AKIA` or `ASIA` and sixteen more letters and digits.
fn is_access_key_id(text: &str) -> bool {
    let known = text.starts_with("AKIA") || text.starts_with("ASIA");
    known && text.len() == 20 && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

fn read(reference: &SecretRef, field: &str) -> Result<Secret> {
    reference.read().context(format_args!("reading route53.{field}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_an_id_from_the_name_of_a_key() {
        assert!(is_access_key_id("AKIAIOSFODNN7EXAMPLE"));
        for name in ["access-key-id", "AKIA", "AKIA_IN_THE_SECRET__", "akiaiosfodnn7example"] {
            assert!(!is_access_key_id(name), "{name}");
        }
    }

    #[test]
    fn says_which_field_is_missing() {
        let none: Config = serde_json::from_str("{}").unwrap();
        let message = |ambient| match resolve(&none, ambient, &Endpoints::default()) {
            Err(Error::Config(message)) => message,
            other => unreachable!("{other:?}"),
        };
        assert!(message(false).contains("secretAccessKeySecretRef"));
        assert!(message(true).contains("own environment"));
        let account = r#"{"auth":{"kubernetes":{"serviceAccountRef":{"name":"dns"}}}}"#;
        let no_role: Config = serde_json::from_str(account).unwrap();
        let refused = resolve(&no_role, false, &Endpoints::default());
        assert!(matches!(refused, Err(Error::Config(message)) if message.contains("route53.role")));
    }
}
