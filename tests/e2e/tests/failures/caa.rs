//! CAA records that keep the CA from signing. Pebble looks at none, so all that is seen here is Signet's doing.

use anyhow::{Result, ensure};
use serde_json::json;
use signet_api::{Certificate, Challenge, Order};
use signet_e2e::Stage;

const CA: &str = "pebble.letsencrypt.org";

#[tokio::test]
async fn a_record_in_the_way_is_named_and_waited_for() -> Result<()> {
    let stage = Stage::shared("caa").await?;
    stage.issuer("issuer", json!({ "http01": { "ingress": { "class": "nginx" } } })).await?;
    let name = format!("www.{}", stage.domain);
    // The nearest record counts, two labels up; the CA is asked for nothing.
    stage.lab.set_caa(&stage.domain, &[("issue", "other.example")]).await?;
    stage.certificate("web", json!({ "dnsNames": [name] })).await?;
    let told = format!("{} has CAA 0 issue \"other.example\", which keeps this CA from signing {name}", stage.domain);
    let advice = format!("a record that lets it is CAA 0 issue \"{CA}\"");
    stage.says::<Certificate>("web", &[&told, &advice, "Signet looks again every 20 s"]).await?;
    stage.told(&told).await?;
    let order = stage.only::<Order>().await?;
    ensure!(order.status.is_none_or(|status| status.url.is_none()), "the CA was asked");

    // One that lets it in another way than the issuer's (RFC 8657), then in that way and for another account.
    let name_of_order = order.metadata.name.unwrap_or_default();
    for (value, words) in [
        ("validationmethods=dns-01", "by dns-01 only, and the issuer's solver proves it by http-01"),
        ("validationmethods=http-01; accounturi=https://ca.example/8", "for account https://ca.example/8 only"),
    ] {
        stage.lab.set_caa(&name, &[("issue", &format!("{CA}; {value}"))]).await?;
        stage.says::<Order>(&name_of_order, &[words]).await?;
    }
    stage.lab.set_caa(&name, &[("issue", &format!("{CA}; validationmethods=http-01,dns-01"))]).await?;
    stage.ready("web").await?;
    stage.none_left::<Challenge>().await
}

/// What can not be found out is no objection: the CA looks for itself.
#[tokio::test]
async fn records_that_can_not_be_looked_up() -> Result<()> {
    let stage = Stage::shared("nocaa").await?;
    stage.issuer("issuer", json!({ "http01": { "ingress": { "class": "nginx" } } })).await?;
    stage.lab.set_servfail(&stage.domain, true).await?;
    stage.certificate("web", json!({ "dnsNames": [stage.domain] })).await?;
    let challenge = stage.only::<Challenge>().await?;
    stage.says::<Challenge>(&challenge.metadata.name.unwrap_or_default(), &["SERVFAIL"]).await?;
    stage.lab.set_servfail(&stage.domain, false).await?;
    stage.ready("web").await.map(drop)
}
