//! Runs inside Signet's engine, against the API that `api.py` serves.

use signet_solver::Error;

use super::*;

fn secret(key: &str) -> SecretRef {
    SecretRef { name: "hello".to_owned(), key: key.to_owned() }
}

fn endpoint() -> String {
    secret("endpoint").read().unwrap().text().unwrap().to_owned()
}

fn config(key: &str) -> Config {
    Config { endpoint: endpoint(), token_secret_ref: secret(key) }
}

fn challenge(value: &str) -> Challenge {
    Challenge {
        dns_name: "example.com".to_owned(),
        fqdn: "_acme-challenge.example.com.".to_owned(),
        zone: "example.com.".to_owned(),
        value: value.to_owned(),
        ambient_credentials: false,
    }
}

fn values() -> Vec<String> {
    let token = secret("token").read().unwrap();
    http::get(format!("{}/records", endpoint())).bearer(&token).send().unwrap().json().unwrap()
}

#[test]
fn adds_beside_others_and_removes_its_own() {
    let (apex, wildcard) = (challenge("apex"), challenge("wildcard"));
    Hello::present(config("token"), &apex).unwrap();
    Hello::present(config("token"), &wildcard).unwrap();
    Hello::present(config("token"), &wildcard).unwrap();
    assert_eq!(values(), ["apex", "wildcard"]);

    Hello::cleanup(config("token"), &apex, Some(())).unwrap();
    assert_eq!(values(), ["wildcard"]);
    Hello::cleanup(config("token"), &wildcard, None).unwrap();
    Hello::cleanup(config("token"), &wildcard, None).unwrap();
    assert!(values().is_empty());
}

#[test]
fn a_host_without_a_grant_is_out_of_reach() {
    let elsewhere = Config { endpoint: "http://127.0.0.1:8078".to_owned(), ..config("token") };
    let refused = Hello::present(elsewhere, &challenge("v"));
    assert!(matches!(refused, Err(Error::Auth(message)) if message.contains("127.0.0.1:8078")));
}

#[test]
fn a_secret_that_the_stanza_does_not_name_is_out_of_reach() {
    assert!(Hello::present(config("another"), &challenge("v")).is_err());
}
