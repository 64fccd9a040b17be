//! The annotations of a Certificate that revocation goes by: what is asked for, when to do it unasked,
//! and what was done.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use signet_api::labels::{REVOKE, REVOKE_WHEN};

use super::reason::Reason;

/// How many revocations are remembered of certificates that are nowhere any more.
const REMEMBERED: usize = 16;

/// Asks for the revocation of one certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Serial number, as [`plain_serial`] writes it.
    pub serial: String,
    /// SHA-256 of the certificate in DER, in lowercase hexadecimal.
    pub sha256: Option<String>,
    pub reason: Reason,
    /// Whether the certificate's own key signs the request, and not that of the issuer's account.
    pub with_certificate_key: bool,
}

/// The same as it is written.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WrittenRequest {
    serial: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    with_certificate_key: bool,
}

impl Request {
    /// Reads the annotation.
    ///
    /// # Errors
    /// It asks for nothing that can be done; the sentence names the annotation.
    pub fn parse(text: &str) -> Result<Self, String> {
        let place = format!("metadata.annotations[{REVOKE}]");
        let WrittenRequest { serial, sha256, reason, with_certificate_key } =
            serde_json::from_str(text).map_err(|error| {
                let example = r#"{"serial": "04a1…", "reason": "superseded"}"#;
                format!("{place} is not of the form {example}: {error}")
            })?;
        let is_digest = |digest: &String| digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
        if let Some(digest) = sha256.as_ref().filter(|digest| !is_digest(digest)) {
            return Err(format!(
                "{place}: sha256 {digest:?} is not the SHA-256 of a certificate: 64 hexadecimal digits"
            ));
        }
        Ok(Self {
            serial: plain_serial(&serial)
                .ok_or_else(|| format!("{place}: serial {serial:?} is not a serial number in hexadecimal"))?,
            sha256: sha256.map(|digest| digest.to_ascii_lowercase()),
            reason: reason
                .map_or(Ok(Reason::Unspecified), |name| Reason::parse(&name))
                .map_err(|why| format!("{place}: {why}"))?,
            with_certificate_key,
        })
    }

    /// The annotation that asks for this.
    pub fn text(&self) -> String {
        let Self { serial, sha256, reason, with_certificate_key } = self.clone();
        let reason = Some(reason.name().to_owned());
        serde_json::to_string(&WrittenRequest { serial, sha256, reason, with_certificate_key }).expect("plain data")
    }
}

/// A serial number in hexadecimal in one way out of many: lowercase, without colons and leading zeros.
/// None when it is not one.
pub fn plain_serial(text: &str) -> Option<String> {
    let digits: String = text.trim().chars().filter(|letter| *letter != ':').collect();
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_number.then(|| match digits.trim_start_matches('0') {
        "" => "0".to_owned(),
        rest => rest.to_ascii_lowercase(),
    })
}

/// When certificates are revoked without being asked for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// With the Certificate.
    pub deleted: bool,
    /// Once another one with another key is in the target Secret.
    pub replaced: bool,
}

impl Policy {
    /// Reads the annotation; without it, never.
    ///
    /// # Errors
    /// It says something else; the sentence names the annotation.
    pub fn parse(text: Option<&str>) -> Result<Self, String> {
        let mut policy = Self::default();
        for word in text.unwrap_or_default().split(',').map(str::trim) {
            match word {
                "deleted" => policy.deleted = true,
                "replaced" => policy.replaced = true,
                "never" | "" => {}
                other => {
                    return Err(format!(
                        "metadata.annotations[{REVOKE_WHEN}]: {other:?} is not a time to revoke at; deleted, replaced, \
                         both with a comma between them, and never are"
                    ));
                }
            }
        }
        Ok(policy)
    }
}

/// A certificate that was revoked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Serial number, as its certificate has it.
    pub serial: String,
    /// SHA-256 of the certificate in DER.
    pub sha256: String,
    pub reason: Reason,
    pub at: Timestamp,
    /// SHA-256 of the public key that is not to be used again, if that is so.
    pub compromised_key: Option<String>,
    /// Whether the issuer did not do it. The key is compromised for all that.
    pub refused: bool,
}

/// The same as it is written.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WrittenRecord {
    serial: String,
    sha256: String,
    reason: String,
    at: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    compromised_key: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    refused: bool,
}

/// Reads the annotation. What can not be read there is nobody's request, and is written anew with the next record.
pub fn read_records(text: Option<&str>) -> Vec<Record> {
    let written: Vec<WrittenRecord> = text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let read = |one: WrittenRecord| {
        let WrittenRecord { serial, sha256, reason, at, compromised_key, refused } = one;
        Some(Record {
            serial,
            sha256,
            reason: Reason::parse(&reason).ok()?,
            at: at.parse().ok()?,
            compromised_key,
            refused,
        })
    };
    written.into_iter().filter_map(read).collect()
}

