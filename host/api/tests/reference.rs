//! Compares the CRDs with what cert-manager's have: a table for each kind in `reference/`, a line
//! for each path with its type and constraints. Every difference is one of those listed here.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// What we have and cert-manager has not, or the other way round, with the reason.
const DIFFERENCES: [(&str, &str, &str); 19] = [
    ("certificates", ".\tobject\trequired=spec", "an object without a spec was always refused"),
    ("certificaterequests", ".\tobject\trequired=spec", "an object without a spec was always refused"),
    ("orders", ".\tobject\trequired=spec", "metadata is always there"),
    ("challenges", ".\tobject\trequired=spec", "metadata is always there"),
    ("orders", ".status.orderTime\tstring\tformat=date-time", "what the CA's limits are counted from"),
    ("challenges", ".status.receipt\tstring", "what a solver remembers"),
    (
        "challenges",
        ".spec.type\tstring\tenum=HTTP-01|DNS-01|TLS-ALPN-01|DNS-ACCOUNT-01|DNS-PERSIST-01",
        "ways that cert-manager has not",
    ),
    ("challenges", ".spec.recordPrefix\tstring", "where the record of those stands"),
    (
        "orders",
        ".status.authorizations[].challenges[].issuerDomainNames\tarray\tlist=atomic",
        "what the record of one of them says",
    ),
    ("orders", ".status.authorizations[].challenges[].issuerDomainNames[]\tstring", "the same"),
    ("certificaterequests", ".spec.extra{}\tarray\tlist=atomic", "the same, said outright"),
    (
        "certificaterequests",
        ".status.conditions[].observedGeneration\tinteger\tformat=int64",
        "conditions are one type",
    ),
    ("solver", ".dns01\tobject\tany", "any plugin can be named"),
    ("solver", ".http01\tobject\tany", "any plugin can be named"),
    ("solver", ".dns01.accountLabel\tboolean", "which of two ways it is"),
    ("solver", ".dnsPersist01\tobject", "a way that cert-manager has not"),
    ("solver", ".dnsPersist01.nameservers\tarray\tlist=atomic", "the same"),
    ("solver", ".dnsPersist01.nameservers[]\tstring", "the same"),
    ("solver", ".tlsALPN01\tobject\tany", "the way that cert-manager has not"),
];

/// Where a solver stands.
const SOLVERS: [(&str, &str); 3] =
    [("issuers", ".spec.acme.solvers[]"), ("clusterissuers", ".spec.acme.solvers[]"), ("challenges", ".spec.solver")];

type Rows = BTreeMap<String, String>;

fn crd(plural: &str) -> Value {
    let crds = signet_api::crds();
    let found = crds.iter().find(|crd| crd.spec.names.plural == plural);
    serde_json::to_value(found.expect("the kind exists")).expect("a CRD is JSON")
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.as_f64().expect("a bound of a schema is small").to_string(),
        other => other.to_string(),
    }
}

fn list(value: &Value, separator: &str) -> String {
    value.as_array().into_iter().flatten().map(text).collect::<Vec<_>>().join(separator)
}

/// The constraints of one schema in the form of the tables. Upper bounds that stand for the sake of
/// CEL's cost alone are left out, unless the reference has one at this path.
fn row(path: &str, schema: &Value, reference: &str) -> String {
    let mut parts = BTreeSet::new();
    for (key, name, separator) in [("enum", "enum", "|"), ("x-kubernetes-list-map-keys", "keys", ",")] {
        if schema.get(key).is_some() {
            parts.insert(format!("{name}={}", list(&schema[key], separator)));
        }
    }
    if let Some(required) = schema.get("required") {
        let sorted: BTreeSet<_> = required.as_array().into_iter().flatten().map(text).collect();
        parts.insert(format!("required={}", sorted.into_iter().collect::<Vec<_>>().join(",")));
    }
    let plain = ["format", "default", "pattern", "minLength", "maxLength", "minimum", "maximum", "nullable"];
    for key in plain.into_iter().filter(|key| *key != "maxLength" || reference.contains(key)) {
        parts.extend(schema.get(key).map(|value| format!("{key}={}", text(value))));
    }
    parts.extend(schema.get("x-kubernetes-list-type").map(|kind| format!("list={}", text(kind))));
    for (key, name) in
        [("x-kubernetes-preserve-unknown-fields", "any"), ("x-kubernetes-int-or-string", "int-or-string")]
    {
        parts.extend(schema.get(key).map(|_| name.to_owned()));
    }
    let kind = schema.get("type").map_or("-".to_owned(), text);
    let path = if path.is_empty() { "." } else { path };
    [path.to_owned(), kind].into_iter().chain(parts).collect::<Vec<_>>().join("\t")
}

