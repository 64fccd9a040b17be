//! A certificate authority: its key, and the certificates that go with what it signs.

use std::fmt;

use jiff::Timestamp;
use signet_core::pki::{Link, public_key_matches};

use crate::sign::key_identifier;
use crate::verify::issued;
use crate::{Error, PrivateKey};

/// What is needed to sign in an authority's name.
pub struct Authority {
    pub(crate) key: PrivateKey,
    pub(crate) own: Link,
    /// Its name as its certificate has it, byte for byte: clients compare it so.
    pub(crate) subject_der: Vec<u8>,
    pub(crate) key_identifier: Vec<u8>,
    pub(crate) not_after: Timestamp,
    /// What comes between a certificate that it signs and the top: its own certificate and those
    /// above it, without a root, which clients have.
    pub(crate) chain_pem: String,
    /// The certificate at the top.
    pub(crate) top_pem: String,
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("key", &self.key).field("not_after", &self.not_after).finish_non_exhaustive()
    }
}

impl Authority {
    /// Reads an authority: its certificate, with those of its own authorities if there are any, its
    /// key, and certificates among which those above may be found, such as `ca.crt` of a Secret.
    /// Of the last, only those count that have signed the chain; others are passed over.
    ///
    /// # Errors
    /// When a certificate or the key can not be read, the certificates are not one chain, the
    /// first of it may not sign others, or the key is another's.
    pub fn read(chain_pem: &[u8], key_pem: &[u8], above_pem: Option<&[u8]>) -> Result<Self, Error> {
        let mut chain = Link::parse_chain(chain_pem)?;
        let own = chain.first().expect("a chain has a leaf").clone();
        if !own.facts.may_sign_others() {
            return Err(Error::Authorize { subject: own.facts.subject.to_string() });
        }
        let key = PrivateKey::from_pem(key_pem)?;
        let spki_der = key.spki_der()?;
        if !public_key_matches(&own.facts.public_key, &spki_der) {
            return Err(Error::MatchPair);
        }
        climb(&mut chain, above_pem);
        let top = chain.last().expect("a chain has a leaf").clone();
        if top.facts.is_self_issued() {
            chain.pop();
        }
        Ok(Self {
            key,
            key_identifier: own.key_identifier.clone().unwrap_or_else(|| key_identifier(&spki_der)),
            subject_der: own.subject_der.clone(),
            not_after: own.facts.not_after,
            chain_pem: chain.iter().map(Link::pem).collect(),
            top_pem: top.pem(),
            own,
        })
    }

    /// The end of its certificate.
    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// Its certificate in DER.
    pub fn certificate(&self) -> &[u8] {
        &self.own.der
    }

    /// Whether clients take lists of revoked certificates from it.
    pub fn may_sign_lists(&self) -> bool {
        self.own.facts.may_sign_lists()
    }

    /// Whether it, with the key that it has now, signed a certificate.
    pub fn has_signed(&self, certificate: &Link) -> bool {
        issued(&self.own, certificate)
    }
}

/// Adds what is above the last of a chain, as far as it is there.
fn climb(chain: &mut Vec<Link>, above_pem: Option<&[u8]>) {
    let above = above_pem.and_then(|pem| Link::parse_all(pem).ok()).unwrap_or_default();
    while let Some(next) = above.iter().find(|link| {
        // Authorities may have signed each other.
        let last = chain.last().filter(|last| !last.facts.is_self_issued() && !chain.contains(link));
        last.is_some_and(|last| issued(link, last))
    }) {
        chain.push(next.clone());
    }
}