/// The annotation that tells of these.
pub fn write_records(records: &[Record]) -> String {
    let written: Vec<_> = records
        .iter()
        .map(|record| {
            let Record { serial, sha256, reason, at, compromised_key, refused } = record.clone();
            WrittenRecord {
                serial,
                sha256,
                reason: reason.name().to_owned(),
                at: at.to_string(),
                compromised_key,
                refused,
            }
        })
        .collect();
    serde_json::to_string(&written).expect("plain data")
}

/// The records with one more, which is the last. The oldest go, unless their certificate is still there
/// or their key must not come back.
pub(super) fn remember(records: &[Record], new: Record, is_there: impl Fn(&str) -> bool) -> Vec<Record> {
    let mut kept: Vec<_> = records.iter().filter(|record| record.sha256 != new.sha256).cloned().collect();
    let mut surplus = (kept.len() + 1).saturating_sub(REMEMBERED);
    kept.retain(|record| {
        let goes = surplus > 0 && record.compromised_key.is_none() && !is_there(&record.sha256);
        surplus -= usize::from(goes);
        !goes
    });
    kept.push(new);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_as_it_is_written_and_as_people_write_it() {
        let digest = "ab".repeat(32);
        let request = Request {
            serial: "4a1b2".into(),
            sha256: Some(digest.clone()),
            reason: Reason::KeyCompromise,
            with_certificate_key: true,
        };
        assert_eq!(Request::parse(&request.text()), Ok(request));
        let by_hand = Request::parse(r#"{"serial": "00:04:A1:B2"}"#).unwrap();
        assert_eq!((by_hand.serial.as_str(), by_hand.reason, by_hand.sha256), ("4a1b2", Reason::Unspecified, None));
        for (text, words) in [
            ("yes", "is not of the form {\"serial\""),
            ("{}", "missing field `serial`"),
            (r#"{"serial": "4a", "why": "x"}"#, "unknown field `why`"),
            (r#"{"serial": "the first"}"#, "is not a serial number"),
            (r#"{"serial": ""}"#, "is not a serial number"),
            (
                r#"{"serial": "4a", "reason": "boredom"}"#,
                "\"boredom\" is no reason for a revocation; one of unspecified,",
            ),
            (r#"{"serial": "4a", "sha256": "4a"}"#, "64 hexadecimal digits"),
        ] {
            let why = Request::parse(text).unwrap_err();
            assert!(why.starts_with("metadata.annotations[signet.dev/revoke]") && why.contains(words), "{why}");
        }
    }

    #[test]
    fn a_policy_is_one_word_or_two() {
        let policy = |deleted, replaced| Ok(Policy { deleted, replaced });
        for (text, wanted) in [
            (None, policy(false, false)),
            (Some("never"), policy(false, false)),
            (Some("deleted"), policy(true, false)),
            (Some("replaced"), policy(false, true)),
            (Some(" deleted, replaced "), policy(true, true)),
        ] {
            assert_eq!(Policy::parse(text), wanted, "{text:?}");
        }
        let why = Policy::parse(Some("deletd")).unwrap_err();
        assert!(why.starts_with("metadata.annotations[signet.dev/revoke-when]: \"deletd\" is not"), "{why}");
    }

    fn record(number: usize, compromised: bool) -> Record {
        Record {
            serial: format!("{number:x}"),
            sha256: format!("{number:064x}"),
            reason: if compromised { Reason::KeyCompromise } else { Reason::Superseded },
            at: Timestamp::from_second(1_800_000_000).unwrap(),
            compromised_key: compromised.then(|| "cd".repeat(32)),
            refused: compromised,
        }
    }

    #[test]
    fn records_survive_being_written_and_damage_is_no_record() {
        let records = vec![record(1, true), record(2, false)];
        assert_eq!(read_records(Some(&write_records(&records))), records);
        for text in [None, Some(""), Some("[{}]"), Some("nonsense")] {
            assert_eq!(read_records(text), []);
        }
    }

    #[test]
    fn the_oldest_records_go_but_not_those_that_still_matter() {
        let mut records = Vec::new();
        for number in 0..100 {
            records = remember(&records, record(number, number == 3), |sha256| *sha256 == record(5, false).sha256);
        }
        let kept: Vec<_> = records.iter().map(|record| record.serial.as_str()).collect();
        assert_eq!(kept.len(), REMEMBERED);
        assert_eq!((kept[0], kept[1], kept[15]), ("3", "5", "63"));
        // Once more is no further record, but the last.
        let again = remember(&records, record(5, false), |_| true);
        assert_eq!((again.len(), again[15].serial.as_str()), (REMEMBERED, "5"));
    }
}
