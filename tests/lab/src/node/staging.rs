//! Let's Encrypt's staging directory, as far as a node's world goes: its name and its path lead to the lab's CA, so
//! that the manifests that name it apply as they stand.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Result;
use serde_json::{Value, json};

use crate::control::Component;
use crate::lab::Lab;
use crate::pki::Pair;
use crate::site::{Port, Site};
use crate::tools::Tools;

/// Its name.
pub(crate) const HOST: &str = "acme-staging-v02.api.letsencrypt.org";
/// Where a node's world has it.
pub(crate) const ADDRESS: Ipv4Addr = Ipv4Addr::new(172, 30, 0, 2);
/// The name of its process, and of its certificate.
pub(crate) const NAME: &str = "staging";

/// An Envoy before Pebble, which makes the addresses in its documents from the host that it is asked for.
pub(crate) fn component(site: &Site, tools: &Tools) -> Result<Component> {
    let file = site.path("staging.json");
    fs::write(&file, config(site).to_string())?;
    let args = ["--use-dynamic-base-id", "--concurrency", "1", "--log-level", "warning", "--config-path"];
    let args = args.map(str::to_owned).into_iter().chain([file.display().to_string()]).collect();
    Ok(Component::new(NAME, tools.envoy()?, args))
}

pub(crate) async fn ready(site: &Site) -> Result<()> {
    let ca = reqwest::Certificate::from_pem(&fs::read(site.path("pki/world/ca.crt"))?)?;
    let client = reqwest::Client::builder().user_agent("signet-lab").tls_certs_only([ca]).no_proxy();
    let client = client.resolve(HOST, SocketAddr::from((ADDRESS, 443))).build()?;
    client.get(format!("https://{HOST}/directory")).send().await?.error_for_status()?;
    Ok(())
}

impl Lab {
    /// Makes the directory's name lead to the lab's CA.
    pub(crate) async fn name_staging(&self) -> Result<()> {
        self.add_a(HOST, &ADDRESS.to_string()).await
    }
}

fn config(site: &Site) -> Value {
    let server = Pair::at(&site.path("pki/world"), NAME);
    let certificate = json!({
        "certificate_chain": { "filename": server.certificate }, "private_key": { "filename": server.key },
    });
    let routes = json!([
        { "match": { "path": "/directory" }, "route": { "cluster": "ca", "prefix_rewrite": "/dir" } },
        { "match": { "prefix": "/" }, "route": { "cluster": "ca" } },
    ]);
    let http = typed(
        "filters.network.http_connection_manager.v3.HttpConnectionManager",
        json!({
            "stat_prefix": NAME,
            "route_config": { "virtual_hosts": [{ "name": NAME, "domains": ["*"], "routes": routes }] },
            "http_filters": [{ "name": "router", "typed_config": typed("filters.http.router.v3.Router", json!({})) }],
        }),
    );
    let tls = |kind: &str, settings| json!({ "name": "tls", "typed_config": typed(&format!("transport_sockets.tls.v3.{kind}"), settings) });
    let downstream = json!({ "common_tls_context": { "tls_certificates": [certificate] } });
    json!({ "static_resources": {
        "listeners": [{
            "name": NAME,
            "address": address(ADDRESS, 443),
            "filter_chains": [{
                "transport_socket": tls("DownstreamTlsContext", downstream),
                "filters": [{ "name": "http", "typed_config": http }],
            }],
        }],
        "clusters": [{
            "name": "ca",
            "transport_socket": tls("UpstreamTlsContext", json!({})),
            "load_assignment": { "cluster_name": "ca", "endpoints": [{ "lb_endpoints": [
                { "endpoint": { "address": address(site.world(), Port::Acme as u16) } },
            ]}]},
        }],
    }})
}

/// Settings of one of Envoy's extensions, which say what they are.
fn typed(kind: &str, mut settings: Value) -> Value {
    settings["@type"] = json!(format!("type.googleapis.com/envoy.extensions.{kind}"));
    settings
}

fn address(address: Ipv4Addr, port: u16) -> Value {
    json!({ "socket_address": { "address": address, "port_value": port } })
}
