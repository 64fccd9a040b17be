//! The programs that a lab runs, built once from package registries into a cache outside the
//! checkout: `$SIGNET_CACHE`, or `~/.cache/signet`, with a folder for each pinned version.
//!
//! What to build is pinned by the Go modules and the requirements in `tools/`, which travel inside
//! this crate. A lock file lets parallel runs build once.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};

/// A set of Go programs that come from one pinned module graph.
struct GoModule {
    name: &'static str,
    version: &'static str,
    go_mod: &'static str,
    go_sum: &'static str,
    /// What to say about the version, beside stripping symbols.
    ldflags: &'static str,
    /// Program and package.
    programs: &'static [(&'static str, &'static str)],
}

macro_rules! pinned {
    ($name:literal, $file:literal) => {
        include_str!(concat!("../tools/", $name, "/", $file))
    };
}

const GO_MODULES: [GoModule; 4] = [
    GoModule {
        name: "pebble",
        version: "v2.10.1",
        go_mod: pinned!("pebble", "go.mod"),
        go_sum: pinned!("pebble", "go.sum"),
        ldflags: "",
        programs: &[
            ("pebble", "github.com/letsencrypt/pebble/v2/cmd/pebble"),
            ("pebble-challtestsrv", "github.com/letsencrypt/pebble/v2/cmd/pebble-challtestsrv"),
        ],
    },
    GoModule {
        name: "etcd",
        version: "v3.6.8",
        go_mod: pinned!("etcd", "go.mod"),
        go_sum: pinned!("etcd", "go.sum"),
        ldflags: "",
        programs: &[("etcd", "go.etcd.io/etcd/server/v3")],
    },
    GoModule {
        name: "k8s",
        version: "v1.36.3",
        go_mod: pinned!("k8s", "go.mod"),
        go_sum: pinned!("k8s", "go.sum"),
        ldflags: "-X k8s.io/component-base/version.gitVersion=v1.36.3 \
                  -X k8s.io/component-base/version.gitMajor=1 \
                  -X k8s.io/component-base/version.gitMinor=36",
        programs: &[
            ("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"),
            ("kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager"),
            ("kubectl", "k8s.io/kubernetes/cmd/kubectl"),
        ],
    },
    GoModule {
        name: "helm",
        version: "v4.3.1",
        go_mod: pinned!("helm", "go.mod"),
        go_sum: pinned!("helm", "go.sum"),
        ldflags: "",
        programs: &[("helm", "helm.sh/helm/v4/cmd/helm")],
    },
];

const MOTO: &str = "moto-5.2.5";
const REQUIREMENTS: &str = include_str!("../tools/moto/requirements.txt");

/// Where the built programs are.
#[derive(Debug, Clone)]
pub struct Tools {
    cache: PathBuf,
}

impl Tools {
    /// Finds the programs, and builds those that are missing: some ten minutes the first time.
    ///
    /// # Errors
    /// Go or Python is missing, a registry cannot be reached, or a build fails.
    pub fn ready() -> Result<Self> {
        let tools = Self { cache: cache_dir()? };
        if tools.missing() {
            let lock = tools.lock()?;
            tools.build()?;
            drop(lock);
        }
        Ok(tools)
    }

    /// The path of a program, by its own name.
    pub fn program(&self, name: &str) -> PathBuf {
        let module = GO_MODULES.iter().find(|module| module.programs.iter().any(|(program, _)| *program == name));
        self.folder(module.expect("asked only for programs of the table")).join(name)
    }

    /// The Python that has moto.
    pub fn python(&self) -> PathBuf {
        self.cache.join(MOTO).join("bin/python")
    }

    /// The folders to put on `PATH` so that a person finds kubectl and helm.
    pub fn path_entries(&self) -> Vec<PathBuf> {
        GO_MODULES.iter().map(|module| self.folder(module)).collect()
    }

    fn folder(&self, module: &GoModule) -> PathBuf {
        self.cache.join(format!("{}-{}", module.name, module.version))
    }

