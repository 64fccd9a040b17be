//! Rules of CertificateRequest. That approvers may approve for the issuer is checked by a
//! ValidatingAdmissionPolicy, which knows who asks.

use super::Rules;

pub(super) fn rules(rules: &mut Rules<'_>) {
    rules
        .issuer_ref(".spec.issuerRef")
        .duration(".spec.duration")
        .rule(".spec", "self == oldSelf", "a request can not be changed: make another one")
        .by_type(".status.conditions")
        .max_items(".status.conditions", 64)
        .max_length(".status.conditions[].type", 316)
        .max_length(".status.conditions[].reason", 1024)
        .rule(
            ".status.conditions[]",
            "!(self.type in ['Approved', 'Denied']) || self.status == 'True'",
            "the status of Approved and Denied can only be True",
        )
        .rule(
            ".status.conditions",
            "!(self.exists(c, c.type == 'Approved') && self.exists(c, c.type == 'Denied'))",
            "a request is either Approved or Denied, not both",
        )
        .rule(
            "",
            "!has(oldSelf.status) || !has(oldSelf.status.conditions) || \
             oldSelf.status.conditions.all(o, !(o.type in ['Approved', 'Denied']) || \
             (has(self.status) && has(self.status.conditions) && \
             self.status.conditions.exists(c, c.type == o.type && c.status == o.status && \
             (has(c.reason) ? c.reason : '') == (has(o.reason) ? o.reason : ''))))",
            "Approved and Denied can not be taken back or changed",
        );
}
