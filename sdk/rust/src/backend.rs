//! A Service in the Challenge's namespace that leads to Signet itself, for a route of any kind to name
//! as its backend: an Ingress, an HTTPRoute, a TLSRoute, or what your own ingress controller goes by.
//!
//! No pod is behind the Service, but an EndpointSlice for each address family with the addresses of
//! Signet's replicas. When those change the host has the solver present again, and [`apply`] brings the
//! slices up to date. The solver's manifest must ask for both kinds:
//!
//! ```json
//! "kubernetes": [
//!   { "apiVersion": "v1", "kind": "Service", "verbs": ["apply", "delete"] },
//!   { "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "verbs": ["apply", "delete"] }
//! ]
//! ```

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::responder::Endpoint;
use crate::{Context, Error, Result, kube};

const SERVICE: (&str, &str) = ("v1", "Service");
const ENDPOINT_SLICE: (&str, &str) = ("discovery.k8s.io/v1", "EndpointSlice");

/// What the objects of one challenge are called, and their labels: functions of the challenge alone, so
/// that any replica finds them again, with or without a receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    object: String,
    /// The name of the one port. A Service and its EndpointSlices are matched by it.
    port: &'static str,
    labels: Vec<(&'static str, String)>,
}

impl Names {
    /// The names for the HTTP-01 challenge of this host and token, with the labels that tools written for
    /// cert-manager find them by.
    pub fn of(host: &str, token: &str) -> Self {
        // A label can not hold every name, so these are checksums.
        let checksum = |text: &str| adler32(text.as_bytes()).to_string();
        let labels = vec![
            ("acme.cert-manager.io/http01-solver", "true".to_owned()),
            ("acme.cert-manager.io/http-domain", checksum(host)),
            ("acme.cert-manager.io/http-token", checksum(token)),
        ];
        Self { object: format!("cm-acme-http-solver-{}", hash(host, token)), port: "http", labels }
    }

    /// The names for the TLS-ALPN-01 challenge of this host and token.
    pub fn of_tls(host: &str, token: &str) -> Self {
        let labels = vec![("signet.dev/challenge", "tls-alpn-01".to_owned())];
        Self { object: format!("signet-tls-alpn01-{}", hash(host, token)), port: "tls", labels }
    }

    /// The name of the Service, and of the route in front of it.
    pub fn object(&self) -> &str {
        &self.object
    }

    /// The labels of every object.
    pub fn labels(&self) -> Map<String, Value> {
        self.labels.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect()
    }

    /// The EndpointSlice of IPv6: a slice holds one family.
    fn slice_v6(&self) -> String {
        format!("{}-v6", self.object)
    }
}

/// Which EndpointSlices there are: what [`delete`] is spared to guess.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    slices: Vec<String>,
}

/// Makes the Service and its EndpointSlices, or brings them up to date. The Service has the endpoint's
/// port, and is of `service_type`: `ClusterIP` unless something has to reach it through a port of the nodes.
///
/// # Errors
/// Transient while Signet has no address; else what the API server said.
pub fn apply(names: &Names, endpoint: &Endpoint, service_type: &str) -> Result<Receipt> {
    apply_service(names, endpoint, &service(names, endpoint, service_type))
}

/// Makes what [`service`] returned, with what the solver has changed of it, and its EndpointSlices; or
/// brings them up to date.
///
/// # Errors
/// As of [`apply`].
pub fn apply_service(names: &Names, endpoint: &Endpoint, service: &Value) -> Result<Receipt> {
    let slices = endpoint_slices(names, endpoint, names.object(), names.port)?;
    kube::apply(service).context("applying the Service")?;
    apply_slices(&slices)
}

/// Lends the endpoint to a Service of somebody else's that has no selector: makes the EndpointSlices alone,
/// for its port of the name `port`, empty when it has none. [`delete`] takes them away again.
///
/// # Errors
/// As of [`apply`].
pub fn lend(names: &Names, endpoint: &Endpoint, service: &str, port: &str) -> Result<Receipt> {
    apply_slices(&endpoint_slices(names, endpoint, service, port)?)
}

fn apply_slices(slices: &[Value]) -> Result<Receipt> {
    for slice in slices {
        kube::apply(slice).context("applying the EndpointSlice")?;
    }
    let name = |slice: &Value| slice["metadata"]["name"].as_str().map(str::to_owned);
    Ok(Receipt { slices: slices.iter().filter_map(name).collect() })
}

/// Deletes the Service and its EndpointSlices; what is gone already is no error.
///
/// # Errors
/// What the API server said.
pub fn delete(names: &Names, receipt: Option<Receipt>) -> Result<()> {
    let delete = |(api_version, kind): (&str, &str), name: &str| {
        kube::delete(api_version, kind, name).context(format_args!("deleting the {kind} {name:?}"))
    };
    delete(SERVICE, &names.object)?;
    let slices = receipt.map_or_else(|| vec![names.object.clone(), names.slice_v6()], |receipt| receipt.slices);
    slices.iter().try_for_each(|slice| delete(ENDPOINT_SLICE, slice))
}

