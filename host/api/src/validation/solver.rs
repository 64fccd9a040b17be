//! Rules of a solver, on an issuer and on a Challenge. CEL sees only the stanzas that the schema
//! knows; that exactly one stands there in all, the controller checks.

use super::{Rules, count_set};

/// The stanzas under dns01 that the schema knows.
const DNS01: [&str; 9] =
    ["acmeDNS", "akamai", "azureDNS", "cloudDNS", "cloudflare", "digitalocean", "rfc2136", "route53", "webhook"];

pub(super) fn rules(rules: &mut Rules<'_>, solver: &str) {
    rules
        .rule(
            solver,
            format!("{} == 1", count_set(&["http01", "dns01", "tlsALPN01", "dnsPersist01"])),
            "exactly one of http01, dns01, tlsALPN01 and dnsPersist01 must be set",
        )
        .duration(&format!("{solver}.waitInsteadOfSelfCheck"))
        .rule(
            &format!("{solver}.http01"),
            "!(has(self.ingress) && has(self.gatewayHTTPRoute))",
            "only one solver can be set, not both ingress and gatewayHTTPRoute",
        )
        .rule(&format!("{solver}.dns01"), format!("{} <= 1", count_set(&DNS01)), "only one solver can be set");
    http01(rules, &format!("{solver}.http01"));
    clouds(rules, &format!("{solver}.dns01"));
    servers(rules, &format!("{solver}.dns01"));
}

fn http01(rules: &mut Rules<'_>, http01: &str) {
    rules.rule(
        &format!("{http01}.ingress"),
        format!("{} <= 1", count_set(&["ingressClassName", "class", "name"])),
        "at most one of ingressClassName, class and name can be set",
    );
    for stanza in ["ingress", "gatewayHTTPRoute"] {
        rules.rule(
            &format!("{http01}.{stanza}.serviceType"),
            "self in ['', 'ClusterIP', 'NodePort']",
            "must be ClusterIP or NodePort",
        );
    }
}

fn clouds(rules: &mut Rules<'_>, dns01: &str) {
    rules
        .not_empty(&format!("{dns01}.azureDNS.subscriptionID"))
        .not_empty(&format!("{dns01}.azureDNS.resourceGroupName"))
        .rule(
            &format!("{dns01}.azureDNS"),
            "!has(self.managedIdentity) || !(has(self.clientID) || has(self.tenantID) || \
             has(self.clientSecretSecretRef))",
            "managedIdentity takes the place of clientID, tenantID and clientSecretSecretRef: set \
             it alone",
        )
        .rule(
            &format!("{dns01}.azureDNS"),
            "has(self.clientID) == has(self.clientSecretSecretRef) && \
             has(self.clientID) == has(self.tenantID)",
            "clientID, clientSecretSecretRef and tenantID go together: set all or none",
        )
        .rule(
            &format!("{dns01}.azureDNS.managedIdentity"),
            "!(has(self.clientID) && has(self.resourceID))",
            "clientID and resourceID say the same: set only one",
        )
        .not_empty(&format!("{dns01}.cloudDNS.project"))
        .rule(
            &format!("{dns01}.cloudflare"),
            "has(self.apiKeySecretRef) != has(self.apiTokenSecretRef)",
            "exactly one of apiTokenSecretRef and apiKeySecretRef must be set",
        )
        .rule(
            &format!("{dns01}.cloudflare"),
            "!has(self.apiKeySecretRef) || (has(self.email) && self.email != '')",
            "apiKeySecretRef needs email, the account's address",
        )
        .rule(
            &format!("{dns01}.route53"),
            "!(has(self.accessKeyID) && self.accessKeyID != '' && has(self.accessKeyIDSecretRef))",
            "accessKeyID and accessKeyIDSecretRef say the same: set only one",
        )
        .rule(
            &format!("{dns01}.route53"),
            "!has(self.auth) || (has(self.role) && self.role != '')",
            "auth needs role, the IAM role to assume",
        );
    for stanza in ["cloudDNS.serviceAccountSecretRef", "digitalocean.tokenSecretRef"] {
        rules.not_empty(&format!("{dns01}.{stanza}.name"));
    }
}

fn servers(rules: &mut Rules<'_>, dns01: &str) {
    rules
        .not_empty(&format!("{dns01}.acmeDNS.host"))
        .not_empty(&format!("{dns01}.akamai.serviceConsumerDomain"))
        .not_empty(&format!("{dns01}.rfc2136.nameserver"))
        .max_length(&format!("{dns01}.rfc2136.tsigAlgorithm"), 64)
        .rule(
            &format!("{dns01}.rfc2136.tsigAlgorithm"),
            "self.upperAscii() in ['', 'HMACMD5', 'HMACSHA1', 'HMACSHA256', 'HMACSHA512']",
            "must be HMACMD5, HMACSHA1, HMACSHA256 or HMACSHA512",
        )
        .rule(
            &format!("{dns01}.rfc2136"),
            "(has(self.tsigKeyName) && self.tsigKeyName != '') == has(self.tsigSecretSecretRef)",
            "tsigKeyName and tsigSecretSecretRef go together: set both or none",
        )
        .not_empty(&format!("{dns01}.webhook.solverName"));
}
