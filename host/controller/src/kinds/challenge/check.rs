//! Whether the proof can be seen from here.

use jiff::Timestamp;
use kube::ResourceExt;
use signet_api::{Challenge, ChallengeType};
use signet_core::challenge::{Check, Memory};
use signet_core::failure::{Failure, Retry};
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
        ChallengeType::Dns01 => match look_in_dns(cx, challenge).await {
            Ok(Propagation::Everywhere) => Sight::Seen,
            Ok(Propagation::Missing(missing)) => {
                let lines: Vec<_> = missing.iter().map(ToString::to_string).collect();
                Sight::NotSeen(lines.join("; "))
            }
            Err(failure) => Sight::Failed(failure),
        },
    }
}

async fn look_in_dns(cx: &Context, challenge: &Challenge) -> Result<Propagation, Failure> {
    let record = record(cx, challenge).await?;
    let dns = resolver(cx, challenge).await?;
    let seen = dns.propagation(&record.fqdn, &record.zone, &challenge.spec.key).await;
    tracing::debug!(challenge = challenge.name_any(), fqdn = record.fqdn, ?seen, "looked for the record");
    seen.map_err(|error| dns_failure(&error))
}

/// The DNS as the solver wants it asked.
pub(super) async fn resolver(cx: &Context, challenge: &Challenge) -> Result<Dns, Failure> {
    let servers = challenge.spec.solver.dns01.as_ref().map(|dns01| dns01.nameservers.as_slice()).unwrap_or_default();
    match signet_dns::nameservers(servers).await {
        Ok(servers) => Ok(cx.dns.through(servers)),
        Err(error) => {
            let message = format!("spec.solver.dns01.nameservers: {}", crate::error::sentence(&error));
            Err(failure(error.reason(), message, Retry::OnChange))
        }
    }
}
