//! The programs that a lab runs, built once from package registries into a cache outside the
//! checkout: `$SIGNET_CACHE`, or `~/.cache/signet`, with a folder for each pinned version.
//!
//! What to build is pinned by the Go modules and the requirements in `tools/`. A lock file lets
//! parallel runs build once.

mod pinned;

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::config::Level;
use pinned::{CONTROL_PLANE, ENVOY, GoModule, MOTO, NODE, PythonPackages};

/// Where the built programs are.
#[derive(Debug, Clone)]
pub struct Tools {
    cache: PathBuf,
}

impl Tools {
    /// Finds the programs of a control plane, and builds those that are missing: some ten minutes
    /// the first time.
    ///
    /// # Errors
    /// Go or Python is missing, a registry cannot be reached, or a build fails.
    pub fn ready() -> Result<Self> {
        Self::ready_for(Level::ControlPlane)
    }

    /// Finds the programs of a level, and builds those that are missing.
    ///
    /// # Errors
    /// Go or Python is missing, a registry cannot be reached, or a build fails.
    pub fn ready_for(level: Level) -> Result<Self> {
        let tools = Self { cache: cache_dir()? };
        let (modules, packages): (Vec<&GoModule>, &[PythonPackages]) = match level {
            Level::ControlPlane => (CONTROL_PLANE.iter().collect(), &[MOTO]),
            Level::Node => (CONTROL_PLANE.iter().chain(NODE).collect(), &[MOTO, ENVOY]),
        };
        if tools.misses(&modules, packages) {
            let lock = tools.lock()?;
            tools.build(&modules, packages)?;
            drop(lock);
        }
        Ok(tools)
    }

    /// The path of a program, by its own name.
    pub fn program(&self, name: &str) -> PathBuf {
        let named = |module: &&GoModule| module.programs.iter().any(|(program, _)| *program == name);
        let module = CONTROL_PLANE.iter().chain(NODE).find(named);
        self.folder(module.expect("asked only for programs of the table")).join(name)
    }

    /// The Python that has moto.
    pub fn python(&self) -> PathBuf {
        self.environment(&MOTO).join("bin/python")
    }

    /// The Envoy that the Python package of that name is a wrapping of.
    pub(crate) fn envoy(&self) -> Result<PathBuf> {
        let lib = self.environment(&ENVOY).join("lib");
        let versions = fs::read_dir(&lib).with_context(|| format!("could not read {}", lib.display()))?;
        let program = |version: fs::DirEntry| version.path().join("site-packages/envoy/_bin/envoy");
        let found = versions.flatten().map(program).find(|program| program.exists());
        found.with_context(|| format!("the package {} has no envoy in it", ENVOY.name))
    }

    /// The manifests that Contour's module brings.
    pub(crate) fn contour_manifests(&self) -> PathBuf {
        self.manifests("contour")
    }

    /// The CRDs of the Gateway API, in the version that Contour is made for.
    pub(crate) fn gateway_api_manifests(&self) -> PathBuf {
        self.manifests("gateway-api")
    }

    fn manifests(&self, name: &str) -> PathBuf {
        let named = |module: &&GoModule| module.name == name && module.manifests.is_some();
        let module = CONTROL_PLANE.iter().chain(NODE).find(named);
        self.folder(module.expect("asked only for manifests of the table")).join(MANIFESTS)
    }

    /// Where the images of those programs are kept.
    pub(crate) fn images(&self) -> PathBuf {
        self.cache.join("images")
    }

    /// The folders to put on `PATH` so that a person finds kubectl and helm.
    pub fn path_entries(&self) -> Vec<PathBuf> {
        CONTROL_PLANE.iter().map(|module| self.folder(module)).collect()
    }

    fn folder(&self, module: &GoModule) -> PathBuf {
        self.cache.join(format!("{}-{}", module.name, module.version))
    }

    fn environment(&self, packages: &PythonPackages) -> PathBuf {
        self.cache.join(packages.name)
    }

    fn misses(&self, modules: &[&GoModule], packages: &[PythonPackages]) -> bool {
        let built = |module: &&GoModule| {
            let folder = self.folder(module);
            let manifests = module.manifests.is_none() || folder.join(MANIFESTS).exists();
            manifests && module.programs.iter().all(|(name, _)| folder.join(name).exists())
        };
        !modules.iter().all(built) || !packages.iter().all(|packages| self.complete(packages).exists())
    }

