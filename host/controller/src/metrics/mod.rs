//! What Prometheus is told, under cert-manager's names where it has one, so that dashboards and
//! alerts go on working.
//!
//! cert-manager's counters do not end in `_total`, as OpenMetrics wants it; here they are gauges
//! that only go up, which `rate()` takes as well.

mod objects;

use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use signet_acme::{Observer, RequestMade};

use crate::stores::Stores;

/// Everything that is counted.
pub(crate) struct Metrics {
    registry: Mutex<Registry>,
    acme_requests: Family<AcmeRequest, Gauge>,
    acme_seconds: Family<AcmeRequest, Histogram, fn() -> Histogram>,
    sync_calls: Family<Controller, Gauge>,
    sync_errors: Family<Controller, Gauge>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AcmeRequest {
    scheme: String,
    host: String,
    action: &'static str,
    method: String,
    status: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Controller {
    controller: &'static str,
}

impl Metrics {
    /// Nothing is counted yet. The state of objects is read from `stores` at each scrape.
    pub(crate) fn new(stores: Arc<Stores>) -> Self {
        let mut registry = Registry::with_prefix("certmanager");
        let acme_requests = Family::default();
        let acme_seconds: Family<_, _, fn() -> Histogram> =
            Family::new_with_constructor(|| Histogram::new(exponential_buckets(0.005, 2.0, 14)));
        let (sync_calls, sync_errors) = (Family::default(), Family::default());
        registry.register("http_acme_client_request_count", "Requests to ACME servers", acme_requests.clone());
        registry.register(
            "http_acme_client_request_duration_seconds",
            "Time that requests to ACME servers took",
            acme_seconds.clone(),
        );
        registry.register("controller_sync_call_count", "Reconciles of objects", sync_calls.clone());
        registry.register("controller_sync_error_count", "Reconciles that failed", sync_errors.clone());
        registry.register_collector(Box::new(objects::Objects::new(stores)));
        Self { registry: Mutex::new(registry), acme_requests, acme_seconds, sync_calls, sync_errors }
    }

    /// An object was looked at.
    pub(crate) fn reconciled(&self, controller: &'static str, ok: bool) {
        let label = Controller { controller };
        self.sync_calls.get_or_create(&label).inc();
        if !ok {
            self.sync_errors.get_or_create(&label).inc();
        }
    }

    /// All of it, as OpenMetrics text.
    pub(crate) fn encode(&self) -> String {
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
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
            action: request.resource.as_str(),
            method: request.method.to_owned(),
            status: request.status.map_or_else(|| "none".to_owned(), |status| status.to_string()),
        };
        self.acme_requests.get_or_create(&label).inc();
        self.acme_seconds.get_or_create(&label).observe(request.duration.as_secs_f64());
    }
}
