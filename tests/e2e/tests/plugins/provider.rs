//! The DNS provider that the controller has never heard of, as a process of the lab.

use anyhow::Result;
use serde_json::{Value, json};
use signet_e2e::Stage;
use signet_lab::{Component, Lab, Port};
use tokio::net::TcpStream;

const COMPONENT: &str = "provider";
const PROGRAM: &str = include_str!("provider.py");
const PORT: u16 = 8079;
const TOKEN: &str = "let-me-in";

/// A handle on the provider.
pub(crate) struct Provider<'a> {
    lab: &'a Lab,
}

impl<'a> Provider<'a> {
    /// The lab's one provider, started if it does not run.
    pub(crate) async fn of(lab: &'a Lab) -> Result<Self> {
        let (program, address) = (lab.site().path("provider.py"), lab.site().address.to_string());
        if !lab.status().await?.iter().any(|status| status.name == COMPONENT) {
            std::fs::write(&program, PROGRAM)?;
            let dns = format!("http://{}", lab.site().at(Port::ChallengeAdmin));
            let args = vec![program.display().to_string(), address.clone(), PORT.to_string(), dns, TOKEN.to_owned()];
            let (name, env) = (COMPONENT.to_owned(), Default::default());
            lab.run_component(Component { name, program: "python3".into(), args, env }).await?;
        }
        let listens = async || Ok(Some(TcpStream::connect((address.as_str(), PORT)).await?));
        lab.eventually("the provider listens", signet_e2e::BOUND, listens).await?;
        Ok(Self { lab })
    }

    /// A solver that uses it, with the token in a Secret on the stage.
    pub(crate) async fn solver(&self, stage: &Stage<'_>) -> Result<Value> {
        stage.secret("hello", &[("token", TOKEN)]).await?;
        Ok(json!({ "dns01": { "hello": {
            "endpoint": format!("http://{}:{PORT}", self.lab.site().address),
            "tokenSecretRef": { "name": "hello", "key": "token" },
        }}}))
    }

    /// The calls about a domain so far, as `METHOD path`.
    pub(crate) fn calls(&self, domain: &str) -> Vec<String> {
        let log = self.lab.log_tail(COMPONENT, usize::MAX);
        let name = format!("_acme-challenge.{domain}.");
        log.lines().filter_map(|line| Some(line.strip_suffix(&name)?.trim_end().to_owned())).collect()
    }
}
