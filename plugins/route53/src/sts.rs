//! Two calls of AWS's Security Token Service. Its own SDK crate would add a third to the
//! component's size, and the Route 53 SDK brings the signing along already.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use signet_solver::{Context, Error, Result};
use wstd::http::{Body, Client, Request};
use wstd::runtime::block_on;

use crate::Endpoints;
use crate::failure::{self, Attempt, Origin};

/// How long assumed keys last: the least that AWS gives, as a call takes seconds.
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
        let body = form(&[
            ("Action", "AssumeRole"),
            ("Version", "2011-06-15"),
            ("RoleArn", role),
            ("RoleSessionName", SESSION),
            ("DurationSeconds", SESSION_SECONDS),
        ]);
        let attempt = Attempt { permission: "sts:AssumeRole", resource: role.to_owned(), origin };
        let headers = self.sign(keys, &body)?;
        self.ask(&body, headers, &attempt).context(format_args!("assuming role {role}"))
    }

    /// Keys of `role`, asked for with a ServiceAccount's token; the token is the proof, so nothing
    /// is signed.
    pub(crate) fn assume_role_with_web_identity(&self, token: &str, role: &str, account: &str) -> Result<Credentials> {
        let body = form(&[
            ("Action", "AssumeRoleWithWebIdentity"),
            ("Version", "2011-06-15"),
            ("RoleArn", role),
            ("RoleSessionName", SESSION),
            ("DurationSeconds", SESSION_SECONDS),
            ("WebIdentityToken", token),
        ]);
        let origin = Origin(format!("the token of ServiceAccount {account:?}"));
        let attempt =
            Attempt { permission: "sts:AssumeRoleWithWebIdentity", resource: role.to_owned(), origin: &origin };
        self.ask(&body, Vec::new(), &attempt).context(format_args!("assuming role {role}"))
    }

    /// Sends by the client that the SDK uses too: a second one would be one too many in the file.
    fn ask(&self, body: &str, headers: Vec<(String, String)>, attempt: &Attempt<'_>) -> Result<Credentials> {
        let mut request = Request::post(format!("{}/", self.endpoint)).header("content-type", CONTENT_TYPE);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let body = Body::from(body.as_bytes().to_vec());
        let request = request.body(body).map_err(|error| Error::config(format!("the request for STS: {error}")))?;
        let (status, answer) = block_on(async {
            let mut response = Client::new().send(request).await?;
            let body = response.body_mut().contents().await?.to_vec();
            Ok::<_, wstd::http::Error>((response.status().as_u16(), body))
        })
        .map_err(|error| failure::undelivered(&error.to_string(), attempt))?;
        read(status, &String::from_utf8_lossy(&answer), attempt)
    }

    fn sign(&self, keys: &Credentials, body: &str) -> Result<Vec<(String, String)>> {
        let identity = keys.clone().into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(self.region)
            .name("sts")
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| Error::permanent(format!("the request for STS can not be signed: {error}")))?;
        let url = format!("{}/", self.endpoint);
        let host = self.endpoint.split("://").nth(1).unwrap_or_default();
        let headers = [("content-type", CONTENT_TYPE), ("host", host)];
        let signed = SignableRequest::new("POST", url, headers.into_iter(), SignableBody::Bytes(body.as_bytes()))
            .and_then(|request| sign(request, &params.into()))
            .map_err(|error| Error::permanent(format!("the request for STS can not be signed: {error}")))?;
        let (instructions, _) = signed.into_parts();
        Ok(instructions.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
}

const CONTENT_TYPE: &str = "application/x-www-form-urlencoded; charset=utf-8";

/// Keys as the SDK takes them.
pub(crate) fn credentials(id: &str, secret: &str, session: Option<String>) -> Credentials {
    Credentials::new(id, secret, session, None, "signet")
}

fn read(status: u16, text: &str, attempt: &Attempt<'_>) -> Result<Credentials> {
    if status >= 400 {
        let message = element(text, "Message").unwrap_or("no reason given");
        return Err(failure::meaning(element(text, "Code"), Some(status), message, attempt));
    }
    let field = |name| {
        element(text, name).ok_or_else(|| Error::transient(format!("the answer of STS has no {name}: is it AWS's?")))
    };
    Ok(credentials(field("AccessKeyId")?, field("SecretAccessKey")?, Some(field("SessionToken")?.to_owned())))
}

/// The text of the first element of this name. Enough for answers that are one level of fields
/// whose values hold no markup: keys and tokens are base64.
fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let start = xml.find(&format!("<{name}>"))? + name.len() + 2;
    let length = xml[start..].find(&format!("</{name}>"))?;
    Some(xml[start..start + length].trim())
}

/// A form's body (`application/x-www-form-urlencoded`).
fn form(fields: &[(&str, &str)]) -> String {
    let pairs: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", escape(value))).collect();
    pairs.join("&")
}

fn escape(value: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    value.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_elements_of_an_answer() {
        let xml = "<R><Credentials><AccessKeyId>ASIA1</AccessKeyId><SessionToken>\n a/b+= </SessionToken></R>";
        assert_eq!(element(xml, "AccessKeyId"), Some("ASIA1"));
        assert_eq!(element(xml, "SessionToken"), Some("a/b+="));
        assert_eq!(element(xml, "SecretAccessKey"), None);
    }

    #[test]
    fn escapes_a_role() {
        assert_eq!(form(&[("RoleArn", "arn:aws:iam::1:role/r w")]), "RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr%20w");
    }

    #[test]
    fn each_region_has_its_sts() {
        let at = |region| Sts::new(region, &Endpoints::default()).endpoint;
        assert_eq!(at("eu-west-1"), "https://sts.eu-west-1.amazonaws.com");
        assert_eq!(at("cn-north-1"), "https://sts.cn-north-1.amazonaws.com.cn");
    }
}
