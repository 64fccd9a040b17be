//! What an issuance under way waits for: the same kind of chain as [`super::next`], from the
//! issuer down to the proofs.

use jiff::Timestamp;
use signet_api::certificaterequest::condition::{APPROVED, DENIED, INVALID_REQUEST, READY};
use signet_api::certificaterequest::reason::FAILED;
use signet_api::meta::condition;
use signet_api::{Challenge, ChallengeType, Condition, State};

use super::next::{if_nothing_moves, issuer_trouble, sentence};
use super::proofs::{domain, plugin, status};
use crate::gathered::{Gathered, Seen, SeenIssuer, revision};

type Rule = fn(&Gathered) -> Option<String>;

const RULES: &[Rule] = &[signed, ended, trouble, no_request, unapproved, foreign, proof, order, unordered];

/// The first rule that speaks.
pub(super) fn progress(gathered: &Gathered, _: Timestamp) -> String {
    let said = RULES.iter().find_map(|rule| rule(gathered));
    said.unwrap_or_else(|| format!("{} signs the request. {}", gathered.issuer_name(), if_nothing_moves()))
}

/// A condition of the request that this issuance made. One left from a past issuance says nothing.
fn of_request<'a>(gathered: &'a Gathered, type_: &str) -> Option<&'a Condition> {
    let request = gathered.request.there().filter(|_| is_new(gathered))?;
    condition(&request.status.as_ref()?.conditions, type_)
}

fn is_new(gathered: &Gathered) -> bool {
    let done = gathered.status().revision.unwrap_or(0);
    gathered.request.there().and_then(revision).is_none_or(|revision| revision > done)
}

fn signed(gathered: &Gathered) -> Option<String> {
    of_request(gathered, READY).filter(|ready| ready.is_true())?;
    let secret = &gathered.certificate.spec.secret_name;
    Some(format!("The certificate is signed; Signet writes it into Secret {secret}. {}", if_nothing_moves()))
}

/// A request that will never be signed: the controller counts it as a failure, or replaces it.
fn ended(gathered: &Gathered) -> Option<String> {
    let denied = of_request(gathered, DENIED).filter(|denied| denied.is_true());
    let invalid = of_request(gathered, INVALID_REQUEST).filter(|invalid| invalid.is_true());
    let failed = of_request(gathered, READY).filter(|ready| ready.reason.as_deref() == Some(FAILED));
    let (what, why) = match (denied, invalid, failed) {
        (Some(why), _, _) => ("was denied", why),
        (_, Some(why), _) => ("can not be signed", why),
        (_, _, Some(why)) => ("failed", why),
        (None, None, None) => return None,
    };
    let why = why.message.as_deref().map_or(String::new(), |message| format!(": {}", sentence(message)));
    Some(format!("The request {what}{why}. Signet makes another, or says here when it tries again."))
}

fn trouble(gathered: &Gathered) -> Option<String> {
    issuer_trouble(gathered)
}

fn no_request(gathered: &Gathered) -> Option<String> {
    let none = match &gathered.request {
        Seen::Missing => true,
        Seen::Hidden(_) => false,
        Seen::There(_) => !is_new(gathered),
    };
    none.then(|| format!("Signet makes a private key and a CertificateRequest with it. {}", if_nothing_moves()))
}

fn unapproved(gathered: &Gathered) -> Option<String> {
    let request = gathered.request.there()?;
    if of_request(gathered, APPROVED).is_some_and(Condition::is_true) {
        return None;
    }
    let name = request.metadata.name.as_deref().unwrap_or_default();
    Some(format!(
        "CertificateRequest {name} waits for approval. Signet approves within seconds; where that is switched off, \
         your approver must."
    ))
}

fn foreign(gathered: &Gathered) -> Option<String> {
    let group = gathered.certificate.spec.issuer_ref.group_or_default();
    (gathered.issuer == SeenIssuer::Foreign).then(|| {
        format!("The controller of {group} has to sign; Signet only waits for it. Look at its log if that takes long.")
    })
}

