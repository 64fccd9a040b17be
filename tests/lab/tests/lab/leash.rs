//! However a lab ends, no process and no file of it is left.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The processes whose command line or environment names a folder.
fn processes_of(folder: &Path) -> Vec<(i32, String)> {
    let folder = folder.display().to_string();
    let of = |entry: fs::DirEntry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let words = fs::read(entry.path().join("cmdline")).ok()?;
        let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace('\0', " ");
        (text(&words).contains(&folder) || text(&environment).contains(&folder)).then(|| (pid, text(&words)))
    };
    fs::read_dir("/proc").unwrap().flatten().filter_map(of).collect()
}

fn until<T>(what: &str, condition: impl Fn() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(Instant::now() < deadline, "not within a minute: {what}");
        std::thread::yield_now();
    }
}

/// A lab held by a process of its own, in a folder of its own.
fn hold(folder: &Path) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_signet-lab"));
    // `cat` ends when this test does, because its input does.
    command.args(["run", "--bare", "--", "cat"]).env("SIGNET_LAB_DIR", folder);
    let child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let is_up = || fs::read_dir(folder).ok()?.flatten().find(|lab| lab.path().join("site.json").exists());
    until("the lab is up", is_up);
    child
}

#[test]
fn a_killed_holder_leaves_nothing() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("labs");
    let mut holder = hold(&folder);
    assert!(processes_of(&folder).len() > 5);
    holder.kill().unwrap();
    holder.wait().unwrap();
    drop(holder.stdin.take());
    until("every process has ended", || processes_of(&folder).is_empty().then_some(()));
    until("every file is gone", || (!folder.exists()).then_some(()));
}

#[test]
fn a_killed_supervisor_takes_its_processes_along() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("labs");
    let mut holder = hold(&folder);
    let all = processes_of(&folder);
    let (supervisor, _) = all.iter().find(|(_, words)| words.contains(" supervise ")).unwrap();
    Command::new("kill").args(["-KILL", &supervisor.to_string()]).status().unwrap();
    // Its command goes on until its input ends.
    drop(holder.stdin.take());
    holder.wait().unwrap();
    until("every process has ended", || processes_of(&folder).is_empty().then_some(()));
}
