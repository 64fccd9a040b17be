//! One exchange over `wasi:http`, start to end, blocking.

use std::time::Duration;

use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    ErrorCode, Fields, IncomingBody, IncomingResponse, Method, OutgoingBody, OutgoingRequest, RequestOptions, Scheme,
};
use wasip2::io::streams::{InputStream, StreamError};

use super::{Error, Request, Response, url};

const CONNECT: Duration = Duration::from_secs(10);
const BETWEEN_BYTES: Duration = Duration::from_secs(15);
/// `blocking-write-and-flush` takes at most this much at a time.
const WRITE: usize = 4096;
const READ: u64 = 64 * 1024;
/// No provider's answer to one record comes near it; a stream without end must not fill the memory.
const BODY_LIMIT: usize = 4 * 1024 * 1024;

pub(super) fn send(request: &Request) -> Result<Response, Error> {
    let shown = url::shown(&request.url);
    let build = |reason| Error::Build { url: shown.clone(), reason };
    let body = match &request.body {
        Ok(body) => body,
        // serde_json's errors can not be cloned; the text is what there is to tell.
        Err(error) => return Err(Error::Encode(serde::ser::Error::custom(error))),
    };
    let outgoing = head(request, body.len()).map_err(build)?;
    // A body that is taken and left empty would go out in chunks, which servers do not expect of a
    // GET; so it is taken only to be written to.
    let sink = (!body.is_empty()).then(|| outgoing.body()).transpose();
    let sink = sink.map_err(|()| build("its body was taken"))?;
    let options = options(request.timeout);
    let answer = outgoing_handler::handle(outgoing, Some(options)).map_err(|code| failed(&shown, &code))?;
    // A server that answers and closes before it has read everything is told by the answer.
    let written = sink.map_or(Ok(()), |sink| write(sink, body));
    answer.subscribe().block();
    let response = answer.get().and_then(Result::ok).ok_or_else(|| lost(&shown, "no answer came"))?;
    let response = response.map_err(|code| failed(&shown, &code))?;
    written.or_else(|reason| if response.status() >= 400 { Ok(()) } else { Err(lost(&shown, reason)) })?;
    read(response).map_err(|reason| lost(&shown, reason))
}

fn head(request: &Request, length: usize) -> Result<OutgoingRequest, &'static str> {
    let url = url::parse(&request.url)?;
    let fields = Fields::new();
    for (name, value) in &request.headers {
        fields.append(name, value).map_err(|_| "a header's name or value is not valid")?;
    }
    if length > 0 || matches!(request.method, "POST" | "PUT" | "PATCH") {
        let length = length.to_string().into_bytes();
        fields.append("content-length", &length).map_err(|_| "the content length was refused")?;
    }
    let outgoing = OutgoingRequest::new(fields);
    let scheme = if url.https { Scheme::Https } else { Scheme::Http };
    outgoing.set_method(&method(request.method)).map_err(|()| "the method is not valid")?;
    outgoing.set_scheme(Some(&scheme)).map_err(|()| "the scheme is not valid")?;
    outgoing.set_authority(Some(url.authority)).map_err(|()| "the URL's host is not valid")?;
    outgoing.set_path_with_query(Some(&url.path)).map_err(|()| "the URL's path is not valid")?;
    Ok(outgoing)
}

fn method(name: &str) -> Method {
    match name {
        "GET" => Method::Get,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "PATCH" => Method::Patch,
        "DELETE" => Method::Delete,
        "HEAD" => Method::Head,
        other => Method::Other(other.to_owned()),
    }
}

/// A host that has no such limit to set says so; its own limits hold then.
fn options(first_byte: Duration) -> RequestOptions {
    let nanoseconds = |wait: Duration| Some(wait.as_nanos().try_into().unwrap_or(u64::MAX));
    let options = RequestOptions::new();
    let _ = options.set_connect_timeout(nanoseconds(CONNECT));
    let _ = options.set_first_byte_timeout(nanoseconds(first_byte));
    let _ = options.set_between_bytes_timeout(nanoseconds(BETWEEN_BYTES));
    options
}

fn write(sink: OutgoingBody, body: &[u8]) -> Result<(), &'static str> {
    let stream = sink.write().map_err(|()| "the request's body was taken")?;
    for chunk in body.chunks(WRITE) {
        stream.blocking_write_and_flush(chunk).map_err(|_| "the connection closed while the request was sent")?;
    }
    drop(stream);
    OutgoingBody::finish(sink, None).map_err(|_| "the connection closed at the end of the request")
}

fn read(response: IncomingResponse) -> Result<Response, &'static str> {
    let status = response.status();
    let headers = response.headers().entries();
    let body = response.consume().map_err(|()| "the answer's body was taken")?;
    let stream = body.stream().map_err(|()| "the answer's body was taken")?;
    let bytes = read_all(&stream)?;
    drop(stream);
    drop(IncomingBody::finish(body));
    Ok(Response { status, headers, body: bytes })
}

fn read_all(stream: &InputStream) -> Result<Vec<u8>, &'static str> {
    let mut bytes = Vec::new();
    loop {
        match stream.blocking_read(READ) {
            Ok(chunk) => bytes.extend_from_slice(&chunk),
            Err(StreamError::Closed) => return Ok(bytes),
            Err(StreamError::LastOperationFailed(_)) => {
                return Err("the connection closed in the middle of the answer");
            }
        }
        if bytes.len() > BODY_LIMIT {
            return Err("the answer is longer than 4 MiB");
        }
    }
}

fn lost(url: &str, reason: &str) -> Error {
    Error::Send { url: url.to_owned(), reason: reason.to_owned() }
}

/// What the host's code means: a refusal of its own, or the network's.
fn failed(url: &str, code: &ErrorCode) -> Error {
    let url = url.to_owned();
    let deny = |reason: &str| Error::Deny { url: url.clone(), reason: reason.to_owned() };
    let send = |reason: &str| Error::Send { url: url.clone(), reason: reason.to_owned() };
    match code {
        ErrorCode::HttpRequestDenied => deny("no grant covers it"),
        ErrorCode::DestinationIpProhibited => deny("its address is in a network that is not granted"),
        ErrorCode::DnsTimeout | ErrorCode::DnsError(_) | ErrorCode::DestinationNotFound => {
            send("its name does not resolve")
        }
        ErrorCode::ConnectionRefused => send("the connection was refused"),
        ErrorCode::ConnectionTimeout => send("the connection timed out"),
        ErrorCode::ConnectionReadTimeout | ErrorCode::HttpResponseTimeout => send("the answer did not come in time"),
        ErrorCode::TlsCertificateError => send("its certificate is not trusted"),
        ErrorCode::InternalError(Some(text)) => send(text),
        other => send(&format!("{other:?}")),
    }
}
