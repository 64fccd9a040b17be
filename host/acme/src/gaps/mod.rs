//! What the client needs and instant-acme 0.8.5 does not have. When a release closes a gap, its module
//! goes away.
//!
//! | gap in 0.8.5 | here |
//! |---|---|
//! | account keys are P-256 only, and cert-manager made RSA keys | [`key`] |
//! | a request can only be made by walking from an order to its authorizations to their challenges; by URL alone there is none, and the nonce of an answer is lost with its handle | [`signed`], [`jws`] |
//! | `badNonce` is tried three times | [`signed`] |
//! | external account binding with HS256 only, and not together with a key of ours | [`eab`] |
//! | `Retry-After` is private, and dropped from errors | [`retry_after`] |
//! | `notAfter` cannot be asked for | [`crate::Account::new_order`] |
//! | alternate chains are not fetched, so none can be preferred | [`chain`] |
//! | a certificate is revoked by its account only, never with its own key | [`crate::Clients::revoke_with_key`] |
//! | the new key of an account can not be chosen, so not be kept before the CA hears of it | [`rollover`] |
//! | the terms of service in the directory are not read, nor where new ones are agreed to | [`directory`], [`crate::problem`] |
//! | the CA's names in the DNS (`caaIdentities`, `issuer-domain-names`) are not read | [`directory`], `answers` |
//! | the directory's URLs are private, and fetched again for every account | [`directory`] |

pub(crate) mod chain;
pub(crate) mod directory;
pub(crate) mod eab;
pub(crate) mod jws;
pub(crate) mod key;
pub(crate) mod retry_after;
pub(crate) mod rollover;
pub(crate) mod signed;
