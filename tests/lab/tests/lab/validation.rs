//! The CA proves control of names through the lab's DNS and its port 80.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use instant_acme::{
    Account, BodyWrapper, BytesResponse, ChallengeType, Error, HttpClient, Identifier, NewAccount, NewOrder,
    OrderStatus, RetryPolicy,
};
use signet_lab::{Config, Lab, Port};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// The lab's HTTP client in the shape that the ACME client asks for.
struct Client(reqwest::Client);

impl HttpClient for Client {
    fn request(
        &self,
        request: http::Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let client = self.0.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            let request = http::Request::from_parts(parts, body).try_into().unwrap();
            let mut answer = client.execute(request).await.map_err(|error| Error::Other(Box::new(error)))?;
            let mut parts = http::Response::new(()).into_parts().0;
            parts.status = answer.status();
            parts.headers = std::mem::take(answer.headers_mut());
            let body = answer.bytes().await.map_err(|error| Error::Other(Box::new(error)))?;
            Ok(BytesResponse { parts, body: Box::new(body) })
        })
    }
}

async fn account(lab: &Lab) -> Account {
    let ca = reqwest::Certificate::from_pem(lab.ca_bundle().as_bytes()).unwrap();
    let http = reqwest::Client::builder().user_agent("signet-lab").tls_certs_only([ca]).build().unwrap();
    let new = NewAccount { contact: &[], terms_of_service_agreed: true, only_return_existing: false };
    let builder = Account::builder_with_http(Box::new(Client(http)));
    builder.create(&new, lab.directory_url(), None).await.unwrap().0
}

/// Orders a certificate and lets `present` answer its one challenge.
async fn validate(
    account: &Account,
    name: &str,
    kind: ChallengeType,
    present: impl AsyncFnOnce(String, String),
) -> Result<OrderStatus, Error> {
    let names = [Identifier::Dns(name.to_owned())];
    let mut order = account.new_order(&NewOrder::new(&names)).await.unwrap();
    let mut authorizations = order.authorizations();
    let mut authorization = authorizations.next().await.unwrap().unwrap();
    let mut challenge = authorization.challenge(kind).unwrap();
    let key = challenge.key_authorization();
    present(key.as_str().to_owned(), key.dns_value()).await;
    challenge.set_ready().await.unwrap();
    let retries = RetryPolicy::new().initial_delay(Duration::from_millis(50)).timeout(Duration::from_secs(20));
    order.poll_ready(&retries).await
}

/// Answers every request to port 80 with a body.
async fn serve(lab: &Lab, body: String) {
    let listener = TcpListener::bind(lab.site().at(Port::Http01)).await.unwrap();
    let body = Arc::new(body);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 1024]).await;
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
}

#[tokio::test]
async fn the_ca_validates_through_the_labs_dns_and_http() {
    let lab = Lab::start(Config::bare()).await.unwrap();
    let account = account(&lab).await;

    let by_dns = validate(&account, "dns.example.org", ChallengeType::Dns01, async |_, value| {
        lab.add_txt("_acme-challenge.dns.example.org", &value).await.unwrap();
    });
    assert_eq!(by_dns.await.unwrap(), OrderStatus::Ready);
    let by_http = validate(&account, "http.example.org", ChallengeType::Http01, async |key, _| {
        serve(&lab, key).await;
    });
    assert_eq!(by_http.await.unwrap(), OrderStatus::Ready);
    let unproven = validate(&account, "unproven.example.org", ChallengeType::Dns01, async |_, _| {});
    let Err(Error::Api(problem)) = unproven.await else { unreachable!("there is no TXT record") };
    assert!(problem.detail.unwrap().contains("No TXT records"));

    let requests = lab.acme_requests();
    assert!(requests["POST /order-plz"] >= 3, "{requests:?}");
    assert!(requests["POST /sign-me-up"] >= 1, "{requests:?}");
}
