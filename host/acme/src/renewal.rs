//! When a CA would like to see a certificate renewed (ARI, RFC 9773): one plain GET, without an account.

use http::Method;
use instant_acme as wire;
use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use signet_core::acme::RenewalAtCa;

use crate::clients::Ca;
use crate::gaps::retry_after::retry_after;
use crate::http::{Call, Reply};
use crate::problem::shorten;
use crate::{Error, Resource, answers, problem};

/// The longest address that is passed on.
const MAX_URL: usize = 500;

/// The name that a CA knows its certificate by (RFC 9773, section 4.1), of the first certificate in
/// `chain`, which is PEM. None when that does not say which key signed it.
pub fn certificate_id(chain: &[u8]) -> Option<String> {
    let block = pem::parse(chain).ok().filter(|block| block.tag() == "CERTIFICATE")?;
    let der = CertificateDer::from(block.contents());
    wire::CertificateIdentifier::try_from(&der).ok().map(|id| id.to_string())
}

/// Asks about the certificate of that name; none when the CA does not say when to renew.
pub(crate) async fn fetch(ca: &Ca, id: &str) -> Result<Option<RenewalAtCa>, Error> {
    let directory = ca.directory().await?;
    let Some(base) = &directory.renewal_info else { return Ok(None) };
    let url = format!("{}/{id}", base.trim_end_matches('/'));
    let reply = ca.http().await?.send(Call::read(Resource::RenewalInfo, Method::GET, &url)).await?;
    read(&problem::refused(reply)?).map(Some)
}

fn read(reply: &Reply) -> Result<RenewalAtCa, Error> {
    let said: wire::RenewalInfo = answers::read(reply, "renewal information")?;
    let miss = |what| Error::Miss { host: reply.host.clone(), what };
    let time = |nanoseconds| Timestamp::from_nanosecond(nanoseconds).map_err(|_| miss("a time that can be told"));
    let start = time(said.suggested_window.start.unix_timestamp_nanos())?;
    let end = time(said.suggested_window.end.unix_timestamp_nanos())?;
    if end <= start {
        return Err(miss("a renewal window that begins before it ends"));
    }
    let is_address = |url: &String| url.starts_with("https://") || url.starts_with("http://");
    let explanation_url = said.explanation_url.filter(is_address).map(|url| shorten(&url, MAX_URL));
    Ok(RenewalAtCa { start, end, explanation_url, retry_after: retry_after(&reply.headers) })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::{HeaderMap, HeaderValue, StatusCode};

    use super::*;

    /// The certificate of RFC 9773, appendix A, and its name there.
    const EXAMPLE: &str = "-----BEGIN CERTIFICATE-----
MIIBQzCB66ADAgECAgUAh2VDITAKBggqhkjOPQQDAjAVMRMwEQYDVQQDEwpFeGFt
cGxlIENBMCIYDzAwMDEwMTAxMDAwMDAwWhgPMDAwMTAxMDEwMDAwMDBaMBYxFDAS
BgNVBAMTC2V4YW1wbGUuY29tMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEeBZu
7cbpAYNXZLbbh8rNIzuOoqOOtmxA1v7cRm//AwyMwWxyHz4zfwmBhcSrf47NUAFf
qzLQ2PPQxdTXREYEnKMjMCEwHwYDVR0jBBgwFoAUaYhba4dGQEHhs3uEe6CuLN4B
yNQwCgYIKoZIzj0EAwIDRwAwRAIge09+S5TZAlw5tgtiVvuERV6cT4mfutXIlwTb
+FYN/8oCIClDsqBklhB9KAelFiYt9+6FDj3z4KGVelYM5MdsO3pK
-----END CERTIFICATE-----
";

    #[test]
    fn a_certificate_has_the_name_of_the_rfc() {
        assert_eq!(certificate_id(EXAMPLE.as_bytes()).as_deref(), Some("aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE"));
        assert_eq!(certificate_id(b"no PEM"), None);
    }

    fn reply(body: &'static str) -> Reply {
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", HeaderValue::from_static("21600"));
        Reply { host: "ca.example".into(), status: StatusCode::OK, headers, body: body.into() }
    }

    #[test]
    fn an_answer_is_a_window_and_perhaps_an_explanation() {
        let body = r#"{"suggestedWindow":{"start":"2025-01-02T04:00:00Z","end":"2025-01-03T04:00:00.5+02:00"},
            "explanationURL":"https://acme.example.com/docs/ari"}"#;
        let answer = read(&reply(body)).expect("an answer");
        assert_eq!(answer.retry_after, Some(Duration::from_secs(6 * 3600)));
        assert_eq!(answer.start.to_string(), "2025-01-02T04:00:00Z");
        assert_eq!(answer.end.to_string(), "2025-01-03T02:00:00.5Z");
        assert_eq!(answer.explanation_url.as_deref(), Some("https://acme.example.com/docs/ari"));
    }

    #[test]
    fn what_is_no_window_is_no_answer() {
        let table = [
            (
                r#"{"suggestedWindow":{"start":"2025-01-03T04:00:00Z","end":"2025-01-02T04:00:00Z"}}"#,
                "missed a renewal window that begins before it ends in the answer of ca.example",
            ),
            (
                r#"{"suggestedWindow":{"start":"2025-01-03T04:00:00Z","end":"2025-01-03T04:00:00Z"}}"#,
                "missed a renewal window that begins before it ends in the answer of ca.example",
            ),
            (
                r#"{"suggestedWindow":{"start":"soon","end":"later"}}"#,
                "could not understand the renewal information that ca.example sent",
            ),
            ("{}", "could not understand the renewal information that ca.example sent"),
            ("<html>", "could not understand the renewal information that ca.example sent"),
        ];
        for (body, said) in table {
            let sentence = read(&reply(body)).expect_err(body).to_string();
            assert!(sentence.starts_with(said), "{body}: {sentence}");
        }
    }

    #[test]
    fn an_explanation_is_an_address_or_nothing() {
        let body = r#"{"suggestedWindow":{"start":"2025-01-02T04:00:00Z","end":"2025-01-03T04:00:00Z"},
            "explanationURL":"javascript:alert(1)"}"#;
        assert_eq!(read(&reply(body)).expect("an answer").explanation_url, None);
    }
}