/// The first name that is not proven, and what its proof waits for.
fn proof(gathered: &Gathered) -> Option<String> {
    let challenges = gathered.challenges.there()?;
    let open: Vec<_> = challenges.iter().filter(|one| status(one).state != Some(State::Valid)).collect();
    // What has a reason is the more telling; what is worked on, than what is not.
    let first = open.iter().max_by_key(|one| (status(one).reason.is_some(), status(one).processing))?;
    let others = match open.len() - 1 {
        0 => String::new(),
        others => format!(" {others} more of the {} names are still to be proven.", challenges.len()),
    };
    Some(waits_for(gathered, first) + &others)
}

fn waits_for(gathered: &Gathered, challenge: &Challenge) -> String {
    let (name, status) = (domain(challenge), status(challenge));
    if status.state.is_some_and(State::is_failure) {
        return format!("{name} could not be proven, so the order ends; Signet then says here when it tries again.");
    }
    if !status.processing {
        return format!(
            "The proof of {name} has not begun: Signet works on a limited number at once. It goes on by itself."
        );
    }
    let plugin = plugin(&challenge.spec.solver);
    if !status.presented {
        let issuer = gathered.issuer_name();
        return match status.reason {
            None => format!("Solver plugin {plugin} shows the proof of {name}. {}", if_nothing_moves()),
            Some(_) => format!(
                "Signet tries again by itself to show the proof of {name}. What keeps it is the reason above: \
                 look at the config of {plugin} on {issuer}."
            ),
        };
    }
    match status.reason {
        None => format!("The proof of {name} is shown; the CA looks at it. {}", if_nothing_moves()),
        Some(_) => format!(
            "Signet looks again by itself; once the proof of {name} can be seen, it tells the CA to look, and the \
             certificate follows. See for yourself with {}.",
            look(challenge)
        ),
    }
}

/// A command that shows what the CA will see (RFC 8555, sections 8.3 and 8.4; RFC 8737, section 3).
fn look(challenge: &Challenge) -> String {
    let name = &challenge.spec.dns_name;
    match challenge.spec.type_ {
        ChallengeType::Dns01 | ChallengeType::DnsAccount01 | ChallengeType::DnsPersist01 => {
            format!("`dig +short TXT {}.{name}`", challenge.spec.record_prefix_or_default())
        }
        ChallengeType::Http01 => {
            format!("`curl -L http://{name}/.well-known/acme-challenge/{}`", challenge.spec.token)
        }
        ChallengeType::TlsAlpn01 => {
            format!("`openssl s_client -connect {name}:443 -servername {name} -alpn acme-tls/1`")
        }
    }
}

fn order(gathered: &Gathered) -> Option<String> {
    let order = gathered.order.there()?;
    let status = order.status.clone().unwrap_or_default();
    let issuer = gathered.issuer_name();
    Some(match (status.state, status.reason) {
        (Some(State::Valid), _) => {
            format!("The CA has signed; Signet hands the certificate on. {}", if_nothing_moves())
        }
        (Some(state), _) if state.is_failure() => {
            "The order ended; Signet counts a failure and says here when it tries again.".to_owned()
        }
        (_, Some(reason)) => format!(
            "Signet tries again by itself; what keeps the order is: {}. If that needs a change, it is one of {issuer}.",
            sentence(&reason)
        ),
        (None, None) => format!("Signet makes the order at the CA of {issuer}. {}", if_nothing_moves()),
        (Some(_), None) => format!("Every name is proven; the CA signs. {}", if_nothing_moves()),
    })
}

fn unordered(gathered: &Gathered) -> Option<String> {
    let SeenIssuer::Ours(Seen::There(facts)) = &gathered.issuer else { return None };
    let none = gathered.order == Seen::Missing && facts.spec.acme.is_some();
    none.then(|| format!("Signet makes an Order for the request. {}", if_nothing_moves()))
}
