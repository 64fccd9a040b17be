//! What several kinds share: references, conditions and the states of ACME objects.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::GROUP;

/// Names the issuer that signs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct IssuerRef {
    /// Name of the issuer.
    pub name: String,
    /// Kind of the issuer: Issuer (in the same namespace) or ClusterIssuer, or a kind of the
    /// issuer's own group. When it is left out, the Issuer of that name is meant if the namespace
    /// has one, else the ClusterIssuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// API group of the issuer; cert-manager.io when it is left out. An issuer of another group
    /// is served by that group's own controller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
}

impl IssuerRef {
    /// The group, with the default for an absent or empty one.
    pub fn group_or_default(&self) -> &str {
        self.group.as_deref().filter(|group| !group.is_empty()).unwrap_or(GROUP)
    }

    /// The kind, when the reference says one.
    pub fn kind_if_set(&self) -> Option<&str> {
        self.kind.as_deref().filter(|kind| !kind.is_empty())
    }

    /// Whether the issuer is of the group that this project serves.
    pub fn is_ours(&self) -> bool {
        self.group_or_default() == GROUP
    }
}

/// Names a key of a Secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct SecretRef {
    /// Name of the Secret.
    pub name: String,
    /// Key in the Secret's data. Some fields know which key they mean when this is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

impl SecretRef {
    /// The key, with a default for an absent or empty one.
    pub fn key_or<'a>(&'a self, default: &'a str) -> &'a str {
        self.key.as_deref().filter(|key| !key.is_empty()).unwrap_or(default)
    }
}

/// Names a Secret whose keys are known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct LocalObjectRef {
    /// Name of the Secret.
    pub name: String,
}

/// Names a ServiceAccount for which a short-lived token is requested.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct ServiceAccountRef {
    /// Name of the ServiceAccount.
    pub name: String,
    /// Audiences of the token, beside the one that is always asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub audiences: Vec<String>,
}

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = crate::schema::undescribed)]
pub enum ConditionStatus {
    /// It holds.
    True,
    /// It does not.
    False,
    /// It is not known.
    #[default]
    Unknown,
}

/// One aspect of an object's state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// Which aspect this is, Ready for example.
    #[serde(rename = "type")]
    pub type_: String,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// Why, as one word for programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Why, as a sentence for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// When status last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_transition_time: Option<Time>,
    /// The metadata.generation that this condition was derived from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}

impl Condition {
    /// A condition without a time; [`set_condition`] fills it in.
    pub fn new(
        type_: impl Into<String>,
        status: ConditionStatus,
        reason: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            type_: type_.into(),
            status,
            reason: Some(reason.into()),
            message: Some(message.into()),
            last_transition_time: None,
            observed_generation: None,
        }
    }

    /// The same, derived from this generation of the object.
    #[must_use]
    pub fn observed(mut self, generation: Option<i64>) -> Self {
        self.observed_generation = generation;
        self
    }

    /// Whether the status is True.
    pub fn is_true(&self) -> bool {
        self.status == ConditionStatus::True
    }
}

/// The condition of a type, if there is one.
pub fn condition<'a>(conditions: &'a [Condition], type_: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.type_ == type_)
}

/// Whether there is a condition of a type with a status.
pub fn has_condition(conditions: &[Condition], type_: &str, status: ConditionStatus) -> bool {
    condition(conditions, type_).is_some_and(|condition| condition.status == status)
}

/// Puts a condition in place of the one of its type, or at the end.
///
/// `lastTransitionTime` stays as it is while the status stays, and becomes `now` when it changes.
/// Setting what is there already changes nothing, so that a status that says the same compares
/// equal and need not be written.
pub fn set_condition(conditions: &mut Vec<Condition>, mut new: Condition, now: Timestamp) {
    let place = conditions.iter_mut().find(|old| old.type_ == new.type_);
    let kept = place.as_ref().filter(|old| old.status == new.status).and_then(|old| old.last_transition_time.clone());
    new.last_transition_time = Some(kept.unwrap_or(Time(whole_seconds(now))));
    match place {
        Some(old) => *old = new,
        None => conditions.push(new),
    }
}

/// Removes the condition of a type.
pub fn remove_condition(conditions: &mut Vec<Condition>, type_: &str) {
    conditions.retain(|condition| condition.type_ != type_);
}

/// A time as the API server stores it: without fractions, so that what is compared is what is read back.
pub fn whole_seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).expect("a timestamp's own second is in range")
}

/// Where an ACME object stands (RFC 8555, section 7.1.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(transform = crate::schema::undescribed)]
pub enum State {
    /// Done, successfully.
    Valid,
    /// Everything is proven; the certificate can be asked for.
    Ready,
    /// Waiting for proofs.
    Pending,
    /// The CA is at work.
    Processing,
    /// The CA refused.
    Invalid,
    /// The CA gave up waiting.
    Expired,
    /// It failed for a reason that is not the CA's verdict.
    Errored,
}

impl State {
    /// Whether nothing will change any more.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Valid | Self::Invalid | Self::Expired | Self::Errored)
    }

    /// Whether it ended without success.
    pub fn is_failure(self) -> bool {
        self.is_final() && self != Self::Valid
    }
}

/// For `skip_serializing_if` on flags that are left out while false.
pub(crate) fn is_false(flag: &bool) -> bool {
    !flag
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn transition_time_moves_only_with_the_status() {
        let mut conditions = Vec::new();
        set_condition(&mut conditions, Condition::new("Ready", ConditionStatus::False, "A", "a"), at(10));
        set_condition(&mut conditions, Condition::new("Ready", ConditionStatus::False, "B", "b"), at(20));
        let ready = condition(&conditions, "Ready").unwrap();
        assert_eq!(ready.reason.as_deref(), Some("B"));
        assert_eq!(ready.last_transition_time, Some(Time(at(10))));

        set_condition(&mut conditions, Condition::new("Ready", ConditionStatus::True, "C", "c"), at(30));
        assert_eq!(conditions.len(), 1);
        assert_eq!(conditions[0].last_transition_time, Some(Time(at(30))));
    }

    #[test]
    fn setting_the_same_again_changes_nothing() {
        let mut conditions = Vec::new();
        let ready = Condition::new("Ready", ConditionStatus::True, "A", "a").observed(Some(2));
        set_condition(&mut conditions, ready.clone(), at(10));
        let before = conditions.clone();
        set_condition(&mut conditions, ready, at(99));
        assert_eq!(conditions, before);
    }

    #[test]
    fn fractions_of_a_second_are_dropped() {
        let mut conditions = Vec::new();
        let now = Timestamp::new(10, 123_456_789).unwrap();
        set_condition(&mut conditions, Condition::new("Ready", ConditionStatus::True, "A", "a"), now);
        assert_eq!(conditions[0].last_transition_time, Some(Time(at(10))));
    }
}
