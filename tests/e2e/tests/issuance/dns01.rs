//! Names that are proven by TXT records, in hosted zones of their own.

use anyhow::{Result, ensure};
use serde_json::json;
use signet_api::Challenge;
use signet_e2e::Stage;

#[tokio::test]
async fn a_wildcard_and_its_apex_together() -> Result<()> {
    let stage = Stage::shared("wildcard").await?;
    let solver = stage.route53().await?;
    stage.issuer("issuer", solver).await?;
    let (apex, wildcard) = (stage.domain.clone(), format!("*.{}", stage.domain));
    stage.issue("web", json!({ "dnsNames": [apex, wildcard] })).await?;
    let root = stage.lab.pebble_root_pem().await?;
    stage.key_pair("web-tls").await?.verify(&root, &[&apex, &wildcard])?;

    stage.none_left::<Challenge>().await?;
    let left = stage.txt(&format!("_acme-challenge.{apex}")).await?;
    ensure!(left.is_empty(), "records are left: {left:?}");
    Ok(())
}

#[tokio::test]
async fn a_name_whose_record_is_delegated_by_a_cname() -> Result<()> {
    let stage = Stage::shared("cname").await?;
    let mut solver = stage.route53().await?;
    solver["dns01"]["cnameStrategy"] = json!("Follow");
    stage.issuer("issuer", solver).await?;
    // The name itself is in no zone that the solver could change; its record leads into one.
    let name = format!("www.outside-{}", stage.domain);
    let target = format!("delegated.{}", stage.domain);
    stage.lab.set_cname(&format!("_acme-challenge.{name}"), &target).await?;
    stage.issue("web", json!({ "dnsNames": [name] })).await?;
    stage.key_pair("web-tls").await?.verify(&stage.lab.pebble_root_pem().await?, &[&name])?;

    stage.none_left::<Challenge>().await?;
    let left = stage.txt(&target).await?;
    ensure!(left.is_empty(), "records are left: {left:?}");
    Ok(())
}
