//! A lab with a proxy before its API server and an ingress before its controller.

use std::fs;

use anyhow::Result;
use signet_lab::{AcmeConfig, Chart, Config, Lab};

use crate::ingress::Ingress;
use crate::proxy::api_server::ApiServer;
use crate::way::{Way, make_issuer};

/// What a controller lives in while things fail.
pub struct World {
    /// The lab itself: what a test does there goes past the proxy.
    pub lab: Lab,
    /// What the controller takes for the API server.
    pub api_server: ApiServer,
    _ingress: Ingress,
}

/// What the CA was asked for so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct AtCa {
    pub(crate) orders: usize,
    pub(crate) certificates: usize,
    pub(crate) revocations: usize,
}

impl World {
    /// A world with an issuer for each of these ways, whose CA refuses no nonce: one order is one request.
    ///
    /// # Errors
    /// The lab does not come up, or an issuer is not Ready within the bound.
    pub async fn start(ways: &[Way]) -> Result<Self> {
        Self::of(AcmeConfig { refused_nonces: 0, ..AcmeConfig::default() }, ways).await
    }

    /// A world with such a CA.
    ///
    /// # Errors
    /// As for [`World::start`].
    pub async fn of(acme: AcmeConfig, ways: &[Way]) -> Result<Self> {
        let lab = Lab::start(Config { acme, ..Config::bare() }).await?;
        let api_server = ApiServer::before(&lab).await?;
        let chart = Chart { api_server: Some(api_server.url()), ..Chart::default() };
        let ingress = Ingress::before_signet(&lab, chart).await?;
        for way in ways {
            make_issuer(&lab, *way).await?;
        }
        Ok(Self { lab, api_server, _ingress: ingress })
    }

    /// Kills the controller, which waits in the proxy, and starts the next one; returns without waiting for it.
    ///
    /// # Errors
    /// The lab is down.
    pub async fn bury(&self) -> Result<()> {
        self.lab.controller().kill().await?;
        self.api_server.reopen();
        self.lab.controller().start().await
    }

    pub(crate) fn at_ca(&self) -> AtCa {
        let requests = self.lab.acme_requests();
        let count = |request: &str| requests.get(request).copied().unwrap_or(0);
        let log = fs::read_to_string(self.lab.site().log("pebble")).unwrap_or_default();
        AtCa {
            orders: count("POST /order-plz"),
            certificates: log.matches("Issued certificate serial").count(),
            revocations: count("POST /revoke-cert"),
        }
    }
}

impl std::ops::Sub for AtCa {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            orders: self.orders - before.orders,
            certificates: self.certificates - before.certificates,
            revocations: self.revocations - before.revocations,
        }
    }
}
