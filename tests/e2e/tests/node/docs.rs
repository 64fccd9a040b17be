//! Every command of docs/users, typed as it stands there into the shell of someone who begins with an empty node.
//!
//! What differs, and all that differs, is what a reader has and a lab has not: [`substituted`] says it. The blocks
//! that no lab can run are marked in the pages and listed in [`NOT_RUN`].

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use signet_lab::{Config, Lab, Level, Port, build_guests};
use tokio::process::Command;

use crate::NODE;
use crate::pages::{Block, pages, repository};

const CRDS: &str = "app.kubernetes.io/name=signet";
/// Pages through which the first certificate is Ready, and the same.
const TOUCH_NOTHING: [&str; 2] = ["upgrade.md", "uninstall.md"];
/// How long one block may take on a machine that is busy with other things too.
const PATIENCE: Duration = Duration::from_secs(240);

/// The first commands of the blocks that no lab can run. Nothing is added here that a lab could run.
const NOT_RUN: [&str; 4] = [
    "make image",
    "oras copy --recursive --from-oci-layout target/image/layout@sha256:… registry.example.com/signet:0.1.0",
    "aws iam create-user --user-name signet",
    "kubectl apply --server-side --filename charts/signet/files/crds.yaml",
];

/// Someone who follows the pages.
struct Reader {
    lab: Lab,
    /// Where they type: the repository's charts and examples, and the files that the pages have them bring.
    folder: PathBuf,
    environment: Vec<(String, String)>,
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_of_the_users_pages_does_what_it_says() -> Result<()> {
    let pages = pages()?;
    let marked = pages.iter().flat_map(|(_, blocks)| blocks).filter(|block| block.not_run.is_some());
    let marked: Vec<_> = marked.map(|block| block.commands.lines().next().unwrap_or_default()).collect();
    for first in &marked {
        ensure!(NOT_RUN.contains(first), "a block is marked as not run that NOT_RUN does not list: {first}");
    }
    ensure!(marked.len() == NOT_RUN.len(), "NOT_RUN lists more than is marked in the pages: {marked:?}");

    // The pages begin where nothing is installed, so they have a node of their own, while no other test uses theirs.
    let _alone = NODE.write().await;
    let reader = Reader::begin().await?;
    for (page, blocks) in &pages {
        let before = if TOUCH_NOTHING.contains(&page.as_str()) { Some(reader.in_use().await?) } else { None };
        for block in blocks.iter().filter(|block| block.not_run.is_none()) {
            reader.types(block).await?;
            if let Some(before) = before.as_ref().filter(|_| block.heading != "Everything") {
                let after = reader.in_use().await?;
                ensure!(after == *before, "{} touched the certificate: {before:?}, and then {after:?}", block.at);
            }
            match &*block.heading {
                "Uninstall" => reader.sees_what_is_kept().await?,
                "Everything" => reader.sees_nothing().await?,
                _ => {}
            }
        }
    }
    reader.lab.down().await
}

impl Reader {
    /// An empty cluster whose node has Signet's image, and a website.
    async fn begin() -> Result<Self> {
        let lab = Lab::start(Config { level: Level::Node, ..Config::default() }).await?;
        lab.helm(["uninstall", "signet", "--namespace=cert-manager", "--wait"]).await?;
        lab.kubectl(["delete", "crd", "--selector", CRDS]).await?;
        lab.deploy_web("default").await?;

        let folder = lab.site().path("reader");
        fs::create_dir_all(folder.join("charts"))?;
        for chart in ["signet", "signet-plugin"] {
            let chart = Path::new("charts").join(chart);
            std::os::unix::fs::symlink(repository().join(&chart).canonicalize()?, folder.join(&chart))?;
        }
        let reader = Self { environment: environment(&lab, &folder).await?, lab, folder };
        reader.copy("charts/install.yaml")?;
        for file in fs::read_dir(repository().join("examples/guide"))? {
            reader.copy(&format!("examples/guide/{}", file?.file_name().to_string_lossy()))?;
        }
        fs::write(reader.folder.join("staging-root.pem"), reader.lab.pebble_root_pem().await?)?;
        let hello =
            tokio::task::spawn_blocking(|| build_guests(&repository().join("examples/solver-hello"), "solver-hello"));
        fs::copy(hello.await??.join("solver_hello.wasm"), reader.folder.join("hello.wasm"))?;
        Ok(reader)
    }

    fn copy(&self, file: &str) -> Result<()> {
        let to = self.folder.join(file);
        fs::create_dir_all(to.parent().context("a file is in a folder")?)?;
        let text = fs::read_to_string(repository().join(file))?;
        Ok(fs::write(to, substituted(&self.lab, &text))?)
    }

