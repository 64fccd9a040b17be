//! The control groups of a node: a group of its own in each hierarchy, beneath the one that whoever starts
//! it is in, which becomes the root of all that the node sees.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nix::mount::{MsFlags, mount};

use crate::site::Site;

const ROOT: &str = "/sys/fs/cgroup";

/// What the kubelet and runc ask for where each controller has a hierarchy to itself (version 1).
const CONTROLLERS: [&str; 9] = ["cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids", "systemd"];

const PREFIX: &str = "signet-lab-";

/// Makes the lab's groups and moves this process into them.
pub(crate) fn join(site: &Site) -> Result<()> {
    sweep()?;
    for parent in parents()? {
        let group = parent.join(format!("{PREFIX}{}", site.name));
        fs::create_dir(&group).with_context(|| format!("could not make the control group {}", group.display()))?;
        if unified() {
            // What the parent does not hand on the node cannot have; the kubelet says which it misses.
            let _ = enable_all(&parent);
        }
        for file in ["cpuset.cpus", "cpuset.mems"] {
            if parent.starts_with(Path::new(ROOT).join("cpuset")) {
                fs::write(group.join(file), fs::read(parent.join(file.replace("cpuset.", "cpuset.effective_")))?)?;
            }
        }
        fs::write(group.join("cgroup.procs"), "0")
            .with_context(|| format!("could not join the control group {}", group.display()))?;
    }
    Ok(())
}

/// Shows the lab's groups as all there are; in a cgroup namespace and a mount namespace of the lab's own.
pub(crate) fn mount_own() -> Result<()> {
    let none = MsFlags::empty();
    if unified() {
        mount(Some("cgroup2"), ROOT, Some("cgroup2"), none, None::<&str>)?;
        // A group that hands controllers on has no process of its own.
        let inner = Path::new(ROOT).join("lab");
        fs::create_dir(&inner)?;
        fs::write(inner.join("cgroup.procs"), "0")?;
        return enable_all(Path::new(ROOT));
    }
    mount(Some("tmpfs"), ROOT, Some("tmpfs"), none, Some("mode=755"))?;
    for controller in CONTROLLERS {
        let at = Path::new(ROOT).join(controller);
        fs::create_dir(&at)?;
        let options = if controller == "systemd" { "none,name=systemd" } else { controller };
        mount(Some("cgroup"), &at, Some("cgroup"), none, Some(options))
            .with_context(|| format!("could not mount the cgroup hierarchy of {controller}"))?;
    }
    Ok(())
}

/// Removes the groups of the lab of that name; no process may be in them any more.
pub(crate) fn remove(name: &str) -> Result<()> {
    for parent in parents()? {
        remove_tree(&parent.join(format!("{PREFIX}{name}")))?;
    }
    Ok(())
}

/// Removes the groups of labs that were killed: those whose folder is gone.
fn sweep() -> Result<()> {
    for parent in parents()? {
        for entry in fs::read_dir(&parent)?.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if let Some(lab) = name.strip_prefix(PREFIX)
                && !Site::root().join(lab).exists()
            {
                let _ = remove_tree(&entry.path());
            }
        }
    }
    Ok(())
}

fn remove_tree(group: &Path) -> Result<()> {
    let entries = match fs::read_dir(group) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries.flatten() {
        if entry.file_type()?.is_dir() {
            remove_tree(&entry.path())?;
        }
    }
    fs::remove_dir(group).with_context(|| format!("could not remove the control group {}", group.display()))
}

fn unified() -> bool {
    Path::new(ROOT).join("cgroup.controllers").exists()
}

/// Where this process is, in each hierarchy; in the unified one the top, which alone may hand controllers on.
fn parents() -> Result<Vec<PathBuf>> {
    if unified() {
        return Ok(vec![PathBuf::from(ROOT)]);
    }
    let own = fs::read_to_string("/proc/self/cgroup")?;
    let parent = |controller: &&str| {
        let path = path_of(&own, controller)?;
        Some(Path::new(ROOT).join(controller).join(path.trim_start_matches('/')))
    };
    CONTROLLERS
        .iter()
        .map(|controller| {
            parent(controller).with_context(|| format!("this machine has no cgroup hierarchy of {controller}"))
        })
        .collect()
}

/// The path of one controller's line in `/proc/self/cgroup`.
fn path_of<'a>(own: &'a str, controller: &str) -> Option<&'a str> {
    own.lines().find_map(|line| {
        let (_, line) = line.split_once(':')?;
        let (controllers, path) = line.split_once(':')?;
        controllers.split(',').any(|named| named.trim_start_matches("name=") == controller).then_some(path)
    })
}

fn enable_all(group: &Path) -> Result<()> {
    let controllers = fs::read_to_string(group.join("cgroup.controllers"))?;
    for controller in controllers.split_whitespace() {
        fs::write(group.join("cgroup.subtree_control"), format!("+{controller}"))
            .with_context(|| format!("could not hand the controller {controller} on from {}", group.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_controller_is_found_in_its_line() {
        let own = "9:name=systemd:/user\n4:memory:/a/b\n3:cpu,cpuacct:/c\n0::/\n";
        assert_eq!(path_of(own, "systemd"), Some("/user"));
        assert_eq!(path_of(own, "memory"), Some("/a/b"));
        assert_eq!(path_of(own, "cpuacct"), Some("/c"));
        assert_eq!(path_of(own, "pids"), None);
    }
}