fn flatten(path: &str, schema: &Value, reference: &Rows, rows: &mut Rows) {
    let expected = reference.get(if path.is_empty() { "." } else { path });
    let line = row(path, schema, expected.map_or("", String::as_str));
    rows.insert(if path.is_empty() { ".".to_owned() } else { path.to_owned() }, line);
    for (name, below) in schema["properties"].as_object().into_iter().flatten() {
        flatten(&format!("{path}.{name}"), below, reference, rows);
    }
    for (key, suffix) in [("items", "[]"), ("additionalProperties", "{}")] {
        if schema[key].is_object() {
            flatten(&format!("{path}{suffix}"), &schema[key], reference, rows);
        }
    }
}

fn table(name: &str) -> Vec<String> {
    let path = format!("{}/tests/reference/{name}.tsv", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).expect("the tables are committed").lines().map(str::to_owned).collect()
}

/// A line under its first column, the path.
fn keyed(line: &str) -> (String, String) {
    let path = line.split_once('\t').map_or(line, |(path, _)| path);
    (path.to_owned(), line.to_owned())
}

fn rows(lines: &[String]) -> Rows {
    lines.iter().filter(|line| !line.starts_with('#')).map(|line| keyed(line)).collect()
}

/// What the table of a kind and that of solvers say together.
fn expected(plural: &str) -> Rows {
    let name = if plural == "clusterissuers" { "issuers" } else { plural };
    let mut all = rows(&table(name));
    all.extend(DIFFERENCES.iter().filter(|(kind, ..)| *kind == name).map(|(_, line, _)| keyed(line)));
    for (_, prefix) in SOLVERS.iter().filter(|(kind, _)| *kind == plural) {
        let mut solver = rows(&table("solver"));
        solver.extend(DIFFERENCES.iter().filter(|(kind, ..)| *kind == "solver").map(|(_, line, _)| keyed(line)));
        all.extend(solver.into_values().map(|line| keyed(&format!("{prefix}{line}"))));
    }
    all
}

#[test]
fn every_field_is_as_in_the_reference() {
    for plural in ["certificates", "certificaterequests", "issuers", "clusterissuers", "orders", "challenges"] {
        let expected = expected(plural);
        let schema = &crd(plural)["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        let mut ours = Rows::new();
        flatten("", schema, &expected, &mut ours);
        let missing: Vec<_> = expected.values().filter(|line| !ours.values().any(|o| o == *line)).collect();
        let surplus: Vec<_> = ours.values().filter(|line| !expected.values().any(|e| e == *line)).collect();
        assert!(
            missing.is_empty() && surplus.is_empty(),
            "{plural}\nthe reference has: {missing:#?}\nwe have: {surplus:#?}"
        );
    }
}

#[test]
fn names_and_columns_are_as_in_the_reference() {
    for plural in ["certificates", "certificaterequests", "issuers", "orders", "challenges"] {
        let lines = table(plural);
        let crd = crd(plural);
        let (spec, names) = (&crd["spec"], &crd["spec"]["names"]);
        let version = &spec["versions"][0];
        let mut ours = vec![
            format!("#group\t{}", text(&spec["group"])),
            format!("#kind\t{}", text(&names["kind"])),
            format!("#short\t{}", list(&names["shortNames"], ",")),
            format!("#categories\t{}", list(&names["categories"], ",")),
        ];
        let selectable = version["selectableFields"].as_array().into_iter().flatten();
        ours.extend(selectable.map(|field| format!("#selectable\t{}", text(&field["jsonPath"]))));
        let columns = version["additionalPrinterColumns"].as_array().unwrap();
        ours.extend(columns.iter().map(|column| {
            let priority = column["priority"].as_i64().unwrap_or(0);
            format!("#column\t{}\t{}\t{priority}", text(&column["name"]), text(&column["jsonPath"]))
        }));
        let theirs: Vec<_> = lines.into_iter().filter(|line| line.starts_with('#')).collect();
        assert_eq!(ours, theirs, "{plural}");
        assert!(version["subresources"]["status"].is_object(), "{plural}");
    }
}

#[test]
fn every_field_is_described() {
    fn undescribed(path: &str, schema: &Value, found: &mut Vec<String>) {
        for (name, below) in schema["properties"].as_object().into_iter().flatten() {
            let path = format!("{path}.{name}");
            // The fields of a pod are described by `kubectl explain pod`.
            let of_a_pod = path.contains(".podTemplate.spec.");
            if below.get("description").is_none() && !of_a_pod {
                found.push(path.clone());
            }
            undescribed(&path, below, found);
        }
        for key in ["items", "additionalProperties"] {
            if schema[key].is_object() {
                undescribed(path, &schema[key], found);
            }
        }
    }
    for crd in signet_api::crds() {
        let crd = serde_json::to_value(crd).unwrap();
        let mut found = Vec::new();
        let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        undescribed("", schema, &mut found);
        assert!(found.is_empty(), "no description: {found:#?}");
    }
}

#[test]
fn the_chart_has_these_crds() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../charts/signet/files/crds.yaml");
    let committed = std::fs::read_to_string(path).unwrap();
    assert!(
        committed == signet_api::crds_yaml(),
        "charts/signet/files/crds.yaml differs from the API types: run `make gen`"
    );
}
