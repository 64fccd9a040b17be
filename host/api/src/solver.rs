//! One solver of an ACME issuer: which names it is for, and which plugin proves them with which
//! config.
//!
//! No plugin is known here, and dnsPersist01 needs none. A stanza under `http01`, `dns01` or `tlsALPN01` is JSON by the name of the
//! plugin that it is for. The schema that users see has more: [`crate::known_solvers`] describes the
//! stanzas that cert-manager has, so that the API server checks them and kubectl explains them.

use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::challenge::ChallengeType;
use crate::duration::Duration;
use crate::known_solvers;

/// The stanza that stands for a plugin of another name.
const WEBHOOK: &str = "webhook";

/// A way to prove names: exactly one of http01, dns01, tlsALPN01 and dnsPersist01.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Solver {
    /// Which names the solver is for; every name when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<Selector>,
    /// How long to wait before telling the authority to look, instead of looking first ourselves.
    /// For networks in which the cluster can not see what the authority sees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_instead_of_self_check: Option<Duration>,
    /// Prove names over HTTP (HTTP-01): exactly one plugin by name, with its config. Not for
    /// wildcard names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http01: Option<Http01>,
    /// Prove names by TXT records in the DNS (DNS-01): exactly one plugin by name, with its config.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns01: Option<Dns01>,
    /// Prove names by a TLS handshake on port 443 (TLS-ALPN-01): exactly one plugin by name, with its
    /// config. Not for wildcard names. (An addition of Signet.)
    #[serde(default, rename = "tlsALPN01", skip_serializing_if = "Option::is_none")]
    pub tls_alpn01: Option<TlsAlpn01>,
    /// Prove names by TXT records that you publish once and leave there (dns-persist-01): no plugin and no
    /// credentials are needed. The issuer says which record. (An addition of Signet.)
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns_persist01: Option<DnsPersist01>,
}

/// One of the ways to prove names that a solver has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Way<'a> {
    /// `http01`.
    Http01(&'a Http01),
    /// `dns01`.
    Dns01(&'a Dns01),
    /// `tlsALPN01`.
    TlsAlpn01(&'a TlsAlpn01),
    /// `dnsPersist01`.
    DnsPersist01(&'a DnsPersist01),
}

/// The stanzas of a way that no plugin is needed for.
static NO_STANZAS: BTreeMap<String, Value> = BTreeMap::new();

/// Which names a solver is for. All that is set must fit; of several solvers that fit, the one
/// with a dnsNames match wins, then the longest zone, then the most labels, then the first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Selector {
    /// Labels that the Certificate must have.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub match_labels: BTreeMap<String, String>,
    /// Names, exactly as they stand on the Certificate. *.example.com is only the wildcard itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dns_names: Vec<String>,
    /// Zones: each fits itself and every name below it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dns_zones: Vec<String>,
}

/// Proof over HTTP.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Http01 {
    /// Each plugin's config by the plugin's name. There should be one.
    #[serde(flatten)]
    pub stanzas: BTreeMap<String, Value>,
}

/// Proof by DNS.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Dns01 {
    /// What to do when the record's name is an alias (CNAME) for another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cname_strategy: Option<CnameStrategy>,
    /// Servers to ask whether the record can be seen, in place of the zone's own: host:port, or an
    /// https address for DNS over HTTPS.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nameservers: Vec<String>,
    /// Whether the record stands at a label of the account's own (dns-account-01), so that several clusters
    /// can prove one name. Left out, that is where the CA offers nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_label: Option<bool>,
    /// Each plugin's config by the plugin's name. There should be one.
    #[serde(flatten)]
    pub stanzas: BTreeMap<String, Value>,
}

/// Proof by a record that stays in the DNS.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DnsPersist01 {
    /// Servers to ask whether the record can be seen, in place of the zone's own: host:port, or an
    /// https address for DNS over HTTPS.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nameservers: Vec<String>,
}

