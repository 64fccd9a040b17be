//! `kubectl signet revoke`: asks for the revocation of one certificate, by an annotation that names it by serial
//! number and fingerprint. The controller takes it from there, however often the Certificate is renewed meanwhile.

use anyhow::{Context, Result, anyhow, bail};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{ListParams, Patch, PatchParams};
use serde_json::{Value, json};
use signet_api::labels::{REVOKE, REVOKE_FINALIZER, REVOKED};
use signet_api::{Certificate, CertificateRequest};
use signet_core::pki::Link;
use signet_core::revocation::{Identity, Request, inability, plain_serial, read_records};

use crate::args::Revoke;
use crate::cluster::{Cluster, sentence};
use crate::gather::{certificate, issuer};
use crate::gathered::{Seen, SeenIssuer, is_owned, revision};

const MANAGER: &str = "kubectl-signet";
/// How often somebody else may write in between before this gives up.
const ATTEMPTS: usize = 5;

/// Asks, and returns what to say of it.
pub(crate) async fn revoke(cluster: &Cluster, wanted: &Revoke) -> Result<String> {
    let api = Api::<Certificate>::namespaced(cluster.client.clone(), &cluster.namespace);
    let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
    let (namespace, name) = (&cluster.namespace, &wanted.name);
    let found = certificate(cluster, namespace, name).await?;
    can_revoke(cluster, &found).await?;
    let meant = choose(cluster, &found, wanted).await?;
    let mut found = found;
    for _ in 0..ATTEMPTS {
        let patch = match decide(&found, wanted, &meant)? {
            Decision::Write(patch) => patch,
            Decision::Leave(why) => return Ok(format!("Certificate {namespace}/{name}: {why}\n")),
        };
        match api.patch(name, &params, &Patch::Merge(&patch)).await {
            Ok(_) => {
                return Ok(format!(
                    "Certificate {namespace}/{name}: revocation of the certificate with serial number {} asked for, as {}; \
                     see `kubectl signet status certificate {name} -n {namespace}`\n",
                    meant.serial,
                    wanted.reason.name()
                ));
            }
            Err(kube::Error::Api(status)) if status.is_conflict() => {
                found = certificate(cluster, namespace, name).await?;
            }
            Err(error) => {
                return Err(anyhow!(sentence(&error)))
                    .with_context(|| format!("Certificate {namespace}/{name} can not be marked for revocation"));
            }
        }
    }
    bail!("Certificate {namespace}/{name} was changed by others {ATTEMPTS} times while it was being marked; try again")
}

/// An error when the issuer can not revoke at all, as far as this person may see it.
async fn can_revoke(cluster: &Cluster, certificate: &Certificate) -> Result<()> {
    let reference = &certificate.spec.issuer_ref;
    let why = match issuer(cluster, reference).await {
        SeenIssuer::Ours(Seen::There(facts)) => inability(facts.kind, &reference.name, &facts.spec, facts.keeps_list),
        SeenIssuer::Ours(Seen::Missing | Seen::Hidden(_)) => None,
        SeenIssuer::Foreign => Some(format!(
            "{} is of the group {}, and only the controller of that group can revoke its certificates",
            reference.name,
            reference.group_or_default()
        )),
    };
    match why {
        None => Ok(()),
        Some(why) => {
            let (namespace, name) = names(certificate);
            bail!("Certificate {namespace}/{name} has an issuer (spec.issuerRef) that can not revoke: {why}")
        }
    }
}

/// A certificate that was issued for the Certificate.
struct Issued {
    identity: Identity,
    in_secret: bool,
    revision: Option<i64>,
}

/// The certificate that is meant: the one with the serial number, else the one in use.
async fn choose(cluster: &Cluster, certificate: &Certificate, wanted: &Revoke) -> Result<Identity> {
    let (namespace, name) = names(certificate);
    let secret = &certificate.spec.secret_name;
    let all = issued(cluster, certificate).await?;
    let current = certificate.status.as_ref().and_then(|status| status.revision);
    let found = match &wanted.serial {
        Some(serial) => {
            let plain = plain_serial(serial).with_context(|| format!("--serial {serial} is not hexadecimal"))?;
            all.iter().find(|issued| plain_serial(&issued.identity.serial).as_ref() == Some(&plain))
        }
        None => all
            .iter()
            .find(|issued| issued.in_secret)
            .or_else(|| all.iter().find(|issued| current.is_some() && issued.revision == current)),
    };
    if let Some(found) = found {
        return Ok(found.identity.clone());
    }
    let serials: Vec<_> = all.iter().map(|issued| issued.identity.serial.as_str()).collect();
    match &wanted.serial {
        Some(serial) if !serials.is_empty() => bail!(
            "Certificate {namespace}/{name} has no certificate with serial number {serial} any more; it has {}",
            serials.join(", ")
        ),
        Some(_) | None => bail!(
            "Certificate {namespace}/{name} has no certificate to revoke: there is none in Secret {namespace}/{secret}, and \
             no CertificateRequest of its revision was issued one"
        ),
    }
}

