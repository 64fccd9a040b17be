//! Which servers are asked.

use std::net::{IpAddr, SocketAddr};

use hickory_resolver::system_conf::read_system_conf;
use http::Uri;

use crate::{Error, Nameserver};

const DNS_PORT: u16 = 53;

/// How DNS is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DnsConfig {
    /// Servers that resolve for us; those of `/etc/resolv.conf` when empty.
    pub recursive_nameservers: Vec<Nameserver>,
    /// Whether propagation, too, is asked of these alone: for networks that cannot reach authoritative
    /// servers.
    pub recursive_only: bool,
}

/// The addresses of the system's resolvers.
pub(crate) fn system() -> Result<Vec<Nameserver>, Error> {
    let (config, _) = read_system_conf().map_err(|source| Error::ReadSystemConfig { source })?;
    let servers: Vec<Nameserver> = config
        .name_servers()
        .iter()
        .map(|server| {
            let port = server.connections.first().map_or(DNS_PORT, |connection| connection.port);
            SocketAddr::new(server.ip, port).into()
        })
        .collect();
    match servers.is_empty() {
        true => Err(Error::FindSystemServers),
        false => Ok(servers),
    }
}

/// Reads what a flag or `dns01.nameservers` lists: an https address of DNS over HTTPS; or `host:port`, where the
/// port may be missing and the host is an address or a name that the system resolves.
pub async fn nameservers(list: &[String]) -> Result<Vec<Nameserver>, Error> {
    let mut servers = Vec::new();
    for entry in list.iter().map(|entry| entry.trim()) {
        match entry.contains("://") {
            true => servers.push(Nameserver::Https(over_https(entry)?)),
            false => servers.extend(address(entry).await?.into_iter().map(Nameserver::Plain)),
        }
    }
    Ok(servers)
}

/// The same without DNS over HTTPS.
pub async fn addresses(list: &[String]) -> Result<Vec<SocketAddr>, Error> {
    let mut servers = Vec::new();
    for entry in list {
        servers.extend(address(entry.trim()).await?);
    }
    Ok(servers)
}

fn over_https(entry: &str) -> Result<Uri, Error> {
    let uri = entry.parse::<Uri>().ok().filter(|uri| uri.scheme_str() == Some("https") && uri.host().is_some());
    uri.ok_or_else(|| refused(entry, "only https://HOST/PATH is asked over HTTP, such as https://1.1.1.1/dns-query"))
}

fn refused(entry: &str, why: &str) -> Error {
    Error::ReadNameserver { entry: entry.to_owned(), why: why.to_owned() }
}

async fn address(entry: &str) -> Result<Vec<SocketAddr>, Error> {
    let refuse = |why: &str| refused(entry, why);
    if entry.contains("://") {
        return Err(refuse("it is asked over UDP and TCP here, so it is HOST:PORT"));
    }
    if let Ok(address) = entry.parse::<SocketAddr>() {
        return Ok(vec![address]);
    }
    if let Ok(address) = entry.trim_matches(['[', ']']).parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, DNS_PORT)]);
    }
    let (host, port) = entry.rsplit_once(':').unwrap_or((entry, "53"));
    let port = port.parse::<u16>().map_err(|_| refuse("its port is not a number up to 65535"))?;
    if host.is_empty() {
        return Err(refuse("it names no host"));
    }
    let found = tokio::net::lookup_host((host, port)).await.map_err(|error| refuse(&error.to_string()))?;
    Ok(found.take(1).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn reads_each_form() {
        let table = [
            ("192.0.2.1:5353", Ok("192.0.2.1:5353")),
            ("192.0.2.1", Ok("192.0.2.1:53")),
            ("2001:db8::1", Ok("[2001:db8::1]:53")),
            ("[2001:db8::1]:54", Ok("[2001:db8::1]:54")),
            ("https://1.1.1.1/dns-query", Ok("https://1.1.1.1/dns-query")),
            (
                "http://1.1.1.1/dns-query",
                Err("only https://HOST/PATH is asked over HTTP, such as https://1.1.1.1/dns-query"),
            ),
            (":53", Err("it names no host")),
            ("ns.example:domain", Err("its port is not a number up to 65535")),
        ];
        for (entry, expected) in table {
            match (nameservers(&[entry.to_owned()]).await, expected) {
                (Ok(found), Ok(address)) => {
                    let expected = address.parse::<SocketAddr>().map(Nameserver::Plain);
                    let expected = expected.unwrap_or_else(|_| Nameserver::Https(address.parse().expect("a URL")));
                    assert_eq!(found, [expected], "{entry}")
                }
                (Err(error), Err(why)) => {
                    assert_eq!(error.to_string(), format!("could not read the nameserver {entry:?}: {why}"))
                }
                (found, _) => panic!("{entry}: {found:?}"),
            }
        }
    }
}
