//! `signet`: the controller's binary.

use clap::{Parser, Subcommand};

/// Issues, renews and revokes TLS certificates in Kubernetes.
#[derive(Parser)]
#[command(name = "signet", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Prints the CustomResourceDefinitions as YAML.
    Crds,
}

fn main() {
    match Arguments::parse().command {
        Command::Crds => print!("{}", signet_api::crds_yaml()),
    }
}
