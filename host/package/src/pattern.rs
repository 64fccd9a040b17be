//! Host patterns: `scheme://host[:port]`, with `*.` before a suffix, and `{config.field}` where the
//! server is the user's own.
//!
//! A [`Template`] is what stands in a manifest or in a grant; with a call's config it becomes the
//! [`Pattern`]s that a request is compared with. A config value never brings a wildcard.

use serde_json::Value;

use crate::authority::{AuthorityError, Target};

/// Why a pattern is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// No `scheme://`.
    #[error("read the pattern {0:?}: it must be scheme://host[:port], with scheme http or https")]
    Scheme(String),
    /// Something follows the port.
    #[error("read the pattern {0:?}: nothing may follow the port, not even a slash")]
    Trailing(String),
    /// The host is not one.
    #[error("read the pattern {pattern:?}")]
    Host {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        source: AuthorityError,
    },
    /// `{` without `config.` and `}`.
    #[error("read the pattern {0:?}: in braces stands config. and a field of the config")]
    Field(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    Exactly(String),
    /// `*.example.com`, kept as `.example.com`: one label or more before it.
    Below(String),
}

/// What a request's target is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    https: bool,
    host: Host,
    port: u16,
}

impl Pattern {
    fn parse(text: &str) -> Result<Pattern, PatternError> {
        let (scheme, authority) = text.split_once("://").ok_or_else(|| PatternError::Scheme(text.to_owned()))?;
        let https = match scheme {
            "https" => true,
            "http" => false,
            _ => return Err(PatternError::Scheme(text.to_owned())),
        };
        if authority.contains(['/', '?', '#']) {
            return Err(PatternError::Trailing(text.to_owned()));
        }
        let wrong = |source| PatternError::Host { pattern: text.to_owned(), source };
        let (below, authority) = match authority.strip_prefix("*.") {
            Some(suffix) => (true, suffix),
            None => (false, authority),
        };
        let target = Target::parse(scheme, authority).map_err(wrong)?;
        let host = match below {
            true if target.ip().is_some() => return Err(wrong(AuthorityError::Host)),
            true => Host::Below(format!(".{}", target.host)),
            false => Host::Exactly(target.host),
        };
        Ok(Pattern { https, host, port: target.port })
    }

    pub fn matches(&self, target: &Target) -> bool {
        let host = match &self.host {
            Host::Exactly(host) => *host == target.host,
            Host::Below(suffix) => target.ip().is_none() && target.host.ends_with(suffix.as_str()),
        };
        host && self.https == target.https && self.port == target.port
    }
}

impl From<Target> for Pattern {
    fn from(target: Target) -> Pattern {
        Pattern { https: target.https, host: Host::Exactly(target.host), port: target.port }
    }
}

/// A pattern as written, maybe with a config field in braces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    text: String,
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Fixed(Pattern),
    /// Text before the braces, the path of the field, text after.
    Field {
        before: String,
        path: String,
        after: String,
    },
}