/// Proof by a TLS handshake.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TlsAlpn01 {
    /// Each plugin's config by the plugin's name. There should be one.
    #[serde(flatten)]
    pub stanzas: BTreeMap<String, Value>,
}

/// What to do with an alias.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = crate::schema::undescribed)]
pub enum CnameStrategy {
    /// Write the record where it was asked for.
    #[default]
    None,
    /// Follow the alias and write the record where it leads.
    Follow,
}

/// The one plugin that a solver names.
#[derive(Clone, Debug, PartialEq)]
pub struct Stanza<'a> {
    /// Name of the plugin.
    pub plugin: &'a str,
    /// Its config; an object.
    pub config: StanzaConfig<'a>,
}

/// A config: borrowed, or empty where the webhook stanza has none.
#[derive(Clone, Debug, PartialEq)]
pub enum StanzaConfig<'a> {
    /// As it stands in the stanza.
    Given(&'a Value),
    /// Nothing was given: an empty object.
    Empty,
}

impl StanzaConfig<'_> {
    /// The config as JSON of its own.
    pub fn to_value(&self) -> Value {
        match self {
            Self::Given(value) => (*value).clone(),
            Self::Empty => Value::Object(serde_json::Map::new()),
        }
    }
}

/// Why a solver does not name one plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StanzaError {
    /// There is no way to prove names.
    NoWay,
    /// There are several ways, by these fields.
    Ways(Vec<&'static str>),
    /// There is no stanza.
    Missing,
    /// There are several, by these names.
    Several(Vec<String>),
    /// The stanza of this name is not an object.
    NotAnObject(String),
    /// The webhook stanza has no solverName.
    WebhookWithoutSolverName,
}

impl fmt::Display for StanzaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoWay => {
                f.write_str("none of http01, dns01, tlsALPN01 and dnsPersist01 is set; exactly one is needed")
            }
            Self::Ways(fields) => write!(f, "{} are all set; exactly one is needed", fields.join(", ")),
            Self::Missing => f.write_str("no solver plugin is named; exactly one is needed"),
            Self::Several(names) => {
                write!(f, "{} are all set; exactly one solver plugin can be", names.join(", "))
            }
            Self::NotAnObject(name) => write!(f, "{name} is not an object"),
            Self::WebhookWithoutSolverName => f.write_str("webhook.solverName is missing"),
        }
    }
}

impl std::error::Error for StanzaError {}

impl Solver {
    /// The one way to prove names.
    pub fn way(&self) -> Result<Way<'_>, StanzaError> {
        let Self { http01, dns01, tls_alpn01, dns_persist01, selector: _, wait_instead_of_self_check: _ } = self;
        let all = [
            http01.as_ref().map(Way::Http01),
            dns01.as_ref().map(Way::Dns01),
            tls_alpn01.as_ref().map(Way::TlsAlpn01),
            dns_persist01.as_ref().map(Way::DnsPersist01),
        ];
        let set: Vec<_> = all.into_iter().flatten().collect();
        match set[..] {
            [way] => Ok(way),
            [] => Err(StanzaError::NoWay),
            _ => Err(StanzaError::Ways(set.iter().map(Way::field).collect())),
        }
    }

    /// Servers to ask whether a record can be seen, in place of the zone's own, and the field that lists them.
    pub fn nameservers(&self) -> (&'static str, &[String]) {
        match self.way() {
            Ok(Way::Dns01(dns01)) => ("dns01.nameservers", &dns01.nameservers),
            Ok(Way::DnsPersist01(persist)) => ("dnsPersist01.nameservers", &persist.nameservers),
            _ => ("dns01.nameservers", &[]),
        }
    }
}

