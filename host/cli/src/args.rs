//! The command line, as clap reads it.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use signet_core::revocation::Reason;

/// See how certificates stand, have them renewed or revoked, and put solvers into the cluster
#[derive(Debug, Parser)]
#[command(name = "kubectl-signet", bin_name = "kubectl signet", version)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

/// Which cluster, and where in it.
#[derive(Debug, Args)]
pub(crate) struct Connection {
    /// Namespace to look in; that of the kubeconfig's context when it is left out
    #[arg(long, short, global = true, value_name = "NAMESPACE")]
    pub(crate) namespace: Option<String>,
    /// Context of the kubeconfig to use; the current one when it is left out
    #[arg(long, global = true, value_name = "CONTEXT")]
    pub(crate) context: Option<String>,
    /// Kubeconfig file; $KUBECONFIG, else ~/.kube/config, when it is left out
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Tell how something stands, and what happens next
    Status {
        #[command(subcommand)]
        of: StatusOf,
    },
    /// Have certificates issued again now, whether or not they are due
    #[command(override_usage = "kubectl signet renew [OPTIONS] <NAME>... | --all | --selector <LABELS>")]
    Renew(Renew),
    /// Have certificates revoked by those who signed them
    Revoke {
        #[command(subcommand)]
        of: RevokeOf,
    },
    /// Give the ACME account of an issuer another key, or end it
    Account {
        #[command(subcommand)]
        command: Account,
    },
    /// Tell what is used of the limits that CAs set, by whom, and who waits for room
    Limits(Limits),
    /// Put solvers into the cluster, list them, take them out
    Plugin {
        #[command(subcommand)]
        command: Plugin,
    },
    /// Print the version of this program
    Version,
}

#[derive(Debug, Subcommand)]
pub(crate) enum StatusOf {
    /// A Certificate and all that stands behind it: issuer, Secret, request, order, challenges
    #[command(visible_aliases = ["cert", "certificates"])]
    Certificate {
        /// Name of the Certificate
        name: String,
    },
    /// An Issuer, and its account when it is of type acme
    #[command(visible_alias = "issuers")]
    Issuer {
        /// Name of the Issuer
        name: String,
    },
    /// A ClusterIssuer, and its account when it is of type acme
    #[command(visible_alias = "clusterissuers")]
    Clusterissuer {
        /// Name of the ClusterIssuer
        name: String,
    },
}

