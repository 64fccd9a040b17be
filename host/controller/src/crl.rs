//! The lists of revoked certificates of CA issuers: a Secret for each issuer that wants one, with the list and, beside
//! it, what it says. Both are written at once, and only over what was read, so that no entry is ever lost.

use base64::prelude::{BASE64_STANDARD, Engine};
use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::ResourceExt;
use serde_json::json;
use signet_api::labels::{self, CRL_SECRET_NAME};
use signet_core::digest::sha256_hex;
use signet_core::failure::{Failure, Retry};
use signet_core::issuer::crl::{Entry, List, Signer, State, Wish};
use signet_core::pki::Link;
use signet_core::revocation::Target;
use signet_pki::{Authority, sign_list};

use crate::authority;
use crate::context::Context;
use crate::error::Error;
use crate::issuers::AnyIssuer;
use crate::key::Key;
use crate::secrets;
use crate::writer::Writer;

/// The key of the list in its Secret, in PEM.
const CA_CRL: &str = "ca.crl";
/// The key of what the list says.
const LIST_JSON: &str = "list.json";

/// Whether an issuer is to keep a list.
pub(crate) fn is_kept(issuer: &AnyIssuer) -> bool {
    issuer.spec().ca.is_some() && secret_name(issuer).is_some()
}

/// The Secret that an issuer names for its list.
pub(crate) fn secret_name(issuer: &AnyIssuer) -> Option<String> {
    issuer.metadata().annotations.as_ref()?.get(CRL_SECRET_NAME).cloned()
}

fn wish(issuer: &AnyIssuer) -> Result<Option<Wish>, String> {
    let annotations = issuer.metadata().annotations.as_ref();
    let wish = Wish::parse(|name| annotations?.get(name).map(String::as_str))?;
    match wish {
        Some(_) if issuer.spec().ca.is_none() => Err(format!(
            "metadata.annotations[{CRL_SECRET_NAME}] is for issuers of type ca; other issuers keep no list"
        )),
        wish => Ok(wish),
    }
}

/// Where the list is.
fn place(cx: &Context, issuer: &AnyIssuer, wish: &Wish) -> Key {
    Key::new(issuer.secrets_in(&cx.settings), &wish.secret)
}

/// What is known of the list of an issuer.
pub(crate) async fn state(cx: &Context, issuer: &AnyIssuer) -> Result<State, Error> {
    let wish = match wish(issuer) {
        Ok(Some(wish)) => wish,
        Ok(None) => return Ok(State::Unwanted),
        Err(why) => return Ok(State::Trouble(why)),
    };
    let secret = secrets::read(cx, &place(cx, issuer, &wish)).await?;
    let list = match secret.map(|secret| read(&secret, issuer)).transpose() {
        Ok(list) => list,
        Err(why) => return Ok(State::Trouble(why)),
    };
    Ok(match signer(cx, issuer).await? {
        Ok((_, signer)) => State::Kept { wish, list, signer },
        Err(Unsigned::KeyPair) => State::Unsigned,
        Err(Unsigned::Usage(why)) => State::Trouble(why),
    })
}

/// Why nobody signs a list.
enum Unsigned {
    /// The key pair can not be read, which the issuer says itself.
    KeyPair,
    Usage(String),
}

async fn signer(cx: &Context, issuer: &AnyIssuer) -> Result<Result<(Authority, Signer), Unsigned>, Error> {
    let Some(ca) = &issuer.spec().ca else { return Ok(Err(Unsigned::KeyPair)) };
    let namespace = issuer.secrets_in(&cx.settings);
    let Ok(authority) = authority::read(cx, &namespace, ca).await? else { return Ok(Err(Unsigned::KeyPair)) };
    if !authority.may_sign_lists() {
        return Ok(Err(Unsigned::Usage(format!(
            "The certificate in tls.crt of Secret {namespace}/{} has key usages without `crl sign`, so that no client takes a \
             list from it; for one that a Certificate keeps there, add `crl sign` and `cert sign` to its spec.usages",
            ca.secret_name
        ))));
    }
    let signer = Signer { authority: sha256_hex(authority.certificate()), not_after: authority.not_after() };
    Ok(Ok((authority, signer)))
}

/// What the list in a Secret says.
fn read(secret: &Secret, issuer: &AnyIssuer) -> Result<List, String> {
    let place = Key::of(secret);
    if !is_of(secret, issuer) {
        return Err(format!(
            "Secret {place} is there and is not the list of {} {}; name another one in \
             metadata.annotations[{CRL_SECRET_NAME}]",
            issuer.kind(),
            issuer.name()
        ));
    }
    let json = secrets::value(secret, LIST_JSON).unwrap_or_default();
    let mut list: List = serde_json::from_slice(json).map_err(|error| {
        format!(
            "{LIST_JSON} in Secret {place} can not be read ({error}), and without it nobody knows what was revoked; restore \
             it, or delete the Secret to begin anew"
        )
    })?;
    if secrets::value(secret, CA_CRL).is_none() {
        // Nobody has signed this.
        list.authority.clear();
    }
    Ok(list)
}

fn is_of(secret: &Secret, issuer: &AnyIssuer) -> bool {
    let says = |name: &str, value: &str| secret.annotations().get(name).is_some_and(|found| found == value);
    says(labels::ISSUER_NAME, &issuer.name()) && says(labels::ISSUER_KIND, issuer.kind())
}

