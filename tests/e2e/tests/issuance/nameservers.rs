//! Solvers that ask servers of their own whether a record can be seen.

use anyhow::{Result, ensure};
use kube::ResourceExt;
use serde_json::json;
use signet_api::{Challenge, Issuer};
use signet_e2e::{Doh, Stage};

#[tokio::test]
async fn a_record_that_is_looked_for_over_https() -> Result<()> {
    let stage = Stage::shared("doh").await?;
    let doh = Doh::start(stage.lab).await?;
    let mut solver = stage.route53().await?;
    solver["dns01"]["nameservers"] = json!([format!("{}/elsewhere", doh.url())]);
    let mut acme = stage.acme("issuer", solver.clone());
    stage.create::<Issuer>("issuer", json!({ "acme": acme })).await?;
    stage.issuer_ready("issuer").await?;
    stage.certificate("web", json!({ "dnsNames": [stage.domain] })).await?;
    let challenge = stage.only::<Challenge>().await?.name_any();
    let words = [&*format!("{}/elsewhere answered HTTP 404: check the path of its address", doh.url())];
    stage.says::<Challenge>(&challenge, &words).await?;
    ensure!(doh.asked() == 0, "the wrong path was asked");

    solver["dns01"]["nameservers"] = json!([doh.url()]);
    acme["solvers"] = json!([solver]);
    stage.patch::<Issuer>("issuer", json!({ "spec": { "acme": acme } })).await?;
    stage.ready("web").await?;
    stage.key_pair("web-tls").await?.verify(&stage.lab.pebble_root_pem().await?, &[&stage.domain])?;
    ensure!(doh.asked() >= 2, "zone and record were not looked for there: {}", doh.asked());
    stage.none_left::<Challenge>().await
}

/// Where the cluster can not see what the CA sees, the CA looks after a while.
#[tokio::test]
async fn a_record_that_can_not_be_looked_for() -> Result<()> {
    let stage = Stage::shared("horizon").await?;
    stage.issuer("publish", json!({ "dnsPersist01": { "nameservers": ["127.94.250.1:5399"] } })).await?;
    let issuer = stage.api::<Issuer>().get("publish").await?;
    let account = issuer.status.and_then(|status| status.acme?.uri).unwrap_or_default();
    let record = format!("pebble.letsencrypt.org; accounturi={account}");
    stage.lab.add_txt(&format!("_validation-persist.{}", stage.domain), &record).await?;
    let spec = json!({ "dnsNames": [stage.domain], "issuerRef": { "name": "publish" } });
    stage.certificate("web", spec).await?;
    let challenge = stage.only::<Challenge>().await?.name_any();
    let words = ["127.94.250.1:5399 refused the connection: no DNS server listens there"];
    stage.says::<Challenge>(&challenge, &words).await?;

    let solver = json!({ "waitInsteadOfSelfCheck": "1s", "dnsPersist01": {} });
    stage.patch::<Issuer>("publish", json!({ "spec": { "acme": { "solvers": [solver] } } })).await?;
    stage.ready("web").await?;
    stage.none_left::<Challenge>().await
}
