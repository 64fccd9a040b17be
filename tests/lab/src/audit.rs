//! What the API server's audit log says about who asked for what.

use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;

use serde::Deserialize;

use crate::lab::Lab;

/// One request that the API server has answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// For instance `system:serviceaccount:cert-manager:signet`.
    pub user: String,
    /// What the client calls itself.
    pub user_agent: String,
    /// For instance `patch`.
    pub verb: String,
    /// The API group; empty for the core group.
    pub group: String,
    /// The plural, for instance `certificates`.
    pub resource: String,
    /// For instance `status`; empty when there is none.
    pub subresource: String,
    /// Empty for what has no namespace.
    pub namespace: String,
    /// Empty for lists, and where the server makes up the name.
    pub name: String,
    /// The HTTP status of the answer.
    pub code: u16,
    /// When the request came, in RFC 3339 with microseconds.
    pub received: String,
    /// When it was answered.
    pub answered: String,
}

impl Entry {
    /// Whether the request was to change something.
    pub fn is_write(&self) -> bool {
        matches!(self.verb.as_str(), "create" | "update" | "patch" | "delete" | "deletecollection")
    }

    fn is_of_signet(&self) -> bool {
        self.user.ends_with(":signet") && self.is_write()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    stage: String,
    verb: String,
    user: User,
    #[serde(default)]
    user_agent: String,
    #[serde(default)]
    object_ref: ObjectRef,
    response_status: Option<ResponseStatus>,
    request_received_timestamp: String,
    stage_timestamp: String,
}

#[derive(Deserialize)]
struct User {
    username: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ObjectRef {
    api_group: String,
    resource: String,
    subresource: String,
    namespace: String,
    name: String,
}

#[derive(Deserialize)]
struct ResponseStatus {
    #[serde(default)]
    code: u16,
}

impl Lab {
    /// Every request that the API server has answered so far, in order. The lab's own
    /// housekeeping (the API server's and the controller manager's) is left out.
    pub fn audit(&self) -> Vec<Entry> {
        let log = fs::read_to_string(self.site.log("audit")).unwrap_or_default();
        // The last line may be half written.
        log.lines().filter_map(parse).collect()
    }

    /// What Signet changed so far, by its ServiceAccount.
    pub fn audit_of_signet(&self) -> Vec<Entry> {
        self.audit().into_iter().filter(Entry::is_of_signet).collect()
    }

    /// What Signet changes from now on.
    pub fn watch_audit_of_signet(&self) -> AuditOfSignet {
        let path = self.site.log("audit");
        let read = fs::metadata(&path).map_or(0, |metadata| metadata.len());
        AuditOfSignet { path, read }
    }
}

/// The end of the audit log as it grows, for those who must act on a write at once.
#[derive(Debug)]
pub struct AuditOfSignet {
    path: PathBuf,
    read: u64,
}

impl AuditOfSignet {
    /// What Signet changed since the last call.
    ///
    /// # Errors
    /// The log can not be read.
    pub fn read_on(&mut self) -> std::io::Result<Vec<Entry>> {
        let mut log = fs::File::open(&self.path)?;
        log.seek(SeekFrom::Start(self.read))?;
        let mut text = Vec::new();
        log.read_to_end(&mut text)?;
        // The last line may be half written.
        text.truncate(text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1));
        self.read += text.len() as u64;
        let text = String::from_utf8_lossy(&text);
        Ok(text.lines().filter_map(parse).filter(Entry::is_of_signet).collect())
    }
}

fn parse(line: &str) -> Option<Entry> {
    let event: Event = serde_json::from_str(line).ok()?;
    (event.stage == "ResponseComplete").then(|| Entry {
        user: event.user.username,
        user_agent: event.user_agent,
        verb: event.verb,
        group: event.object_ref.api_group,
        resource: event.object_ref.resource,
        subresource: event.object_ref.subresource,
        namespace: event.object_ref.namespace,
        name: event.object_ref.name,
        code: event.response_status.map_or(0, |status| status.code),
        received: event.request_received_timestamp,
        answered: event.stage_timestamp,
    })
}
