//! Solves HTTP-01 through the Gateway API: Signet's own responder answers the token, and an HTTPRoute, a
//! Service and an EndpointSlice in the Challenge's namespace lead the CA's request to it.
//!
//! [`route`] says what the route is, [`status`] what those whom it attaches to say of it; both are pure.
//! This file talks to the host.

mod config;
mod route;
mod status;

use serde_json::Value;
use signet_solver::backend::{self, Names, Receipt};
use signet_solver::http01::{Challenge, Http01Solver};
use signet_solver::{Context, Error, Result, kube, log, responder};

use crate::config::Config;
use crate::route::{API_VERSION, KIND};

struct Gateway;

impl Http01Solver for Gateway {
    type Config = Config;
    type Receipt = Receipt;

    fn present(config: Config, challenge: &Challenge) -> Result<Receipt> {
        if config.pod_template.is_some() {
            log::debug("podTemplate is not used: no pod is made for a challenge");
        }
        let names = Names::of(&challenge.host, &challenge.token);
        // It comes first: without the Gateway API nothing is to be made.
        let before = kube::get(API_VERSION, KIND, names.object()).map_err(explain).context("reading the HTTPRoute")?;
        let endpoint = responder::answer(challenge).context("asking Signet's responder to answer")?;
        let receipt = backend::apply(&names, &endpoint, config.service_type())?;
        let route = kube::apply(&route::route(&names, &config, challenge, endpoint.port));
        let route = route.context("applying the HTTPRoute")?;
        if before.is_some() {
            warn(&route, &config, challenge);
        }
        Ok(receipt)
    }

    fn cleanup(_: Config, challenge: &Challenge, receipt: Option<Receipt>) -> Result<()> {
        let names = Names::of(&challenge.host, &challenge.token);
        match kube::delete(API_VERSION, KIND, names.object()) {
            // Where the kind is gone the route is.
            Ok(()) | Err(Error::NotFound(_)) => {}
            Err(error) => return Err(error.context(format_args!("deleting the HTTPRoute {:?}", names.object()))),
        }
        backend::delete(&names, receipt)
    }
}

/// Says what is wrong with a route that had time to be taken up, and is presented again.
fn warn(route: &Value, config: &Config, challenge: &Challenge) {
    for complaint in status::complaints(route, &config.parent_refs, &challenge.host) {
        log::warn(complaint);
    }
}

/// The one thing that is not found here is the kind.
fn explain(error: Error) -> Error {
    match error {
        Error::NotFound(message) => {
            Error::not_found(format!("{message}: install the CRDs of the Gateway API, or use http01.ingress"))
        }
        error => error,
    }
}

signet_solver::export!(http01: Gateway);
