//! The CAA records that count for names (RFC 8659, section 3): those of the nearest name at or above that has any.

use std::collections::{BTreeMap, BTreeSet};
use std::iter::successors;

use futures::StreamExt;
use futures::stream::iter;
use hickory_proto::rr::{Name, RData, RecordType};

use crate::recursive::parse;
use crate::{Dns, Error};

/// How many questions are asked at once.
const AT_ONCE: usize = 16;

/// The records that count for a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CaaRecords {
    /// Where they stand, without a last dot.
    pub at: String,
    pub records: Vec<CaaRecord>,
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaaRecord {
    pub critical: bool,
    /// In lower case.
    pub tag: String,
    pub value: String,
}

impl Dns {
    /// The records that count for each of `names`, in their order: none where there are none, and an error where
    /// that can not be found out. Each name on the way up is asked about once.
    pub async fn caa(&self, names: &[String]) -> Vec<Result<Option<CaaRecords>, Error>> {
        let climbs: Vec<_> = names.iter().map(|name| Ok(climb(parse(name)?))).collect();
        let places: BTreeSet<_> = climbs.iter().flatten().flatten().cloned().collect();
        let asked = iter(places).map(async |place| (place.clone(), self.caa_at(&place).await));
        let answers: BTreeMap<_, _> = asked.buffer_unordered(AT_ONCE).collect().await;
        climbs.into_iter().map(|climb| nearest(&climb?, &answers)).collect()
    }

    async fn caa_at(&self, place: &Name) -> Result<CaaRecords, Error> {
        let message = self.ask(place, RecordType::CAA).await?;
        let mut found = CaaRecords::default();
        for record in &message.answers {
            if let RData::CAA(caa) = &record.data {
                found.at = record.name.to_lowercase().to_ascii().trim_end_matches('.').to_owned();
                found.records.push(CaaRecord {
                    critical: caa.issuer_critical,
                    tag: caa.tag.to_ascii_lowercase(),
                    value: String::from_utf8_lossy(&caa.value).into_owned(),
                });
            }
        }
        Ok(found)
    }
}

/// The name and those above it, up to its top level domain.
fn climb(name: Name) -> Vec<Name> {
    successors(Some(name), |name| Some(name.base_name())).take_while(|name| !name.is_root()).collect()
}

fn nearest(climb: &[Name], answers: &BTreeMap<Name, Result<CaaRecords, Error>>) -> Result<Option<CaaRecords>, Error> {
    for place in climb {
        match &answers[place] {
            Ok(found) if found.records.is_empty() => {}
            Ok(found) => return Ok(Some(found.clone())),
            Err(error) => {
                return Err(Error::Ask {
                    name: place.to_ascii(),
                    kind: RecordType::CAA.to_string(),
                    attempts: error.to_string(),
                });
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use hickory_proto::op::ResponseCode;
    use hickory_proto::rr::Record;
    use hickory_proto::rr::rdata::CAA;

    use super::*;
    use crate::{DnsConfig, stub};

    fn issue(at: &str, issuer: &str) -> Record {
        let caa = CAA::new_issue(false, Some(stub::name(issuer)), Vec::new());
        Record::from_rdata(stub::name(at), 1, RData::CAA(caa))
    }

    #[tokio::test]
    async fn the_nearest_records_count() {
        let server = stub::serve("127.0.0.1:0", |query, reply, _| {
            let name = query.name().to_lowercase().to_ascii();
            match name.as_str() {
                "example.test." => reply.answers.push(issue("example.test.", "ca.example")),
                "own.example.test." => reply.answers.push(issue("own.example.test.", "other.example")),
                "alias.example.test." => {
                    reply.answers.push(stub::cname(query.name(), "target.elsewhere.test."));
                    reply.answers.push(issue("target.elsewhere.test.", "third.example"));
                }
                "dead.example.test." => stub::code(reply, ResponseCode::ServFail),
                "gone.example.test." => stub::code(reply, ResponseCode::NXDomain),
                _ => {}
            }
            true
        })
        .await;
        let config = DnsConfig { recursive_nameservers: vec![server.address.into()], recursive_only: false };
        let dns = Dns::new(config).expect("a configuration");
        let table = [
            ("example.test", Some("example.test ca.example")),
            ("a.b.example.test", Some("example.test ca.example")),
            ("gone.example.test", Some("example.test ca.example")),
            ("own.example.test", Some("own.example.test other.example")),
            ("www.own.example.test", Some("own.example.test other.example")),
            ("alias.example.test", Some("target.elsewhere.test third.example")),
            ("none.elsewhere.test", None),
        ];
        let names: Vec<_> = table.iter().map(|(name, _)| (*name).to_owned()).collect();
        for ((name, expected), found) in table.iter().zip(dns.caa(&names).await) {
            let found = found.expect("answers").map(|found| format!("{} {}", found.at, found.records[0].value));
            assert_eq!(found.as_deref(), *expected, "{name}");
        }
        let failed = dns.caa(&["www.dead.example.test".to_owned()]).await.remove(0).expect_err("SERVFAIL");
        assert!(failed.to_string().contains("answered SERVFAIL"), "{failed}");
    }
}
