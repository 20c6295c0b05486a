//! What kind of thing a value is, as far as rules beyond the schema care.
//!
//! A class is worked out once for each type of a table, from its name and base, and copied into each
//! node: rules dispatch on one byte and never compare names of elements that they do not want.

use crate::codes::{self, CodeSet};
use crate::table::{Base, Kind};

/// The class of a type. One byte, so that a node can carry it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Class(u8);

impl Class {
    /// Nothing that a rule looks at by its type.
    pub(crate) const OTHER: Self = Self(0);
    /// Free text or an identifier: any string without pattern and list of values.
    pub(crate) const TEXT: Self = Self(1);
    /// A number with a currency.
    pub(crate) const AMOUNT: Self = Self(2);
    pub(crate) const DATE_TIME: Self = Self(3);
    pub(crate) const DATE: Self = Self(4);
    pub(crate) const TIME: Self = Self(5);
    pub(crate) const BIC: Self = Self(6);
    pub(crate) const IBAN: Self = Self(7);
    pub(crate) const LEI: Self = Self(8);
    pub(crate) const ISIN: Self = Self(9);
    pub(crate) const COUNTRY: Self = Self(10);
    pub(crate) const CURRENCY: Self = Self(11);
    pub(crate) const ADDRESS: Self = Self(12);
    /// An agent with its branch.
    pub(crate) const AGENT: Self = Self(13);
    pub(crate) const PARTY: Self = Self(14);
    pub(crate) const REMITTANCE: Self = Self(15);
    pub(crate) const CLEARING_MEMBER: Self = Self(16);
    pub(crate) const CREDITOR_REFERENCE: Self = Self(17);
    /// From here on: a code of an external list, by the number of the list.
    const FIRST_SET: u8 = 32;

    /// The external list that a value of this class is taken from.
    pub(crate) fn code_set(self) -> Option<&'static CodeSet> {
        codes::sets().get(usize::from(self.0.checked_sub(Self::FIRST_SET)?))
    }

    fn code(set: usize) -> Option<Self> {
        u8::try_from(set).ok()?.checked_add(Self::FIRST_SET).map(Self)
    }
}

/// The class of a type by its name (without the suffixes that tell variants apart) and its kind.
pub(crate) fn of(name: &str, kind: &Kind) -> Class {
    let name = name.split(['~', '_']).next().unwrap_or(name);
    match kind {
        Kind::Attributed { attribute, .. } if attribute == "Ccy" => Class::AMOUNT,
        Kind::Attributed { .. } => Class::OTHER,
        Kind::Simple(simple) => match simple.base {
            Base::DateTime => Class::DATE_TIME,
            Base::Date => Class::DATE,
            Base::Time => Class::TIME,
            Base::String => {
                of_string(name, simple.pattern.is_none() && simple.enumeration.is_empty())
            }
            _ => Class::OTHER,
        },
        Kind::Complex(_) => of_complex(name.trim_end_matches(|c: char| c.is_ascii_digit())),
    }
}

fn of_string(name: &str, free: bool) -> Class {
    if let Some(class) = codes::position(name).and_then(Class::code) {
        return class;
    }
    // Names carry a version such as `2007` or `Dec2014`.
    match name {
        "LEIIdentifier" => Class::LEI,
        "CountryCode" => Class::COUNTRY,
        "ActiveCurrencyCode" | "ActiveOrHistoricCurrencyCode" | "CurrencyCode" => Class::CURRENCY,
        "BEIIdentifier" => Class::BIC,
        _ if name.starts_with("ISIN") => Class::ISIN,
        _ if name.starts_with("IBAN") => Class::IBAN,
        _ if name.starts_with("BIC") || name.starts_with("AnyBIC") => Class::BIC,
        _ if free => Class::TEXT,
        _ => Class::OTHER,
    }
}

fn of_complex(stem: &str) -> Class {
    match stem {
        "PostalAddress" => Class::ADDRESS,
        "BranchAndFinancialInstitutionIdentification" => Class::AGENT,
        "PartyIdentification" => Class::PARTY,
        "RemittanceInformation" => Class::REMITTANCE,
        "ClearingSystemMemberIdentification" => Class::CLEARING_MEMBER,
        "CreditorReferenceInformation" => Class::CREDITOR_REFERENCE,
        _ => Class::OTHER,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::table::text;

    #[test]
    fn classes_of_types() {
        let table = text::parse(
            "S Max35Text string len=1..35\n\
             S Max15NumericText string pattern [0-9]{1,15}\n\
             S ISODateTime dateTime\n\
             S BICFIDec2014Identifier string pattern [A-Z0-9]{4,4}\n\
             S ExternalStatusReason1Code string len=1..4\n\
             S ExternalNothing9Code string len=1..4\n\
             S ActiveCurrencyCode string pattern [A-Z]{3,3}\n\
             S ActiveCurrencyAndAmount_SimpleType decimal min=0\n\
             A ActiveCurrencyAndAmount ActiveCurrencyAndAmount_SimpleType Ccy:ActiveCurrencyCode\n\
             M PostalAddress24~2 Ctry:Max35Text\n",
        )
        .unwrap();
        let classes: Vec<Class> = table.types.iter().map(|one| one.class).collect();
        assert_eq!(classes[..4], [Class::TEXT, Class::OTHER, Class::DATE_TIME, Class::BIC]);
        assert_eq!(classes[4].code_set().unwrap().name(), "ExternalStatusReason1Code");
        assert_eq!(classes[5..7], [Class::TEXT, Class::CURRENCY]);
        assert_eq!(classes[7..], [Class::OTHER, Class::AMOUNT, Class::ADDRESS]);
    }
}
