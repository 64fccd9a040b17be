//! Why a machine cannot have a node, said before anything is tried.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Programs of the operating system that a node needs, and where Debian has them.
const PROGRAMS: [(&str, &str); 4] =
    [("unshare", "util-linux"), ("ip", "iproute2"), ("iptables", "iptables"), ("runc", "runc")];

/// What keeps this machine from having a node, as a sentence; `None` when nothing does.
pub fn obstacle() -> Option<String> {
    if !rustix::process::getuid().is_root() {
        return Some("a node needs root: it makes namespaces, mounts and control groups of its own".to_owned());
    }
    let missing: Vec<_> = PROGRAMS.iter().filter(|(program, _)| find(program).is_none()).collect();
    if !missing.is_empty() {
        let programs: Vec<_> = missing.iter().map(|(program, _)| format!("`{program}`")).collect();
        let packages: Vec<_> = missing.iter().map(|(_, package)| *package).collect();
        let (programs, packages) = (programs.join(", "), packages.join(" "));
        return Some(format!("a node needs {programs} on PATH (on Debian: apt-get install {packages})"));
    }
    let mut namespaces = Command::new("unshare");
    namespaces.args(["--mount", "--net", "--pid", "--cgroup", "--uts", "--ipc", "--fork", "--", "mount"]);
    namespaces.args(["-t", "tmpfs", "tmpfs", "/run"]).stdin(Stdio::null());
    match namespaces.output() {
        Ok(output) if output.status.success() => None,
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            Some(format!("this machine lets nobody make namespaces with mounts of their own: {said}"))
        }
        Err(error) => Some(format!("could not run `unshare`: {error}")),
    }
}

/// Where a program is, on `PATH` or where administrators' programs are.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin", "/sbin"].map(PathBuf::from));
    folders.map(|folder| folder.join(program)).find(|program| Path::is_file(program))
}
