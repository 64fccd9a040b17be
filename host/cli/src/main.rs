//! `kubectl signet`: what a person asks of Signet beyond `kubectl`.
//!
//! [`args`] reads the command line, [`cluster`] connects. `status` has [`gather`] read what there
//! is into a [`gathered::Gathered`], of which [`story`], a pure function, makes the text. [`renew`],
//! [`revoke`] and [`plugin`] are the only parts that write.

mod account;
mod args;
mod cluster;
#[cfg(test)]
mod fake;
mod gather;
mod gathered;
mod issuers;
mod limits;
mod plugin;
mod renew;
mod revoke;
mod story;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use jiff::Timestamp;

use args::{Arguments, Command, Connection, IssuerKind, RevokeOf, StatusOf};
use cluster::Cluster;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<ExitCode> {
    let Arguments { command, connection } = arguments;
    match command {
        Command::Version => {
            println!("kubectl-signet {}", env!("CARGO_PKG_VERSION"));
            Ok(ExitCode::SUCCESS)
        }
        Command::Status { of: StatusOf::Certificate { name } } => {
            let cluster = Cluster::connect(&connection).await?;
            let gathered = gather::gather(&cluster, &name).await?;
            print!("{}", story::story(&gathered, Timestamp::now()));
            Ok(ExitCode::SUCCESS)
        }
        Command::Revoke { of: RevokeOf::Certificate(wanted) } => {
            let cluster = Cluster::connect(&connection).await?;
            print!("{}", revoke::revoke(&cluster, &wanted).await?);
            Ok(ExitCode::SUCCESS)
        }
        Command::Status { of: StatusOf::Issuer { name } } => status_of(&connection, IssuerKind::Issuer, &name).await,
        Command::Status { of: StatusOf::Clusterissuer { name } } => {
            status_of(&connection, IssuerKind::Clusterissuer, &name).await
        }
        Command::Account { command } => {
            let cluster = Cluster::connect(&connection).await?;
            print!("{}", account::run(&cluster, &command, Timestamp::now()).await?);
            Ok(ExitCode::SUCCESS)
        }
        Command::Limits(wanted) => {
            let cluster = Cluster::connect(&connection).await?;
            print!("{}", limits::limits(&cluster, &wanted, Timestamp::now()).await?);
            Ok(ExitCode::SUCCESS)
        }
        Command::Plugin { command } => {
            let cluster = Cluster::connect(&connection).await?;
            print!("{}", plugin::run(&cluster, connection.namespace.as_deref(), &command).await?);
            Ok(ExitCode::SUCCESS)
        }
        Command::Renew(wanted) => {
            let cluster = Cluster::connect(&connection).await?;
            renew::renew(&cluster, &wanted, Timestamp::now()).await
        }
    }
}

async fn status_of(connection: &Connection, kind: IssuerKind, name: &str) -> Result<ExitCode> {
    let cluster = Cluster::connect(connection).await?;
    let gathered = gather::gather_issuer(&cluster, kind, name).await?;
    print!("{}", story::issuer::story(&gathered, Timestamp::now()));
    Ok(ExitCode::SUCCESS)
}
