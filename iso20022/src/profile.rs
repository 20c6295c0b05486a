//! Profiles: which rules a message is held to beyond its schema.
//!
//! A profile is a choice among the rules of [`crate::rules`]; it never changes what the schema says.

use std::fmt;
use std::str::FromStr;

/// Which rules apply beyond the schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Profile {
    /// The base message as published: cross-field rules (L2) and reference data (L4).
    Base,
    /// Cross-border payments and reporting between correspondent banks (CBPR+), as of
    /// November 2026.
    Cbpr,
    /// The settlement network: base plus identifiers and totals that settlement relies on.
    Corridor,
    /// Basics of high-value payment systems (HVPS+).
    Hvps,
}

/// The text names no profile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no profile: choose base, cbpr, corridor or hvps")]
pub struct BadProfile(pub String);

impl Profile {
    /// Every profile.
    pub const ALL: [Self; 4] = [Self::Base, Self::Cbpr, Self::Corridor, Self::Hvps];

    /// The name by which commands and documents know it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Cbpr => "cbpr",
            Self::Corridor => "corridor",
            Self::Hvps => "hvps",
        }
    }
}

impl FromStr for Profile {
    type Err = BadProfile;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|profile| profile.name() == text);
        known.ok_or_else(|| BadProfile(text.chars().take(40).collect()))
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back() {
        for profile in Profile::ALL {
            assert_eq!(profile.name().parse(), Ok(profile));
        }
        assert!("cbpr+".parse::<Profile>().is_err());
    }
}
