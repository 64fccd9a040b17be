//! The package of the machine's distribution that a file belongs to, so that what scans the image's
//! bill of materials knows of which C library it is.

use std::fs;
use std::path::Path;
use std::process::Command;

use purl::GenericPurlBuilder;

/// A package of Debian or one made from it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) purl: String,
}

/// Nothing on a machine without dpkg, and for a file of no package.
pub(crate) fn package_of(file: &Path) -> Option<Package> {
    // dpkg may know a file by its path before or after /lib and /usr/lib became one.
    let paths = [file.to_owned(), fs::canonicalize(file).ok()?, Path::new("/usr").join(file.strip_prefix("/").ok()?)];
    let found = paths.iter().find_map(|path| query(&["--search", path.to_str()?]))?;
    let (owner, _) = found.split_once(": ")?;
    let format = "--showformat=${Package}\n${Version}\n${Architecture}\n";
    let described = query(&["--show", format, owner])?;
    let mut lines = described.lines();
    let (name, version, architecture) = (lines.next()?, lines.next()?, lines.next()?);
    let release = fs::read_to_string("/etc/os-release").ok()?;
    let purl = purl(name, version, architecture, &release)?;
    Some(Package { name: name.to_owned(), version: version.to_owned(), purl })
}

fn query(args: &[&str]) -> Option<String> {
    let output = Command::new("dpkg-query").args(args).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

fn purl(name: &str, version: &str, architecture: &str, release: &str) -> Option<String> {
    let value = |key: &str| {
        let line = release.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
        Some(line.trim_matches('"').to_owned())
    };
    let id = value("ID")?;
    let mut purl = GenericPurlBuilder::new("deb".to_owned(), name).with_version(version).with_namespace(id.as_str());
    purl = purl.with_qualifier("arch", architecture).ok()?;
    if let Some(number) = value("VERSION_ID") {
        purl = purl.with_qualifier("distro", format!("{id}-{number}")).ok()?;
    }
    Some(purl.build().ok()?.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_has_a_url() {
        let release = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\nVERSION_ID=\"12\"\n";
        assert_eq!(
            purl("libc6", "2.36-9+deb12u14", "amd64", release).as_deref(),
            Some("pkg:deb/debian/libc6@2.36-9+deb12u14?arch=amd64&distro=debian-12")
        );
        assert_eq!(purl("libc6", "1", "amd64", ""), None);
    }

    #[test]
    fn a_file_of_nobody_has_no_package() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(package_of(file.path()), None);
    }
}
