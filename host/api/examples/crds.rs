//! Prints the CRDs. `cargo run -p signet-api --example crds`

use std::io::Write;

fn main() -> std::io::Result<()> {
    std::io::stdout().write_all(signet_api::crds_yaml().as_bytes())
}
