//! The record that proves a name for good (dns-persist-01, draft-ietf-acme-dns-persist): whoever has the
//! name publishes once which account at which CA may have certificates for it.
//!
//! Its value is an issue-value of CAA (RFC 8659, section 4.2): the CA's domain name, then parameters.

use std::fmt;

use jiff::Timestamp;

use crate::issue_value::IssueValue;

/// The label below which the record stands.
pub const LABEL: &str = "_validation-persist";

/// What a record must say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The CA, by the domain name that it calls itself.
    pub issuer: String,
    /// The URL of the account.
    pub account: String,
    /// Whether it is to be good for a wildcard.
    pub wildcard: bool,
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { issuer, account, wildcard } = self;
        let policy = if *wildcard { "; policy=wildcard" } else { "" };
        write!(f, "{issuer}; accounturi={account}{policy}")
    }
}

impl Record {
    /// Reads back what [`fmt::Display`] wrote.
    pub fn parse(value: &str) -> Option<Self> {
        let value = IssueValue::parse(value).ok()?;
        Some(Self {
            account: value.parameter("accounturi")?.to_owned(),
            wildcard: value.is_for_wildcards(),
            issuer: value.issuer?,
        })
    }

    /// Whether a TXT record proves the name: none says that it is about something else, a phrase why it does
    /// not count although it is about this CA.
    ///
    /// # Errors
    /// When it does not.
    pub fn is_met_by(&self, txt: &str, now: Timestamp) -> Result<(), Option<String>> {
        let issuer = txt.split(';').next().unwrap_or_default().trim_matches([' ', '\t']);
        if !issuer.eq_ignore_ascii_case(&self.issuer) {
            return Err(None);
        }
        let value = IssueValue::parse(txt).map_err(|why| Some(format!("{txt:?} can not be read: {why}")))?;
        let account = value.parameter("accounturi");
        if account != Some(self.account.as_str()) {
            let which = account.map_or("no account".to_owned(), |other| format!("account {other}"));
            return Err(Some(format!("{txt:?} names {which}, and the issuer's is {}", self.account)));
        }
        if self.wildcard && !value.is_for_wildcards() {
            return Err(Some(format!("{txt:?} is not for wildcards: it lacks policy=wildcard")));
        }
        match value.parameter("persistuntil").map(|until| until.parse().ok().and_then(at)) {
            Some(None) => Err(Some(format!("the persistUntil of {txt:?} is no time in seconds since 1970"))),
            Some(Some(until)) if until <= now => Err(Some(format!("{txt:?} was good until {until}"))),
            Some(Some(_)) | None => Ok(()),
        }
    }
}

fn at(seconds: i64) -> Option<Timestamp> {
    Timestamp::from_second(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_says_who_may() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let plain = Record { issuer: "ca.example".into(), account: "https://ca.example/7".into(), wildcard: false };
        let wild = Record { wildcard: true, ..plain.clone() };
        assert_eq!(plain.to_string(), "ca.example; accounturi=https://ca.example/7");
        assert_eq!(wild.to_string(), "ca.example; accounturi=https://ca.example/7; policy=wildcard");
        for record in [&plain, &wild] {
            assert_eq!(Record::parse(&record.to_string()).as_ref(), Some(record));
            assert_eq!(record.is_met_by(&record.to_string(), now), Ok(()));
        }
        assert_eq!(plain.is_met_by(&wild.to_string(), now), Ok(()), "more than is needed is enough");
        let table = [
            ("other.example; accounturi=https://ca.example/7", None),
            ("v=spf1 -all", None),
            ("", None),
            ("ca.example", Some("names no account")),
            ("ca.example; accounturi=https://ca.example/8", Some("names account https://ca.example/8")),
            ("ca.example; accounturi=https://ca.example/7; policy=other", Some("lacks policy=wildcard")),
            ("CA.example;AccountURI=https://ca.example/7;Policy=Wildcard;", Some("an empty parameter")),
            ("ca.example; accounturi", Some("is no tag=value")),
            (
                "ca.example; accounturi=https://ca.example/7; policy=wildcard; persistUntil=1799999999",
                Some("was good until"),
            ),
            ("ca.example; accounturi=https://ca.example/7; policy=wildcard; persistUntil=soon", Some("is no time")),
        ];
        for (txt, words) in table {
            match (wild.is_met_by(txt, now), words) {
                (Err(None), None) => {}
                (Err(Some(why)), Some(words)) => assert!(why.contains(words), "{txt}: {why}"),
                (found, _) => panic!("{txt}: {found:?}"),
            }
        }
        let good = "CA.example ;\tAccountURI=https://ca.example/7 ; Policy=Wildcard; persistUntil=1800000001; x=y";
        assert_eq!(wild.is_met_by(good, now), Ok(()));
    }
}
