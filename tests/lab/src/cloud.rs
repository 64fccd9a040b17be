//! The cloud API: moto as Route 53 and IAM, behind the real host names.

use std::fs;

use anyhow::{Result, ensure};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::control::Component;
use crate::lab::Lab;
use crate::pki::Pair;
use crate::site::{Port, Site};
use crate::tools::Tools;

const PROGRAM: &str = include_str!("cloud.py");

/// What an AWS client signs with.
#[derive(Debug, Clone, Deserialize)]
pub struct AccessKey {
    /// For instance `AKIA…`.
    pub access_key_id: String,
    /// The secret half.
    pub secret_access_key: String,
}

pub(crate) fn component(site: &Site, tools: &Tools) -> Result<Component> {
    let program = site.path("cloud.py");
    fs::write(&program, PROGRAM)?;
    let server = Pair::at(&site.path("pki/world"), "cloud");
    let args = vec![
        program.display().to_string(),
        zones_file(site).display().to_string(),
        site.world().to_string(),
        server.certificate.display().to_string(),
        server.key.display().to_string(),
        (Port::Cloud as u16).to_string(),
        site.listen(Port::CloudAdmin).ip().to_string(),
        (Port::CloudAdmin as u16).to_string(),
    ];
    let component = Component::new("cloud", tools.python(), args);
    Ok(component.env("INITIAL_NO_AUTH_ACTION_COUNT", "0").env("PYTHONUNBUFFERED", "1"))
}

/// Where the cloud publishes its hosted zones for the DNS server.
pub(crate) fn zones_file(site: &Site) -> std::path::PathBuf {
    site.path("zones.json")
}

pub(crate) async fn ready(site: &Site) -> Result<()> {
    let url = format!("http://{}/", site.at(Port::CloudAdmin));
    reqwest::get(url).await?.error_for_status()?;
    Ok(())
}

impl Lab {
    /// Makes a public hosted zone, which the lab's DNS serves at once, and returns its id.
    ///
    /// # Errors
    /// The cloud refuses, for instance because there is one of that name.
    pub async fn create_hosted_zone(&self, name: &str) -> Result<String> {
        #[derive(Deserialize)]
        struct Zone {
            id: String,
        }
        let zone: Zone = self.cloud("zones", &json!({ "name": name })).await?;
        Ok(zone.id)
    }

    /// Makes an IAM user that may do what `policy` says, and a key for it.
    ///
    /// # Errors
    /// The cloud refuses, for instance because there is a user of that name.
    pub async fn create_iam_user(&self, name: &str, policy: &Value) -> Result<AccessKey> {
        self.cloud("users", &json!({ "name": name, "policy": policy })).await
    }

    /// Makes an IAM role that anyone who may call `sts:AssumeRole` can take, and returns its ARN.
    ///
    /// # Errors
    /// The cloud refuses, for instance because there is a role of that name.
    pub async fn create_iam_role(&self, name: &str, policy: &Value) -> Result<String> {
        #[derive(Deserialize)]
        struct Role {
            arn: String,
        }
        let role: Role = self.cloud("roles", &json!({ "name": name, "policy": policy })).await?;
        Ok(role.arn)
    }

    async fn cloud<T: DeserializeOwned>(&self, call: &str, arguments: &Value) -> Result<T> {
        let url = format!("http://{}/{call}", self.site.at(Port::CloudAdmin));
        let answer = reqwest::Client::new().post(url).json(arguments).send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        ensure!(status.is_success(), "the cloud refuses to make one of its {call}: {text}");
        Ok(serde_json::from_str(&text)?)
    }
}
