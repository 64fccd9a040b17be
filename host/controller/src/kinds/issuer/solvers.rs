//! Whether each solver of an issuer names one plugin that exists, with a config that it accepts.

use serde_json::Value;
use signet_api::Solver;
use signet_api::solver::{Stanza, StanzaError, Way};
use signet_plugins::{ChallengeKind, Registry};

/// A stanza, the challenges that it is for, and where it stands below its solver.
pub(crate) type Placed<'a> = (ChallengeKind, &'static str, Result<Stanza<'a>, StanzaError>);

/// The one stanza of a solver; none for a way that needs no plugin.
pub(crate) fn stanza(solver: &Solver) -> Result<Option<Placed<'_>>, StanzaError> {
    let way = solver.way()?;
    let kind = match way {
        Way::Http01(_) => ChallengeKind::Http01,
        Way::Dns01(_) => ChallengeKind::Dns01,
        Way::TlsAlpn01(_) => ChallengeKind::TlsAlpn01,
        Way::DnsPersist01(_) => return Ok(None),
    };
    Ok(Some((kind, way.field(), way.stanza())))
}

/// All that is wrong with the solvers, as `field: what` sentences.
pub(super) fn errors(registry: &Registry, solvers: &[Solver]) -> Vec<String> {
    let of = |(index, solver)| solver_errors(registry, &format!("spec.acme.solvers[{index}]"), solver);
    solvers.iter().enumerate().flat_map(of).collect()
}

fn solver_errors(registry: &Registry, field: &str, solver: &Solver) -> Vec<String> {
    let (kind, way, stanza) = match stanza(solver) {
        Ok(Some(parts)) => parts,
        Ok(None) => return Vec::new(),
        Err(why) => return vec![format!("{field}: {why}")],
    };
    let stanza = match stanza {
        Ok(stanza) => stanza,
        Err(error) => return vec![format!("{field}.{way}: {error}")],
    };
    let Stanza { plugin, config } = stanza;
    match registry.plugin(kind, plugin) {
        None => vec![format!("{field}.{way}.{plugin}: {}", unknown(registry, kind, plugin))],
        Some(found) => config_errors(&found, &config.to_value())
            .into_iter()
            .map(|(path, message)| {
                let path = if path.is_empty() { String::new() } else { format!(".{path}") };
                format!("{field}.{way}.{plugin}{path}: {message}")
            })
            .collect(),
    }
}

fn config_errors(plugin: &signet_plugins::Plugin, config: &Value) -> Vec<(String, String)> {
    plugin.validate(config).into_iter().map(|error| (error.path, error.message)).collect()
}

/// Why there is no such plugin, with those that there are.
pub(crate) fn unknown(registry: &Registry, kind: ChallengeKind, name: &str) -> String {
    let known = match registry.names(kind) {
        names if names.is_empty() => "none is loaded".to_owned(),
        names => format!("loaded are {}", names.join(", ")),
    };
    format!(
        "no plugin {name} solves {} here ({known}); install the plugin or correct the name",
        kind.as_str().to_uppercase()
    )
}
