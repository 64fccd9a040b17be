//! The story of an issuer: its account, and what happens next.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use signet_api::Condition;
use signet_api::issuer::condition::{ACCOUNT_CHANGE, READY};
use signet_api::issuer::{AcmeIssuer, RenewalInformationSource};
use signet_api::meta::condition;

use super::page::Page;
use super::parts::{events, signer, told};
use super::when;
use crate::gathered::{Happening, Seen};
use crate::issuers::Found;

/// An issuer and what happened to it lately.
#[derive(Clone, Debug)]
pub(crate) struct GatheredIssuer {
    pub(crate) found: Found,
    pub(crate) happenings: Seen<Vec<Happening>>,
}

/// Tells it. The last line begins with `Next:`.
pub(crate) fn story(gathered: &GatheredIssuer, now: Timestamp) -> String {
    let Found { kind, metadata, spec, status } = &gathered.found;
    let generation = metadata.generation;
    let mut page = Page::default();
    let name = metadata.name.as_deref().unwrap_or_default();
    let place = metadata.namespace.as_ref().map_or(name.to_owned(), |namespace| format!("{namespace}/{name}"));
    page.part(if *kind == "Issuer" { "Issuer" } else { "ClusterIssuer" }, &place);
    page.row("Type", &signer(spec));
    let ready = condition(&status.conditions, READY);
    page.row("Ready", &ready.map_or("not known yet".to_owned(), |ready| told(ready, generation, now)));
    if let Some(acme) = &spec.acme {
        let account = status.acme.clone().unwrap_or_default();
        page.row("Account", account.uri.as_deref().unwrap_or("none yet"));
        page.row_if("Contact", account.last_registered_email);
        page.row("Key", &key(acme));
        let change = condition(&status.conditions, ACCOUNT_CHANGE);
        page.row_if("Change", change.map(|change| changed(change, now)));
        page.row_if("Binding", acme.external_account_binding.as_ref().map(|binding| format!("to {}", binding.key_id)));
        page.row_if("Profile", acme.profile.clone());
        page.row_if(
            "Chain",
            acme.preferred_chain.as_ref().map(|root| format!("one that leads to {root}, if there is one")),
        );
        page.row("Renewals", renewals(acme));
    }
    events(&mut page, &gathered.happenings, now);
    page.part("Next:", &next(gathered));
    page.finish()
}

/// What was asked of the account, or what came of it, and when.
fn changed(change: &Condition, now: Timestamp) -> String {
    let since = change.last_transition_time.as_ref();
    let when = since.map_or(String::new(), |Time(since)| format!(" {}", when::relative(*since, now)));
    let message = change.message.as_ref().map_or(String::new(), |message| format!(": {message}"));
    format!("{}{when}{message}", change.reason.as_deref().unwrap_or_default())
}

fn key(acme: &AcmeIssuer) -> String {
    let reference = &acme.private_key_secret_ref;
    format!("{} in Secret {}", reference.key_or("tls.key"), reference.name)
}

fn renewals(acme: &AcmeIssuer) -> &'static str {
    match acme.renewal_information_source_or_default() {
        RenewalInformationSource::Ari => "when the CA asks for them, and by the lifetime at the latest",
        RenewalInformationSource::None => "by the lifetime; the CA is not asked",
    }
}

