//! Whether the proof can be seen from here.

use jiff::Timestamp;
use kube::ResourceExt;
use signet_api::{Challenge, ChallengeType};
use signet_core::challenge::{Check, Memory};
use signet_core::failure::{Failure, Retry};
use signet_core::persist;
use signet_dns::{Dns, Propagation};

use super::{dns_failure, failure, record};
use crate::context::Context;

/// What a look gave.
pub(super) enum Sight {
    Seen,
    /// What answered instead.
    NotSeen(String),
    /// It could not even be looked for.
    Failed(Failure),
}

impl Sight {
    pub(super) fn remember(&self, memory: &mut Memory) {
        match self {
            Self::Seen => {
                memory.failure = None;
                memory.check = Some(Check::Passed);
            }
            Self::NotSeen(message) => {
                let attempts = match &memory.check {
                    Some(Check::Failed { attempts, .. }) => attempts + 1,
                    Some(Check::Passed) | None => 1,
                };
                memory.failure = None;
                memory.check = Some(Check::Failed { attempts, message: message.clone(), at: Timestamp::now() });
            }
            Self::Failed(failure) => memory.failure = Some(failure.clone()),
        }
    }
}

pub(super) async fn check(cx: &Context, challenge: &Challenge) -> Sight {
    let spec = &challenge.spec;
    match spec.type_ {
        ChallengeType::Http01 => match cx.self_check.look(&spec.dns_name, &spec.token, &spec.key).await {
            Ok(()) => Sight::Seen,
            Err(message) => Sight::NotSeen(message),
        },
        ChallengeType::TlsAlpn01 => match cx.tls_look.look(&spec.dns_name, &spec.key).await {
            Ok(()) => Sight::Seen,
            Err(message) => Sight::NotSeen(message),
        },
        ChallengeType::Dns01 | ChallengeType::DnsAccount01 | ChallengeType::DnsPersist01 => {
            match look_in_dns(cx, challenge).await {
                Ok(Propagation::Everywhere) => Sight::Seen,
                Ok(Propagation::Missing(missing)) => {
                    let lines: Vec<_> = missing.iter().map(ToString::to_string).collect();
                    Sight::NotSeen(to_publish(challenge) + &lines.join("; "))
                }
                Err(failure) => Sight::Failed(failure),
            }
        }
    }
}

async fn look_in_dns(cx: &Context, challenge: &Challenge) -> Result<Propagation, Failure> {
    let record = record(cx, challenge).await?;
    let dns = resolver(cx, challenge).await?;
    let (key, now) = (&challenge.spec.key, Timestamp::now());
    let seen = match persist::Record::parse(key).filter(|_| challenge.spec.type_ == ChallengeType::DnsPersist01) {
        Some(wanted) => dns.propagation_of(&record.fqdn, &record.zone, &|txt| wanted.is_met_by(txt, now)).await,
        None => dns.propagation(&record.fqdn, &record.zone, key).await,
    };
    tracing::debug!(challenge = challenge.name_any(), fqdn = record.fqdn, ?seen, "looked for the record");
    seen.map_err(|error| dns_failure(&error))
}

/// What a person has to do for a proof that Signet does not show itself.
fn to_publish(challenge: &Challenge) -> String {
    let spec = &challenge.spec;
    if spec.type_ != ChallengeType::DnsPersist01 {
        return String::new();
    }
    let prefix = spec.record_prefix_or_default();
    format!(
        "publish the TXT record {prefix}.{} with the value \"{}\", once and for good; now ",
        spec.dns_name, spec.key
    )
}

/// The DNS as the solver wants it asked.
pub(super) async fn resolver(cx: &Context, challenge: &Challenge) -> Result<Dns, Failure> {
    let (field, servers) = challenge.spec.solver.nameservers();
    match signet_dns::nameservers(servers).await {
        Ok(servers) => Ok(cx.dns.through(servers)),
        Err(error) => {
            let message = format!("spec.solver.{field}: {}", crate::error::sentence(&error));
            Err(failure(error.reason(), message, Retry::OnChange))
        }
    }
}
