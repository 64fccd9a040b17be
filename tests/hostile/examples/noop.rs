//! Does nothing, well: what the others are compared with, and what the benchmark calls.
signet_hostile::guest!("noop", [], |challenge| Ok(challenge.fqdn.into_bytes()));