impl<'a> Way<'a> {
    /// Its field of the solver.
    pub fn field(&self) -> &'static str {
        match self {
            Self::Http01(_) => "http01",
            Self::Dns01(_) => "dns01",
            Self::TlsAlpn01(_) => "tlsALPN01",
            Self::DnsPersist01(_) => "dnsPersist01",
        }
    }

    /// What its Challenges can be, the best first.
    pub fn challenge_types(&self) -> &'static [ChallengeType] {
        match self {
            Self::Http01(_) => &[ChallengeType::Http01],
            Self::TlsAlpn01(_) => &[ChallengeType::TlsAlpn01],
            Self::DnsPersist01(_) => &[ChallengeType::DnsPersist01],
            Self::Dns01(dns01) => match dns01.account_label {
                None => &[ChallengeType::Dns01, ChallengeType::DnsAccount01],
                Some(false) => &[ChallengeType::Dns01],
                Some(true) => &[ChallengeType::DnsAccount01],
            },
        }
    }

    /// Each plugin's config by the plugin's name, as it is written.
    pub fn stanzas(&self) -> &'a BTreeMap<String, Value> {
        match self {
            Self::Http01(http01) => &http01.stanzas,
            Self::Dns01(dns01) => &dns01.stanzas,
            Self::TlsAlpn01(tls_alpn01) => &tls_alpn01.stanzas,
            Self::DnsPersist01(_) => &NO_STANZAS,
        }
    }

    /// The one plugin that is named.
    pub fn stanza(&self) -> Result<Stanza<'a>, StanzaError> {
        match self {
            Self::Dns01(dns01) => dns01.stanza(),
            Self::Http01(_) | Self::TlsAlpn01(_) | Self::DnsPersist01(_) => only_stanza(self.stanzas()),
        }
    }
}

impl Dns01 {
    /// The one plugin that is named. `webhook {groupName, solverName, config}` names the plugin
    /// `<solverName>`.
    pub fn stanza(&self) -> Result<Stanza<'_>, StanzaError> {
        let stanza = only_stanza(&self.stanzas)?;
        match (stanza.plugin, &stanza.config) {
            (WEBHOOK, StanzaConfig::Given(webhook)) => webhook_stanza(webhook),
            _ => Ok(stanza),
        }
    }

    /// What to do with an alias, with its default.
    pub fn cname_strategy_or_default(&self) -> CnameStrategy {
        self.cname_strategy.unwrap_or_default()
    }
}

fn only_stanza(stanzas: &BTreeMap<String, Value>) -> Result<Stanza<'_>, StanzaError> {
    let mut entries = stanzas.iter();
    match (entries.next(), entries.next()) {
        (None, _) => Err(StanzaError::Missing),
        (Some((name, config)), None) if config.is_object() => {
            Ok(Stanza { plugin: name, config: StanzaConfig::Given(config) })
        }
        (Some((name, _)), None) => Err(StanzaError::NotAnObject(name.clone())),
        (Some(_), Some(_)) => Err(StanzaError::Several(stanzas.keys().cloned().collect())),
    }
}

fn webhook_stanza(webhook: &Value) -> Result<Stanza<'_>, StanzaError> {
    let name = webhook.get("solverName").and_then(Value::as_str).filter(|name| !name.is_empty());
    let plugin = name.ok_or(StanzaError::WebhookWithoutSolverName)?;
    let config = match webhook.get("config") {
        None | Some(Value::Null) => StanzaConfig::Empty,
        Some(config) if config.is_object() => StanzaConfig::Given(config),
        Some(_) => return Err(StanzaError::NotAnObject("webhook.config".to_owned())),
    };
    Ok(Stanza { plugin, config })
}

impl JsonSchema for Http01 {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Http01".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        known_solvers::open(known_solvers::Http01::json_schema(generator))
    }
}

impl JsonSchema for TlsAlpn01 {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "TlsAlpn01".into()
    }

    /// cert-manager has no such stanzas: what each holds is in the schema of its plugin's manifest.
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        known_solvers::open(schemars::json_schema!({ "type": "object" }))
    }
}

