//! The chain to hand out: the CA's own, or the alternate that the issuer prefers (RFC 8555, section 7.4.2).

use http::header::LINK;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use crate::Error;
use crate::http::Reply;

/// The certificates of an answer, leaf first, as PEM. Anything else in it is an error (RFC 8555, section
/// 9.1).
pub(crate) fn read(reply: &Reply) -> Result<Vec<pem::Pem>, Error> {
    let miss = |what| Error::Miss { host: reply.host.clone(), what };
    let blocks = pem::parse_many(&reply.body).map_err(|_| miss("a PEM certificate chain"))?;
    match !blocks.is_empty() && blocks.iter().all(|block| block.tag() == "CERTIFICATE") {
        true => Ok(blocks),
        false => Err(miss("a PEM certificate chain")),
    }
}

pub(crate) fn encode(chain: &[pem::Pem]) -> String {
    pem::encode_many_config(chain, pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF))
}

/// Whether the certificate nearest the root was issued by someone of that common name.
pub(crate) fn leads_to(chain: &[pem::Pem], common_name: &str) -> bool {
    let Some(last) = chain.last() else { return false };
    let Ok((_, certificate)) = X509Certificate::from_der(last.contents()) else { return false };
    certificate.issuer().iter_common_name().any(|name| name.as_str().is_ok_and(|name| name == common_name))
}

/// The URLs of `Link: <…>;rel="alternate"`, in the CA's order.
pub(crate) fn alternates(reply: &Reply) -> Vec<String> {
    let lines = reply.headers.get_all(LINK).iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(",")).filter_map(alternate).collect()
}

fn alternate(link: &str) -> Option<String> {
    let (url, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
    let alternate = parameters.split(';').any(|parameter| {
        parameter.trim().split_once('=').is_some_and(|(name, value)| {
            name.trim().eq_ignore_ascii_case("rel") && value.trim().trim_matches('"').eq_ignore_ascii_case("alternate")
        })
    });
    alternate.then(|| url.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_alternate_links_and_no_others() {
        let table = [
            (r#"<https://ca.example/c/1>;rel="alternate""#, Some("https://ca.example/c/1")),
            (r#"<https://ca.example/c/1>; title=x; REL=Alternate"#, Some("https://ca.example/c/1")),
            (r#"<https://ca.example/directory>;rel="index""#, None),
            (r#"https://ca.example/c/1;rel="alternate""#, None),
            ("", None),
        ];
        for (link, url) in table {
            assert_eq!(alternate(link).as_deref(), url, "{link}");
        }
    }
}
