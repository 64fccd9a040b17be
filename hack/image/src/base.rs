//! What every image has: users, name resolution, the CA roots of Mozilla, and /tmp.

use std::collections::BTreeMap;

use pem::{EncodeConfig, LineEnding, Pem};

use crate::NONROOT;
use crate::image::{Content, File};

/// Where Debian, and with it OpenSSL, Go and rustls-native-certs, looks for the roots.
pub(crate) const CA_ROOTS: &str = "/etc/ssl/certs/ca-certificates.crt";

pub(crate) fn files() -> BTreeMap<String, File> {
    let text = |text: String| File { content: Content::Bytes(text.into_bytes()), mode: 0o644 };
    let folder = |mode| File { content: Content::Folder, mode };
    BTreeMap::from([
        ("/etc/group".to_owned(), text(format!("root:x:0:\nnonroot:x:{NONROOT}:\n"))),
        ("/etc/nsswitch.conf".to_owned(), text("hosts: files dns\n".to_owned())),
        (
            "/etc/passwd".to_owned(),
            text(format!(
                "root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:{NONROOT}:{NONROOT}:nonroot:/:/sbin/nologin\n"
            )),
        ),
        (CA_ROOTS.to_owned(), text(ca_roots())),
        ("/tmp".to_owned(), folder(0o1777)),
    ])
}

/// From a crate, not from the machine that builds: which roots an image trusts is then in the lock file.
fn ca_roots() -> String {
    let roots = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter();
    let roots: Vec<Pem> = roots.map(|root| Pem::new("CERTIFICATE", root.as_ref())).collect();
    pem::encode_many_config(&roots, EncodeConfig::new().set_line_ending(LineEnding::LF))
}
