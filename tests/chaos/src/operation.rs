//! What a person does to a Certificate, and how it must end.

use std::fmt;

use anyhow::{Result, ensure};
use k8s_openapi::api::core::v1::Secret;
use serde_json::json;
use signet_api::{Certificate, CertificateRequest, Challenge, labels};

use crate::issuance::{Issuance, NAME};
use crate::way::Way;

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// A Certificate is made.
    Issue,
    /// It is asked to be issued again.
    Renew,
    /// It gets a name more, or one less.
    Edit,
    /// Its certificate is revoked, since its key is known to others.
    Revoke,
    /// It is deleted while it is being issued.
    Delete,
}

/// All of them.
pub const OPERATIONS: [Operation; 5] =
    [Operation::Issue, Operation::Renew, Operation::Edit, Operation::Revoke, Operation::Delete];

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Issue => "issue",
            Self::Renew => "renew",
            Self::Edit => "edit",
            Self::Revoke => "revoke",
            Self::Delete => "delete",
        })
    }
}

impl Operation {
    /// Whether it is done to a Certificate that is there and Ready.
    pub(crate) fn needs_a_certificate(self) -> bool {
        matches!(self, Self::Renew | Self::Edit | Self::Revoke)
    }
}

impl Issuance<'_> {
    /// Does it, and returns before Signet has.
    ///
    /// # Errors
    /// The API server refuses, or there is nothing yet to delete within the bound.
    pub(crate) async fn ask(&mut self, operation: Operation) -> Result<()> {
        match operation {
            Operation::Issue => self.create().await,
            Operation::Renew => self.signet(&["renew", NAME]).await,
            Operation::Edit => {
                self.more_names = !self.more_names;
                let patch = json!({ "spec": { "dnsNames": self.dns_names() } });
                self.stage.patch::<Certificate>(NAME, patch).await.map(drop)
            }
            Operation::Revoke if self.way == Way::SelfSigned => self.ask_in_vain().await,
            Operation::Revoke => {
                self.serial = self.stage.key_pair(NAME).await?.leaf.serial;
                self.signet(&["revoke", "certificate", NAME, "--reason", "keyCompromise"]).await
            }
            Operation::Delete => self.stage.delete::<Certificate>(NAME).await,
        }
    }

    /// Nobody revokes what signed itself, and Signet says so.
    async fn ask_in_vain(&mut self) -> Result<()> {
        let pair = self.stage.key_pair(NAME).await?;
        let request = json!({ "serial": pair.leaf.serial, "reason": "superseded" }).to_string();
        let patch = json!({ "metadata": { "annotations": { labels::REVOKE: request } } });
        self.stage.patch::<Certificate>(NAME, patch).await.map(drop)
    }

    async fn signet(&self, words: &[&str]) -> Result<()> {
        let namespace = ["--namespace", &self.stage.namespace];
        self.stage.lab.kubectl(["signet"].iter().chain(words).chain(&namespace)).await.map(drop)
    }

    /// Returns once there is something to be cut short.
    pub(crate) async fn is_under_way(&self) -> Result<()> {
        let what = format!("something is under way in {}", self.stage.namespace);
        self.stage
            .eventually(&what, async || {
                if self.way == Way::SelfSigned {
                    return Ok((!self.stage.list::<CertificateRequest>().await?.is_empty()).then_some(()));
                }
                let challenges = self.stage.list::<Challenge>().await?;
                let is_presented = |challenge: &Challenge| challenge.status.as_ref().is_some_and(|it| it.presented);
                // Who looks too late finds it over.
                let is_over = self.stage.api::<Secret>().get_opt(NAME).await?.is_some();
                Ok((is_over || challenges.iter().any(is_presented)).then_some(()))
            })
            .await
    }

    /// Checks at the CA that what was revoked is, and that nothing else is.
    pub(crate) async fn is_revoked(&self) -> Result<()> {
        let is = self.stage.key_pair(NAME).await?.leaf.serial;
        ensure!(is != self.serial, "the certificate that was revoked is still in place");
        for (serial, wanted) in [(&self.serial, "Revoked"), (&is, "Valid")] {
            let said = self.stage.lab.certificate_status(serial).await?;
            ensure!(said["Status"] == wanted, "the CA says of {serial}: {said}");
        }
        Ok(())
    }
}
