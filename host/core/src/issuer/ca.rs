//! A CA issuer: whether the key pair in its Secret can sign, and until when.

use std::time::Duration;

use jiff::Timestamp;
use signet_api::issuer::CaIssuer;

use super::observed::Observed;
use super::{Action, IssuerPlan, crl, not_ready, ready, reason, write};

/// Why the Secret that `spec.ca.secretName` names has no key pair to sign with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadKeyPair {
    /// There is no such Secret.
    NoSecret,
    /// It lacks these keys, or they are empty.
    Lacks(Vec<&'static str>),
    /// What is under this key can not be used; why.
    Invalid { key: &'static str, why: String },
    /// The certificate is not one that may sign others.
    NotAuthority,
    /// Certificate and private key do not belong together.
    Mismatch,
    /// The certificate has ended.
    Expired(Timestamp),
}

impl BadKeyPair {
    /// One word for programs.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NoSecret | Self::Lacks(_) => reason::GET_KEY_PAIR,
            Self::Invalid { .. } | Self::NotAuthority | Self::Mismatch | Self::Expired(_) => reason::INVALID_KEY_PAIR,
        }
    }

    /// What is wrong with this Secret (`namespace/name`), and what to do.
    pub fn sentence(&self, secret: &str) -> String {
        let sentence = match self {
            Self::NoSecret => format!(
                "There is no Secret {secret}, which spec.ca.secretName names; make it, with the authority's certificate \
                 in tls.crt and its key in tls.key"
            ),
            Self::Lacks(keys) => format!(
                "Secret {secret} has no {}; put the authority's certificate in its tls.crt and the key in its tls.key",
                keys.join(" and no ")
            ),
            Self::Invalid { key, why } => {
                format!("The authority's key pair ({key} in Secret {secret}) can not be used: {why}; replace it")
            }
            Self::NotAuthority => format!(
                "The certificate in tls.crt of Secret {secret} may not sign others; put one there that may, which a \
                 Certificate with spec.isCA: true gets"
            ),
            Self::Mismatch => format!(
                "The key in tls.key of Secret {secret} is not the one of the certificate in its tls.crt; put both of \
                 one authority there"
            ),
            Self::Expired(at) => {
                format!("The authority's certificate (tls.crt in Secret {secret}) expired at {at}; renew it")
            }
        };
        format!("{sentence}, and Signet goes on")
    }
}

/// Tells what the key pair is good for. The Secret wakes the issuer when it changes; that a
/// certificate ends is nobody's news, so it is waited for.
pub(super) fn serve(observed: &Observed, ca: &CaIssuer, now: Timestamp) -> IssuerPlan {
    let secret = format!("{}/{}", observed.secrets_in, ca.secret_name);
    let usable =
        observed.key_pair.clone().and_then(|end| if end > now { Ok(end) } else { Err(BadKeyPair::Expired(end)) });
    match usable {
        Ok(end) => {
            let next_list = crl::due(observed);
            if next_list.is_some_and(|due| due <= now) {
                return IssuerPlan { actions: vec![Action::WriteList], ..IssuerPlan::rest() };
            }
            let message =
                format!("Certificates are signed with the key pair in Secret {secret}, until {end} at the latest");
            let plan = write(observed, observed.status.acme.clone(), ready(reason::VERIFIED, &message), now);
            let wake = next_list.map_or(end, |due| due.min(end));
            IssuerPlan { requeue: Duration::try_from(wake.duration_since(now)).ok(), ..plan }
        }
        Err(bad) => not_ready(observed, bad.reason(), bad.sentence(&secret), now),
    }
}
