//! What a test may choose about a lab of its own.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::chart::Chart;

/// How much of a cluster a lab has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
pub enum Level {
    /// API server, controllers, CA, DNS and cloud API; Signet runs as a process of the lab.
    #[default]
    ControlPlane,
    /// A node beside it: kubelet, containerd, kube-proxy, CoreDNS and an ingress controller, and Signet in pods.
    Node,
}

/// A lab to start. The default is what nearly every test wants.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    /// How much of a cluster there is.
    pub level: Level,
    /// Settings of the ACME CA.
    pub acme: AcmeConfig,
    /// How Signet is installed; `None` leaves the cluster empty.
    pub chart: Option<Chart>,
}

impl Default for Config {
    fn default() -> Self {
        Self { level: Level::default(), acme: AcmeConfig::default(), chart: Some(Chart::default()) }
    }
}

impl Config {
    /// A lab without Signet in it.
    pub fn bare() -> Self {
        Self { chart: None, ..Self::default() }
    }
}

/// Settings of the ACME CA.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct AcmeConfig {
    /// Percentage of good nonces that the CA refuses.
    pub refused_nonces: u8,
    /// Percentage of valid authorizations that the CA uses again.
    pub reused_authorizations: u8,
    /// Names for which the CA refuses to issue.
    pub refused_names: Vec<String>,
    /// Keys for external account binding, by their id; if there are any, the CA requires one.
    pub external_account_keys: BTreeMap<String, String>,
    /// How many seconds the CA asks to wait between polls of an authorization or order.
    pub retry_after_seconds: u32,
    /// Validity of certificates of the profile `default`. Pebble takes any profile for an order that names none.
    pub validity_seconds: u64,
    /// How many chains the CA offers beside the default one.
    pub alternate_chains: u8,
    /// Further environment variables of Pebble.
    pub env: BTreeMap<String, String>,
}

impl Default for AcmeConfig {
    fn default() -> Self {
        Self {
            refused_nonces: 5,
            reused_authorizations: 0,
            refused_names: vec!["refused.example".to_owned()],
            external_account_keys: BTreeMap::new(),
            retry_after_seconds: 1,
            validity_seconds: 90 * 24 * 3600,
            alternate_chains: 0,
            env: BTreeMap::new(),
        }
    }
}
