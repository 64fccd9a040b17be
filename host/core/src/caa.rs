//! Whether the CAA records of a name let a CA sign it (RFC 8659), for this account and these ways to prove it
//! (RFC 8657). A CA that may not refuses the order, and counts that; who looks first loses nothing.
//!
//! What can not be found out is no objection: the CA looks for itself, from where the world does.

use crate::issue_value::IssueValue;

/// Properties that are known, so that a critical one of them forbids nothing by itself.
const KNOWN: [&str; 7] = ["issue", "issuewild", "iodef", "issuemail", "issuevmc", "contactemail", "contactphone"];

/// One CAA record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub critical: bool,
    /// In lower case.
    pub tag: String,
    pub value: String,
}

/// The records that count for a name: those of the nearest name at or above it that has any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where they stand, without a last dot.
    pub at: String,
    pub records: Vec<Record>,
}

/// A name that is to be ordered, without its wildcard label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    pub name: String,
    pub wildcard: bool,
    /// The ways in which its solver can prove it, in the CA's words; empty when that is open.
    pub methods: Vec<&'static str>,
}

/// Who is to sign, and for whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signer {
    /// What the CA calls itself in such records; empty when it does not say.
    pub identities: Vec<String>,
    /// The URL of the account.
    pub account: String,
}

/// What keeps the CA from signing, as a sentence without an end.
pub fn objection(question: &Question, found: &Found, signer: &Signer) -> Option<String> {
    let [first, ..] = signer.identities.as_slice() else { return None };
    let wildcard = if question.wildcard { "*." } else { "" };
    let name = format!("{wildcard}{}", question.name);
    let odd = found.records.iter().find(|record| record.critical && !KNOWN.contains(&record.tag.as_str()));
    if let Some(odd) = odd {
        let at = &found.at;
        let odd = shown(odd);
        return Some(format!("{at} has the record {odd}, which no CA may sign {name} with that does not know it"));
    }
    let of = |tag: &'static str| found.records.iter().filter(move |record| record.tag == tag);
    let (tag, relevant): (_, Vec<_>) = match question.wildcard && of("issuewild").next().is_some() {
        true => ("issuewild", of("issuewild").collect()),
        false => ("issue", of("issue").collect()),
    };
    if relevant.is_empty() {
        return None;
    }
    let faults: Option<Vec<_>> = relevant.iter().map(|record| fault(&record.value, question, signer)).collect();
    let near = faults?.into_iter().zip(&relevant).find_map(|(fault, record)| Some((fault?, record)));
    Some(match near {
        Some((fault, record)) => {
            format!("{} has the record {}, which lets this CA sign {name} {fault}", found.at, shown(record))
        }
        None => {
            let all: Vec<_> = relevant.iter().map(|record| shown(record)).collect();
            format!(
                "{} has {}, which keeps this CA from signing {name}; a record that lets it is CAA 0 {tag} \"{first}\"",
                found.at,
                all.join(" and "),
            )
        }
    })
}

/// None when the record lets the CA sign. Else why it does not, where it is about this CA.
fn fault(value: &str, question: &Question, signer: &Signer) -> Option<Option<String>> {
    let is_own = |issuer: &str| signer.identities.iter().any(|own| own.eq_ignore_ascii_case(issuer));
    let value = match IssueValue::parse(value) {
        Ok(value) if value.issuer.as_deref().is_some_and(is_own) => value,
        Ok(_) => return Some(None),
        Err(_) if is_own(value.split(';').next().unwrap_or_default().trim()) => {
            return Some(Some("in a way that can not be read".to_owned()));
        }
        Err(_) => return Some(None),
    };
    if let Some(account) = value.parameter("accounturi").filter(|account| *account != signer.account) {
        return Some(Some(format!("for account {account} only, and the issuer's is {}", signer.account)));
    }
    let methods = value.parameter("validationmethods")?;
    let allowed: Vec<_> = methods.split(',').map(str::trim).collect();
    let is_open = question.methods.is_empty() || question.methods.iter().any(|method| allowed.contains(method));
    let ways = question.methods.join(" or ");
    (!is_open).then(|| Some(format!("by {} only, and the issuer's solver proves it by {ways}", allowed.join(" or "))))
}

