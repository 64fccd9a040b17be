//! `wasi:http/outgoing-handler`: the first check of a request, its name against the grants. The
//! second, the address, is `egress`'s. A redirect is an answer like any other: a component that
//! follows one asks again, and is checked again.

use std::sync::Arc;

use http::{Request, Response};
use http_body_util::BodyExt;
use wasmtime::component::Linker;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use crate::authority::Target;
use crate::egress::{Egress, EgressError};
use crate::grants::HostScope;
use crate::state::{Refusals, State};

/// What a call needs to send requests.
pub(crate) struct Outgoing {
    pub(crate) egress: Arc<Egress>,
    pub(crate) hosts: Arc<HostScope>,
    pub(crate) refusals: Refusals,
}

type Io = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Sent = Result<(Response<WasiBody>, Io), Error>;

impl Outgoing {
    fn check(&self, request: &Request<WasiBody>) -> Result<Target, Error> {
        let refuse = |why: String, error| {
            self.refusals.add(why);
            Err(error)
        };
        let uri = request.uri();
        let (scheme, authority) = (uri.scheme_str().unwrap_or_default(), uri.authority().map_or("", |a| a.as_str()));
        let target = match Target::parse(scheme, authority) {
            Ok(target) => target,
            Err(error) => {
                return refuse(
                    format!("the address {:?}: {error}", after_userinfo(authority)),
                    Error::HttpRequestUriInvalid,
                );
            }
        };
        match self.hosts.check(&target) {
            Ok(()) => Ok(target),
            Err(why) => refuse(why, Error::HttpRequestDenied),
        }
    }
}

/// A password may stand before `@`; it is not repeated.
fn after_userinfo(authority: &str) -> String {
    match authority.rsplit_once('@') {
        Some((_, host)) => format!("…@{host}"),
        None => authority.to_owned(),
    }
}

fn reported(error: EgressError, refusals: &Refusals) -> Error {
    match error {
        EgressError::Refuse { .. } => {
            refusals.add(error.to_string());
            Error::DestinationIpProhibited
        }
        EgressError::Resolve { .. } => Error::DnsError { rcode: Some(error.to_string()), info_code: None },
        EgressError::Wait { .. } => Error::ConnectionReadTimeout,
        _ => Error::InternalError(Some(error.to_string())),
    }
}

/// A body that is cut tells the operator so; the component only sees it end early.
fn noting_length(body: WasiBody, refusals: Refusals) -> WasiBody {
    let note = move |error| {
        if let Error::HttpResponseBodySize(Some(max)) = &error {
            refusals.add(format!("an answer longer than {max} bytes"));
        }
        error
    };
    body.map_err(note).boxed_unsync()
}

impl WasiHttpHooks for Outgoing {
    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Io,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let target = self.check(&request);
        let (egress, hosts, refusals) = (self.egress.clone(), self.hosts.clone(), self.refusals.clone());
        Box::new(async move {
            let target = target?;
            let limit = options.and_then(|options| options.first_byte_timeout);
            let sending = egress.send(&target, &hosts.networks, request);
            let sent = match limit {
                Some(limit) => tokio::time::timeout(limit, sending).await.map_err(|_| Error::ConnectionReadTimeout)?,
                None => sending.await,
            };
            let response = sent.map_err(|error| reported(error, &refusals))?;
            Ok((response.map(|body| noting_length(body, refusals)), Box::new(async { Ok(()) }) as Io))
        })
    }
}

pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker)
}