    fn complete(&self, packages: &PythonPackages) -> PathBuf {
        self.environment(packages).join("complete")
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

    fn build(&self, modules: &[&GoModule], packages: &[PythonPackages]) -> Result<()> {
        for module in modules {
            for (name, package) in module.programs {
                if !self.folder(module).join(name).exists() {
                    self.build_go(module, name, package)?;
                }
            }
            if let Some((path, folder)) = module.manifests
                && !self.folder(module).join(MANIFESTS).exists()
            {
                self.copy_manifests(module, path, folder)?;
            }
        }
        for packages in packages {
            if !self.complete(packages).exists() {
                self.install(packages)?;
            }
        }
        Ok(())
    }

    fn build_go(&self, module: &GoModule, name: &str, package: &str) -> Result<()> {
        let (folder, source) = (self.folder(module), self.source(module)?);
        let unfinished = folder.join(format!("{name}.unfinished"));
        let mut go = Command::new("go");
        go.current_dir(&source)
            .env("CGO_ENABLED", "0")
            .args(["build", "-mod=readonly", "-trimpath", "-ldflags"])
            .arg(format!("-s -w {}", module.ldflags).trim_end())
            .arg("-o")
            .arg(&unfinished)
            .arg(package);
        step(&format!("building {name} {}", module.version), &mut go, GO)?;
        fs::rename(&unfinished, folder.join(name))?;
        Ok(())
    }

    /// Puts the files that pin a module into a folder, for go to work in.
    fn source(&self, module: &GoModule) -> Result<PathBuf> {
        let source = self.folder(module).join("source");
        fs::create_dir_all(&source)?;
        fs::write(source.join("go.mod"), module.go_mod)?;
        fs::write(source.join("go.sum"), module.go_sum)?;
        if let Some(main) = module.main {
            fs::write(source.join("main.go"), main)?;
        }
        Ok(source)
    }

    fn copy_manifests(&self, module: &GoModule, path: &str, manifests: &str) -> Result<()> {
        let folder = self.folder(module);
        let mut find = Command::new("go");
        find.current_dir(self.source(module)?).args(["mod", "download", "-json", path]);
        let output = step(&format!("finding the manifests of {}", module.name), &mut find, GO)?;
        let found: serde_json::Value = serde_json::from_str(&output)?;
        let source = Path::new(found["Dir"].as_str().context("go says where a module is")?).join(manifests);
        let unfinished = folder.join(format!("{MANIFESTS}.unfinished"));
        let _ = fs::remove_dir_all(&unfinished);
        let mut copy = Command::new("cp");
        copy.args(["-r", "--no-preserve=mode"]).arg(&source).arg(&unfinished);
        step(&format!("copying {}", source.display()), &mut copy, "cp")?;
        fs::rename(&unfinished, folder.join(MANIFESTS))?;
        Ok(())
    }

    fn install(&self, packages: &PythonPackages) -> Result<()> {
        let folder = self.environment(packages);
        let _ = fs::remove_dir_all(&folder);
        let mut venv = Command::new("python3");
        venv.args(["-m", "venv"]).arg(&folder);
        step("making a Python environment", &mut venv, "Python 3.10 or newer, with its venv module")?;
        let requirements = folder.join("requirements.txt");
        fs::write(&requirements, packages.requirements)?;
        let mut pip = Command::new(folder.join("bin/python"));
        pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check", "-r"])
            .arg(requirements);
        step(&format!("installing {}", packages.name), &mut pip, "pip")?;
        File::create(self.complete(packages))?;
        Ok(())
    }
}

const GO: &str = "Go 1.26 or newer (https://go.dev/dl)";

/// What a module's manifests are called in its folder.
const MANIFESTS: &str = "manifests";

fn cache_dir() -> Result<PathBuf> {
    if let Some(dir) = std::env::var_os("SIGNET_CACHE") {
        return Ok(PathBuf::from(dir));
    }
    let home =
        std::env::var_os("HOME").context("neither SIGNET_CACHE nor HOME is set: set one, for the lab's programs")?;
    Ok(Path::new(&home).join(".cache/signet"))
}

/// Runs one build step and returns what it prints; says how long it took, and shows its output if it fails.
fn step(what: &str, command: &mut Command, needs: &str) -> Result<String> {
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
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
