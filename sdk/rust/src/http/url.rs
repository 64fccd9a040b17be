//! The three parts of a URL that a request is sent by.

/// An absolute http or https URL in the parts that `wasi:http` takes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Url<'a> {
    pub(super) https: bool,
    pub(super) authority: &'a str,
    /// Path and query, with a slash at least.
    pub(super) path: String,
}

/// Splits a URL; says why when it can not be sent to.
pub(super) fn parse(url: &str) -> Result<Url<'_>, &'static str> {
    let (scheme, rest) = url.split_once("://").ok_or("the URL has no scheme")?;
    let https = match scheme.to_ascii_lowercase().as_str() {
        "https" => true,
        "http" => false,
        _ => return Err("the URL's scheme is neither http nor https"),
    };
    let rest = rest.split_once('#').map_or(rest, |(before, _)| before);
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    if authority.is_empty() {
        return Err("the URL has no host");
    }
    if authority.contains('@') {
        return Err("the URL holds a user name: give credentials in a header");
    }
    if url.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err("the URL holds white space");
    }
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    Ok(Url { https, authority, path })
}

/// A URL for messages: without the query, where some providers want the token.
pub(super) fn shown(url: &str) -> String {
    url.split(['?', '#']).next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits() {
        let is = |url, https, authority, path: &str| {
            assert_eq!(parse(url), Ok(Url { https, authority, path: path.to_owned() }), "{url}");
        };
        is("https://api.example.com/v1/a?b=c#d", true, "api.example.com", "/v1/a?b=c");
        is("http://127.0.0.1:8080", false, "127.0.0.1:8080", "/");
        is("HTTPS://[::1]:8443?x", true, "[::1]:8443", "/?x");
    }

    #[test]
    fn refuses() {
        for url in ["", "api.example.com", "ftp://a/", "https:///x", "https://user@a/", "https://a/ b"] {
            assert!(parse(url).is_err(), "{url}");
        }
    }
}
