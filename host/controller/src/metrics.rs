//! What Prometheus is told, under cert-manager's names where it has one.

use std::sync::Mutex;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use signet_acme::{Observer, RequestMade};

use crate::stores::Stores;

/// Everything that is counted.
pub(crate) struct Metrics {
    registry: Mutex<Registry>,
    acme_requests: Family<AcmeRequest, Counter>,
    acme_seconds: Family<AcmeRequest, Histogram, fn() -> Histogram>,
    sync_calls: Family<Controller, Counter>,
    sync_errors: Family<Controller, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AcmeRequest {
    scheme: String,
    host: String,
    method: String,
    action: &'static str,
    status: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Controller {
    controller: &'static str,
}

impl Default for Metrics {
    fn default() -> Self {
        let metrics = Self {
            registry: Mutex::new(Registry::with_prefix("certmanager")),
            acme_requests: Family::default(),
            acme_seconds: Family::new_with_constructor(|| Histogram::new(exponential_buckets(0.005, 2.0, 14))),
            sync_calls: Family::default(),
            sync_errors: Family::default(),
        };
        {
            let mut registry = metrics.registry.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let (requests, seconds) = (metrics.acme_requests.clone(), metrics.acme_seconds.clone());
            registry.register("http_acme_client_request_count", "Requests to ACME servers", requests);
            registry.register("http_acme_client_request_duration_seconds", "How long they took", seconds);
            registry.register("controller_sync_call_count", "Looks at objects", metrics.sync_calls.clone());
            registry.register("controller_sync_error_count", "Looks that failed", metrics.sync_errors.clone());
        }
        metrics
    }
}

impl Metrics {
    /// An object was looked at.
    pub(crate) fn reconciled(&self, controller: &'static str, ok: bool) {
        let label = Controller { controller };
        self.sync_calls.get_or_create(&label).inc();
        if !ok {
            self.sync_errors.get_or_create(&label).inc();
        }
    }

    /// All of it, as OpenMetrics text.
    pub(crate) fn encode(&self, _stores: &Stores) -> String {
        let registry = self.registry.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut text = String::new();
        encode(&mut text, &registry).expect("writing to a string does not fail");
        text
    }
}

impl Observer for Metrics {
    fn request_made(&self, request: &RequestMade<'_>) {
        let label = AcmeRequest {
            scheme: request.scheme.to_owned(),
            host: request.host.to_owned(),
            method: request.method.to_owned(),
            action: request.resource.as_str(),
            status: request.status.map_or_else(|| "none".to_owned(), |status| status.to_string()),
        };
        self.acme_requests.get_or_create(&label).inc();
        self.acme_seconds.get_or_create(&label).observe(request.duration.as_secs_f64());
    }
}
