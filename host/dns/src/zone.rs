//! Where the record of a challenge is written: CNAMEs followed when asked, then the zone that holds the name.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hickory_proto::op::Message;
use hickory_proto::rr::{Name, RData, Record, RecordType};

use crate::recursive::{MAX_CNAMES, alias, parse};
use crate::{Dns, Error};

/// A zone cut hardly moves, but when someone makes a zone they want to see it used.
const MAX_AGE: Duration = Duration::from_secs(60);
const MAX_ZONES: usize = 4096;
/// A label that nobody has.
const NOBODYS: &str = "_signet-looks-for-a-wildcard";

/// Where the record of a challenge goes. Both names end in a dot and are in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChallengeRecord {
    /// The name of the TXT record.
    pub fqdn: String,
    /// The zone that holds it.
    pub zone: String,
}

/// Zones found lately, by name.
#[derive(Debug, Default)]
pub(crate) struct ZoneCache(Mutex<HashMap<Name, (Name, Instant)>>);

impl ZoneCache {
    fn find(&self, name: &Name) -> Option<Name> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(name).filter(|(_, until)| Instant::now() < *until).map(|(zone, _)| zone.clone())
    }

    fn keep(&self, name: &Name, zone: &Name, age: Duration) {
        let now = Instant::now();
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MAX_ZONES {
            kept.retain(|_, (_, until)| now < *until);
        }
        if kept.len() < MAX_ZONES {
            kept.insert(name.clone(), (zone.clone(), now + age.min(MAX_AGE)));
        }
    }
}

impl Dns {
    /// Where the record of a challenge for `dns_name` (with or without a leading `*.`) goes: at the labels of
    /// `prefix` before it. With `follow_cname` a CNAME at that name is followed to where it ends, unless a wildcard stands for it.
    pub async fn challenge_record(
        &self,
        prefix: &str,
        dns_name: &str,
        follow_cname: bool,
    ) -> Result<ChallengeRecord, Error> {
        let bare = dns_name.strip_prefix("*.").unwrap_or(dns_name);
        let mut fqdn = parse(&format!("{prefix}.{bare}"))?;
        if follow_cname {
            fqdn = self.follow(fqdn).await?;
        }
        let zone = self.zone_of(&fqdn).await?;
        Ok(ChallengeRecord { fqdn: fqdn.to_ascii(), zone: zone.to_ascii() })
    }

    async fn follow(&self, start: Name) -> Result<Name, Error> {
        let mut name = start.clone();
        for _ in 0..=MAX_CNAMES {
            let message = self.ask(&name, RecordType::CNAME).await?;
            let Some(next) = alias(&message, &name).map(Name::to_lowercase) else { return Ok(name) };
            if name == start && self.is_of_a_wildcard(&name, &next).await {
                return Ok(name);
            }
            name = next;
        }
        Err(Error::FollowCnames { name: start.to_ascii() })
    }

    /// Whether a wildcard gives `name` its alias (RFC 4592): a name beside it, that nobody has made, then has the
    /// same. It is for a website, and gives way as soon as there is a record at the name.
    async fn is_of_a_wildcard(&self, name: &Name, target: &Name) -> bool {
        let Ok(beside) = name.base_name().prepend_label(NOBODYS) else { return false };
        let answer = self.ask(&beside, RecordType::CNAME).await;
        let same =
            answer.is_ok_and(|message| alias(&message, &beside).is_some_and(|next| next.to_lowercase() == *target));
        if same {
            tracing::debug!(%name, %target, "the alias is a wildcard's and is not followed");
        }
        same
    }

    /// The nearest name at or above `name` that has a SOA record.
    pub(crate) async fn zone_of(&self, name: &Name) -> Result<Name, Error> {
        if let Some(zone) = self.zones.find(name) {
            return Ok(zone);
        }
        let mut at = name.clone();
        while !at.is_root() {
            let message = self.ask(&at, RecordType::SOA).await?;
            if let Some(soa) = apex(&message, &at) {
                let zone = soa.name.to_lowercase();
                self.zones.keep(name, &zone, Duration::from_secs(soa.ttl.into()));
                return Ok(zone);
            }
            at = at.base_name();
        }
        Err(Error::FindZone { name: name.to_ascii() })
    }
}

/// The SOA that says where the zone of `name` begins: its own, or that which a negative answer carries (RFC
/// 2308, section 3). Behind a CNAME that one is the target's, so it counts only where there is none.
fn apex<'a>(message: &'a Message, name: &Name) -> Option<&'a Record> {
    let is_soa = |record: &&Record| matches!(record.data, RData::SOA(_));
    let own = message.answers.iter().filter(is_soa).find(|record| record.name == *name);
    own.or_else(|| {
        let negative = message.answers.is_empty();
        let above = |record: &&Record| !record.name.is_root() && record.name.zone_of(name);
        message.authorities.iter().filter(is_soa).find(above).filter(|_| negative)
    })
}
