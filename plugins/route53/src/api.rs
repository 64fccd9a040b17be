//! The calls of Route 53 that a solver needs, over the host's HTTP.

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sdk_route53::Client;
use aws_sdk_route53::config::retry::RetryConfig;
use aws_sdk_route53::config::timeout::TimeoutConfig;
use aws_sdk_route53::config::{BehaviorVersion, Region, StalledStreamProtectionConfig};
use aws_sdk_route53::types::{Change, ChangeBatch, ChangeInfo, ChangeStatus, ResourceRecordSet};
use aws_smithy_wasm::wasi::{WasiHttpClientBuilder, WasiSleep};
use signet_solver::dns01::Challenge;
use signet_solver::{Error, Result, log};

use crate::Endpoints;
use crate::config::Config;
use crate::credentials;
use crate::failure::{self, Attempt, Failure, Origin};
use crate::lists::{self, Zone};
use crate::query::{Query, encode};

/// How often a request is made before its failure is told; the host tries again by its own rules.
const ATTEMPTS: u32 = 2;
/// The waits between looks at a change, in seconds. Route 53 takes about half a minute; after that
/// the host, which asks every name server itself, sees the rest.
const WAITS: [u64; 7] = [1, 2, 3, 4, 5, 5, 5];
/// Enough to see whether there is a second public zone of the same name.
const ZONES: &str = "10";

/// A client with one challenge's credentials.
#[derive(Debug)]
pub(crate) struct Api {
    client: Client,
    credentials: Credentials,
    partition: Partition,
    origin: Origin,
}

/// Where the Route 53 of a partition is, and which region its requests are signed for.
#[derive(Debug, PartialEq)]
struct Partition {
    endpoint: String,
    region: String,
}

impl Partition {
    fn of(region: &str, endpoints: &Endpoints) -> Self {
        let (endpoint, signing) = match region.split('-').take(2).collect::<Vec<_>>()[..] {
            ["cn", _] => ("https://route53.amazonaws.com.cn", "cn-northwest-1"),
            ["us", "gov"] => ("https://route53.us-gov.amazonaws.com", "us-gov-west-1"),
            _ => ("https://route53.amazonaws.com", "us-east-1"),
        };
        let endpoint = endpoints.route53.clone().unwrap_or_else(|| endpoint.to_owned());
        Self { endpoint, region: signing.to_owned() }
    }
}

impl Api {
    pub(crate) fn new(config: &Config, challenge: &Challenge, endpoints: &Endpoints) -> Result<Self> {
        let (credentials, origin) = credentials::resolve(config, challenge.ambient_credentials, endpoints)?;
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(10))
            .read_timeout(Duration::from_secs(15))
            .build();
        let mut builder = aws_sdk_route53::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(config.region().to_owned()))
            .credentials_provider(credentials.clone())
            .http_client(WasiHttpClientBuilder::new().build())
            .sleep_impl(WasiSleep)
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            .timeout_config(timeouts)
            // It watches bodies from a second task, which a component has none of.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        builder.set_endpoint_url(endpoints.route53.clone());
        let partition = Partition::of(config.region(), endpoints);
        Ok(Self { client: Client::from_conf(builder.build()), credentials, partition, origin })
    }

    /// Makes changes to a zone, all or none of them.
    pub(crate) async fn change(&self, zone: &str, changes: Vec<Change>) -> Result<ChangeInfo, Failure> {
        let attempt = self.attempt("route53:ChangeResourceRecordSets", format!("arn:aws:route53:::hostedzone/{zone}"));
        let batch = ChangeBatch::builder().set_changes(Some(changes)).build().expect("changes are set");
        let sent = self.client.change_resource_record_sets().hosted_zone_id(zone).change_batch(batch).send().await;
        let output = sent.map_err(|error| failure::of(&error, &attempt))?;
        output.change_info.ok_or_else(|| Failure {
            code: None,
            error: Error::transient("the answer of Route 53 does not say what became of the change"),
        })
    }

    /// The plain TXT record set of a name, if there is one: plain as in without a set identifier.
    pub(crate) async fn plain_set(&self, zone: &str, name: &str) -> Result<Option<ResourceRecordSet>, Failure> {
        let attempt = self.attempt("route53:ListResourceRecordSets", format!("arn:aws:route53:::hostedzone/{zone}"));
        let query = encode(&[("name", name), ("type", "TXT"), ("maxitems", "1")]);
        let answer = self.list(&format!("hostedzone/{zone}/rrset?{query}"), attempt).await?;
        Ok(lists::plain_txt_set(&answer, name))
    }

    /// Hosted zones in the order of their names, from `name` on.
    pub(crate) async fn zones_from(&self, name: &str) -> Result<Vec<Zone>, Failure> {
        let attempt = self.attempt("route53:ListHostedZonesByName", "*".to_owned());
        let query = encode(&[("dnsname", name), ("maxitems", ZONES)]);
        let answer = self.list(&format!("hostedzonesbyname?{query}"), attempt).await?;
        Ok(lists::zones(&answer))
    }

    async fn list(&self, path: &str, attempt: Attempt<'_>) -> Result<String, Failure> {
        let Partition { endpoint, region } = &self.partition;
        let signed = Some((&self.credentials, "route53", region.as_str()));
        Query { form: None, url: format!("{endpoint}/2013-04-01/{path}"), signed, attempt }.send().await
    }

    /// Waits for a change to reach every name server of Route 53, for a while.
    ///
    /// Neither a denial nor the end of the while is an error: the change is made, and the host
    /// watches the name servers. A denial is what a policy gives that allows `route53:GetChange` on
    /// `hostedzone/*`, as the ARN of a change is `change/*`.
    pub(crate) async fn wait_until_in_sync(&self, change: &ChangeInfo) -> Result<()> {
        let attempt = self.attempt("route53:GetChange", "arn:aws:route53:::change/*".to_owned());
        let mut status = change.status().clone();
        for seconds in WAITS {
            if status == ChangeStatus::Insync {
                return Ok(());
            }
            wstd::task::sleep(wstd::time::Duration::from_secs(seconds)).await;
            // The SDK gives a GET no length, and the component's HTTP then sends an empty body in
            // chunks: some servers refuse that, some close the connection with it unread.
            let request = self.client.get_change().id(change.id()).customize();
            let sent = request
                .mutate_request(|request| drop(request.headers_mut().insert("content-length", "0")))
                .send()
                .await;
            match sent.map_err(|error| failure::of(&error, &attempt)) {
                Ok(output) => status = output.change_info.map_or(ChangeStatus::Pending, |info| info.status),
                Err(failure) if failure.is_denied() => {
                    log::warn(format_args!("not waiting for Route 53 to be in sync: {}", failure.error));
                    return Ok(());
                }
                Err(failure) => log::debug(format_args!("asking again after {}", failure.error)),
            }
        }
        log::info("Route 53 is not in sync yet; the name servers are watched from here on");
        Ok(())
    }

    fn attempt(&self, permission: &'static str, resource: String) -> Attempt<'_> {
        Attempt { permission, resource, origin: &self.origin }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_partition_has_its_route53() {
        let of = |region| Partition::of(region, &Endpoints::default());
        assert_eq!(of("eu-west-1").endpoint, "https://route53.amazonaws.com");
        assert_eq!(of("us-east-2").region, "us-east-1");
        assert_eq!(of("us-gov-east-1").region, "us-gov-west-1");
        assert_eq!(of("cn-north-1").endpoint, "https://route53.amazonaws.com.cn");
    }
}
