//! The limits of each CA, by the address of its directory: those that Let's Encrypt publishes, and what an
//! operator says of them or of others.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde_json::{Map, Value};

use super::bucket::{Kind, Limit};

/// The limits of one directory; what is not in it is not limited.
pub type Limits = BTreeMap<Kind, Limit>;

/// What a limit is called where an operator sets it.
const FIELDS: [(&str, Kind); 6] = [
    ("newOrders", Kind::NewOrders),
    ("newOrdersPerAddress", Kind::NewOrdersPerAddress),
    ("certificatesPerDomain", Kind::CertificatesPerDomain),
    ("certificatesPerSet", Kind::CertificatesPerSet),
    ("failuresPerName", Kind::FailuresPerName),
    ("failuresInARow", Kind::FailuresInARow),
];

const WEEK: i64 = 7 * 24;
const A_SECOND: SignedDuration = SignedDuration::from_secs(1);
/// As published by August 2026.
const PRODUCTION: [(Kind, Limit); 6] = [
    (Kind::NewOrders, Limit::hourly(300, 3)),
    (Kind::NewOrdersPerAddress, Limit { count: 300, period: A_SECOND }),
    (Kind::CertificatesPerDomain, Limit::hourly(50, WEEK)),
    (Kind::CertificatesPerSet, Limit::hourly(5, WEEK)),
    (Kind::FailuresPerName, Limit::hourly(5, 1)),
    (Kind::FailuresInARow, Limit::hourly(1152, 1152 * 24)),
];
const STAGING: [(Kind, Limit); 5] = [
    (Kind::NewOrders, Limit::hourly(1500, 3)),
    (Kind::NewOrdersPerAddress, Limit { count: 300, period: A_SECOND }),
    (Kind::CertificatesPerDomain, Limit::hourly(30_000, WEEK)),
    (Kind::CertificatesPerSet, Limit::hourly(30_000, WEEK)),
    (Kind::FailuresPerName, Limit::hourly(60, 1)),
];

/// The limits of every CA that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Book(BTreeMap<String, Limits>);

impl Default for Book {
    fn default() -> Self {
        Self(BTreeMap::from([
            ("https://acme-v02.api.letsencrypt.org/directory".to_owned(), PRODUCTION.into()),
            ("https://acme-staging-v02.api.letsencrypt.org/directory".to_owned(), STAGING.into()),
        ]))
    }
}

impl Book {
    /// The limits of a directory; none where it is not known.
    pub fn of(&self, directory: &str) -> Option<&Limits> {
        self.0.get(directory).filter(|limits| !limits.is_empty())
    }

    /// The same with what an operator says: `{URL: {newOrders: {count: 300, period: 3h}, certificatesPerSet: none}}`.
    /// What is not said stays as it is.
    ///
    /// # Errors
    /// A sentence that begins with the field at fault.
    pub fn with(mut self, said: &Value) -> Result<Self, String> {
        if said.is_null() {
            return Ok(self);
        }
        for (directory, limits) in object("", said)? {
            if !directory.starts_with("https://") {
                return Err(format!("{directory}: the address of a CA's directory is expected, https://…"));
            }
            let known = self.0.entry(directory.clone()).or_default();
            for (field, value) in object(directory, limits)? {
                let path = format!("{directory}: {field}");
                let Some((_, kind)) = FIELDS.iter().find(|(name, _)| name == field) else {
                    let names: Vec<&str> = FIELDS.iter().map(|(name, _)| *name).collect();
                    return Err(format!("{path}: there is no such limit; there are {}", names.join(", ")));
                };
                match value.as_str() {
                    Some("none") => known.remove(kind),
                    _ => known.insert(*kind, limit(&path, value)?),
                };
            }
        }
        Ok(self)
    }
}

fn object<'a>(path: &str, value: &'a Value) -> Result<&'a Map<String, Value>, String> {
    let at = if path.is_empty() { String::new() } else { format!("{path}: ") };
    value.as_object().ok_or_else(|| format!("{at}a mapping is expected, and this is {value}"))
}

fn limit(path: &str, value: &Value) -> Result<Limit, String> {
    let fields = object(path, value).map_err(|error| format!("{error}; write {{count: 300, period: 3h}}, or none"))?;
    if let Some(other) = fields.keys().find(|name| !["count", "period"].contains(&name.as_str())) {
        return Err(format!("{path}.{other}: a limit has count and period, and nothing else"));
    }
    let count = fields.get("count").and_then(Value::as_u64).and_then(|count| i32::try_from(count).ok());
    let count = count.and_then(|count| u32::try_from(count).ok()).filter(|count| *count > 0);
    let count = count.ok_or_else(|| format!("{path}.count: a whole number of at least 1 is expected"))?;
    let period = fields.get("period").and_then(Value::as_str).ok_or("a duration such as 3h is expected".to_owned());
    let period = period.and_then(|text| text.parse().map_err(|error: signet_api::DurationError| error.to_string()));
    let period: signet_api::Duration = period.map_err(|why| format!("{path}.period: {why}"))?;
    let period = period.get();
    if period.as_millis() < i128::from(count) || period.as_hours() > 100 * 366 * 24 {
        return Err(format!("{path}.period: from a millisecond for each up to a hundred years are possible"));
    }
    Ok(Limit { count, period })
}
