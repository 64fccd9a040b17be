//! A second replica beside the lab's controller, and the Lease that they share.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result};
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use signet_lab::{Component, Lab};

use crate::BOUND;

/// What the process is called in the lab.
pub const COMPONENT: &str = "replica";
/// What it calls itself.
pub const POD: &str = "signet-1";

/// A process like the lab's controller, as the Deployment's second pod would run it.
///
/// # Errors
/// The lab's controller does not run.
pub async fn second(lab: &Lab) -> Result<Component> {
    let pid = lab.controller().pid().await?.context("the controller runs")?;
    let read = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}"));
    let (arguments, environment) = (read("cmdline")?, read("environ")?);
    let mut arguments = arguments.split_terminator('\0');
    let program = arguments.next().context("a process has a program")?.into();
    let any_port = |argument: &str| match argument.split_once("-listen-address=") {
        Some((what, _)) => format!("{what}-listen-address={}:0", lab.site().address),
        None => argument.to_owned(),
    };
    let args = arguments.map(any_port).collect();
    let pairs = environment.split_terminator('\0').filter_map(|pair| pair.split_once('='));
    let mut env: BTreeMap<_, _> = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    env.insert("POD_NAME".to_owned(), POD.to_owned());
    Ok(Component { name: COMPONENT.to_owned(), program, args, env })
}

/// Waits until the process has read the cluster and found that another one leads.
///
/// # Errors
/// It has not within the bound.
pub async fn waits_for_the_lease(lab: &Lab, component: &str) -> Result<()> {
    let waits = async || {
        let log = lab.log_tail(component, 100);
        let since = log.rfind(": ready ").context("it is not ready yet")?;
        Ok(log[since..].contains("another replica leads").then_some(()))
    };
    lab.eventually(&format!("{component} waits for the Lease"), BOUND, waits).await
}

/// Waits until the pod of this name holds the Lease.
///
/// # Errors
/// It does not within the bound.
pub async fn leads(lab: &Lab, pod: &str) -> Result<()> {
    let leases = Api::<Lease>::namespaced(lab.client().await, "cert-manager");
    let leads = async || {
        let spec = leases.get("cert-manager-controller").await?.spec.unwrap_or_default();
        Ok((spec.holder_identity.as_deref() == Some(pod)).then_some(()))
    };
    lab.eventually(&format!("{pod} leads"), BOUND, leads).await
}
