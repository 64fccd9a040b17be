//! The hosted zones that the DNS server answers from, and what they say about a name.
//!
//! Pure: the records come from a file of the cloud's, the answers go to `dns`.

use anyhow::{Context, Result};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use serde::Deserialize;

/// All zones that the cloud holds.
#[derive(Debug, Default)]
pub(crate) struct Zones(Vec<Zone>);

#[derive(Debug)]
struct Zone {
    origin: Name,
    records: Vec<Record>,
}

/// What a zone says about a name and type.
#[derive(Debug)]
pub(crate) struct Finding {
    /// The records asked for, or the CNAME at their place.
    pub(crate) records: Vec<Record>,
    /// Whether there is anything at or below the name.
    pub(crate) exists: bool,
    /// The zone's SOA, for an answer without records.
    pub(crate) soa: Option<Record>,
}

#[derive(Deserialize)]
struct PlainZone {
    name: String,
    records: Vec<PlainRecords>,
}

#[derive(Deserialize)]
struct PlainRecords {
    name: String,
    r#type: String,
    ttl: u32,
    values: Vec<String>,
}

impl Zones {
    pub(crate) fn parse(json: &[u8]) -> Result<Self> {
        let plain: Vec<PlainZone> = serde_json::from_slice(json)?;
        plain.into_iter().map(Zone::parse).collect::<Result<_>>().map(Self)
    }

    /// What the closest zone says; `None` when no zone holds the name.
    pub(crate) fn find(&self, name: &Name, kind: RecordType) -> Option<Finding> {
        let holding = self.0.iter().filter(|zone| zone.origin.zone_of(name));
        holding.max_by_key(|zone| zone.origin.num_labels()).map(|zone| zone.find(name, kind))
    }
}

impl Zone {
    fn parse(plain: PlainZone) -> Result<Self> {
        let origin = absolute(&plain.name)?;
        let records = plain.records.iter().map(PlainRecords::parse).collect::<Result<Vec<_>>>()?;
        Ok(Self { origin, records: records.into_iter().flatten().collect() })
    }

    fn find(&self, name: &Name, kind: RecordType) -> Finding {
        let mut records = self.at(name, kind);
        let mut exists = self.records.iter().any(|record| name.zone_of(&record.name));
        if let Some(wildcard) = (!exists).then(|| self.wildcard_over(name)).flatten() {
            exists = true;
            records = self.at(&wildcard, kind);
            records.iter_mut().for_each(|record| record.name = name.clone());
        }
        let soa = self.at(&self.origin, RecordType::SOA).into_iter().next();
        Finding { records, exists, soa }
    }

    /// The records of a type at a name, or its CNAME.
    fn at(&self, name: &Name, kind: RecordType) -> Vec<Record> {
        let of = |kind| self.records.iter().filter(move |record| record.name == *name && record.record_type() == kind);
        let found: Vec<Record> = of(kind).cloned().collect();
        if found.is_empty() { of(RecordType::CNAME).cloned().collect() } else { found }
    }

    /// The wildcard that speaks for a name that does not exist (RFC 4592 section 2.1.1, as far as
    /// a lab needs it).
    fn wildcard_over(&self, name: &Name) -> Option<Name> {
        let parents = std::iter::successors(Some(name.base_name()), |parent| Some(parent.base_name()));
        let within = parents.take_while(|parent| self.origin.zone_of(parent) && !parent.is_root());
        let wildcards = within.filter_map(|parent| parent.prepend_label("*").ok());
        wildcards.into_iter().find(|wildcard| self.records.iter().any(|record| record.name == *wildcard))
    }
}

impl PlainRecords {
    fn parse(&self) -> Result<Vec<Record>> {
        let name = absolute(&self.name)?;
        let kind: RecordType = self.r#type.parse()?;
        let record = |value: &String| {
            let data = RData::try_from_str(kind, &absolute_value(kind, value))
                .with_context(|| format!("{} {kind} {value}", self.name))?;
            Ok(Record::from_rdata(name.clone(), self.ttl, data))
        };
        self.values.iter().map(record).collect()
    }
}

/// Names in these records are absolute, whether they end in a dot or not.
fn absolute_value(kind: RecordType, value: &str) -> String {
    let name = matches!(kind, RecordType::CNAME | RecordType::NS | RecordType::PTR);
    if name && !value.ends_with('.') { format!("{value}.") } else { value.to_owned() }
}

fn absolute(name: &str) -> Result<Name> {
    let mut name = Name::from_ascii(name)?.to_lowercase();
    name.set_fqdn(true);
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZONES: &str = r#"[
        {"name": "example.com.", "records": [
            {"name": "example.com.", "type": "SOA", "ttl": 900,
             "values": ["ns-1.example.net. host.example.com. 1 7200 900 1209600 86400"]},
            {"name": "example.com.", "type": "NS", "ttl": 900, "values": ["ns-1.example.net"]},
            {"name": "_acme-challenge.example.com.", "type": "TXT", "ttl": 10, "values": ["\"one\"", "\"two\""]},
            {"name": "_acme-challenge.www.example.com.", "type": "CNAME", "ttl": 10, "values": ["x.sub.example.com"]},
            {"name": "*.wild.example.com.", "type": "A", "ttl": 10, "values": ["192.0.2.1"]}]},
        {"name": "sub.example.com.", "records": [
            {"name": "sub.example.com.", "type": "SOA", "ttl": 900,
             "values": ["ns-2.example.net. host.example.com. 1 7200 900 1209600 86400"]}]}]"#;

    fn find(name: &str, kind: RecordType) -> Option<String> {
        let zones = Zones::parse(ZONES.as_bytes()).unwrap();
        let finding = zones.find(&Name::from_ascii(name).unwrap(), kind)?;
        let data: Vec<String> = finding.records.iter().map(|record| record.data.to_string()).collect();
        Some(format!("{} {}", data.join(" "), if finding.exists { "exists" } else { "absent" }))
    }

    #[test]
    fn zones_answer_for_the_names_that_they_hold() {
        use RecordType::{A, NS, SOA, TXT};
        let cases = [
            ("example.com.", NS, Some("ns-1.example.net. exists")),
            ("_acme-challenge.EXAMPLE.com.", TXT, Some("one two exists")),
            ("_acme-challenge.example.com.", A, Some(" exists")),
            ("_acme-challenge.www.example.com.", TXT, Some("x.sub.example.com. exists")),
            ("www.example.com.", A, Some(" exists")),
            ("gone.example.com.", A, Some(" absent")),
            ("a.wild.example.com.", A, Some("192.0.2.1 exists")),
            ("a.b.wild.example.com.", A, Some("192.0.2.1 exists")),
            ("sub.example.com.", SOA, Some("ns-2.example.net. host.example.com. 1 7200 900 1209600 86400 exists")),
            ("elsewhere.org.", A, None),
        ];
        for (name, kind, expected) in cases {
            assert_eq!(find(name, kind).as_deref(), expected, "{name} {kind}");
        }
    }
}
