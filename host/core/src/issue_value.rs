//! The value of a CAA record that lets a CA issue (RFC 8659, section 4.2), which the records of dns-persist-01
//! borrow: `ca.example; accounturi=https://ca.example/7`.

/// A value, read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IssueValue {
    /// The CA's domain name in lower case; none lets nobody issue.
    pub issuer: Option<String>,
    /// Parameters, their tags in lower case.
    parameters: Vec<(String, String)>,
}

impl IssueValue {
    /// Reads a value.
    ///
    /// # Errors
    /// When it is malformed; a phrase that says how.
    pub fn parse(value: &str) -> Result<Self, String> {
        let mut parts = value.split(';').map(|part| part.trim_matches([' ', '\t']));
        let issuer = parts.next().filter(|issuer| !issuer.is_empty()).map(str::to_ascii_lowercase);
        let mut parameters: Vec<(String, String)> = Vec::new();
        let rest: Vec<_> = parts.collect();
        // ";" alone is the usual way to let nobody issue.
        let rest = if issuer.is_none() && rest.iter().all(|part| part.is_empty()) { &[][..] } else { &rest[..] };
        for part in rest {
            let (tag, value) = match part.split_once('=') {
                Some((tag, value)) => (tag.trim_matches([' ', '\t']), value.trim_matches([' ', '\t'])),
                None if part.is_empty() => return Err("it has an empty parameter, or a semicolon too many".to_owned()),
                None => return Err(format!("{part:?} is no tag=value")),
            };
            let is_value = value.bytes().all(|byte| byte.is_ascii_graphic() && byte != b';');
            if tag.is_empty() || !tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') || !is_value {
                return Err(format!("{part:?} is no tag=value"));
            }
            let tag = tag.to_ascii_lowercase();
            if parameters.iter().any(|(known, _)| *known == tag) {
                return Err(format!("it has {tag} twice"));
            }
            parameters.push((tag, value.to_owned()));
        }
        Ok(Self { issuer, parameters })
    }

    /// A parameter by its tag in lower case.
    pub fn parameter(&self, tag: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == tag).map(|(_, value)| value.as_str())
    }

    /// Whether its policy is for wildcards (draft-ietf-acme-dns-persist).
    pub fn is_for_wildcards(&self) -> bool {
        self.parameter("policy").is_some_and(|policy| policy.eq_ignore_ascii_case("wildcard"))
    }
}
