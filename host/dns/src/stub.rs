//! A DNS server in the test's own process: a closure answers each question.

use std::net::SocketAddr;
use std::sync::Arc;

use hickory_proto::op::{Message, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, Record, rdata};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinSet;

/// Fills in the response to a question. `false` leaves the question unanswered.
pub(crate) type Answer = dyn Fn(&Query, &mut Message, Over) -> bool + Send + Sync;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    Udp,
    Tcp,
}

/// Stops when dropped.
pub(crate) struct Stub {
    pub(crate) address: SocketAddr,
    _tasks: JoinSet<()>,
}

pub(crate) async fn serve(
    at: &str,
    answer: impl Fn(&Query, &mut Message, Over) -> bool + Send + Sync + 'static,
) -> Stub {
    let answer: Arc<Answer> = Arc::new(answer);
    let at: SocketAddr = at.parse().expect("an address");
    let (udp, tcp) = loop {
        let udp = UdpSocket::bind(at).await.expect("a loopback port");
        match TcpListener::bind(udp.local_addr().expect("bound")).await {
            Ok(tcp) => break (udp, tcp),
            Err(error) => assert_eq!(at.port(), 0, "{error}"),
        }
    };
    let address = udp.local_addr().expect("bound");
    let mut tasks = JoinSet::new();
    tasks.spawn(serve_udp(udp, answer.clone()));
    tasks.spawn(serve_tcp(tcp, answer));
    Stub { address, _tasks: tasks }
}

async fn serve_udp(socket: UdpSocket, answer: Arc<Answer>) {
    let mut buffer = [0; 4096];
    while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
        if let Some(reply) = respond(&buffer[..length], &answer, Over::Udp) {
            socket.send_to(&reply, from).await.expect("loopback takes datagrams");
        }
    }
}

async fn serve_tcp(listener: TcpListener, answer: Arc<Answer>) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let answer = answer.clone();
        tokio::spawn(async move {
            while let Ok(length) = stream.read_u16().await {
                let mut question = vec![0; length.into()];
                stream.read_exact(&mut question).await.expect("a whole question");
                let Some(reply) = respond(&question, &answer, Over::Tcp) else { continue };
                stream.write_u16(reply.len() as u16).await.expect("a client that reads");
                stream.write_all(&reply).await.expect("a client that reads");
            }
        });
    }
}

fn respond(question: &[u8], answer: &Arc<Answer>, over: Over) -> Option<Vec<u8>> {
    let question = Message::from_vec(question).expect("a DNS message");
    let query = question.queries.first().expect("one question").clone();
    let mut reply = Message::response(question.metadata.id, question.metadata.op_code);
    reply.add_query(query.clone());
    answer(&query, &mut reply, over).then(|| reply.to_vec().expect("an encodable reply"))
}

pub(crate) fn name(text: &str) -> Name {
    Name::from_ascii(text).expect("a name")
}

pub(crate) fn txt(at: &Name, value: &str) -> Record {
    Record::from_rdata(at.clone(), 1, RData::TXT(rdata::TXT::new(vec![value.into()])))
}

pub(crate) fn cname(at: &Name, target: &str) -> Record {
    Record::from_rdata(at.clone(), 1, RData::CNAME(rdata::CNAME(name(target))))
}

pub(crate) fn ns(at: &Name, server: &str) -> Record {
    Record::from_rdata(at.clone(), 1, RData::NS(rdata::NS(name(server))))
}

pub(crate) fn a(at: &Name, address: &str) -> Record {
    Record::from_rdata(at.clone(), 1, RData::A(rdata::A(address.parse().expect("an IPv4 address"))))
}

pub(crate) fn soa(at: &str) -> Record {
    let soa = rdata::SOA::new(name("ns."), name("host."), 1, 60, 60, 60, 1);
    Record::from_rdata(name(at), 60, RData::SOA(soa))
}

pub(crate) fn code(reply: &mut Message, code: ResponseCode) {
    reply.metadata.response_code = code;
}
