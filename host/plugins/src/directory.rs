//! Plugins from a directory: every `*.wasm` in it, with `NAME.grants.yaml` beside `NAME.wasm`.
//! Opened with cap-std, so a link in it leads nowhere outside. A file that can not be loaded
//! keeps no other from being loaded.

use std::io::Read;
use std::path::Path;

use cap_std::ambient_authority;
use cap_std::fs::Dir;

use crate::registry::{LoadError, Loaded, Origin, Registry};
use crate::source::{PluginSource, SourceError};

/// Larger than any component.
const MAX_FILE: u64 = 64 * 1024 * 1024;

impl Registry {
    /// Loads every `*.wasm` of `path`, in the order of their names. The outer error is the
    /// directory's; each file has its own outcome. Files that are gone are forgotten.
    pub async fn load_directory(&self, path: &Path) -> Result<Vec<(Origin, Result<Loaded, LoadError>)>, LoadError> {
        let owned = path.to_owned();
        let sources =
            tokio::task::spawn_blocking(move || read_directory(&owned)).await.map_err(LoadError::Compile)??;
        let mut outcomes = vec![];
        for (file, source) in sources {
            let origin = Origin::File(file);
            let outcome = match source {
                Ok(source) => self.load(origin.clone(), source).await,
                Err(error) => {
                    self.refuse(origin.clone(), &error.message());
                    Err(error)
                }
            };
            outcomes.push((origin, outcome));
        }
        let here = |origin: &Origin| outcomes.iter().any(|(other, _)| other == origin);
        let gone: Vec<Origin> = self.states().into_iter().map(|state| state.origin).collect();
        for origin in gone.iter().filter(|origin| matches!(origin, Origin::File(_)) && !here(origin)) {
            self.remove(origin);
        }
        Ok(outcomes)
    }
}

type Source = (String, Result<PluginSource, LoadError>);

fn read_directory(path: &Path) -> Result<Vec<Source>, LoadError> {
    let failed = |error| LoadError::ReadFile(path.display().to_string(), error);
    let dir = Dir::open_ambient_dir(path, ambient_authority()).map_err(failed)?;
    let mut files = vec![];
    for entry in dir.entries().map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        files.extend(name.to_str().filter(|name| name.ends_with(".wasm")).map(str::to_owned));
    }
    files.sort();
    Ok(files.into_iter().map(|file| (file.clone(), read_file(&dir, &file))).collect())
}

fn read_file(dir: &Dir, file: &str) -> Result<PluginSource, LoadError> {
    let failed = |error| LoadError::ReadFile(file.to_owned(), error);
    let mut wasm = vec![];
    dir.open(file).map_err(failed)?.take(MAX_FILE + 1).read_to_end(&mut wasm).map_err(failed)?;
    if wasm.len() as u64 > MAX_FILE {
        return Err(failed(std::io::Error::other("it is larger than 64 MiB")));
    }
    let beside = format!("{}.grants.yaml", file.trim_end_matches(".wasm"));
    let grants = match dir.read_to_string(&beside) {
        Ok(text) => Some(
            serde_yaml::from_str(&text).map_err(|error| LoadError::Source(SourceError::ParseGrants(beside, error)))?,
        ),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(LoadError::ReadFile(beside, error)),
    };
    Ok(PluginSource { wasm, grants })
}
