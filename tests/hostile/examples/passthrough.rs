//! Solves TLS-ALPN-01, by the contract that added it; what it was asked and told is its receipt.
mod bindings {
    wit_bindgen::generate!({ world: "tls-alpn01-solver", path: "../../wit/solver-0.1.1" });
}

use bindings::exports::signet::solver::tls_alpn01::{Challenge, Guest};
use bindings::signet::solver::responder::Endpoint;
use bindings::signet::solver::types::Error;

struct Component;

impl Guest for Component {
    fn present(challenge: Challenge, endpoint: Endpoint) -> Result<Vec<u8>, Error> {
        let Challenge { host, server_name, token, .. } = challenge;
        let Endpoint { addresses, port } = endpoint;
        Ok(format!("{host} {server_name} {token} {} {port}", addresses.join(",")).into_bytes())
    }

    fn cleanup(challenge: Challenge, receipt: Option<Vec<u8>>) -> Result<(), Error> {
        match receipt {
            Some(receipt) if receipt.starts_with(challenge.host.as_bytes()) => Ok(()),
            _ => Err(Error::Permanent("the receipt is another's".to_owned())),
        }
    }
}

bindings::export!(Component with_types_in bindings);

const TEXT: &str =
    r#"{"name":"passthrough","version":"1.0.0","wit":"signet:solver@0.1.1","challenges":["tls-alpn-01"]}"#;
#[unsafe(link_section = "signet-solver-manifest")]
#[used]
static MANIFEST: [u8; TEXT.len()] = *TEXT.as_bytes().first_chunk().expect("as long as itself");
