//! Rules of Order and Challenge.

use super::{Rules, solver};

/// What the CA says once, and then stands.
const SET_ONCE: [&str; 4] = ["url", "finalizeURL", "certificate", "authorizations"];

pub(super) fn order(rules: &mut Rules<'_>) {
    rules.duration(".spec.duration").rule(
        ".spec.request",
        "self == oldSelf",
        "the request of an order can not be changed: make another order",
    );
    for field in SET_ONCE {
        rules.rule(
            ".status",
            format!("!has(oldSelf.{field}) || (has(self.{field}) && self.{field} == oldSelf.{field})"),
            &format!("{field} can not be changed once it is set"),
        );
    }
}

pub(super) fn challenge(rules: &mut Rules<'_>) {
    rules.rule(".spec", "self == oldSelf", "a challenge can not be changed: make another one");
    solver::rules(rules, ".spec.solver");
}
