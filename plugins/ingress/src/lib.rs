//! Solves HTTP-01 through an Ingress: Signet's own responder answers the token, and an Ingress, a
//! Service and an EndpointSlice in the Challenge's namespace lead the CA's request to it.
//!
//! [`objects`] says what the Ingress is, [`edit`] how one that somebody else owns is changed, [`status`]
//! what is wrong with one that nobody serves; all three are pure. This file talks to the host.

mod config;
mod edit;
mod objects;
mod status;

use serde_json::Value;
use signet_solver::backend::{self, Names, Receipt};
use signet_solver::http01::{Challenge, Http01Solver};
use signet_solver::{Context, Error, Result, kube, log, responder};

use crate::config::Config;
use crate::objects::{API_VERSION, KIND, PathType};

/// How often an Ingress is read and changed again when others change it at the same time.
const ATTEMPTS: usize = 3;

struct Ingress;

impl Http01Solver for Ingress {
    type Config = Config;
    type Receipt = Receipt;

    fn present(config: Config, challenge: &Challenge) -> Result<Receipt> {
        if config.pod_template.is_some() {
            log::debug("podTemplate is not used: no pod is made for a challenge");
        }
        let endpoint = responder::answer(challenge).context("asking Signet's responder to answer")?;
        let names = Names::of(&challenge.host, &challenge.token);
        let receipt = backend::apply(&names, &endpoint, config.service_type())?;
        let known = match config.existing() {
            Some(name) => add_path(name, challenge, &names, endpoint.port)?,
            None => apply_ingress(&names, &config, challenge, endpoint.port)?,
        };
        // One that is there since a call before has had time to be taken up.
        if let Some(complaint) = known.as_ref().and_then(status::complaint) {
            log::warn(complaint);
        }
        Ok(receipt)
    }

    fn cleanup(config: Config, challenge: &Challenge, receipt: Option<Receipt>) -> Result<()> {
        let names = Names::of(&challenge.host, &challenge.token);
        match config.existing() {
            Some(name) => remove_path(name, challenge, &names)?,
            None => kube::delete(API_VERSION, KIND, names.object())
                .context(format_args!("deleting the Ingress {:?}", names.object()))?,
        }
        backend::delete(&names, receipt)
    }
}

/// Makes the Ingress, its path of type Exact: the CA asks for one path, and Prefix or a controller's
/// own idea of a path would take more of somebody's host than that.
///
/// Some controllers refuse an Exact path with a dot in it in their admission webhook
/// (kubernetes/ingress-nginx, `strict-validate-path-type`) and name the pathType when they do;
/// they all take ImplementationSpecific.
///
/// Returns the Ingress if it was there before.
fn apply_ingress(names: &Names, config: &Config, challenge: &Challenge, port: u16) -> Result<Option<Value>> {
    let before = kube::get(API_VERSION, KIND, names.object()).context("reading the Ingress")?;
    let ingress = |path_type| objects::ingress(names, config, challenge, port, path_type);
    match kube::apply(&ingress(PathType::Exact)) {
        Err(error) if error.message().contains("pathType") => {
            log::info(format_args!("the path is not accepted as Exact, so it becomes ImplementationSpecific: {error}"));
            kube::apply(&ingress(PathType::ImplementationSpecific))
        }
        other => other,
    }
    .context("applying the Ingress")?;
    Ok(before)
}

/// Returns the Ingress if the path was there before.
fn add_path(name: &str, challenge: &Challenge, names: &Names, port: u16) -> Result<Option<Value>> {
    change(name, |ingress| match ingress {
        None => Err(Error::not_found(format!(
            "the Ingress {name:?}, which the Issuer names in http01.ingress.name, is not in this namespace: make it, or \
             name an ingressClassName instead"
        ))),
        Some(ingress) => Ok(edit::add(ingress, challenge, &objects::path(names, challenge, port, PathType::Exact))),
    })
}

fn remove_path(name: &str, challenge: &Challenge, names: &Names) -> Result<()> {
    change(name, |ingress| Ok(ingress.and_then(|ingress| edit::remove(ingress, challenge, names.object()))))?;
    Ok(())
}

/// Reads an Ingress and applies the patch that `decide` makes of it, if any. The patch holds the
/// version that was read, so a change in between fails it, and it is made anew. Returns the Ingress if
/// it is as it should be already.
fn change(name: &str, decide: impl Fn(Option<&Value>) -> Result<Option<Value>>) -> Result<Option<Value>> {
    let mut attempt = 1;
    loop {
        let ingress = kube::get(API_VERSION, KIND, name).context("reading the Ingress")?;
        let Some(patch) = decide(ingress.as_ref())? else { return Ok(ingress) };
        match kube::patch(API_VERSION, KIND, name, &patch) {
            Ok(_) => return Ok(None),
            Err(Error::Transient(_)) if attempt < ATTEMPTS => attempt += 1,
            Err(error) => return Err(error.context(format_args!("changing the Ingress {name:?}"))),
        }
    }
}

signet_solver::export!(http01: Ingress);
