//! The commands of docs/users: each fenced `sh` block, where it stands, and whether it can be run here.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

/// Pages that must come first: what the others stand on.
const FIRST: [&str; 2] = ["install.md", "first-certificate.md"];
/// Pages that must come last: after them there is no release, and then another.
const LAST: [&str; 2] = ["uninstall.md", "without-helm.md"];
const FENCE: &str = "```";

/// A fenced block of commands.
#[derive(Debug)]
pub(crate) struct Block {
    /// Its page and line.
    pub(crate) at: String,
    /// The heading that it is under.
    pub(crate) heading: String,
    pub(crate) commands: String,
    /// Why the page says that it cannot be run, by `<!-- not run: WHY -->` in the line before it.
    pub(crate) not_run: Option<String>,
}

pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The pages in the order in which they can be followed. One that has no place of its own comes between the first
/// and the last, so that a new page is run too.
pub(crate) fn pages() -> Result<Vec<(String, Vec<Block>)>> {
    let mut between = BTreeMap::new();
    for file in fs::read_dir(repository().join("docs/users"))? {
        let path = file?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let text = fs::read_to_string(&path)?;
        between.insert(name.clone(), blocks(&name, &text)?);
    }
    let mut take = |name: &str| -> Result<_> {
        let blocks = between.remove(name).with_context(|| format!("there is no docs/users/{name}"))?;
        Ok((name.to_owned(), blocks))
    };
    let mut pages = FIRST.iter().map(|name| take(name)).collect::<Result<Vec<_>>>()?;
    let last = LAST.iter().map(|name| take(name)).collect::<Result<Vec<_>>>()?;
    pages.extend(between);
    pages.extend(last);
    Ok(pages)
}

fn blocks(page: &str, text: &str) -> Result<Vec<Block>> {
    let (mut blocks, mut heading, mut before) = (Vec::new(), String::new(), "");
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        if let Some(language) = line.strip_prefix(FENCE) {
            let inside: Vec<_> =
                lines.by_ref().map(|(_, line)| line).take_while(|line| !line.starts_with(FENCE)).collect();
            let at = format!("docs/users/{page}:{}", number + 1);
            ensure!(["sh", "yaml", "text"].contains(&language), "{at}: say sh, yaml or text, not {language:?}");
            let not_run = before.strip_prefix("<!-- not run: ").and_then(|rest| rest.strip_suffix(" -->"));
            let (heading, not_run) = (heading.clone(), not_run.map(str::to_owned));
            if language == "sh" {
                blocks.push(Block { at, heading, commands: inside.join("\n"), not_run });
            }
        } else if let Some(title) = line.strip_prefix('#') {
            title.trim_start_matches('#').trim().clone_into(&mut heading);
        }
        before = line;
    }
    Ok(blocks)
}

#[test]
fn a_page_is_read_by_its_fences() -> Result<()> {
    let page = "# Page\n\n```sh\none\ntwo\n```\n\n## Part\n```yaml\nno: command\n```\n<!-- not run: a reason -->\n```sh\nthree\n```\n";
    let read = blocks("page.md", page)?;
    let seen: Vec<_> =
        read.iter().map(|block| (&*block.at, &*block.heading, &*block.commands, block.not_run.as_deref())).collect();
    let expected = [
        ("docs/users/page.md:3", "Page", "one\ntwo", None),
        ("docs/users/page.md:13", "Part", "three", Some("a reason")),
    ];
    ensure!(seen == expected, "{seen:?}");
    ensure!(blocks("page.md", "```\nx\n```").is_err(), "a fence without a language is taken");
    Ok(())
}