impl Template {
    pub fn parse(text: &str) -> Result<Template, PatternError> {
        let kind = match text.split_once('{') {
            None => Kind::Fixed(Pattern::parse(text)?),
            Some((before, rest)) => {
                let wrong = || PatternError::Field(text.to_owned());
                let (field, after) = rest.split_once('}').ok_or_else(wrong)?;
                let path = field.strip_prefix("config.").filter(|path| !path.is_empty()).ok_or_else(wrong)?;
                if after.contains(['{', '}']) || before.contains('*') {
                    return Err(wrong());
                }
                Kind::Field { before: before.to_owned(), path: path.to_owned(), after: after.to_owned() }
            }
        };
        Ok(Template { text: text.to_owned(), kind })
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The patterns that this means for one config: none when the config lacks the field.
    pub fn resolve(&self, config: &Value) -> Vec<Pattern> {
        match &self.kind {
            Kind::Fixed(pattern) => vec![pattern.clone()],
            Kind::Field { before, path, after } => values(config, path)
                .into_iter()
                .filter_map(|value| fill(before, value, after))
                .map(Pattern::from)
                .collect(),
        }
    }
}

/// A URL in the config stands for itself where the pattern is nothing but the field; a bare
/// `host[:port]` is read as https there. Inside a longer pattern a value may not end the host, or
/// `https://sts.{config.region}.example.com` would reach `sts.evil.test` through `evil.test/`.
fn fill(before: &str, value: &str, after: &str) -> Option<Target> {
    let in_name = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    let at_end = |c: char| in_name(c) || ":[]".contains(c);
    let fits = match (before.is_empty(), after.is_empty()) {
        (true, true) => true,
        (false, true) => value.chars().all(at_end),
        _ => value.chars().all(in_name),
    };
    if !fits || value.is_empty() {
        return None;
    }
    let whole = format!("{before}{value}{after}");
    let url = if whole.contains("://") { whole } else { format!("https://{whole}") };
    Target::parse_url(&url).ok()
}

/// The strings at a path of fields: one, or those of an array.
pub fn values<'a>(config: &'a Value, path: &str) -> Vec<&'a str> {
    match path.split('.').try_fold(config, |value, field| value.get(field)) {
        Some(Value::String(value)) => vec![value],
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
        _ => vec![],
    }
}

/// Whether `scheme`, `host` and `port` are well formed in text that a person gave.
pub fn check_all(patterns: &[String]) -> Result<Vec<Template>, PatternError> {
    patterns.iter().map(|pattern| Template::parse(pattern)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn allows(pattern: &str, url: &str) -> bool {
        let template = Template::parse(pattern).unwrap();
        let config = json!({ "server": "http://own.test:8080/path", "bare": "own.test", "many": ["https://a.test", "b.test"],
            "wild": "https://*.test", "region": "us-east-1", "cut": "evil.test/", "port": "evil.test:443", "tls": { "host": "deep.test" }, "user": "https://u@own.test" });
        template.resolve(&config).iter().any(|p| p.matches(&Target::parse_url(url).unwrap()))
    }

    #[test]
    fn compares_scheme_host_and_port() {
        for (pattern, url, expected) in [
            ("https://api.test", "https://api.test", true),
            ("https://api.test", "https://API.test:443/x", true),
            ("https://api.test", "http://api.test:443", false),
            ("https://api.test", "https://api.test:8443", false),
            ("https://api.test:8443", "https://api.test:8443", true),
            ("https://*.api.test", "https://a.api.test", true),
            ("https://*.api.test", "https://a.b.api.test", true),
            ("https://*.api.test", "https://api.test", false),
            ("https://*.api.test", "https://evilapi.test", false),
            ("https://*.1.1.test", "https://1.1.1.test", true),
            ("{config.server}", "http://own.test:8080", true),
            ("{config.server}", "https://own.test", false),
            ("{config.bare}", "https://own.test", true),
            ("http://{config.bare}:81", "http://own.test:81", true),
            ("{config.many}", "https://b.test", true),
            ("https://{config.tls.host}", "https://deep.test", true),
            ("{config.missing}", "https://own.test", false),
            ("{config.wild}", "https://a.test", false),
            ("{config.user}", "https://own.test", false),
            ("https://sts.{config.region}.api.test", "https://sts.us-east-1.api.test", true),
            ("https://sts.{config.cut}.api.test", "https://sts.evil.test", false),
            ("https://sts.{config.port}.api.test", "https://sts.evil.test", false),
            ("https://{config.cut}", "https://evil.test", false),
        ] {
            assert_eq!(allows(pattern, url), expected, "{pattern} {url}");
        }
    }

    #[test]
    fn refuses_what_means_too_much() {
        for bad in [
            "*",
            "https://*",
            "api.test",
            "https://api.test/",
            "https://u@api.test",
            "https://*.*.test",
            "https://*.10.0.0.1",
            "ftp://api.test",
            "{server}",
            "{config.}",
            "{config.a",
            "https://a{config.b}{config.c}",
            "https://*.{config.b}",
        ] {
            assert!(Template::parse(bad).is_err(), "{bad}");
        }
    }
}
