//! Solves DNS-01 with Amazon Route 53, through the AWS SDK.
//!
//! [`config`] is the stanza, [`credentials`] makes keys of it (with [`sts`] for roles), [`zone`]
//! finds the hosted zone, [`record`] says how a value is added and taken away and why so,
//! [`api`] makes the calls (through [`query`] and [`lists`] where the SDK's own are too large), and
//! [`failure`] says what each AWS error means to the host.

mod api;
mod config;
mod credentials;
mod failure;
mod lists;
mod query;
mod record;
mod sts;
mod xml;
mod zone;

use serde::{Deserialize, Serialize};
use signet_solver::dns01::{Challenge, Dns01Solver};
use signet_solver::{Result, log};
use wstd::runtime::block_on;

use crate::api::Api;
use crate::config::Config;

struct Route53;

/// Where the value is, so that `cleanup` neither looks for the zone nor tries both forms.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Receipt {
    zone: String,
    form: record::Form,
}

/// Where AWS is; set only by tests, which have one of their own.
#[derive(Debug, Default, Clone)]
struct Endpoints {
    route53: Option<String>,
    sts: Option<String>,
}

impl Dns01Solver for Route53 {
    type Config = Config;
    type Receipt = Receipt;

    fn present(config: Config, challenge: &Challenge) -> Result<Receipt> {
        present(&config, challenge, &Endpoints::default())
    }

    fn cleanup(config: Config, challenge: &Challenge, receipt: Option<Receipt>) -> Result<()> {
        cleanup(&config, challenge, receipt, &Endpoints::default())
    }
}

fn present(config: &Config, challenge: &Challenge, endpoints: &Endpoints) -> Result<Receipt> {
    let api = Api::new(config, challenge, endpoints)?;
    block_on(async {
        let zone = match config.hosted_zone() {
            Some(zone) => zone.to_owned(),
            None => zone::find(&api, &challenge.zone).await?,
        };
        let (form, change) = record::add(&api, &zone, challenge).await?;
        if let Some(change) = change {
            api.wait_until_in_sync(&change).await?;
        }
        Ok(Receipt { zone, form })
    })
}

fn cleanup(config: &Config, challenge: &Challenge, receipt: Option<Receipt>, endpoints: &Endpoints) -> Result<()> {
    let api = Api::new(config, challenge, endpoints)?;
    block_on(async {
        let (zone, form) = match receipt {
            Some(Receipt { zone, form }) => (zone, Some(form)),
            None => match config.hosted_zone() {
                Some(zone) => (zone.to_owned(), None),
                None => (zone::find(&api, &challenge.zone).await?, None),
            },
        };
        log::debug(format_args!("removing the value from hosted zone {zone}"));
        record::remove(&api, &zone, challenge, form).await
    })
}

signet_solver::export!(dns01: Route53);

#[cfg(all(test, target_arch = "wasm32"))]
mod tests;
