//! What the compiler does not say of this repository: a Rust file that nothing compiles, a guest that
//! nobody tests, and a published contract that changed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// The Rust files and manifests that git tracks, by their path in the repository.
type Files = BTreeMap<PathBuf, String>;

/// The published contracts with solvers, and the SHA-256 of each.
const CONTRACTS: [(&str, &str); 1] = [("0.1.0", "c5eccbd2b51a9f36892388951d7cd96a7a324be43a99f459965c327dc733df80")];

#[test]
fn every_file_is_compiled_and_every_guest_tested() -> Result<()> {
    let files = tracked()?;
    let compiled = compiled(&files, &targets(&files)?);
    let rust = files.keys().filter(|file| is_rust(file));
    let orphans = rust
        .filter(|file| !compiled.contains(*file))
        .map(|file| format!("{}: compiled by nothing: no target and no `mod` names it", file.display()));
    let untested = untested(&files).into_iter().map(|guest| format!("{}: a guest without a #[test]", guest.display()));
    let faults: Vec<String> = orphans.chain(untested).collect();
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
    Ok(())
}

/// Components out there were built against them.
#[test]
fn a_published_contract_does_not_change() -> Result<()> {
    for (version, digest) in CONTRACTS {
        let contract = std::fs::read(root().join(format!("wit/solver-{version}/solver.wit")))?;
        ensure!(format!("{:x}", Sha256::digest(&contract)) == digest, "change a copy of wit/solver-{version} instead");
    }
    Ok(())
}

#[test]
fn a_file_is_compiled_when_a_module_leads_to_it() {
    let files = files(&[
        ("a/src/lib.rs", "mod one;\npub(crate) mod two;\n// mod three;\nmod inline {}\n"),
        ("a/src/one.rs", "#[cfg(test)]\nmod tests;\n"),
        ("a/src/one/tests.rs", ""),
        ("a/src/two/mod.rs", "mod beside;\n#[path = \"../../shared/elsewhere.rs\"]\nmod named;"),
        ("a/src/two/beside.rs", ""),
        ("a/shared/elsewhere.rs", ""),
        ("a/src/three.rs", ""),
        ("a/src/tests.rs", ""),
        ("a/tests/all.rs", "mod support;"),
        ("a/tests/support/mod.rs", ""),
        ("a/tests/all/support.rs", ""),
    ]);
    let compiled = compiled(&files, &["a/src/lib.rs".into(), "a/tests/all.rs".into()]);
    let orphans: Vec<_> = files.keys().filter(|file| !compiled.contains(*file)).collect();
    assert_eq!(orphans, ["a/src/tests.rs", "a/src/three.rs", "a/tests/all/support.rs"].map(Path::new));
}

#[test]
fn a_guest_is_tested_by_a_test_of_its_own() {
    let files = files(&[
        ("plugins/Cargo.toml", ""),
        ("plugins/with/Cargo.toml", ""),
        ("plugins/with/src/lib.rs", "    #[test]\n    fn it_is() {}"),
        ("plugins/without/Cargo.toml", ""),
        ("plugins/without/src/lib.rs", "// #[test] is what it lacks"),
        ("host/core/Cargo.toml", ""),
    ]);
    assert_eq!(untested(&files), [Path::new("plugins/without")]);
}

fn files(all: &[(&str, &str)]) -> Files {
    all.iter().map(|(path, text)| (path.into(), (*text).to_owned())).collect()
}

fn tracked() -> Result<Files> {
    let listed = run("git", &["ls-files", "*.rs", "*Cargo.toml"])?;
    // One that someone is about to remove is not there to be read.
    let there = listed.lines().filter_map(|path| Some((path.into(), std::fs::read_to_string(root().join(path)).ok()?)));
    Ok(there.collect())
}

/// The files that cargo starts from, in every workspace: libraries, programs, tests, examples.
fn targets(files: &Files) -> Result<Vec<PathBuf>> {
    let mut targets = Vec::new();
    for (manifest, _) in files.iter().filter(|(_, text)| text.lines().any(|line| line == "[workspace]")) {
        let manifest = manifest.to_str().context("paths are text")?;
        let described =
            run(env!("CARGO"), &["metadata", "--no-deps", "--format-version=1", "--manifest-path", manifest])?;
        let described: Value = serde_json::from_str(&described)?;
        let packages = described["packages"].as_array().into_iter().flatten();
        let paths = packages.flat_map(|package| package["targets"].as_array().into_iter().flatten());
        let paths = paths.filter_map(|target| Path::new(target["src_path"].as_str()?).strip_prefix(root()).ok());
        targets.extend(paths.map(Path::to_owned));
    }
    Ok(targets)
}

/// The targets, and the files that a `mod` of one of them names, and of those, and so on.
fn compiled(files: &Files, targets: &[PathBuf]) -> BTreeSet<PathBuf> {
    // The second says whether a file's modules are beside it, or in the folder of its name.
    let mut due: Vec<(PathBuf, bool)> = targets.iter().map(|target| (target.clone(), true)).collect();
    let mut compiled = BTreeSet::new();
    while let Some((file, owns_folder)) = due.pop() {
        let (Some(text), Some(folder)) = (files.get(&file), file.parent()) else { continue };
        let inner = if owns_folder { folder.to_owned() } else { file.with_extension("") };
        for (name, path) in modules(text) {
            match path {
                Some(path) => due.push((plain(&folder.join(path)), true)),
                None => {
                    due.push((inner.join(name).with_extension("rs"), false));
                    due.push((inner.join(name).join("mod.rs"), true));
                }
            }
        }
        compiled.insert(file);
    }
    compiled
}

/// The modules that a file declares without a body, each with the path that an attribute gives it.
fn modules(text: &str) -> Vec<(&str, Option<&str>)> {
    let mut modules = Vec::new();
    let mut path = None;
    for line in text.lines().map(str::trim) {
        if let Some(named) = line.strip_prefix("#[path = \"").and_then(|rest| rest.strip_suffix("\"]")) {
            path = Some(named);
        } else if let Some(declared) = line.strip_suffix(';') {
            let words: Vec<&str> = declared.split(' ').collect();
            match words[..] {
                ["mod", name] => modules.push((name, path.take())),
                [visibility, "mod", name] if visibility.starts_with("pub") => modules.push((name, path.take())),
                _ => {}
            }
        }
    }
    modules
}

/// The folders of guests (plugins, examples, SDKs) in which no file has a test.
fn untested(files: &Files) -> Vec<&Path> {
    let guests = files.keys().filter_map(|file| {
        let folder = file.parent().filter(|_| file.ends_with("Cargo.toml"))?;
        let kind = folder.parent()?.to_str()?;
        ["plugins", "examples", "sdk"].contains(&kind).then_some(folder)
    });
    let has_test =
        |(file, text): (&PathBuf, &String)| is_rust(file) && text.lines().any(|line| line.trim() == "#[test]");
    let tested: Vec<&PathBuf> = files.iter().filter(|file| has_test(*file)).map(|(file, _)| file).collect();
    guests.filter(|guest| !tested.iter().any(|file| file.starts_with(guest))).collect()
}

fn is_rust(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "rs")
}

/// A relative path without `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        if part == Component::ParentDir {
            plain.pop();
        } else {
            plain.push(part);
        }
    }
    plain
}

fn root() -> &'static Path {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    tests.and_then(Path::parent).expect("this crate is in tests/e2e")
}

fn run(program: &str, args: &[&str]) -> Result<String> {
    let output = Command::new(program).args(args).current_dir(root()).output()?;
    ensure!(output.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}
