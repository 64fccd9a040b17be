//! `signet-image`: writes Signet's image with its bill of materials, for `make image`.

mod bill;
mod distribution;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Parser;
use serde_json::json;
use signet_image::{Content, Image, Layout, Size};

/// What a node pulls may have this many MiB.
const LIMIT_MIB: f64 = 60.0;
/// Small, and a few seconds of work.
const COMPRESSION: i32 = 19;
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Writes Signet's image as an archive that containerd imports, as an OCI layout, and its SBOM.
#[derive(Parser)]
struct Arguments {
    /// The image's whole name. localhost is nobody else's, so no registry can be mistaken for it.
    #[arg(long, default_value = concat!("localhost/signet:", env!("CARGO_PKG_VERSION")))]
    reference: String,
    /// The `signet` program.
    #[arg(long)]
    program: PathBuf,
    /// The folder with the components.
    #[arg(long)]
    plugins: PathBuf,
    /// The folder that everything is written to.
    #[arg(long)]
    output: PathBuf,
    /// Folders that no program may name: it would be another program when built elsewhere.
    #[arg(long = "no-path")]
    no_paths: Vec<PathBuf>,
}

fn main() -> ExitCode {
    match write(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("image: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn write(arguments: &Arguments) -> Result<()> {
    let mut image = Image::signet(&arguments.reference, &arguments.program, &arguments.plugins)?;
    image.compression = Some(COMPRESSION);
    names_no_path(&image, &arguments.no_paths)?;
    let mut layout = Layout::new(&image)?;
    let size = layout.size();

    fs::create_dir_all(&arguments.output)?;
    let file = |name: String| arguments.output.join(name);
    let archive = file(format!("signet-{VERSION}.tar"));
    layout.write_archive(&archive)?;
    let bill = bill::of(&image, &size.digest, Path::new(".")).context("write the bill of materials")?;
    fs::write(file(format!("signet-{VERSION}.cdx.json")), &bill)?;
    layout.attach("application/vnd.cyclonedx+json", "bom.cdx.json", &bill)?;
    layout.write_folder(&file("layout".to_owned()))?;
    fs::write(file("image.json".to_owned()), described(arguments, &size).to_string())?;

    println!("{}  {}", arguments.reference, size.digest);
    println!(
        "{:.1} MiB to pull, {:.1} MiB unpacked; {}",
        mib(size.pulled_bytes),
        mib(size.unpacked_bytes),
        archive.display()
    );
    if mib(size.pulled_bytes) > LIMIT_MIB {
        bail!(
            "the image has {:.1} MiB to pull, and may have {LIMIT_MIB:.0}: see what grew with `tar -tv`",
            mib(size.pulled_bytes)
        );
    }
    Ok(())
}

fn described(arguments: &Arguments, size: &Size) -> serde_json::Value {
    json!({
        "reference": arguments.reference,
        "digest": size.digest,
        "pulled_bytes": size.pulled_bytes,
        "unpacked_bytes": size.unpacked_bytes,
    })
}

/// Only what we compile: the C library comes as its distribution built it.
fn names_no_path(image: &Image, folders: &[PathBuf]) -> Result<()> {
    for (path, bytes) in compiled(image)? {
        for folder in folders {
            let name = folder.as_os_str().as_encoded_bytes();
            if bytes.windows(name.len()).any(|window| window == name) {
                bail!("{path} names {}: build it with hack/reproducible", folder.display());
            }
        }
    }
    Ok(())
}

fn compiled(image: &Image) -> Result<Vec<(&str, Vec<u8>)>> {
    let sources = image.files.iter().filter_map(|(path, file)| match &file.content {
        Content::Source(source) if bill::is_compiled(image, path) => Some((path, source)),
        _ => None,
    });
    sources.map(|(path, source)| Ok((path.as_str(), read(source)?))).collect()
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("read {}", path.display()))
}

#[expect(clippy::cast_precision_loss, reason = "an image has less than 2^53 bytes")]
fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
