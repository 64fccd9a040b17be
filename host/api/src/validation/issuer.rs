//! Rules of Issuer and ClusterIssuer.

use super::{MANY, Rules, count_set, solver};

pub(super) fn rules(rules: &mut Rules<'_>) {
    rules
        .rule(
            ".spec",
            format!("{} == 1", count_set(&["acme", "ca", "vault", "selfSigned", "venafi"])),
            "exactly one of acme, ca, vault, selfSigned and venafi must be set",
        )
        .not_empty(".spec.ca.secretName")
        .by_type(".status.conditions");
    acme(rules);
    vault(rules);
    venafi(rules);
}

fn acme(rules: &mut Rules<'_>) {
    rules
        .not_empty(".spec.acme.server")
        .not_empty(".spec.acme.privateKeySecretRef.name")
        .max_length(".spec.acme.preferredChain", 64)
        .rule(
            ".spec.acme",
            "!has(self.caBundle) || !has(self.skipTLSVerify) || !self.skipTLSVerify",
            "caBundle has no meaning when skipTLSVerify is true: set only one",
        )
        .not_empty(".spec.acme.externalAccountBinding.keyID")
        .secret_key(".spec.acme.externalAccountBinding.keySecretRef")
        .max_items(".spec.acme.solvers", MANY);
    solver::rules(rules, ".spec.acme.solvers[]");
}

fn vault(rules: &mut Rules<'_>) {
    let ways = ["tokenSecretRef", "appRole", "clientCertificate", "kubernetes", "aws"];
    rules
        .not_empty(".spec.vault.server")
        .not_empty(".spec.vault.path")
        .min_length(".spec.vault.auth.aws.role", 1)
        .rule(
            ".spec.vault.auth",
            format!("{} == 1", count_set(&ways)),
            "exactly one of tokenSecretRef, appRole, clientCertificate, kubernetes and aws must be \
             set",
        )
        .rule(
            ".spec.vault.auth.kubernetes",
            format!("{} == 1", count_set(&["secretRef", "serviceAccountRef"])),
            "exactly one of secretRef and serviceAccountRef must be set",
        )
        .rule(
            ".spec.vault",
            "!(has(self.caBundle) && has(self.caBundleSecretRef))",
            "caBundle and caBundleSecretRef say the same: set only one",
        )
        .rule(
            ".spec.vault",
            "has(self.clientCertSecretRef) == has(self.clientKeySecretRef)",
            "clientCertSecretRef and clientKeySecretRef go together: set both or none",
        );
    let paths = [
        ".spec.vault.path",
        ".spec.vault.auth.appRole.path",
        ".spec.vault.auth.clientCertificate.mountPath",
        ".spec.vault.auth.kubernetes.mountPath",
        ".spec.vault.auth.aws.mountPath",
    ];
    for path in paths {
        rules.max_length(path, 4096).rule(
            path,
            "!self.split('/').exists(part, part == '..')",
            "must not have the segment '..'",
        );
    }
}

fn venafi(rules: &mut Rules<'_>) {
    rules
        .rule(
            ".spec.venafi",
            format!("{} == 1", count_set(&["tpp", "cloud", "ngts"])),
            "exactly one of tpp, cloud and ngts must be set",
        )
        .rule(
            ".spec.venafi.tpp",
            "!(has(self.caBundle) && has(self.caBundleSecretRef))",
            "caBundle and caBundleSecretRef say the same: set only one",
        );
}
