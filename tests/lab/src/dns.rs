//! The lab's DNS server: authoritative for everything, on port 53 of the lab's address.
//!
//! Names in the cloud's hosted zones are answered from those. All other names belong to
//! pebble-challtestsrv, which has addresses and TXT records but no zones; so a zone is made up for
//! each registrable domain (its last two labels), and whoever walks up to an SOA and asks every
//! name server finds what they would find in the world. CNAMEs are followed across both.

use std::collections::BTreeSet;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use hickory_proto::op::{Message, Metadata, Query, ResponseCode};
use hickory_proto::rr::rdata::{A, NS, SOA};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use hickory_server::Server;
use hickory_server::net::runtime::Time;
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo};
use hickory_server::zone_handler::MessageResponseBuilder;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

use crate::cloud;
use crate::site::{Port, Site};
use crate::zones::Zones;

const MAX_CNAMES: usize = 8;

/// Names that are the lab's world itself, wherever HTTP-01 is answered.
const WORLD: [&str; 2] = ["amazonaws.com.", "lab."];

/// Serves until the result is dropped; on `outside` too, a socket of another network.
pub(crate) async fn serve(site: &Site, outside: Option<UdpSocket>) -> Result<Server<Answers>> {
    let answers = Answers {
        zones: ZonesFile { path: cloud::zones_file(site), read: Mutex::default() },
        rest: site.at(Port::ChallengeDns),
        world: site.world(),
    };
    let mut server = Server::new(answers);
    outside.into_iter().for_each(|socket| server.register_socket(socket));
    // Each address by itself: an answer must come from where the question went.
    for address in BTreeSet::from([site.address, site.world(), site.edge()]) {
        let address = SocketAddrV4::new(address, Port::Dns as u16);
        server.register_socket(UdpSocket::bind(address).await.context("could not serve DNS")?);
        let listener = TcpListener::bind(address).await.context("could not serve DNS over TCP")?;
        server.register_listener(listener, Duration::from_secs(10), 64);
    }
    Ok(server)
}

/// Finds the answer to every question.
pub(crate) struct Answers {
    zones: ZonesFile,
    rest: SocketAddrV4,
    world: Ipv4Addr,
}

#[derive(Default)]
struct Answer {
    records: Vec<Record>,
    soa: Option<Record>,
    code: ResponseCode,
}

#[async_trait::async_trait]
impl RequestHandler for Answers {
    async fn handle_request<R: ResponseHandler, T: Time>(&self, request: &Request, mut respond: R) -> ResponseInfo {
        let mut metadata = Metadata::response_from_request(&request.metadata);
        metadata.authoritative = true;
        metadata.recursion_available = true;
        let answer = match request.request_info() {
            Ok(info) => self.answer(&Name::from(info.query.name()), info.query.query_type()).await,
            Err(_) => Ok(Answer { code: ResponseCode::FormErr, ..Answer::default() }),
        };
        let answer = answer.unwrap_or_else(|error| {
            // The log of whoever started the lab, who may be gone.
            let _ = writeln!(std::io::stderr(), "could not answer {:?}: {error:#}", request.queries.queries());
            Answer { code: ResponseCode::ServFail, ..Answer::default() }
        });
        metadata.response_code = answer.code;
        let mut builder = MessageResponseBuilder::from_message_request(request);
        if let Some(edns) = &request.edns {
            builder.edns(edns);
        }
        let response = builder.build(metadata, &answer.records, [], &answer.soa, []);
        let failed = hickory_proto::op::Header { metadata, counts: Default::default() };
        respond.send_response(response).await.unwrap_or_else(|_| failed.into())
    }
}