    /// Runs a block as a shell would, up to the first command that fails.
    async fn types(&self, block: &Block) -> Result<()> {
        let mut shell = Command::new("sh");
        // As it is typed: a failure in the middle is a failure.
        shell.args(["-euc", &substituted(&self.lab, &block.commands)]).current_dir(&self.folder);
        shell.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let output = shell.stdin(Stdio::null()).kill_on_drop(true).output();
        let output = tokio::time::timeout(PATIENCE, output).await;
        let said = match output {
            Ok(output) => {
                let output = output?;
                if output.status.success() {
                    return Ok(());
                }
                format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
            }
            Err(_) => format!("no end within {PATIENCE:?}"),
        };
        anyhow::bail!("{}:\n{}\n\n{said}\n{}", block.at, block.commands, self.lab.dump().await)
    }

    /// Which issuance the first certificate is of, since when it is Ready, and what it is.
    async fn in_use(&self) -> Result<[String; 2]> {
        let condition = ".status.conditions[?(@.type=='Ready')]";
        let ready =
            format!("-o=jsonpath={{.status.revision}} {{{condition}.lastTransitionTime}} {{{condition}.status}}");
        let ready = self.lab.kubectl(["get", "certificate", "example-com", &ready]).await?;
        ensure!(ready.ends_with(" True"), "the first certificate is not Ready: {ready}");
        let chain = "-o=jsonpath={.data.tls\\.crt}";
        let chain = self.lab.kubectl(["get", "secret", "example-com-tls", chain]).await?;
        Ok([ready, chain])
    }

    async fn sees_what_is_kept(&self) -> Result<()> {
        let crds = self.lab.kubectl(["get", "crd", "--selector", CRDS, "-o", "name"]).await?;
        ensure!(crds.lines().count() == 6, "of the CRDs these are left: {crds}");
        let kinds = "deployments,pods,services,serviceaccounts,roles,rolebindings";
        let labelled = ["--namespace=cert-manager", "--selector=app.kubernetes.io/instance=signet", "-o=name"];
        // A pod is listed until its processes have ended.
        self.lab
            .eventually("nothing is left in the namespace", signet_e2e::BOUND, async || {
                let left = self.lab.kubectl(["get", kinds].iter().chain(&labelled)).await?;
                ensure!(left.is_empty(), "left in the namespace: {left}");
                Ok(Some(()))
            })
            .await?;
        let kinds = "clusterroles,clusterrolebindings,validatingadmissionpolicies,validatingadmissionpolicybindings";
        let left = self.lab.kubectl(["get", kinds].iter().chain(&labelled[1..])).await?;
        ensure!(left.is_empty(), "left in the cluster: {left}");
        Ok(())
    }

    async fn sees_nothing(&self) -> Result<()> {
        let crds = self.lab.kubectl(["get", "crd", "--selector", CRDS, "-o", "name"]).await?;
        ensure!(crds.is_empty(), "CRDs are left: {crds}");
        // The key that is served goes when its owner says so.
        self.lab.kubectl(["get", "secret", "example-com-tls"]).await.map(drop)
    }
}

/// What a lab has in place of what a reader has: its image, and the values that make its world's certificates
/// trusted. Names need none: every name of a lab leads to its node, and that of the CA to its CA.
fn substituted(lab: &Lab, text: &str) -> String {
    let values = lab.site().path("values-lab.json");
    text.replace("localhost/signet:0.1.0", "localhost/signet:dev")
        .replace("charts/signet ", &format!("charts/signet --values {} ", values.display()))
}

/// What is in the reader's environment: kubectl and helm for the cluster, keys of the cloud, and, since this machine
/// does not ask the lab's DNS, where curl finds every name.
async fn environment(lab: &Lab, folder: &Path) -> Result<Vec<(String, String)>> {
    let edge = lab.site().at(Port::Cloud);
    fs::write(folder.join(".curlrc"), format!("connect-to = \"::{}:\"\nnoproxy = \"*\"\n", edge.ip()))?;
    let zone = lab.create_hosted_zone("example.org").await?;
    let policy: Value =
        serde_json::from_str(&fs::read_to_string(repository().join("examples/guide/route53-policy.json"))?)?;
    let key = lab.create_iam_user("signet", &policy).await?;
    let mut environment = lab.environment();
    environment.extend([
        ("CURL_HOME".to_owned(), folder.display().to_string()),
        ("HOSTED_ZONE_ID".to_owned(), zone),
        ("AWS_ACCESS_KEY_ID".to_owned(), key.access_key_id),
        ("AWS_SECRET_ACCESS_KEY".to_owned(), key.secret_access_key),
    ]);
    Ok(environment)
}
