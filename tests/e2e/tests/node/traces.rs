//! A node's lab leaves nothing on the machine: no process, mount, link, control group, rule or file.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use signet_lab::{Config, Lab, Level};

fn output(program: &str, args: &[&str]) -> Result<BTreeSet<String>> {
    let output = Command::new(program).args(args).output().with_context(|| format!("could not run {program}"))?;
    Ok(String::from_utf8(output.stdout)?.lines().map(str::to_owned).collect())
}

fn folders(beneath: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(beneath).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.insert(entry.path().display().to_string());
            folders(&entry.path(), found);
        }
    }
}

/// The control groups of a lab.
fn groups(lab: &str) -> Vec<String> {
    let mut all = BTreeSet::new();
    folders(Path::new("/sys/fs/cgroup"), &mut all);
    all.into_iter().filter(|group| group.contains(&format!("/signet-lab-{lab}"))).collect()
}

/// All else that a node could leave on the machine, which no other lab touches either.
fn traces() -> Result<BTreeSet<String>> {
    let mut found = output("ip", &["-oneline", "link"])?;
    found.extend(output("iptables-save", &[])?.into_iter().filter(|line| line.starts_with("-A")));
    found.extend(fs::read_to_string("/proc/self/mounts")?.lines().map(str::to_owned));
    for setting in ["vm/overcommit_memory", "kernel/panic", "kernel/panic_on_oops", "net/ipv4/ip_forward"] {
        found.insert(format!("{setting} {}", fs::read_to_string(Path::new("/proc/sys").join(setting))?));
    }
    Ok(found)
}

fn processes(of: &str) -> BTreeSet<String> {
    let words = |entry: fs::DirEntry| fs::read_to_string(entry.path().join("cmdline")).ok();
    let all = fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(words);
    all.map(|words| words.replace('\0', " ")).filter(|words| words.contains(of)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_leaves_no_trace() -> Result<()> {
    let _alone = crate::stage_alone("traces").await?;
    let before = traces()?;
    let began = Instant::now();
    let lab = Lab::start(Config { level: Level::Node, ..Config::bare() }).await?;
    let folder = lab.site().dir.clone();
    let up = began.elapsed();
    let name = folder.display().to_string();
    ensure!(processes(&name).len() > 8, "a node has processes: {:?}", processes(&name));
    ensure!(!groups(&lab.site().name).is_empty(), "a node has control groups");
    let lab_name = lab.site().name.clone();
    let began = Instant::now();
    lab.down().await?;
    ensure!(began.elapsed() < Duration::from_secs(10), "it took {:?} to go", began.elapsed());
    let (after, left) = (traces()?, processes(&name));
    let more: Vec<_> = after.difference(&before).collect();
    ensure!(more.is_empty(), "a node that was up after {up:?} left {more:?}");
    ensure!(groups(&lab_name).is_empty(), "control groups are left: {:?}", groups(&lab_name));
    ensure!(left.is_empty(), "processes are left: {left:?}");
    ensure!(!folder.exists(), "{} is left", folder.display());
    Ok(())
}
