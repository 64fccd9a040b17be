//! Where certificates are issued for measuring: a namespace with one Issuer, and a watch of it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use futures::{StreamExt, pin_mut};
use kube::ResourceExt;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, watcher};
use serde_json::json;
use signet_api::meta::has_condition;
use signet_api::{Certificate, Challenge, ConditionStatus};
use signet_e2e::Stage;
use signet_lab::Lab;

const ISSUER: &str = "issuer";

/// How names are proven.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Http01,
    Dns01,
    TlsAlpn01,
}

/// A stage with an Issuer.
pub(crate) struct Site<'a> {
    pub(crate) stage: Stage<'a>,
    way: Way,
}

impl<'a> Site<'a> {
    pub(crate) async fn build(lab: &'a Lab, way: Way) -> Result<Self> {
        let prefix = match way {
            Way::Http01 => "http01",
            Way::Dns01 => "dns01",
            Way::TlsAlpn01 => "tlsalpn01",
        };
        let stage = Stage::on(lab, prefix).await?;
        let solver = match way {
            Way::Http01 => json!({ "http01": { "ingress": { "ingressClassName": "nginx" } } }),
            Way::Dns01 => stage.route53().await?,
            Way::TlsAlpn01 => {
                lab.install_gateway_api().await?;
                json!({ "tlsALPN01": { "tlsroute": { "parentRefs": [{ "name": "edge" }] } } })
            }
        };
        stage.issuer(ISSUER, solver).await?;
        Ok(Self { stage, way })
    }

    /// Asks for certificates of one DNS name each, all at once, and returns how long it took until
    /// all were Ready.
    pub(crate) async fn issue(&self, names: &[String]) -> Result<Duration> {
        if self.way == Way::TlsAlpn01 {
            let address = self.stage.lab.site().tls_alpn01().ip().to_string();
            for name in names {
                self.stage.lab.add_a(&format!("{name}.{}", self.stage.domain), &address).await?;
            }
        }
        let events = watcher(self.stage.api::<Certificate>(), watcher::Config::default()).default_backoff();
        let events = events.applied_objects();
        pin_mut!(events);
        let (mut waiting, started) = (names.iter().cloned().collect::<BTreeSet<_>>(), Instant::now());
        let create = async {
            let all = names.iter().map(|name| self.ask(name));
            futures::future::try_join_all(all).await.map(drop)
        };
        let ready = async {
            while !waiting.is_empty() {
                let certificate: Certificate = events.next().await.context("a watch has no end")??;
                let conditions = certificate.status.as_ref().map(|status| status.conditions.as_slice());
                if has_condition(conditions.unwrap_or_default(), "Ready", ConditionStatus::True) {
                    waiting.remove(&certificate.name_any());
                }
            }
            anyhow::Ok(started.elapsed())
        };
        let bound = signet_e2e::BOUND * 10;
        let both = async { tokio::try_join!(create, ready).map(|((), took)| took) };
        match tokio::time::timeout(bound, both).await {
            Ok(took) => took,
            Err(_) => {
                let state = self.stage.lab.dump().await;
                anyhow::bail!("not within {bound:?}: {} certificates are Ready\n{state}", names.len())
            }
        }
    }

    async fn ask(&self, name: &str) -> Result<()> {
        let spec = json!({ "dnsNames": [format!("{name}.{}", self.stage.domain)],
            "privateKey": { "algorithm": "ECDSA" } });
        self.stage.certificate(name, spec).await
    }

    /// Waits until nothing of the issuances is left.
    pub(crate) async fn is_tidy(&self) -> Result<()> {
        self.stage.none_left::<Challenge>().await
    }
}