/// Signs the next list, with one certificate more if there is one, and keeps it.
pub(crate) async fn write(cx: &Context, issuer: &AnyIssuer, new: Option<Entry>) -> Result<Result<(), String>, Error> {
    let wish = match wish(issuer) {
        Ok(Some(wish)) => wish,
        Ok(None) => return Ok(Err(format!("{} {} keeps no list any more", issuer.kind(), issuer.name()))),
        Err(why) => return Ok(Err(why)),
    };
    let (authority, signer) = match signer(cx, issuer).await? {
        Ok(signer) => signer,
        Err(Unsigned::Usage(why)) => return Ok(Err(why)),
        Err(Unsigned::KeyPair) => {
            return Ok(Err(format!("the key pair of {} {} can not be used", issuer.kind(), issuer.name())));
        }
    };
    let place = place(cx, issuer, &wish);
    let sign = |last: Option<&List>, new: Option<Entry>| {
        let list = List::next(last, new, &wish, &signer, Timestamp::now());
        let failed =
            |why: String| Error::Make { what: format!("the list of revoked certificates in Secret {place}"), why };
        let pem = sign_list(&authority, &list).map_err(|error| failed(error.to_string()))?;
        let json = serde_json::to_vec(&list).expect("a list is plain data");
        Ok::<_, Error>([(CA_CRL, pem.into_bytes()), (LIST_JSON, json)])
    };
    let secret = match secrets::read(cx, &place).await? {
        Some(secret) => secret,
        None => {
            cx.writer.create(&fresh(&place, issuer, sign(None, None)?)).await?;
            if new.is_none() {
                return Ok(Ok(()));
            }
            // It may be one that was there already, so what is new goes over what is read.
            let made = secrets::read(cx, &place).await?;
            made.ok_or_else(|| Error::Conflict { what: format!("Secret {place}") })?
        }
    };
    let last = match read(&secret, issuer) {
        Ok(last) => last,
        Err(why) => return Ok(Err(why)),
    };
    let is_known = new.as_ref().is_some_and(|new| last.has(&new.serial)) && last.authority == signer.authority;
    if !is_known {
        let encoded = sign(Some(&last), new)?.map(|(name, value)| (name, json!(BASE64_STANDARD.encode(value))));
        let data: serde_json::Map<_, _> = encoded.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        cx.writer.patch(&*secret, json!({ "data": data })).await?;
    }
    Ok(Ok(()))
}

/// A Secret for a list. The issuer does not own it: what is revoked stays so when an issuer is made anew.
fn fresh(place: &Key, issuer: &AnyIssuer, data: [(&str, Vec<u8>); 2]) -> Secret {
    let annotations = [
        (labels::ISSUER_NAME, issuer.name()),
        (labels::ISSUER_KIND, issuer.kind().to_owned()),
        (labels::ISSUER_GROUP, signet_api::GROUP.to_owned()),
    ];
    Secret {
        metadata: ObjectMeta {
            name: Some(place.name.clone()),
            namespace: Some(place.namespace.clone()),
            labels: Some([secrets::ours()].into()),
            annotations: Some(annotations.map(|(name, value)| (name.to_owned(), value)).into()),
            ..ObjectMeta::default()
        },
        type_: Some("Opaque".to_owned()),
        data: Some(data.map(|(name, value)| (name.to_owned(), ByteString(value))).into()),
        ..Secret::default()
    }
}

/// Puts a certificate into the list of the issuer that signed it.
pub(crate) async fn revoke(
    cx: &Context,
    issuer: &AnyIssuer,
    certificate: &Link,
    target: &Target,
) -> Result<Result<Timestamp, Failure>, Error> {
    let failed = |message: String| {
        Ok(Err(Failure { reason: "CanNotRevoke".to_owned(), message, retry: Retry::OnChange, at: Timestamp::now() }))
    };
    if let Ok((authority, _)) = signer(cx, issuer).await?
        && !authority.has_signed(certificate)
    {
        let secret = issuer.spec().ca.as_ref().map(|ca| ca.secret_name.clone()).unwrap_or_default();
        return failed(format!(
            "it was signed by another authority than the one in Secret {}/{secret} now, and clients take lists from the one \
             that signed",
            issuer.secrets_in(&cx.settings)
        ));
    }
    let now = Timestamp::now();
    let entry = Entry {
        serial: certificate.facts.serial.clone(),
        at: Time(signet_api::meta::whole_seconds(now)),
        reason: target.reason,
        not_after: Time(certificate.facts.not_after),
    };
    match write(cx, issuer, Some(entry)).await? {
        Ok(()) => Ok(Ok(now)),
        Err(why) => failed(why),
    }
}

/// The list of an issuer in DER, if the issuer has it served.
pub(crate) async fn served(writer: &Writer, issuer: &AnyIssuer, namespace: &str) -> Option<Vec<u8>> {
    let wish = wish(issuer).ok()?.filter(|wish| wish.served)?;
    let secret = secrets::read_by(writer, &Key::new(namespace, &wish.secret)).await.ok().flatten();
    let secret = secret.filter(|secret| is_of(secret, issuer))?;
    let pem = secrets::value(&secret, CA_CRL)?;
    pem::parse(pem).ok().map(pem::Pem::into_contents)
}
