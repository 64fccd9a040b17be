//! DNS over HTTPS (RFC 8484): a question is the body of a POST, its answer the body of the response.

use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use hickory_proto::op::{Edns, Message, Query};
use hickory_proto::rr::{Name, RecordType};
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::{ClientConfig, RootCertStore};

const MEDIA_TYPE: &str = "application/dns-message";
/// For a question with its connection.
const TIMEOUT: Duration = Duration::from_secs(5);
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
const MAX_BODY: usize = 64 * 1024;

type HttpClient = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// Asks the server at `url`. An error is a phrase that follows the server.
pub(crate) async fn ask(url: &Uri, name: &Name, kind: RecordType) -> Result<Message, String> {
    static CLIENT: OnceLock<HttpClient> = OnceLock::new();
    ask_with(CLIENT.get_or_init(|| client(roots())), url, name, kind).await
}

async fn ask_with(client: &HttpClient, url: &Uri, name: &Name, kind: RecordType) -> Result<Message, String> {
    let request = Request::post(url).header(CONTENT_TYPE, MEDIA_TYPE).header(ACCEPT, MEDIA_TYPE);
    let request =
        request.body(Full::from(question(name, kind)?)).map_err(|error| format!("can not be asked: {error}"))?;
    let answer = async {
        let response =
            client.request(request).await.map_err(|error| format!("can not be reached: {}", innermost(&error)))?;
        let status = response.status();
        if status != StatusCode::OK {
            return Err(format!("answered HTTP {}: check the path of its address", status.as_u16()));
        }
        let body = Limited::new(response.into_body(), MAX_BODY).collect().await;
        let body = body.map_err(|error| format!("broke off its answer: {error}"))?.to_bytes();
        Message::from_vec(&body).map_err(|_| "sent an answer that is not DNS: check the path of its address".to_owned())
    };
    tokio::time::timeout(TIMEOUT, answer).await.unwrap_or_else(|_| Err("did not answer in time".to_owned()))
}

/// With the number 0, so that caches know it again (RFC 8484, section 4.1).
fn question(name: &Name, kind: RecordType) -> Result<Vec<u8>, String> {
    let mut message = Message::query();
    message.metadata.id = 0;
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(name.clone(), kind));
    message.edns = Some(Edns::new());
    message.to_vec().map_err(|error| format!("can not be asked: {error}"))
}

fn client(roots: RootCertStore) -> HttpClient {
    let tls = ClientConfig::builder_with_provider(rustls::crypto::aws_lc_rs::default_provider().into())
        .with_safe_default_protocol_versions()
        .expect("the provider has the usual protocols")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_connect_timeout(Some(TIMEOUT));
    let builder = hyper_rustls::HttpsConnectorBuilder::new().with_tls_config(tls).https_only();
    let connector = builder.enable_http1().enable_http2().wrap_connector(tcp);
    Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE_TIMEOUT).build(connector)
}

/// Those of the system, else Mozilla's as compiled in (an image may hold no certificates).
fn roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots
}

/// What went wrong at the bottom: the layers above say no more than that something did.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut at = error;
    while let Some(source) = at.source() {
        at = source;
    }
    at.to_string()
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::sync::Arc;

    use rustls::ServerConfig;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;

    use super::*;
    use crate::stub;

    /// A server that answers each POST at `/dns-query` with one TXT record, and a client that trusts it.
    async fn server() -> (SocketAddr, HttpClient) {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone()).expect("a root");
        let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
        let config = ServerConfig::builder_with_provider(rustls::crypto::aws_lc_rs::default_provider().into())
            .with_safe_default_protocol_versions()
            .expect("protocols")
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .expect("a pair");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        tokio::spawn(async move {
            let acceptor = TlsAcceptor::from(Arc::new(config));
            while let Ok((stream, _)) = listener.accept().await {
                // Whoever does not trust the certificate breaks off.
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                let mut request = Vec::new();
                let (head, body) = loop {
                    let mut buffer = [0; 4096];
                    let read = stream.read(&mut buffer).await.expect("a request");
                    request.extend(&buffer[..read]);
                    let text = String::from_utf8_lossy(&request).into_owned();
                    if let Some(end) = text.find("\r\n\r\n")
                        && request.len() > end + 4 + 12
                    {
                        break (text[..end].to_lowercase(), request[end + 4..].to_vec());
                    }
                };
                let (status, body) = match head.starts_with("post /dns-query ") {
                    true if head.contains("content-type: application/dns-message") => ("200 OK", answer(&body)),
                    true => ("415 Unsupported Media Type", Vec::new()),
                    false if head.starts_with("post /page ") => ("200 OK", b"<html>".to_vec()),
                    false => ("404 Not Found", Vec::new()),
                };
                let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
                stream.write_all(&[head.as_bytes(), &body].concat()).await.expect("a client that reads");
                let _ = stream.shutdown().await;
            }
        });
        (address, client(roots))
    }

    fn answer(question: &[u8]) -> Vec<u8> {
        let question = Message::from_vec(question).expect("a DNS message");
        assert!(question.metadata.recursion_desired && question.metadata.id == 0, "{question:?}");
        let query = question.queries.first().expect("one question").clone();
        let mut reply = Message::response(question.metadata.id, question.metadata.op_code);
        reply.answers.push(stub::txt(query.name(), "value"));
        reply.add_query(query);
        reply.to_vec().expect("an encodable reply")
    }

    #[tokio::test]
    async fn questions_are_answered_and_failures_told() {
        let (address, client) = server().await;
        let at = stub::name("a.example.test.");
        let url = |path: &str| format!("https://localhost:{}{path}", address.port()).parse::<Uri>().expect("a URL");
        let ask = async |client: &HttpClient, url: Uri| ask_with(client, &url, &at, RecordType::TXT).await;
        let message = ask(&client, url("/dns-query")).await.expect("an answer");
        assert_eq!(message.answers, [stub::txt(&at, "value")]);
        assert_eq!(
            ask(&client, url("/other")).await,
            Err("answered HTTP 404: check the path of its address".to_owned())
        );
        let told = ask(&client, url("/page")).await.expect_err("a page");
        assert!(told.starts_with("sent an answer that is not DNS"), "{told}");
        let told = ask(&super::client(RootCertStore::empty()), url("/dns-query")).await.expect_err("it is not trusted");
        assert!(told.contains("invalid peer certificate"), "{told}");
        let nobody = "https://localhost:1/dns-query".parse().expect("a URL");
        let told = ask(&client, nobody).await.expect_err("nobody listens");
        assert!(told.contains("onnection refused"), "{told}");
    }
}
