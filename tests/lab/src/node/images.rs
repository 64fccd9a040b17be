//! The images of a node's pods, written from the lab's own programs and handed to containerd.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use signet_image::Image;
use tokio::process::Command;

use super::{PAUSE, containerd_socket};
use crate::site::Site;
use crate::tools::Tools;

pub(super) const COREDNS: &str = "localhost/coredns:1";
/// The name that Contour's own manifests give it.
pub(super) const CONTOUR: &str = "ghcr.io/projectcontour/contour:v1.33.8";
pub(super) const ENVOY: &str = "localhost/envoy:1.40.0";
/// Signet as cargo built it.
pub(crate) const SIGNET: (&str, &str) = ("localhost/signet", "dev");

/// Hands the images of everything but Signet to the node.
pub(crate) async fn import_tools(site: &Site, tools: &Tools) -> Result<()> {
    let envoy = tools.envoy()?;
    let images = [
        (PAUSE, tools.program("pod"), "/bin/pod"),
        (COREDNS, tools.program("coredns"), "/bin/coredns"),
        (CONTOUR, tools.program("contour"), "/bin/contour"),
        (ENVOY, envoy, "/bin/envoy"),
    ];
    let folder = tools.images();
    fs::create_dir_all(&folder)?;
    for (reference, program, at) in images {
        // Its name tells the version of what is in it.
        let archive = folder.join(format!("{}.tar", reference.replace(['/', ':'], "_")));
        if !archive.exists() {
            let image = of_program(reference, &program, at)?;
            let unfinished = archive.with_extension(format!("{}.unfinished", std::process::id()));
            image.write_archive(&unfinished)?;
            fs::rename(&unfinished, &archive)?;
        }
        import(site, tools, &archive).await?;
    }
    Ok(())
}

/// Hands Signet's image to the node: a program, and a folder of plugins.
pub(crate) async fn import_signet(site: &Site, tools: &Tools, program: &Path, plugins: &Path) -> Result<()> {
    let stripped = site.path("signet-stripped");
    // Symbols are two thirds of what cargo builds. A machine without `strip` has a larger image.
    let strip = Command::new("strip").arg("-o").arg(&stripped).arg(program).output().await;
    let program = if strip.is_ok_and(|output| output.status.success()) { &stripped } else { program };
    let mut image = of_program(&format!("{}:{}", SIGNET.0, SIGNET.1), program, "/signet")?;
    for plugin in fs::read_dir(plugins).with_context(|| format!("could not read {}", plugins.display()))? {
        let plugin = plugin?;
        image.add_file(&plugin.path(), &format!("/plugins/{}", plugin.file_name().to_string_lossy()), 0o644);
    }
    let archive = site.path("signet-image.tar");
    image.write_archive(&archive)?;
    import(site, tools, &archive).await
}

fn of_program(reference: &str, program: &Path, at: &str) -> Result<Image> {
    let mut image = Image::new(reference);
    image.add_program(program, at)?;
    image.entrypoint = vec![at.to_owned()];
    image.env.insert("PATH".to_owned(), "/bin".to_owned());
    Ok(image)
}

async fn import(site: &Site, tools: &Tools, archive: &Path) -> Result<()> {
    ctr(site, tools, &["images", "import", &archive.display().to_string()]).await
}

/// Whether containerd is there.
pub(crate) async fn answers(site: &Site, tools: &Tools) -> Result<()> {
    ctr(site, tools, &["version"]).await
}

pub(super) async fn ctr(site: &Site, tools: &Tools, args: &[&str]) -> Result<()> {
    let mut ctr = Command::new(tools.program("ctr"));
    ctr.arg("--address").arg(containerd_socket(site)).args(["--namespace", "k8s.io"]).args(args);
    let output = ctr.kill_on_drop(true).output().await?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "containerd refuses `{}`: {said}", args.join(" "));
    Ok(())
}
