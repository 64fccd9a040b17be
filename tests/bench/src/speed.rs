//! How long a person waits for a certificate.

use anyhow::Result;

use crate::figures::{Figures, median};
use crate::site::Site;

/// How many certificates are issued one after the other, and how many at once.
const SINGLE: usize = 20;
const AT_ONCE: usize = 100;

pub(crate) async fn measure(http01: &Site<'_>, dns01: &Site<'_>, tls: &Site<'_>, figures: &mut Figures) -> Result<()> {
    figures.add("http01_ready_seconds", single(http01).await?, "s");
    figures.add("dns01_ready_seconds", single(dns01).await?, "s");
    figures.add("tlsalpn01_ready_seconds", single(tls).await?, "s");
    let names: Vec<String> = (0..AT_ONCE).map(|number| format!("crowd-{number}")).collect();
    figures.add("dns01_100_seconds", dns01.issue(&names).await?.as_secs_f64(), "s");
    dns01.is_tidy().await
}

/// The median time of single certificates, each with the controller to itself.
async fn single(site: &Site<'_>) -> Result<f64> {
    let mut times = Vec::new();
    for number in 0..SINGLE {
        times.push(site.issue(&[format!("single-{number}")]).await?.as_secs_f64());
        site.is_tidy().await?;
    }
    let line: Vec<_> = times.iter().map(|time| format!("{time:.2}")).collect();
    println!("{SINGLE} times: {}", line.join(" "));
    Ok(median(times))
}
