//! What the ACME CA says of renewals (RFC 9773), and which orders it took for replacements.

use std::fs;

use anyhow::{Result, ensure};
use serde_json::json;

use crate::acme::outside_client;
use crate::lab::Lab;
use crate::site::Port;

impl Lab {
    /// Has the CA answer with this, whatever it is, when it is asked when to renew a certificate, which
    /// it must have issued.
    ///
    /// # Errors
    /// Pebble does not answer, or knows no such certificate.
    pub async fn set_renewal_info(&self, certificate_pem: &str, answer: &str) -> Result<()> {
        let url = format!("https://{}/set-renewal-info/", self.site.at(Port::AcmeAdmin));
        let request = json!({ "certificate": certificate_pem, "ariResponse": answer });
        let answer = outside_client(&self.site)?.post(url).json(&request).send().await?;
        ensure!(answer.status().is_success(), "Pebble refuses renewal information with {}", answer.status());
        Ok(())
    }

    /// Whether the CA took the order at this address for the replacement of a certificate.
    pub fn took_for_replacement(&self, order_url: &str) -> bool {
        let log = fs::read_to_string(self.site.log("pebble")).unwrap_or_default();
        let id = order_url.rsplit('/').next().unwrap_or_default();
        log.contains(&format!("ARI: order \"{id}\" is a replacement of"))
    }
}