impl Answers {
    async fn answer(&self, name: &Name, kind: RecordType) -> Result<Answer> {
        let mut name = name.to_lowercase();
        let mut answer = Answer::default();
        for _ in 0..MAX_CNAMES {
            let step = match self.zones.current()?.find(&name, kind) {
                Some(finding) => {
                    let code = if finding.exists { ResponseCode::NoError } else { ResponseCode::NXDomain };
                    Answer { records: finding.records, soa: finding.soa, code }
                }
                None => self.outside(&name, kind).await?,
            };
            let alias = step.records.iter().find_map(|record| match &record.data {
                RData::CNAME(target) if kind != RecordType::CNAME => Some(target.0.to_lowercase()),
                _ => None,
            });
            answer.records.extend(step.records);
            (answer.code, answer.soa) = (step.code, step.soa);
            match alias {
                Some(target) => name = target,
                None => break,
            }
        }
        if !answer.records.is_empty() {
            answer.soa = None;
        }
        Ok(answer)
    }

    /// Answers for a name that is in none of the cloud's zones.
    async fn outside(&self, name: &Name, kind: RecordType) -> Result<Answer> {
        let domain = name.trim_to(2);
        let soa = soa(&domain)?;
        let made_up = |records| Answer { records, ..Answer::default() };
        match kind {
            RecordType::SOA if *name == domain => return Ok(made_up(vec![soa])),
            RecordType::NS if *name == domain => return Ok(made_up(name_servers(&domain)?)),
            RecordType::A if is_world(name) => {
                let address = RData::A(A(self.world));
                return Ok(made_up(vec![Record::from_rdata(name.clone(), 1, address)]));
            }
            _ => {}
        }
        // Only these have data there; for any other type it may still have an alias.
        let known = matches!(kind, RecordType::A | RecordType::AAAA | RecordType::TXT | RecordType::CAA);
        let asked = if known { kind } else { RecordType::CNAME };
        let (mut records, code) = self.forward(name, asked).await?;
        // It answers for the alias's target as well, out of its own data alone.
        records.retain(|record| record.name.to_lowercase() == *name);
        if records.iter().any(|record| record.record_type() == RecordType::CNAME) {
            records.retain(|record| record.record_type() == RecordType::CNAME);
        }
        Ok(Answer { records, soa: Some(soa), code })
    }

    async fn forward(&self, name: &Name, kind: RecordType) -> Result<(Vec<Record>, ResponseCode)> {
        let mut query = Message::query();
        query.add_query(Query::query(name.clone(), kind));
        let question = query.to_vec()?;
        let mut stream = TcpStream::connect(self.rest).await?;
        stream.write_u16(u16::try_from(question.len())?).await?;
        stream.write_all(&question).await?;
        let mut answer = vec![0; usize::from(stream.read_u16().await?)];
        stream.read_exact(&mut answer).await?;
        let answer = Message::from_vec(&answer)?;
        ensure!(answer.metadata.id == query.metadata.id, "pebble-challtestsrv answered another question");
        Ok((answer.answers, answer.metadata.response_code))
    }
}

fn is_world(name: &Name) -> bool {
    let name = name.to_ascii();
    WORLD.iter().any(|domain| name.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
}

fn soa(domain: &Name) -> Result<Record> {
    let primary = domain.prepend_label("ns1")?;
    let data = SOA::new(primary, domain.prepend_label("hostmaster")?, 1, 60, 60, 3600, 1);
    Ok(Record::from_rdata(domain.clone(), 1, RData::SOA(data)))
}

fn name_servers(domain: &Name) -> Result<Vec<Record>> {
    let server = |label| {
        let data = RData::NS(NS(domain.prepend_label(label)?));
        Ok(Record::from_rdata(domain.clone(), 1, data))
    };
    ["ns1", "ns2"].into_iter().map(server).collect()
}

/// The cloud's zones, read again whenever the cloud has replaced their file.
struct ZonesFile {
    path: PathBuf,
    read: Mutex<(u64, Arc<Zones>)>,
}

impl ZonesFile {
    fn current(&self) -> Result<Arc<Zones>> {
        let Ok(metadata) = std::fs::metadata(&self.path) else { return Ok(Arc::default()) };
        let version = metadata.ino().wrapping_mul(31) ^ metadata.mtime_nsec().unsigned_abs();
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if read.0 != version {
            *read = (version, Arc::new(Zones::parse(&std::fs::read(&self.path)?)?));
        }
        Ok(read.1.clone())
    }
}
