//! Signet's own image: the controller, and the plugins where the chart lets it look for them.

use std::fs;
use std::path::Path;

use crate::error::Error;
use crate::image::Image;

/// Where the program is.
const PROGRAM: &str = "/usr/bin/signet";
/// `--plugin-dir` of the chart's Deployment.
const PLUGINS: &str = "/plugins";

impl Image {
    /// Signet's image, of a `signet` program and a folder of components.
    ///
    /// # Errors
    /// The program's libraries are not on this machine, or the folder cannot be read.
    pub fn signet(reference: &str, program: &Path, plugins: &Path) -> Result<Self, Error> {
        let mut image = Self::new(reference);
        image.entrypoint = vec![PROGRAM.to_owned()];
        image.add_program(program, PROGRAM)?;
        for entry in fs::read_dir(plugins).map_err(Error::read(plugins))? {
            let path = entry.map_err(Error::read(plugins))?.path();
            if let Some(name) = path.file_name().and_then(|name| name.to_str()).filter(|name| name.ends_with(".wasm")) {
                image.add_file(&path, &format!("{PLUGINS}/{name}"), 0o644);
            }
        }
        for (key, value) in [
            ("title", "signet"),
            ("description", "TLS certificates for Kubernetes, by cert-manager's API"),
            ("version", env!("CARGO_PKG_VERSION")),
            ("licenses", env!("CARGO_PKG_LICENSE")),
        ] {
            image.labels.insert(format!("org.opencontainers.image.{key}"), value.to_owned());
        }
        Ok(image)
    }
}
