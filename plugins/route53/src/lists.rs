//! What two of Route 53's lists say, of it what a solver needs.

use aws_sdk_route53::types::{ResourceRecord, ResourceRecordSet, RrType};

use crate::xml::{element, elements, unescape};
use crate::zone::same_name;

/// A hosted zone.
#[derive(Debug, PartialEq)]
pub(crate) struct Zone {
    /// Without `/hostedzone/`.
    pub(crate) id: String,
    /// Fully qualified.
    pub(crate) name: String,
    /// Whether only some networks see it.
    pub(crate) private: bool,
}

/// The zones of an answer of ListHostedZonesByName.
pub(crate) fn zones(answer: &str) -> Vec<Zone> {
    let zone = |xml: &str| {
        let id = element(xml, "Id")?.trim_start_matches("/hostedzone/").to_owned();
        let private = element(xml, "PrivateZone").is_some_and(|text| text == "true");
        Some(Zone { id, name: unescape(element(xml, "Name")?), private })
    };
    elements(answer, "HostedZone").into_iter().filter_map(zone).collect()
}

/// The TXT record set of a name that has no set identifier, in an answer of ListResourceRecordSets.
pub(crate) fn plain_txt_set(answer: &str, name: &str) -> Option<ResourceRecordSet> {
    let wanted = |xml: &&str| {
        element(xml, "Name").is_some_and(|text| same_name(&unescape(text), name))
            && element(xml, "Type") == Some("TXT")
            && element(xml, "SetIdentifier").is_none()
    };
    let xml = elements(answer, "ResourceRecordSet").into_iter().find(wanted)?;
    let record = |value: &str| ResourceRecord::builder().value(unescape(value)).build().expect("the value is set");
    let records = elements(xml, "Value").into_iter().map(record).collect();
    ResourceRecordSet::builder()
        .name(name)
        .r#type(RrType::Txt)
        .set_ttl(element(xml, "TTL").and_then(|text| text.parse().ok()))
        .set_resource_records(Some(records))
        .build()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_zones() {
        let answer = "<R><DNSName>example.com.</DNSName><HostedZones><HostedZone><Id>/hostedzone/Z1</Id>\
            <Name>example.com.</Name><Config><PrivateZone>true</PrivateZone></Config></HostedZone>\
            <HostedZone><Id>/hostedzone/Z2</Id><Name>example.com.</Name></HostedZone></HostedZones></R>";
        let zone = |id: &str, private| Zone { id: id.to_owned(), name: "example.com.".to_owned(), private };
        assert_eq!(zones(answer), [zone("Z1", true), zone("Z2", false)]);
    }

    #[test]
    fn reads_a_plain_set_and_passes_over_another() {
        let set = |more: &str| {
            format!(
                "<L><ResourceRecordSets><ResourceRecordSet><Name>a.example.com.</Name><Type>TXT</Type>{more}<TTL>300</TTL>\
                 <ResourceRecords><ResourceRecord><Value>&quot;x&quot;</Value></ResourceRecord></ResourceRecords>\
                 </ResourceRecordSet></ResourceRecordSets></L>"
            )
        };
        let plain = plain_txt_set(&set(""), "a.example.com.").unwrap();
        assert_eq!((plain.ttl(), plain.resource_records()[0].value()), (Some(300), "\"x\""));
        assert_eq!(plain_txt_set(&set("<SetIdentifier>v</SetIdentifier>"), "a.example.com."), None);
        assert_eq!(plain_txt_set(&set(""), "b.example.com."), None);
    }
}
