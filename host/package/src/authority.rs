//! The strict reading of where a request goes: scheme, host and port, or a refusal.
//!
//! `http::uri::Authority` takes `user@host` and `host:abc`; two parsers that read such a thing
//! differently are a hole, so they are refused here, before anything is compared.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// Where a request goes: the form that is compared, resolved and connected to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target {
    pub https: bool,
    /// Lower case, without brackets and without a trailing dot.
    pub host: String,
    pub port: u16,
}

/// Why an authority is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthorityError {
    /// `user@host`.
    #[error("it holds `@`: credentials before a host are refused")]
    UserInfo,
    /// `host:abc`.
    #[error("its port is not a number between 1 and 65535")]
    Port,
    /// Not a host name and not an address.
    #[error("its host is not a host name or an IP address")]
    Host,
    /// Neither http nor https.
    #[error("its scheme is neither http nor https")]
    Scheme,
}

impl Target {
    /// Reads `scheme` and `authority` (`host[:port]`).
    pub fn parse(scheme: &str, authority: &str) -> Result<Target, AuthorityError> {
        let https = match scheme {
            "https" => true,
            "http" => false,
            _ => return Err(AuthorityError::Scheme),
        };
        if authority.contains('@') {
            return Err(AuthorityError::UserInfo);
        }
        let (host, port) = split_port(authority)?;
        let port = match port {
            Some(port) => parse_port(port)?,
            None if https => 443,
            None => 80,
        };
        Ok(Target { https, host: canonical_host(host)?, port })
    }

    /// Reads `scheme://host[:port]`, whatever path follows.
    pub fn parse_url(url: &str) -> Result<Target, AuthorityError> {
        let (scheme, rest) = url.split_once("://").ok_or(AuthorityError::Scheme)?;
        let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
        Target::parse(&scheme.to_ascii_lowercase(), authority)
    }

    pub fn scheme(&self) -> &'static str {
        if self.https { "https" } else { "http" }
    }

    /// The address, when the host is one.
    pub fn ip(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// `host:port`, with brackets around an IPv6 address.
    pub fn authority(&self) -> String {
        match self.ip() {
            Some(IpAddr::V6(ip)) => format!("[{ip}]:{}", self.port),
            _ => format!("{}:{}", self.host, self.port),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let default = if self.https { 443 } else { 80 };
        let authority = self.authority();
        let shown = if self.port == default { authority.trim_end_matches(&format!(":{default}")) } else { &authority };
        write!(f, "{}://{shown}", self.scheme())
    }
}

/// Splits `host[:port]`; an IPv6 address stands in brackets, which are taken off.
fn split_port(authority: &str) -> Result<(&str, Option<&str>), AuthorityError> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, after) = rest.split_once(']').ok_or(AuthorityError::Host)?;
        host.parse::<Ipv6Addr>().map_err(|_| AuthorityError::Host)?;
        return match after {
            "" => Ok((host, None)),
            _ => Ok((host, Some(after.strip_prefix(':').ok_or(AuthorityError::Port)?))),
        };
    }
    match authority.split_once(':') {
        None => Ok((authority, None)),
        Some((host, port)) => Ok((host, Some(port))),
    }
}

fn parse_port(port: &str) -> Result<u16, AuthorityError> {
    if port.is_empty() || !port.bytes().all(|b| b.is_ascii_digit()) {
        return Err(AuthorityError::Port);
    }
    match port.parse() {
        Ok(0) | Err(_) => Err(AuthorityError::Port),
        Ok(port) => Ok(port),
    }
}

/// Lower case, without the dot at the end; refuses what is not a name and not an address. A name
/// whose last label is numeric is refused: resolvers read `0x7f.1` and `2130706433` as addresses.
fn canonical_host(host: &str) -> Result<String, AuthorityError> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(ip.to_string());
    }
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    let label_ok = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    let last_is_name = host.rsplit('.').next().is_some_and(|last| !last.starts_with(|c: char| c.is_ascii_digit()));
    if host.len() > 253 || !host.split('.').all(label_ok) || !last_is_name {
        return Err(AuthorityError::Host);
    }
    Ok(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_is_plain() {
        for (scheme, authority, expected) in [
            ("https", "API.Example.com", "https://api.example.com"),
            ("https", "api.example.com.", "https://api.example.com"),
            ("https", "api.example.com:443", "https://api.example.com"),
            ("http", "api.example.com:8080", "http://api.example.com:8080"),
            ("http", "127.0.0.1:80", "http://127.0.0.1"),
            ("https", "[::1]:8443", "https://[::1]:8443"),
        ] {
            assert_eq!(Target::parse(scheme, authority).unwrap().to_string(), expected);
        }
    }

    #[test]
    fn refuses_what_two_parsers_may_read_differently() {
        use AuthorityError::*;
        for (authority, expected) in [
            ("user@host", UserInfo),
            ("a:b@host", UserInfo),
            ("host:abc", Port),
            ("host:", Port),
            ("host:0", Port),
            ("host:+80", Port),
            ("host:65536", Port),
            ("", Host),
            ("ho st", Host),
            ("2130706433", Host),
            ("0x7f.1", Host),
            ("a..b", Host),
            ("[::1", Host),
            ("::1", Port),
        ] {
            assert_eq!(Target::parse("https", authority).unwrap_err(), expected, "{authority}");
        }
        assert_eq!(Target::parse("ftp", "host").unwrap_err(), Scheme);
    }
}
