//! Rules of Certificate.

use super::{MANY, Rules, is_duration};

/// A DNS-1123 subdomain, which is what a Secret's name is.
const SUBDOMAIN: &str = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";

pub(super) fn rules(rules: &mut Rules<'_>) {
    names(rules);
    times(rules);
    key(rules);
    output(rules);
    authority(rules);
    rules.issuer_ref(".spec.issuerRef").by_type(".status.conditions").rule(
        ".spec.revisionHistoryLimit",
        "self >= 1",
        "must be at least 1",
    );
}

fn names(rules: &mut Rules<'_>) {
    rules
        .rule(
            ".spec",
            "(has(self.commonName) && self.commonName != '') || \
             (has(self.literalSubject) && self.literalSubject != '') || \
             (has(self.dnsNames) && size(self.dnsNames) > 0) || \
             (has(self.ipAddresses) && size(self.ipAddresses) > 0) || \
             (has(self.uris) && size(self.uris) > 0) || \
             (has(self.emailAddresses) && size(self.emailAddresses) > 0) || \
             (has(self.otherNames) && size(self.otherNames) > 0)",
            "the certificate is for no name: set at least one of dnsNames, ipAddresses, uris, \
             emailAddresses, otherNames and commonName",
        )
        .rule(".spec.commonName", "size(bytes(self)) <= 64", "must be at most 64 bytes long")
        .rule(
            ".spec",
            "!has(self.literalSubject) || self.literalSubject == '' || \
             (!has(self.commonName) || self.commonName == '') && !has(self.subject)",
            "literalSubject takes the place of commonName and subject: set it alone",
        )
        .max_items(".spec.ipAddresses", MANY)
        .max_length(".spec.ipAddresses[]", 128)
        .rule(".spec.ipAddresses[]", "isIP(self)", "must be an IP address")
        .max_items(".spec.emailAddresses", MANY)
        .max_length(".spec.emailAddresses[]", 320)
        .rule(
            ".spec.emailAddresses[]",
            "self.matches(r'^[^<>]+@[^<>@]+$')",
            "must be an email address alone, such as hostmaster@example.com",
        )
        .max_items(".spec.otherNames", MANY)
        .max_length(".spec.otherNames[].oid", 256)
        .rule(
            ".spec.otherNames[]",
            r"has(self.oid) && self.oid.matches(r'^[0-2](\.[0-9]+)+$')",
            "oid must be an object identifier in dots, such as 1.3.6.1.4.1.311.20.2.3",
        )
        .rule(".spec.otherNames[]", "has(self.utf8Value) && self.utf8Value != ''", "utf8Value must be set");
}

fn times(rules: &mut Rules<'_>) {
    let in_time = format!(
        "!has(self.renewBefore) || !{} || (has(self.duration) && !{}) || \
         duration(self.renewBefore) < duration(has(self.duration) ? self.duration : '2160h')",
        is_duration("self.renewBefore"),
        is_duration("self.duration"),
    );
    rules
        .duration_from(".spec.duration", "1h")
        .duration_from(".spec.renewBefore", "5m")
        .rule(".spec", in_time, "renewBefore must be shorter than duration, which is 2160h when it is not set")
        .rule(
            ".spec",
            "!(has(self.renewBefore) && has(self.renewBeforePercentage))",
            "renewBefore and renewBeforePercentage say the same: set only one",
        )
        .rule(
            ".spec.renewBeforePercentage",
            "self >= 1 && self <= 99",
            "must be from 1 to 99 (percent of the lifetime)",
        )
        .rule(
            ".spec.renewal",
            "!has(self.windows) || size(self.windows) == 0 || !has(self.policy) || \
             self.policy != 'Disabled'",
            "windows have no meaning when policy is Disabled: remove one of them",
        )
        .min_length(".spec.renewal.windows[].cron", 1)
        .min_length(".spec.renewal.windows[].timezone", 1)
        .pattern(".spec.renewal.windows[].windowDuration", r"^([0-9]+(\.[0-9]+)?(s|m|h))+$");
}

fn key(rules: &mut Rules<'_>) {
    rules
        .rule(
            ".spec.privateKey",
            "!has(self.size) || self.size == 0 || \
             (has(self.algorithm) && self.algorithm != 'RSA') || \
             (self.size >= 2048 && self.size <= 8192)",
            "size of an RSA key must be from 2048 to 8192",
        )
        .rule(
            ".spec.privateKey",
            "!has(self.size) || self.size == 0 || !has(self.algorithm) || \
             self.algorithm != 'ECDSA' || self.size in [256, 384, 521]",
            "size of an ECDSA key must be 256, 384 or 521",
        )
        .rule(
            ".spec",
            "!has(self.signatureAlgorithm) || \
             (has(self.privateKey) && has(self.privateKey.algorithm) ? \
             self.privateKey.algorithm : 'RSA') == \
             (self.signatureAlgorithm == 'PureEd25519' ? 'Ed25519' : \
             self.signatureAlgorithm.startsWith('ECDSA') ? 'ECDSA' : 'RSA')",
            "signatureAlgorithm must suit privateKey.algorithm, which is RSA when it is not set",
        );
}

fn output(rules: &mut Rules<'_>) {
    rules
        .max_length(".spec.secretName", 253)
        .rule(
            ".spec.secretName",
            format!("self.matches(r'{SUBDOMAIN}')"),
            "must be the name of a Secret: lower case letters, digits, '-' and '.', with a letter \
             or digit at either end",
        )
        .max_items(".spec.additionalOutputFormats", 16)
        .rule(
            ".spec.additionalOutputFormats",
            "self.all(a, self.exists_one(b, a.type == b.type))",
            "must not have the same type twice",
        )
        .max_properties(".spec.secretTemplate.annotations", MANY)
        .rule(
            ".spec.secretTemplate.annotations",
            "self.all(name, !name.startsWith('cert-manager.io/') || \
             name == 'cert-manager.io/allow-direct-injection')",
            "annotations of cert-manager.io are set by the controller; of them, only \
             cert-manager.io/allow-direct-injection can be set here",
        );
    for keystore in [".spec.keystores.jks", ".spec.keystores.pkcs12"] {
        rules.rule(
            keystore,
            "!self.create || \
             (has(self.password) && self.password != '') != has(self.passwordSecretRef)",
            "exactly one of password and passwordSecretRef must be set",
        );
    }
}

fn authority(rules: &mut Rules<'_>) {
    rules
        .rule(
            ".spec",
            "!has(self.nameConstraints) || (has(self.isCA) && self.isCA)",
            "nameConstraints are for certificates that sign others: set isCA as well",
        )
        .rule(
            ".spec.nameConstraints",
            "has(self.permitted) || has(self.excluded)",
            "at least one of permitted and excluded must be set",
        );
    for side in ["permitted", "excluded"] {
        let ranges = format!(".spec.nameConstraints.{side}.ipRanges");
        rules.max_items(&ranges, MANY).max_length(&format!("{ranges}[]"), 128).rule(
            &format!("{ranges}[]"),
            "isCIDR(self)",
            "must be a range of IP addresses, such as 10.0.0.0/8",
        );
    }
}