/// Each asks for it once; Signet carries it out.
#[derive(Debug, Subcommand)]
pub(crate) enum Account {
    /// Give the account another key; the one that it has is of no use afterwards
    Rollover(OfIssuer),
    /// End the account for good: nothing is ordered or renewed by the issuer afterwards
    Deactivate {
        #[command(flatten)]
        of: OfIssuer,
        /// Do it; else this only says what comes of it
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct OfIssuer {
    /// Kind of the issuer
    #[arg(value_enum)]
    pub(crate) kind: IssuerKind,
    /// Name of the issuer
    pub(crate) name: String,
}

/// Of every account and CA unless one is named.
#[derive(Debug, Args)]
pub(crate) struct Limits {
    /// Name of an Issuer: of its account and CA only
    #[arg(long, value_name = "NAME", conflicts_with = "clusterissuer")]
    pub(crate) issuer: Option<String>,
    /// Name of a ClusterIssuer
    #[arg(long, value_name = "NAME")]
    pub(crate) clusterissuer: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum IssuerKind {
    Issuer,
    Clusterissuer,
}

impl IssuerKind {
    /// As it is written on the command line.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Issuer => "issuer",
            Self::Clusterissuer => "clusterissuer",
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum RevokeOf {
    /// One certificate of a Certificate; a new one is issued in its place, unless it is cessationOfOperation
    #[command(visible_aliases = ["cert"])]
    Certificate(Revoke),
}

#[derive(Debug, Args)]
pub(crate) struct Revoke {
    /// Name of the Certificate
    pub(crate) name: String,
    /// Why: unspecified, keyCompromise (its key is never used again), cACompromise, affiliationChanged, superseded,
    /// cessationOfOperation (no other is issued), privilegeWithdrawn or aACompromise, as far as the CA takes it
    #[arg(long, value_name = "REASON", default_value = "unspecified", value_parser = Reason::parse)]
    pub(crate) reason: Reason,
    /// Prove it with the certificate's own key, in place of the key of the issuer's account
    #[arg(long)]
    pub(crate) with_certificate_key: bool,
    /// Serial number, in hexadecimal, of an earlier certificate; that of the one in use when it is left out
    #[arg(long, value_name = "HEX")]
    pub(crate) serial: Option<String>,
}

/// In Signet's own namespace, which is found when it is not named.
#[derive(Debug, Subcommand)]
pub(crate) enum Plugin {
    /// Install a plugin from a file or a registry, or replace it; no restart is needed
    Install(Install),
    /// List the plugins that were installed
    List,
    /// Remove a plugin
    #[command(visible_aliases = ["uninstall", "delete"])]
    Remove {
        /// Name of the plugin
        name: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Install {
    /// A solver, as a WebAssembly component
    #[arg(value_name = "FILE", required_unless_present = "reference")]
    pub(crate) file: Option<PathBuf>,
    /// An OCI artifact in a registry, in place of a file: REGISTRY/NAME[:TAG]@sha256:DIGEST
    #[arg(long, value_name = "REFERENCE", conflicts_with = "file", requires = "name")]
    pub(crate) reference: Option<String>,
    /// Digest of the component that --reference leads to, where that names a tag alone: sha256:HEX
    #[arg(long, value_name = "DIGEST", requires = "reference")]
    pub(crate) digest: Option<String>,
    /// Secret in Signet's namespace, of type kubernetes.io/dockerconfigjson, for the registry of --reference
    #[arg(long, value_name = "SECRET", requires = "reference")]
    pub(crate) pull_secret: Option<String>,
    /// Name to list and remove it by; that of its manifest, which Issuers call it by, when it is left out
    #[arg(long, value_name = "NAME", value_parser = label)]
    pub(crate) name: Option<String>,
    /// A file with what it may do, of what it asks for: hosts, kubernetes, networks
    #[arg(long, value_name = "FILE")]
    pub(crate) grants: Option<PathBuf>,
}

/// What can be a label's value and the end of a ConfigMap's name.
fn label(text: &str) -> Result<String, String> {
    let good = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    let ends = |c: char| c.is_ascii_alphanumeric();
    if text.len() <= 63 && text.chars().all(good) && text.starts_with(ends) && text.ends_with(ends) {
        return Ok(text.to_owned());
    }
    Err("letters, digits, - and . only, at most 63, with a letter or a digit at both ends".to_owned())
}

#[derive(Debug, Args)]
pub(crate) struct Renew {
    /// Names of Certificates
    #[arg(value_name = "NAME", required_unless_present_any = ["all", "selector"], conflicts_with_all = ["all", "selector", "all_namespaces"])]
    pub(crate) names: Vec<String>,
    /// Every Certificate of the namespace
    #[arg(long, conflicts_with = "selector")]
    pub(crate) all: bool,
    /// Certificates with these labels, app=web,tier!=test for example
    #[arg(long, short = 'l', value_name = "LABELS")]
    pub(crate) selector: Option<String>,
    /// In every namespace; with --all or --selector
    #[arg(long, short = 'A')]
    pub(crate) all_namespaces: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_holds_together() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn renew_wants_names_or_a_choice_but_not_both() {
        for (line, good) in [
            ("renew web", true),
            ("renew web api -n team-a", true),
            ("renew --all -A", true),
            ("renew -l app=web --namespace team-a", true),
            ("renew", false),
            ("renew -A", false),
            ("renew web --all", false),
            ("renew web -A", false),
            ("renew --all -l app=web", false),
        ] {
            let words = ["kubectl-signet"].into_iter().chain(line.split(' '));
            assert_eq!(Arguments::try_parse_from(words).is_ok(), good, "{line}");
        }
    }

    #[test]
    fn a_reason_is_one_of_the_names() {
        for (line, good) in [
            ("revoke certificate web", true),
            ("revoke cert web --reason keyCompromise --with-certificate-key -n team-a", true),
            ("revoke certificate web --serial 04:a1 --reason superseded", true),
            ("revoke certificate web --reason boredom", false),
            ("revoke certificate", false),
            ("revoke web", false),
        ] {
            let words = ["kubectl-signet"].into_iter().chain(line.split(' '));
            assert_eq!(Arguments::try_parse_from(words).is_ok(), good, "{line}");
        }
    }

    #[test]
    fn an_account_is_that_of_an_issuer() {
        for (line, good) in [
            ("account rollover issuer ca -n team-a", true),
            ("account rollover clusterissuer ca", true),
            ("account deactivate issuer ca --yes", true),
            ("account rollover ca", false),
            ("account rollover certificate web", false),
            ("account rollover issuer ca --yes", false),
            ("status clusterissuer ca", true),
            ("limits", true),
            ("limits --issuer ca -n team-a", true),
            ("limits --issuer ca --clusterissuer ca", false),
        ] {
            let words = ["kubectl-signet"].into_iter().chain(line.split(' '));
            assert_eq!(Arguments::try_parse_from(words).is_ok(), good, "{line}");
        }
    }

    #[test]
    fn a_plugin_is_named_so_that_kubernetes_takes_it() {
        for (line, good) in [
            ("plugin install a.wasm", true),
            ("plugin install a.wasm --name azure-2 -n signet --grants g.yaml", true),
            ("plugin install a.wasm --name -a", false),
            ("plugin install a.wasm --name a_b", false),
            ("plugin install", false),
            ("plugin list", true),
            ("plugin remove", false),
        ] {
            let words = ["kubectl-signet"].into_iter().chain(line.split(' '));
            assert_eq!(Arguments::try_parse_from(words).is_ok(), good, "{line}");
        }
    }
}
