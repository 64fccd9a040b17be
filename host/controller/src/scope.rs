//! Where the controller looks: at the whole cluster, or at some namespaces of it.
//!
//! Each cache is fed by one watch for each [`Part`] of the cluster, so a kind that is watched in three
//! namespaces has three parts, and one that is not watched at all has none.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::Secret;
use kube::core::PartialObjectMeta;
use kube::{Api, Client};

use crate::flags::Flags;
use crate::key::Key;
use crate::stores::Stored;

/// What one watch shows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    /// All of a kind, in whatever namespace or in none.
    Cluster,
    Namespace(String),
}

impl Part {
    /// Whether the object at `key` is shown.
    pub(crate) fn has(&self, key: &Key) -> bool {
        match self {
            Self::Cluster => true,
            Self::Namespace(namespace) => key.namespace == *namespace,
        }
    }

    /// The metadata alone, so that the API server sends nothing else.
    pub(crate) fn metadata_of_secrets(&self, client: &Client) -> Api<PartialObjectMeta<Secret>> {
        match self {
            Self::Cluster => Api::all(client.clone()),
            Self::Namespace(namespace) => Api::namespaced(client.clone(), namespace),
        }
    }

    pub(crate) fn api<K: Stored>(&self, client: &Client) -> Api<K> {
        match self {
            Self::Cluster => Api::all(client.clone()),
            Self::Namespace(namespace) => K::api(client, namespace),
        }
    }
}

/// What the operator lets the controller look at.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    /// Empty for the whole cluster.
    namespaces: BTreeSet<String>,
    watch_secrets: bool,
}

impl Scope {
    pub(crate) fn of(flags: &Flags) -> Self {
        let namespaces = flags.namespace.iter().filter(|namespace| !namespace.is_empty()).cloned().collect();
        Self { namespaces, watch_secrets: flags.watch_secrets }
    }

    pub(crate) fn watches_secrets(&self) -> bool {
        self.watch_secrets
    }

    /// The parts in which kinds that have namespaces are watched.
    pub(crate) fn parts(&self) -> BTreeSet<Part> {
        match self.namespaces.is_empty() {
            true => BTreeSet::from([Part::Cluster]),
            false => self.namespaces.iter().cloned().map(Part::Namespace).collect(),
        }
    }

    /// The parts in which Secrets are watched.
    pub(crate) fn of_secrets(&self) -> BTreeSet<Part> {
        if self.watch_secrets { self.parts() } else { BTreeSet::new() }
    }

    /// The parts in which kinds without namespaces are watched: none where only namespaces are looked at.
    pub(crate) fn of_cluster(&self) -> BTreeSet<Part> {
        self.parts().into_iter().filter(|part| *part == Part::Cluster).collect()
    }

    /// What is to be added to a sentence that misses a ClusterIssuer; nothing where they are looked at.
    pub(crate) fn without_cluster_issuers(&self, namespace: &str) -> String {
        if self.namespaces.is_empty() {
            return String::new();
        }
        let namespaces = self.namespaces.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        format!(
            ": this installation has rights in namespaces only ({namespaces}; --namespace, the chart's value namespaces) and \
             serves no ClusterIssuer; make an Issuer in {namespace} and name it in spec.issuerRef, with kind: Issuer"
        )
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        flags: Flags,
    }

    fn scope(args: &[&str]) -> Scope {
        Scope::of(&Line::parse_from(["signet"].iter().chain(args)).flags)
    }

    fn namespaces(names: &[&str]) -> BTreeSet<Part> {
        names.iter().map(|name| Part::Namespace((*name).into())).collect()
    }

    #[test]
    fn everything_is_watched_unless_namespaces_are_named() {
        for args in [&[][..], &["--namespace="], &["--namespace", ""]] {
            let scope = scope(args);
            let all = BTreeSet::from([Part::Cluster]);
            assert_eq!((scope.parts(), scope.of_secrets(), scope.of_cluster()), (all.clone(), all.clone(), all));
            assert_eq!(scope.without_cluster_issuers("a"), "");
        }
        for args in [&["--namespace=a,b"][..], &["--namespace=a", "--namespace=b"], &["--namespace", "b,a,b"]] {
            let scope = scope(args);
            let both = namespaces(&["a", "b"]);
            assert_eq!((scope.parts(), scope.of_secrets(), scope.of_cluster()), (both.clone(), both, BTreeSet::new()));
            assert!(scope.without_cluster_issuers("a").contains("(a, b;"));
        }
        let scope = scope(&["--namespace=a", "--watch-secrets=false"]);
        assert_eq!((scope.parts(), scope.of_secrets()), (namespaces(&["a"]), BTreeSet::new()));
    }

    #[test]
    fn a_part_has_what_is_in_its_namespace() {
        let part = Part::Namespace("a".into());
        assert!(part.has(&Key::new("a", "x")));
        assert!(!part.has(&Key::new("b", "x")));
        assert!(Part::Cluster.has(&Key::new("", "x")) && Part::Cluster.has(&Key::new("b", "x")));
    }
}
