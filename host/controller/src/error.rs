//! What ends one attempt at an object. The queue tries again.

/// An error of the controller itself: of its talk with the API server, mostly.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("read {what}")]
    Read {
        what: String,
        #[source]
        source: Box<kube::Error>,
    },
    #[error("write {what}")]
    Write {
        what: String,
        #[source]
        source: Box<kube::Error>,
    },
    /// Somebody changed the object since it was read; it has been read again.
    #[error("write {what}: it was changed meanwhile")]
    Conflict { what: String },
    #[error("create {what}: an object of that name belongs to somebody else; delete or rename it")]
    Occupied { what: String },
    #[error("make {what}: {why}")]
    Make { what: String, why: String },
}

impl Error {
    /// A word for logs and metrics.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Read { .. } => "ReadFailed",
            Self::Write { .. } => "WriteFailed",
            Self::Conflict { .. } => "Conflict",
            Self::Occupied { .. } => "NameOccupied",
            Self::Make { .. } => "NotMade",
        }
    }

    /// The error and what caused it, in one line.
    pub(crate) fn sentence(&self) -> String {
        sentence(self)
    }
}

/// An error and its causes in one line.
pub(crate) fn sentence(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        if !text.ends_with(&said) {
            text = format!("{text}: {said}");
        }
        next = cause.source();
    }
    text
}