fn shown(record: &Record) -> String {
    let Record { critical, tag, value } = record;
    format!("CAA {} {tag} {value:?}", if *critical { 128 } else { 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(name: &str, records: &[(bool, &str, &str)]) -> Option<String> {
        let bare = name.strip_prefix("*.");
        let question = Question {
            name: bare.unwrap_or(name).to_owned(),
            wildcard: bare.is_some(),
            methods: vec!["dns-01", "dns-account-01"],
        };
        let record = |(critical, tag, value): &(bool, &str, &str)| Record {
            critical: *critical,
            tag: (*tag).to_owned(),
            value: (*value).to_owned(),
        };
        let found = Found { at: "b.test".to_owned(), records: records.iter().map(record).collect() };
        let identities = vec!["ca.example".to_owned(), "other-name.ca.example".to_owned()];
        objection(&question, &found, &Signer { identities, account: "https://ca.example/7".to_owned() })
    }

    #[test]
    fn what_lets_the_ca_sign() {
        for records in [
            &[][..],
            &[(false, "issue", "ca.example")],
            &[(false, "issue", "CA.Example; x=y")],
            &[(false, "issue", "else.example"), (false, "issue", "other-name.ca.example")],
            &[(true, "issue", "ca.example; accounturi=https://ca.example/7; validationmethods=http-01,dns-account-01")],
            &[(false, "iodef", "mailto:a@b.test")],
            &[(false, "issuewild", ";")],
            &[(false, "unknown", "x")],
        ] {
            assert_eq!(ask("a.b.test", records), None, "{records:?}");
        }
        assert_eq!(ask("*.b.test", &[(false, "issue", ";"), (false, "issuewild", "ca.example")]), None);
        assert_eq!(ask("*.b.test", &[(false, "issue", "ca.example")]), None);
    }

    #[test]
    fn what_keeps_it_from_signing() {
        for (name, records, words) in [
            (
                "a.b.test",
                &[(false, "issue", ";")][..],
                "b.test has CAA 0 issue \";\", which keeps this CA from signing a.b.test; a record that lets it is CAA 0 \
                 issue \"ca.example\"",
            ),
            (
                "a.b.test",
                &[(false, "issue", "else.example"), (false, "issue", "third.example")],
                "b.test has CAA 0 issue \"else.example\" and CAA 0 issue \"third.example\", which keeps",
            ),
            ("*.b.test", &[(false, "issue", "ca.example"), (false, "issuewild", ";")], "CAA 0 issuewild \";\""),
            ("*.b.test", &[(false, "issue", "else.example")], "from signing *.b.test"),
            (
                "a.b.test",
                &[(true, "tbs", "x")],
                "b.test has the record CAA 128 tbs \"x\", which no CA may sign a.b.test",
            ),
            (
                "a.b.test",
                &[(false, "issue", "else.example"), (false, "issue", "ca.example; accounturi=https://ca.example/8")],
                "lets this CA sign a.b.test for account https://ca.example/8 only, and the issuer's is https://ca.example/7",
            ),
            (
                "a.b.test",
                &[(false, "issue", "ca.example; validationmethods=http-01")],
                "by http-01 only, and the issuer's solver proves it by dns-01 or dns-account-01",
            ),
            ("a.b.test", &[(false, "issue", "ca.example; what")], "in a way that can not be read"),
        ] {
            let told = ask(name, records).unwrap_or_default();
            assert!(told.contains(words), "{records:?}: {told}");
        }
    }

    #[test]
    fn a_ca_without_a_name_is_not_judged() {
        let question = Question { name: "a.test".into(), wildcard: false, methods: vec![] };
        let record = Record { critical: false, tag: "issue".into(), value: ";".into() };
        let signer = Signer { identities: vec![], account: String::new() };
        assert_eq!(objection(&question, &Found { at: "a.test".into(), records: vec![record] }, &signer), None);
    }
}
