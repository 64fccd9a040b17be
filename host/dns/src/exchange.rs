//! One question to one server: over UDP, and over TCP when the answer was cut short or did not come.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use hickory_proto::op::{DnsRequestOptions, Message, Query, ResponseCode};
use hickory_proto::rr::{Name, RecordType};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::tcp::TcpClientStream;
use hickory_resolver::net::udp::UdpClientStream;
use hickory_resolver::net::xfer::{DnsExchange, FirstAnswer};
use hickory_resolver::net::{DnsHandle, NetError};

/// For all the datagrams of one question, and again for its TCP connection.
const TIMEOUT: Duration = Duration::from_millis(2500);
const DATAGRAM_INTERVAL: Duration = Duration::from_millis(800);
const DATAGRAM_RETRIES: u8 = 2;
const TIMED_OUT: &str = "did not answer in time: it is down, or a firewall blocks UDP and TCP port 53 to it";

/// Asks `server`. Any response is an answer, whatever its code; an error is a phrase.
pub(crate) async fn ask(
    server: SocketAddr,
    name: &Name,
    kind: RecordType,
    recurse: bool,
) -> Result<Message, &'static str> {
    let cut_short = match over_udp(server, name, kind, recurse).await {
        Ok(message) if !message.metadata.truncation => return Ok(message),
        datagram => datagram.is_ok(),
    };
    match over_tcp(server, name, kind, recurse).await {
        Ok(message) => Ok(message),
        // What a cut answer lacks is not what the server lacks, so it is ignored (RFC 2181, section 9).
        Err(_) if cut_short => Err("cut its answer short over UDP and gave none over TCP, which a firewall may block"),
        Err(error) => Err(phrase(&error)),
    }
}

/// How a response without the records that were asked for reads, after the name of its server.
pub(crate) fn code_phrase(code: ResponseCode) -> String {
    match code {
        ResponseCode::NXDomain => "answered NXDOMAIN: the name does not exist".into(),
        ResponseCode::ServFail => "answered SERVFAIL: it can not load or verify the zone; check its DNSSEC".into(),
        ResponseCode::Refused => "answered REFUSED: it does not serve us, or not that name".into(),
        code => format!("answered {}", code.to_str()),
    }
}

async fn over_udp(server: SocketAddr, name: &Name, kind: RecordType, recurse: bool) -> Result<Message, NetError> {
    let exchange = UdpClientStream::builder(server, TokioRuntimeProvider::default())
        .with_timeout(Some(TIMEOUT))
        .with_max_retries(DATAGRAM_RETRIES)
        .exchange();
    send(exchange, name, kind, recurse).await
}

async fn over_tcp(server: SocketAddr, name: &Name, kind: RecordType, recurse: bool) -> Result<Message, NetError> {
    // The task that drives the connection belongs to the provider, and is aborted with the last of its clones.
    let provider = TokioRuntimeProvider::default();
    let connect = TcpClientStream::exchange(server, None, TIMEOUT, None, provider.clone());
    let exchange = tokio::time::timeout(TIMEOUT, connect).await.map_err(|_| NetError::Timeout)??;
    let answer = send(exchange, name, kind, recurse).await;
    drop(provider);
    answer
}

async fn send(
    exchange: DnsExchange<TokioRuntimeProvider>,
    name: &Name,
    kind: RecordType,
    recurse: bool,
) -> Result<Message, NetError> {
    let mut options = DnsRequestOptions::default();
    options.use_edns = true;
    options.recursion_desired = recurse;
    options.retry_interval = DATAGRAM_INTERVAL;
    let answer = exchange.lookup(Query::query(name.clone(), kind), options).first_answer();
    let response = tokio::time::timeout(TIMEOUT, answer).await.map_err(|_| NetError::Timeout)??;
    Ok((*response).clone())
}

fn phrase(error: &NetError) -> &'static str {
    match error {
        NetError::Timeout => TIMED_OUT,
        NetError::Io(error) => match error.kind() {
            ErrorKind::ConnectionRefused => "refused the connection: no DNS server listens there",
            ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable | ErrorKind::AddrNotAvailable => {
                "cannot be reached from here: there is no route to it"
            }
            ErrorKind::TimedOut => TIMED_OUT,
            _ => "broke the connection",
        },
        NetError::Proto(_) => "sent an answer that is not DNS",
        _ => "gave no usable answer",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stub::{self, Over};

    #[tokio::test]
    async fn an_answer_that_was_cut_short_is_asked_for_again_over_tcp() {
        let at = stub::name("long.example.test.");
        let full = stub::serve("127.0.0.1:0", |query, reply, over| {
            match over {
                Over::Udp => reply.metadata.truncation = true,
                Over::Tcp => reply.answers.push(stub::txt(query.name(), "value")),
            }
            true
        })
        .await;
        let message = ask(full.address, &at, RecordType::TXT, false).await.expect("an answer");
        assert_eq!(message.answers, [stub::txt(&at, "value")]);

        let cut = stub::serve("127.0.0.1:0", |query, reply, over| {
            reply.metadata.truncation = true;
            reply.answers.push(stub::txt(query.name(), "one of many"));
            over == Over::Udp
        })
        .await;
        let phrase = ask(cut.address, &at, RecordType::TXT, false).await.expect_err("half an answer is none");
        assert!(phrase.starts_with("cut its answer short over UDP and gave none over TCP"), "{phrase}");
    }
}