    fn missing(&self) -> bool {
        let programs = GO_MODULES.iter().flat_map(|module| module.programs);
        programs.into_iter().any(|(name, _)| !self.program(name).exists()) || !self.moto_done().exists()
    }

    fn moto_done(&self) -> PathBuf {
        self.cache.join(MOTO).join("complete")
    }

    fn lock(&self) -> Result<File> {
        fs::create_dir_all(&self.cache)?;
        let lock = File::create(self.cache.join("build.lock"))?;
        if lock.try_lock().is_err() {
            eprintln!("signet-lab: another run is building the lab's programs, waiting for it");
            lock.lock()?;
        }
        Ok(lock)
    }

    fn build(&self) -> Result<()> {
        for module in &GO_MODULES {
            for (name, package) in module.programs {
                if !self.program(name).exists() {
                    self.build_go(module, name, package)?;
                }
            }
        }
        if !self.moto_done().exists() {
            self.build_moto()?;
        }
        Ok(())
    }

    fn build_go(&self, module: &GoModule, name: &str, package: &str) -> Result<()> {
        let folder = self.folder(module);
        let source = folder.join("source");
        fs::create_dir_all(&source)?;
        fs::write(source.join("go.mod"), module.go_mod)?;
        fs::write(source.join("go.sum"), module.go_sum)?;
        let unfinished = folder.join(format!("{name}.unfinished"));
        let mut go = Command::new("go");
        go.current_dir(&source)
            .env("CGO_ENABLED", "0")
            .args(["build", "-mod=readonly", "-trimpath", "-ldflags"])
            .arg(format!("-s -w {}", module.ldflags).trim_end())
            .arg("-o")
            .arg(&unfinished)
            .arg(package);
        step(&format!("building {name} {}", module.version), &mut go, "Go 1.26 or newer (https://go.dev/dl)")?;
        fs::rename(&unfinished, folder.join(name))?;
        Ok(())
    }

    fn build_moto(&self) -> Result<()> {
        let folder = self.cache.join(MOTO);
        let _ = fs::remove_dir_all(&folder);
        let mut venv = Command::new("python3");
        venv.args(["-m", "venv"]).arg(&folder);
        step("making a Python environment", &mut venv, "Python 3.10 or newer, with its venv module")?;
        let requirements = folder.join("requirements.txt");
        fs::write(&requirements, REQUIREMENTS)?;
        let mut pip = Command::new(self.python());
        pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check", "-r"])
            .arg(requirements);
        step(&format!("installing {MOTO}"), &mut pip, "pip")?;
        File::create(self.moto_done())?;
        Ok(())
    }
}

fn cache_dir() -> Result<PathBuf> {
    if let Some(dir) = std::env::var_os("SIGNET_CACHE") {
        return Ok(PathBuf::from(dir));
    }
    let home =
        std::env::var_os("HOME").context("neither SIGNET_CACHE nor HOME is set: set one, for the lab's programs")?;
    Ok(Path::new(&home).join(".cache/signet"))
}

/// Runs one build step, says how long it took, and shows its output only if it fails.
fn step(what: &str, command: &mut Command, needs: &str) -> Result<()> {
    eprint!("signet-lab: {what} … ");
    let began = Instant::now();
    let output = match command.stdin(Stdio::null()).output() {
        Ok(output) => output,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            bail!(
                "{what} needs {needs}, and there is no `{}` on PATH: install it and try again",
                command.get_program().display()
            )
        }
        Err(error) => return Err(error).context(what.to_owned()),
    };
    if !output.status.success() {
        bail!("{what} failed ({}):\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    eprintln!("{} s", began.elapsed().as_secs());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_named_versions_are_the_pinned_ones() {
        for module in &GO_MODULES {
            let (_, package) = module.programs[0];
            let pinned = module.go_mod.lines().any(|line| {
                let mut words = line.trim().trim_start_matches("require ").split(' ');
                words.next().is_some_and(|path| package.starts_with(path)) && words.next() == Some(module.version)
            });
            assert!(pinned, "{} {}", module.name, module.version);
        }
        assert!(REQUIREMENTS.lines().any(|line| line.replace("==", "-") == MOTO));
    }
}
