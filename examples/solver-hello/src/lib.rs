//! Solves DNS-01 at a provider whose API has two calls: POST and DELETE /records {name, value}.

use serde::{Deserialize, Serialize};
use signet_solver::dns01::{Challenge, Dns01Solver};
use signet_solver::{Result, SecretRef, http};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    endpoint: String,
    token_secret_ref: SecretRef,
}

#[derive(Serialize)]
struct Record<'a> {
    name: &'a str,
    value: &'a str,
}

struct Hello;

impl Dns01Solver for Hello {
    type Config = Config;
    type Receipt = ();

    fn present(config: Config, challenge: &Challenge) -> Result<()> {
        let record = Record { name: &challenge.fqdn, value: &challenge.value };
        let token = config.token_secret_ref.read()?;
        http::post(format!("{}/records", config.endpoint)).bearer(&token).json(&record).send()?;
        Ok(())
    }

    fn cleanup(config: Config, challenge: &Challenge, _: Option<()>) -> Result<()> {
        let record = Record { name: &challenge.fqdn, value: &challenge.value };
        let token = config.token_secret_ref.read()?;
        let url = format!("{}/records", config.endpoint);
        http::delete(url).bearer(&token).json(&record).allow(404).send()?;
        Ok(())
    }
}

signet_solver::export!(dns01: Hello);

#[cfg(test)]
mod tests;
