//! What CAA records say against the CA's signing the names of an order.

use std::time::Duration;

use signet_acme::Account;
use signet_core::caa::{Found, Question, Record, Signer, objection};

use crate::context::Context;

/// How long an order waits for the answers: the CA looks for itself, whatever is found here.
const PATIENCE: Duration = Duration::from_secs(4);

/// A sentence for each record in the way.
pub(super) async fn look(
    cx: &Context,
    account: &Account,
    questions: &[Question],
) -> Result<Vec<String>, signet_acme::Error> {
    let signer = Signer { identities: account.caa_identities().await?, account: account.uri().to_owned() };
    if signer.identities.is_empty() {
        return Ok(Vec::new());
    }
    let names: Vec<_> = questions.iter().map(|question| question.name.clone()).collect();
    let Ok(answers) = tokio::time::timeout(PATIENCE, cx.dns.caa(&names)).await else {
        tracing::debug!(?PATIENCE, "the CAA records could not be looked up in time");
        return Ok(Vec::new());
    };
    let mut objections = Vec::new();
    for (question, answer) in questions.iter().zip(answers) {
        match answer {
            Ok(found) => {
                let found =
                    found.map(|found| Found { at: found.at, records: found.records.into_iter().map(record).collect() });
                objections.extend(found.and_then(|found| objection(question, &found, &signer)));
            }
            Err(error) => tracing::debug!(name = question.name, %error, "the CAA records could not be looked up"),
        }
    }
    Ok(objections)
}

fn record(record: signet_dns::CaaRecord) -> Record {
    let signet_dns::CaaRecord { critical, tag, value } = record;
    Record { critical, tag, value }
}
