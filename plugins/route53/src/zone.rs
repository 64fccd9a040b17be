//! The hosted zone of a name, when the Issuer does not give its id.

use signet_solver::{Error, Result};

use crate::api::Api;
use crate::lists::Zone;

/// The id of the public hosted zone of this name.
///
/// # Errors
/// Config when there are several, not-found when there is none, auth when the credentials may not
/// look.
pub(crate) async fn find(api: &Api, name: &str) -> Result<String> {
    match api.zones_from(name).await {
        Ok(zones) => pick(&zones, name),
        Err(failure) if failure.is_denied() => {
            let hint = "or set route53.hostedZoneID in the Issuer, and it is not needed";
            Err(failure.error.context(format_args!(
                "the hosted zone of {name} can not be found without route53:ListHostedZonesByName; allow that on \"*\", {hint}"
            )))
        }
        Err(failure) => Err(failure.into()),
    }
}

/// The one public zone of this name; Route 53 answers with those that follow in the alphabet too.
fn pick(zones: &[Zone], name: &str) -> Result<String> {
    let same = |zone: &&Zone| same_name(&zone.name, name) && !zone.private;
    let ids: Vec<&str> = zones.iter().filter(same).map(|zone| zone.id.as_str()).collect();
    match ids[..] {
        [id] => Ok(id.to_owned()),
        [] => Err(Error::not_found(format!(
            "there is no public hosted zone {name} in this AWS account: make it, or check the credentials' account"
        ))),
        _ => Err(Error::config(format!(
            "there are several public hosted zones {name} ({}): set route53.hostedZoneID to the one that is delegated to",
            ids.join(", ")
        ))),
    }
}

/// Whether two names are the same, with or without the trailing dot.
pub(crate) fn same_name(one: &str, other: &str) -> bool {
    one.trim_end_matches('.').eq_ignore_ascii_case(other.trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(id: &str, name: &str, private: bool) -> Zone {
        Zone { id: id.to_owned(), name: name.to_owned(), private }
    }

    #[test]
    fn takes_the_one_public_zone_of_that_name() {
        let zones =
            [zone("Z1", "example.com.", true), zone("Z2", "Example.com.", false), zone("Z3", "example.org.", false)];
        assert_eq!(pick(&zones, "example.com."), Ok("Z2".to_owned()));
        assert!(matches!(pick(&zones[..1], "example.com."), Err(Error::NotFound(_))));
    }

    #[test]
    fn does_not_guess_between_two() {
        let zones = [zone("Z1", "example.com.", false), zone("Z2", "example.com.", false)];
        assert!(matches!(pick(&zones, "example.com."), Err(Error::Config(m)) if m.contains("Z1, Z2")));
    }
}
