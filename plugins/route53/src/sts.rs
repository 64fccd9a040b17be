//! Two calls of AWS's Security Token Service, which lend the keys of a role.

use aws_credential_types::Credentials;
use signet_solver::{Context, Error, Result};
use wstd::runtime::block_on;

use crate::Endpoints;
use crate::failure::{Attempt, Origin};
use crate::query::{Query, encode};
use crate::xml::element;

/// How long the keys last: the least that AWS gives, as a call takes seconds.
const SESSION_SECONDS: &str = "900";
const SESSION: &str = "signet";

/// The STS of one region.
#[derive(Debug)]
pub(crate) struct Sts<'a> {
    endpoint: String,
    region: &'a str,
}

impl<'a> Sts<'a> {
    pub(crate) fn new(region: &'a str, endpoints: &Endpoints) -> Self {
        let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        let endpoint = endpoints.sts.clone().unwrap_or_else(|| format!("https://sts.{region}.{domain}"));
        Self { endpoint, region }
    }

    /// Keys of `role`, asked for with other keys.
    pub(crate) fn assume_role(&self, keys: &Credentials, role: &str, origin: &Origin) -> Result<Credentials> {
        let attempt = Attempt { permission: "sts:AssumeRole", resource: role.to_owned(), origin };
        self.ask("AssumeRole", role, &[], Some(keys), attempt)
    }

    /// Keys of `role`, asked for with a ServiceAccount's token; the token is the proof, so nothing
    /// is signed.
    pub(crate) fn assume_role_with_web_identity(
        &self,
        token: &str,
        role: &str,
        origin: &Origin,
    ) -> Result<Credentials> {
        let attempt = Attempt { permission: "sts:AssumeRoleWithWebIdentity", resource: role.to_owned(), origin };
        self.ask("AssumeRoleWithWebIdentity", role, &[("WebIdentityToken", token)], None, attempt)
    }

    fn ask(
        &self,
        action: &str,
        role: &str,
        more: &[(&str, &str)],
        keys: Option<&Credentials>,
        attempt: Attempt<'_>,
    ) -> Result<Credentials> {
        let mut fields = vec![("Action", action), ("Version", "2011-06-15"), ("RoleArn", role)];
        fields.extend([("RoleSessionName", SESSION), ("DurationSeconds", SESSION_SECONDS)]);
        fields.extend(more);
        let query = Query {
            form: Some(encode(&fields)),
            url: format!("{}/", self.endpoint),
            signed: keys.map(|keys| (keys, "sts", self.region)),
            attempt,
        };
        let answer = block_on(query.send()).map_err(Error::from).context(format_args!("assuming role {role}"))?;
        read(&answer)
    }
}

/// Keys as the SDK takes them.
pub(crate) fn credentials(id: &str, secret: &str, session: Option<String>) -> Credentials {
    Credentials::new(id, secret, session, None, "signet")
}

/// The keys in an answer. They are base64, so nothing in them is escaped.
fn read(answer: &str) -> Result<Credentials> {
    let field = |name| {
        element(answer, name).ok_or_else(|| Error::transient(format!("the answer of STS has no {name}: is it AWS's?")))
    };
    Ok(credentials(field("AccessKeyId")?, field("SecretAccessKey")?, Some(field("SessionToken")?.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_region_has_its_sts() {
        let at = |region| Sts::new(region, &Endpoints::default()).endpoint;
        assert_eq!(at("eu-west-1"), "https://sts.eu-west-1.amazonaws.com");
        assert_eq!(at("cn-north-1"), "https://sts.cn-north-1.amazonaws.com.cn");
    }

    #[test]
    fn an_answer_without_keys_is_a_fault() {
        let keys = "<AccessKeyId>a</AccessKeyId><SecretAccessKey>b</SecretAccessKey>";
        assert!(matches!(read(keys), Err(Error::Transient(message)) if message.contains("SessionToken")));
        let whole = format!("{keys}<SessionToken>c</SessionToken>");
        assert_eq!(read(&whole).map(|keys| keys.session_token().map(str::to_owned)), Ok(Some("c".to_owned())));
    }
}
