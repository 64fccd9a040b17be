//! Solves HTTP-01 through an Ingress: Signet's own responder answers the token, and an Ingress, a
//! Service and an EndpointSlice in the Challenge's namespace lead the CA's request to it.
//!
//! [`objects`] says what those objects are, [`edit`] how an Ingress that somebody else owns is
//! changed, [`names`] what everything is called; all three are pure. This file talks to the host.

mod config;
mod edit;
mod names;
mod objects;

use serde::{Deserialize, Serialize};
use signet_solver::http01::{Challenge, Http01Solver};
use signet_solver::{Context, Error, Result, kube, log, responder};

use crate::config::Config;
use crate::names::Names;
use crate::objects::{ENDPOINT_SLICE, INGRESS, Kind, PathType, SERVICE};

/// How often an Ingress is read and changed again when others change it at the same time.
const ATTEMPTS: usize = 3;

struct Ingress;

/// Which EndpointSlices there are: one for each address family of the responder.
#[derive(Serialize, Deserialize)]
struct Receipt {
    slices: Vec<String>,
}

impl Http01Solver for Ingress {
    type Config = Config;
    type Receipt = Receipt;

    fn present(config: Config, challenge: &Challenge) -> Result<Receipt> {
        if config.pod_template.is_some() {
            log::debug("podTemplate is not used: no pod is made for a challenge");
        }
        let endpoint = responder::answer(challenge).context("asking Signet's responder to answer")?;
        let names = Names::of(challenge);
        let slices = objects::endpoint_slices(&names, &endpoint)?;
        kube::apply(&objects::service(&names, &config, &endpoint)).context("applying the Service")?;
        for slice in &slices {
            kube::apply(slice).context("applying the EndpointSlice")?;
        }
        match config.existing() {
            Some(name) => add_path(name, challenge, &names, endpoint.port)?,
            None => apply_ingress(&names, &config, challenge, endpoint.port)?,
        }
        Ok(Receipt { slices: slices.iter().filter_map(objects::name).map(str::to_owned).collect() })
    }

    fn cleanup(config: Config, challenge: &Challenge, receipt: Option<Receipt>) -> Result<()> {
        let names = Names::of(challenge);
        match config.existing() {
            Some(name) => remove_path(name, challenge, &names)?,
            None => delete(INGRESS, &names.object)?,
        }
        delete(SERVICE, &names.object)?;
        let slices = receipt.map_or_else(|| names.slices().to_vec(), |receipt| receipt.slices);
        slices.iter().try_for_each(|slice| delete(ENDPOINT_SLICE, slice))
    }
}

/// Makes the Ingress, its path of type Exact: the CA asks for one path, and Prefix or a controller's
/// own idea of a path would take more of somebody's host than that.
///
/// Some controllers refuse an Exact path with a dot in it in their admission webhook
/// (kubernetes/ingress-nginx, `strict-validate-path-type`) and name the pathType when they do;
/// they all take ImplementationSpecific.
fn apply_ingress(names: &Names, config: &Config, challenge: &Challenge, port: u16) -> Result<()> {
    let ingress = |path_type| objects::ingress(names, config, challenge, port, path_type);
    match kube::apply(&ingress(PathType::Exact)) {
        Err(error) if error.message().contains("pathType") => {
            log::info(format_args!("the path is not accepted as Exact, so it becomes ImplementationSpecific: {error}"));
            kube::apply(&ingress(PathType::ImplementationSpecific))
        }
        other => other,
    }
    .context("applying the Ingress")?;
    Ok(())
}

fn add_path(name: &str, challenge: &Challenge, names: &Names, port: u16) -> Result<()> {
    change(name, |ingress| match ingress {
        None => Err(Error::not_found(format!(
            "the Ingress {name:?}, which the Issuer names in http01.ingress.name, is not in this namespace: make it, or \
             name an ingressClassName instead"
        ))),
        Some(ingress) => Ok(edit::add(ingress, challenge, &objects::path(names, challenge, port, PathType::Exact))),
    })
}

fn remove_path(name: &str, challenge: &Challenge, names: &Names) -> Result<()> {
    change(name, |ingress| Ok(ingress.and_then(|ingress| edit::remove(ingress, challenge, &names.object))))
}

/// Reads an Ingress and applies the patch that `decide` makes of it, if any. The patch holds the
/// version that was read, so a change in between fails it, and it is made anew.
fn change(name: &str, decide: impl Fn(Option<&serde_json::Value>) -> Result<Option<serde_json::Value>>) -> Result<()> {
    let Kind { api_version, kind } = INGRESS;
    let mut attempt = 1;
    loop {
        let ingress = kube::get(api_version, kind, name).context("reading the Ingress")?;
        let Some(patch) = decide(ingress.as_ref())? else { return Ok(()) };
        match kube::patch(api_version, kind, name, &patch) {
            Ok(_) => return Ok(()),
            Err(Error::Transient(_)) if attempt < ATTEMPTS => attempt += 1,
            Err(error) => return Err(error.context(format_args!("changing the Ingress {name:?}"))),
        }
    }
}

fn delete(Kind { api_version, kind }: Kind, name: &str) -> Result<()> {
    kube::delete(api_version, kind, name).context(format_args!("deleting the {kind} {name:?}"))
}

signet_solver::export!(http01: Ingress);
