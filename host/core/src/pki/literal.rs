//! Subjects written as strings (RFC 4514).

use super::PkiError;
use super::subject::{Attribute, DistinguishedName, oid};

/// Short names of attribute types, those of RFC 4514 section 3 and those in common use.
const SHORT_NAMES: &[(&str, &str)] = &[
    ("CN", oid::COMMON_NAME),
    ("C", oid::COUNTRY),
    ("O", oid::ORGANIZATION),
    ("OU", oid::ORGANIZATIONAL_UNIT),
    ("L", oid::LOCALITY),
    ("ST", oid::PROVINCE),
    ("STREET", oid::STREET_ADDRESS),
    ("POSTALCODE", oid::POSTAL_CODE),
    ("SERIALNUMBER", oid::SERIAL_NUMBER),
    ("DC", oid::DOMAIN_COMPONENT),
    ("UID", oid::USER_ID),
    ("EMAILADDRESS", oid::EMAIL_ADDRESS),
    ("E", oid::EMAIL_ADDRESS),
];

/// The short name of an attribute type, or the identifier itself.
pub(super) fn short_name(oid: &str) -> &str {
    SHORT_NAMES.iter().find(|(_, known)| *known == oid).map_or(oid, |(short, _)| short)
}

/// Reads `CN=web,OU=shop,O=Example`. The string names the most specific part first and DER holds
/// it last (RFC 4514, section 2.1), so the order is turned round.
///
/// # Errors
/// When a type is unknown, a value is missing, or an escape is broken; the message says where.
pub fn parse_literal_subject(text: &str) -> Result<DistinguishedName, PkiError> {
    let mut reader = Reader { rest: text };
    let mut rdns = vec![vec![]];
    loop {
        let attribute = reader.attribute()?;
        rdns.last_mut().expect("there is always one").push(attribute);
        match reader.next() {
            None => break,
            Some('+') => {}
            Some(_) => rdns.push(vec![]),
        }
    }
    rdns.iter_mut().for_each(|rdn| rdn.sort());
    rdns.reverse();
    Ok(DistinguishedName(rdns))
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<char> {
        let first = self.rest.chars().next()?;
        self.rest = &self.rest[first.len_utf8()..];
        Some(first)
    }

    fn attribute(&mut self) -> Result<Attribute, PkiError> {
        let Some((name, rest)) = self.rest.split_once('=') else {
            return Err(PkiError::ReadSubject(format!("expected TYPE=value at {:?}", self.rest)));
        };
        self.rest = rest;
        let oid = attribute_type(name.trim())?;
        let value = self.value()?;
        if value.is_empty() {
            return Err(PkiError::ReadSubject(format!("{} has no value", name.trim())));
        }
        Ok(Attribute { oid, value })
    }

    /// Reads up to a separator that is not escaped, and leaves it to be read next.
    fn value(&mut self) -> Result<String, PkiError> {
        self.rest = self.rest.trim_start_matches(' ');
        if self.rest.starts_with('#') {
            return Err(PkiError::ReadSubject("values in hexadecimal (#...) are not supported".to_owned()));
        }
        let mut value = Vec::new();
        // Spaces at the end do not count, save one that is escaped.
        let mut keep = 0;
        while let Some(next) = self.rest.chars().next() {
            match next {
                ',' | ';' | '+' => break,
                '\\' => {
                    self.next();
                    value.extend(self.escape()?);
                    keep = value.len();
                }
                '"' | '<' | '>' | '\0' => {
                    return Err(PkiError::ReadSubject(format!("{next:?} must be written with a backslash")));
                }
                _ => {
                    self.next();
                    value.extend(next.to_string().into_bytes());
                    keep = if next == ' ' { keep } else { value.len() };
                }
            }
        }
        value.truncate(keep);
        String::from_utf8(value).map_err(|_| PkiError::ReadSubject("the escaped bytes are not UTF-8".to_owned()))
    }

    /// What follows a backslash: a special character, or the two hexadecimal digits of a byte.
    fn escape(&mut self) -> Result<Vec<u8>, PkiError> {
        let broken = || PkiError::ReadSubject("a backslash must come before a special character or two digits".into());
        let first = self.next().ok_or_else(broken)?;
        if " \"#+,;<=>\\".contains(first) {
            return Ok(vec![first as u8]);
        }
        let high = first.to_digit(16).ok_or_else(broken)?;
        let low = self.next().and_then(|low| low.to_digit(16)).ok_or_else(broken)?;
        Ok(vec![u8::try_from(high * 16 + low).expect("two hexadecimal digits fit a byte")])
    }
}

fn attribute_type(name: &str) -> Result<String, PkiError> {
    let known = SHORT_NAMES.iter().find(|(short, _)| short.eq_ignore_ascii_case(name));
    match known {
        Some((_, oid)) => Ok((*oid).to_owned()),
        None if super::validate::is_oid(name) => Ok(name.to_owned()),
        None => Err(PkiError::ReadSubject(format!("attribute type {name:?} is not known"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_rfc_4514_writes() {
        for (text, expected) in [
            ("CN=web", "2.5.4.3=web"),
            ("CN=web,OU=shop,O=Example", "2.5.4.10=Example|2.5.4.11=shop|2.5.4.3=web"),
            ("cn = web , o = Big Co ", "2.5.4.10=Big Co|2.5.4.3=web"),
            ("OU=Sales+CN=J.  Smith,DC=example", "0.9.2342.19200300.100.1.25=example|2.5.4.11=Sales+2.5.4.3=J.  Smith"),
            (r#"CN=James \"Jim\" Smith\, III,O=a"#, "2.5.4.10=a|2.5.4.3=James \"Jim\" Smith, III"),
            (r"CN=Lu\C4\8Di\C4\87", "2.5.4.3=Lučić"),
            (r"CN=end\ ", "2.5.4.3=end "),
            ("1.3.6.1.4.1.1466.0=x", "1.3.6.1.4.1.1466.0=x"),
        ] {
            let name = parse_literal_subject(text).unwrap_or_else(|e| panic!("{text}: {e}"));
            let join = |rdn: &Vec<Attribute>| rdn.iter().map(|a| format!("{}={}", a.oid, a.value)).collect::<Vec<_>>();
            let actual: Vec<_> = name.0.iter().map(|rdn| join(rdn).join("+")).collect();
            assert_eq!(actual.join("|"), expected, "{text}");
        }
    }

    #[test]
    fn refuses_the_rest_with_a_reason() {
        for (text, reason) in [
            ("", "expected TYPE=value"),
            ("web", "expected TYPE=value"),
            ("CN=web,", "expected TYPE=value"),
            ("XX=web", "\"XX\" is not known"),
            ("CN=", "CN has no value"),
            (r"CN=a\", "backslash"),
            (r"CN=a\zz", "backslash"),
            (r"CN=\ff", "not UTF-8"),
            ("CN=a<b", "backslash"),
            ("CN=#04024869", "hexadecimal"),
        ] {
            let error = parse_literal_subject(text).expect_err(text).to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
