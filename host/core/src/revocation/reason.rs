//! Why a certificate is revoked (RFC 5280, section 5.3.1).

use serde::{Deserialize, Serialize};

/// A reason that a certificate can be revoked for. `certificateHold` and `removeFromCRL` are not
/// among them: they are for what can be taken back, and a revocation here is for good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "&'static str", try_from = "String")]
pub enum Reason {
    #[default]
    Unspecified,
    KeyCompromise,
    CaCompromise,
    AffiliationChanged,
    Superseded,
    CessationOfOperation,
    PrivilegeWithdrawn,
    AaCompromise,
}

impl Reason {
    /// Every reason, in the order of their codes.
    pub const ALL: [Self; 8] = [
        Self::Unspecified,
        Self::KeyCompromise,
        Self::CaCompromise,
        Self::AffiliationChanged,
        Self::Superseded,
        Self::CessationOfOperation,
        Self::PrivilegeWithdrawn,
        Self::AaCompromise,
    ];

    /// The RFC's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::KeyCompromise => "keyCompromise",
            Self::CaCompromise => "cACompromise",
            Self::AffiliationChanged => "affiliationChanged",
            Self::Superseded => "superseded",
            Self::CessationOfOperation => "cessationOfOperation",
            Self::PrivilegeWithdrawn => "privilegeWithdrawn",
            Self::AaCompromise => "aACompromise",
        }
    }

    /// The same as a condition's reason.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unspecified => "Unspecified",
            Self::KeyCompromise => "KeyCompromise",
            Self::CaCompromise => "CACompromise",
            Self::AffiliationChanged => "AffiliationChanged",
            Self::Superseded => "Superseded",
            Self::CessationOfOperation => "CessationOfOperation",
            Self::PrivilegeWithdrawn => "PrivilegeWithdrawn",
            Self::AaCompromise => "AACompromise",
        }
    }

    /// The RFC's number for it.
    pub fn code(self) -> u8 {
        match self {
            Self::Unspecified => 0,
            Self::KeyCompromise => 1,
            Self::CaCompromise => 2,
            Self::AffiliationChanged => 3,
            Self::Superseded => 4,
            Self::CessationOfOperation => 5,
            Self::PrivilegeWithdrawn => 9,
            Self::AaCompromise => 10,
        }
    }

    /// The reason of this name.
    ///
    /// # Errors
    /// There is none; the sentence lists those that there are.
    pub fn parse(name: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|reason| reason.name() == name).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|reason| reason.name()).collect();
            format!("{name:?} is no reason for a revocation; one of {} is", names.join(", "))
        })
    }

    /// Whether others may hold the private key, so that it must not be used again.
    pub fn is_compromise(self) -> bool {
        matches!(self, Self::KeyCompromise | Self::CaCompromise | Self::AaCompromise)
    }

    /// Whether a new certificate takes the place of the revoked one.
    pub fn is_followed_by_another(self) -> bool {
        self != Self::CessationOfOperation
    }
}

impl From<Reason> for &'static str {
    fn from(reason: Reason) -> Self {
        reason.name()
    }
}

impl TryFrom<String> for Reason {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        Self::parse(&name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_to_its_reason_and_no_other_does() {
        for reason in Reason::ALL {
            assert_eq!(Reason::parse(reason.name()), Ok(reason));
            assert!(reason.word().eq_ignore_ascii_case(reason.name()));
        }
        for wrong in ["", "keycompromise", "certificateHold", "removeFromCRL", "1"] {
            let why = Reason::parse(wrong).unwrap_err();
            assert!(why.contains("is no reason") && why.contains("keyCompromise, cACompromise"), "{why}");
        }
    }
}