fn next(gathered: &GatheredIssuer) -> String {
    let conditions = &gathered.found.status.conditions;
    if let Some(change) = condition(conditions, ACCOUNT_CHANGE).filter(|change| change.is_true()) {
        let message = change.message.as_deref().unwrap_or_default();
        return format!("Signet changes the account ({message}); nothing new is ordered meanwhile.");
    }
    match condition(conditions, READY) {
        Some(ready) if ready.is_true() => "There is nothing to do.".to_owned(),
        Some(ready) => {
            let why = ready.message.as_deref().unwrap_or("it does not say why");
            format!("Nothing is issued: {}.", super::next::sentence(why))
        }
        None => format!("Signet has not looked at it yet. {}", super::next::if_nothing_moves()),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use signet_api::Issuer;

    use super::*;

    fn check(yaml: &str, wanted: Expect) {
        let Issuer { metadata, spec, status } = serde_yaml::from_str(yaml).unwrap();
        let found = Found { kind: "Issuer", metadata, spec, status: status.unwrap_or_default() };
        let now = "2027-01-15T08:00:00Z".parse().unwrap();
        wanted.assert_eq(&story(&GatheredIssuer { found, happenings: Seen::There(Vec::new()) }, now));
    }

    #[test]
    fn an_account_in_order() {
        check(
            r"
apiVersion: cert-manager.io/v1
kind: Issuer
metadata: { name: letsencrypt, namespace: team-a, generation: 2 }
spec:
  acme:
    server: https://ca.example/directory
    email: me@example.com
    privateKeySecretRef: { name: account }
    profile: shortlived
    preferredChain: Example Root
    externalAccountBinding: { keyID: kid-1, keySecretRef: { name: eab } }
status:
  acme: { uri: https://ca.example/account/7, lastRegisteredEmail: me@example.com }
  conditions:
    - { type: Ready, status: 'True', reason: ACMEAccountRegistered, observedGeneration: 2, lastTransitionTime: 2027-01-01T08:00:00Z,
        message: 'The CA knows the account, and names can be proven to it; its terms: https://ca.example/terms' }
    - { type: AccountChange, status: 'False', reason: RolledOver, message: The account has another key, lastTransitionTime: 2027-01-15T07:50:00Z }
",
            expect![[r#"
                Issuer        team-a/letsencrypt
                  Type        ACME at https://ca.example/directory
                  Ready       True for 14 days, ACMEAccountRegistered: The CA knows the account, and names can be proven to it; its terms: https://ca.example/terms
                  Account     https://ca.example/account/7
                  Contact     me@example.com
                  Key         tls.key in Secret account
                  Change      RolledOver 10 minutes ago: The account has another key
                  Binding     to kid-1
                  Profile     shortlived
                  Chain       one that leads to Example Root, if there is one
                  Renewals    when the CA asks for them, and by the lifetime at the latest

                Events        none lately

                Next:         There is nothing to do.
            "#]],
        );
    }

    #[test]
    fn an_account_that_changes_and_one_that_is_not_there() {
        check(
            r"
apiVersion: cert-manager.io/v1
kind: Issuer
metadata: { name: ca, namespace: team-a }
spec: { acme: { server: https://ca.example/directory, privateKeySecretRef: { name: account, key: key.pem }, renewalInformationSource: None } }
status:
  acme: { uri: https://ca.example/account/7 }
  conditions:
    - { type: Ready, status: 'True', lastTransitionTime: 2027-01-01T08:00:00Z }
    - { type: AccountChange, status: 'True', reason: RolloverRequested, lastTransitionTime: 2027-01-15T07:59:00Z,
        message: could not reach ca.example; Signet tries again by itself }
",
            expect![[r#"
                Issuer        team-a/ca
                  Type        ACME at https://ca.example/directory
                  Ready       True for 14 days
                  Account     https://ca.example/account/7
                  Key         key.pem in Secret account
                  Change      RolloverRequested 60 seconds ago: could not reach ca.example; Signet tries again by itself
                  Renewals    by the lifetime; the CA is not asked

                Events        none lately

                Next:         Signet changes the account (could not reach ca.example; Signet tries again by itself); nothing new is ordered meanwhile.
            "#]],
        );
        check(
            r"
apiVersion: cert-manager.io/v1
kind: Issuer
metadata: { name: ca, namespace: team-a }
spec: { selfSigned: {} }
",
            expect![[r#"
                Issuer        team-a/ca
                  Type        self-signed
                  Ready       not known yet

                Events        none lately

                Next:         Signet has not looked at it yet. If nothing moves within a minute, see whether the controller runs: `kubectl get pods -A -l app.kubernetes.io/name=signet`.
            "#]],
        );
    }
}