impl JsonSchema for Dns01 {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Dns01".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        known_solvers::open(known_solvers::Dns01::json_schema(generator))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn dns01(value: Value) -> Dns01 {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn any_plugin_can_be_named() {
        let solver = dns01(json!({"cnameStrategy": "Follow", "cumulus": {"zone": "a"}}));
        let stanza = solver.stanza().unwrap();
        assert_eq!(stanza.plugin, "cumulus");
        assert_eq!(stanza.config.to_value(), json!({"zone": "a"}));
        assert_eq!(solver.cname_strategy_or_default(), CnameStrategy::Follow);
    }

    #[test]
    fn a_webhook_names_the_plugin_of_its_solver() {
        let solver = dns01(json!({"webhook": {
            "groupName": "acme.example.com", "solverName": "nimbus", "config": {"key": "x"}}}));
        let stanza = solver.stanza().unwrap();
        assert_eq!((stanza.plugin, stanza.config.to_value()), ("nimbus", json!({"key": "x"})));

        let bare = dns01(json!({"webhook": {"groupName": "g", "solverName": "nimbus"}}));
        assert_eq!(bare.stanza().unwrap().config.to_value(), json!({}));
    }

    #[test]
    fn exactly_one_stanza_is_wanted() {
        for (value, error) in [
            (json!({}), StanzaError::Missing),
            (json!({"nameservers": ["1.1.1.1:53"]}), StanzaError::Missing),
            (json!({"b": {}, "a": {}}), StanzaError::Several(vec!["a".into(), "b".into()])),
            (json!({"a": "x"}), StanzaError::NotAnObject("a".into())),
            (json!({"webhook": {}}), StanzaError::WebhookWithoutSolverName),
            (json!({"webhook": {"solverName": "x", "config": 1}}), StanzaError::NotAnObject("webhook.config".into())),
        ] {
            assert_eq!(dns01(value.clone()).stanza(), Err(error), "{value}");
        }
    }

    #[test]
    fn exactly_one_way_is_wanted() {
        let solver = |value: Value| serde_json::from_value::<Solver>(value).unwrap();
        let one = solver(json!({"tlsALPN01": {"edge": {"a": 1}}}));
        let way = one.way().unwrap();
        assert_eq!((way.field(), way.challenge_types()), ("tlsALPN01", &[ChallengeType::TlsAlpn01][..]));
        assert_eq!(way.stanza().unwrap().plugin, "edge");
        assert_eq!(solver(json!({})).way(), Err(StanzaError::NoWay));
        let both = solver(json!({"dns01": {}, "tlsALPN01": {}}));
        assert_eq!(both.way(), Err(StanzaError::Ways(vec!["dns01", "tlsALPN01"])));
    }

    #[test]
    fn a_record_stands_where_the_solver_wants_it() {
        use ChallengeType::{Dns01, DnsAccount01, DnsPersist01};
        for (value, types) in [
            (json!({"dns01": {"cumulus": {}}}), &[Dns01, DnsAccount01][..]),
            (json!({"dns01": {"accountLabel": true, "cumulus": {}}}), &[DnsAccount01]),
            (json!({"dns01": {"accountLabel": false, "cumulus": {}}}), &[Dns01]),
            (json!({"dnsPersist01": {}}), &[DnsPersist01]),
        ] {
            let solver: Solver = serde_json::from_value(value.clone()).unwrap();
            let way = solver.way().unwrap();
            assert_eq!(way.challenge_types(), types, "{value}");
            assert_eq!(way.stanza().is_ok(), way.field() == "dns01", "{value}");
        }
    }

    #[test]
    fn stanzas_survive_a_round_trip() {
        let value = json!({"selector": {"dnsZones": ["example.com"]},
            "dns01": {"nameservers": ["1.1.1.1:53"], "route": {"deep": [1, {"a": null}]}}});
        let solver: Solver = serde_json::from_value(value.clone()).unwrap();
        assert_eq!(serde_json::to_value(solver).unwrap(), value);
    }
}