/// The Service that [`apply`] makes. It has no selector, as what it leads to is no pod of this namespace.
pub fn service(names: &Names, endpoint: &Endpoint, service_type: &str) -> Value {
    let mut spec = json!({
        "type": service_type,
        "ports": [{ "name": names.port, "protocol": "TCP", "port": endpoint.port, "targetPort": endpoint.port }],
    });
    // Without this a cluster of two families gives the Service only its first one.
    if endpoint.addresses.iter().any(|address| address.contains(':')) {
        spec["ipFamilyPolicy"] = json!("PreferDualStack");
    }
    let (api_version, kind) = SERVICE;
    let metadata = json!({ "name": names.object, "labels": names.labels() });
    json!({ "apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec })
}

/// One for each address family that the endpoint has.
fn endpoint_slices(names: &Names, endpoint: &Endpoint, service: &str, port: &str) -> Result<Vec<Value>> {
    let family = |v6| {
        let same = |address: &&String| address.parse().is_ok_and(|parsed: IpAddr| parsed.is_ipv6() == v6);
        endpoint.addresses.iter().filter(same).collect::<Vec<_>>()
    };
    let slices: Vec<Value> = [("IPv4", names.object.clone(), family(false)), ("IPv6", names.slice_v6(), family(true))]
        .into_iter()
        .filter(|(_, _, addresses)| !addresses.is_empty())
        .map(|(family, name, addresses)| {
            let mut slice = endpoint_slice(names, &name, family, &addresses, endpoint.port);
            slice["metadata"]["labels"]["kubernetes.io/service-name"] = json!(service);
            slice["ports"][0]["name"] = json!(port);
            slice
        })
        .collect();
    if slices.is_empty() {
        return Err(Error::transient("Signet's responder has no address yet: is one of its replicas ready?"));
    }
    Ok(slices)
}

fn endpoint_slice(names: &Names, name: &str, family: &str, addresses: &[&String], port: u16) -> Value {
    let mut labels = names.labels();
    // So that the cluster's own controllers leave the slice alone.
    labels.insert("endpointslice.kubernetes.io/managed-by".into(), json!("signet"));
    let endpoints: Vec<Value> =
        addresses.iter().map(|address| json!({ "addresses": [address], "conditions": { "ready": true } })).collect();
    let (api_version, kind) = ENDPOINT_SLICE;
    json!({
        "apiVersion": api_version,
        "kind": kind,
        "metadata": { "name": name, "labels": labels },
        "addressType": family,
        "endpoints": endpoints,
        "ports": [{ "protocol": "TCP", "port": port }],
    })
}

fn hash(host: &str, token: &str) -> String {
    format!("{:016x}", fnv1a(&[host.as_bytes(), b"/", token.as_bytes()]))
}

/// FNV-1a, 64 bits: names must differ among the challenges of one namespace; nobody gains by
/// making two meet, as tokens are the CA's.
fn fnv1a(parts: &[&[u8]]) -> u64 {
    parts
        .iter()
        .flat_map(|part| part.iter())
        .fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Adler-32 (RFC 1950, section 8.2).
fn adler32(bytes: &[u8]) -> u32 {
    const MODULUS: u32 = 65521;
    let (a, b) = bytes.iter().fold((1, 0), |(a, b), &byte| {
        let a = (a + u32::from(byte)) % MODULUS;
        (a, (b + a) % MODULUS)
    });
    (b << 16) | a
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(addresses: &[&str]) -> Endpoint {
        Endpoint { addresses: addresses.iter().map(|&address| address.to_owned()).collect(), port: 8089 }
    }

    #[test]
    fn checksums_are_the_published_ones() {
        assert_eq!(adler32(b"Wikipedia"), 0x11e6_0398);
        assert_eq!(adler32(b""), 1);
        assert_eq!(fnv1a(&[b""]), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(&[b"foo", b"bar"]), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn names_are_short_stable_and_differ() {
        let names = Names::of("example.com", "t1");
        assert_eq!(names, Names::of("example.com", "t1"));
        assert!(names.slice_v6().len() <= 63);
        assert_ne!(names.object, Names::of("example.com", "t2").object);
        assert_ne!(names.object, Names::of("www.example.com", "t1").object);
        let of_tls = Names::of_tls("example.com", "t1");
        assert!(of_tls.slice_v6().len() <= 63 && of_tls.object != names.object);
        assert_eq!(Value::Object(of_tls.labels()), json!({ "signet.dev/challenge": "tls-alpn-01" }));
    }

    #[test]
    fn the_service_has_no_selector_and_the_type_asked_for() {
        let names = Names::of("example.com", "tok");
        let plain = service(&names, &endpoint(&["10.0.0.1"]), "ClusterIP");
        assert_eq!(plain["spec"]["type"], "ClusterIP");
        assert_eq!(plain["metadata"]["labels"]["acme.cert-manager.io/http01-solver"], "true");
        assert!(plain["spec"].get("selector").is_none() && plain["spec"].get("ipFamilyPolicy").is_none());
        let other = service(&names, &endpoint(&["fd00::1"]), "NodePort");
        assert_eq!(other["spec"]["type"], "NodePort");
        assert_eq!(other["spec"]["ipFamilyPolicy"], "PreferDualStack");
    }

    #[test]
    fn there_is_a_slice_for_each_family() {
        let names = Names::of("example.com", "tok");
        let slices = endpoint_slices(&names, &endpoint(&["10.0.0.1", "fd00::1", "10.0.0.2"]), "web", "").unwrap();
        let shown: Vec<_> =
            slices.iter().map(|s| (s["addressType"].as_str().unwrap(), s["endpoints"].clone())).collect();
        let of = |address: &str| json!({ "addresses": [address], "conditions": { "ready": true } });
        assert_eq!(shown, [("IPv4", json!([of("10.0.0.1"), of("10.0.0.2")])), ("IPv6", json!([of("fd00::1")]))]);
        let named: Vec<_> = slices.iter().map(|slice| slice["metadata"]["name"].as_str().unwrap()).collect();
        assert_eq!(named, [names.object(), &names.slice_v6()]);
        assert_eq!(slices[1]["metadata"]["labels"]["kubernetes.io/service-name"], "web");
        assert_eq!(slices[1]["ports"], json!([{ "name": "", "protocol": "TCP", "port": 8089 }]));
        assert!(matches!(endpoint_slices(&names, &endpoint(&[]), "web", ""), Err(Error::Transient(_))));
    }
}