/// What the target Secret holds and what the CertificateRequests were issued.
async fn issued(cluster: &Cluster, certificate: &Certificate) -> Result<Vec<Issued>> {
    let secrets = Api::<Secret>::namespaced(cluster.client.clone(), &cluster.namespace);
    let secret = match secrets.get(&certificate.spec.secret_name).await {
        Ok(secret) => secret.data.and_then(|data| leaf(&data.get("tls.crt")?.0)),
        // Not everybody may see it; the requests tell as well.
        Err(kube::Error::Api(status)) if is_missing_or_hidden(&status) => None,
        Err(error) => return Err(anyhow!(sentence(&error))).context("the Secret can not be read"),
    };
    let requests = Api::<CertificateRequest>::namespaced(cluster.client.clone(), &cluster.namespace);
    let requests = requests.list(&ListParams::default()).await.map_err(|error| anyhow!(sentence(&error)));
    let requests =
        requests.with_context(|| format!("the CertificateRequests of {} can not be listed", cluster.namespace))?;
    let mut all: Vec<_> = requests
        .items
        .iter()
        .filter(|request| is_owned(*request, certificate.metadata.uid.as_deref()))
        .filter_map(|request| {
            let identity = leaf(&request.status.as_ref()?.certificate.as_ref()?.0)?;
            let in_secret = secret.as_ref() == Some(&identity);
            Some(Issued { identity, in_secret, revision: revision(request) })
        })
        .collect();
    if let Some(identity) = secret.filter(|_| !all.iter().any(|issued| issued.in_secret)) {
        all.push(Issued { identity, in_secret: true, revision: None });
    }
    Ok(all)
}

fn is_missing_or_hidden(status: &kube::core::Status) -> bool {
    matches!(status.code, 403 | 404)
}

fn leaf(pem: &[u8]) -> Option<Identity> {
    let chain = Link::parse_chain(pem).ok()?;
    chain.first().map(|first| Identity::of(&first.facts, &first.der))
}

#[derive(Debug, PartialEq)]
enum Decision {
    /// A merge patch. It holds the resourceVersion, so that it only lands on what was looked at.
    Write(Value),
    Leave(String),
}

fn decide(certificate: &Certificate, wanted: &Revoke, meant: &Identity) -> Result<Decision> {
    let metadata = &certificate.metadata;
    let (namespace, name) = names(certificate);
    if metadata.deletion_timestamp.is_some() {
        bail!("Certificate {namespace}/{name} is being deleted");
    }
    let annotation = |key: &str| metadata.annotations.as_ref()?.get(key).map(String::as_str);
    let records = read_records(annotation(REVOKED));
    if let Some(record) = records.iter().find(|record| !record.refused && record.sha256 == meant.sha256) {
        return Ok(Decision::Leave(format!(
            "the certificate with serial number {} was revoked already, as {} at {}",
            record.serial,
            record.reason.name(),
            record.at
        )));
    }
    let request = Request {
        serial: plain_serial(&meant.serial).unwrap_or_default(),
        sha256: Some(meant.sha256.clone()),
        reason: wanted.reason,
        with_certificate_key: wanted.with_certificate_key,
    };
    if let Some(Ok(pending)) = annotation(REVOKE).map(Request::parse)
        && pending.serial != request.serial
    {
        bail!(
            "Certificate {namespace}/{name}: the revocation of serial number {} is still under way; wait for it, or take it \
             back with `kubectl annotate certificate {name} -n {namespace} {REVOKE}-`",
            pending.serial
        );
    }
    let mut finalizers = metadata.finalizers.clone().unwrap_or_default();
    if !finalizers.iter().any(|known| known == REVOKE_FINALIZER) {
        finalizers.push(REVOKE_FINALIZER.to_owned());
    }
    Ok(Decision::Write(json!({ "metadata": {
        "resourceVersion": metadata.resource_version,
        "annotations": { REVOKE: request.text() },
        "finalizers": finalizers,
    } })))
}

fn names(certificate: &Certificate) -> (&str, &str) {
    let metadata = &certificate.metadata;
    (metadata.namespace.as_deref().unwrap_or_default(), metadata.name.as_deref().unwrap_or_default())
}

#[cfg(test)]
mod tests;
