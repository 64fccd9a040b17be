//! Fields of AWS's XML answers, where each name stands at one place only.

/// The text of the first element of this name, as it is written.
pub(crate) fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    elements(xml, name).into_iter().next()
}

/// The text of each element of this name, which must not hold another of the name.
pub(crate) fn elements<'a>(xml: &'a str, name: &str) -> Vec<&'a str> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let mut rest = xml;
    let mut found = Vec::new();
    while let Some(start) = rest.find(&open).map(|at| at + open.len()) {
        let Some(length) = rest[start..].find(&close) else { break };
        found.push(rest[start..start + length].trim());
        rest = &rest[start + length..];
    }
    found
}

/// Text without the escapes that XML knows of itself.
pub(crate) fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        let (before, escape) = rest.split_at(at);
        plain.push_str(before);
        let end = escape.find(';').unwrap_or(0);
        match character(escape.get(1..end).unwrap_or_default()) {
            Some(c) => {
                plain.push(c);
                rest = &escape[end + 1..];
            }
            None => {
                plain.push('&');
                rest = &escape[1..];
            }
        }
    }
    plain + rest
}

fn character(name: &str) -> Option<char> {
    match name {
        "quot" => Some('"'),
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "apos" => Some('\''),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix('x') {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_elements() {
        let xml = "<R><Credentials><AccessKeyId>ASIA1</AccessKeyId><SessionToken>\n a/b+= </SessionToken></R>";
        assert_eq!(element(xml, "AccessKeyId"), Some("ASIA1"));
        assert_eq!(element(xml, "SessionToken"), Some("a/b+="));
        assert_eq!(element(xml, "SecretAccessKey"), None);
        assert_eq!(elements("<L><V>1</V><V>2</V><V>3", "V"), ["1", "2"]);
    }

    #[test]
    fn unescapes() {
        assert_eq!(unescape("&quot;a&amp;quot; &#34;&#x22;&lt;"), "\"a&quot; \"\"<");
        assert_eq!(unescape("& &; &unknown; 100%"), "& &; &unknown; 100%");
    }
}
