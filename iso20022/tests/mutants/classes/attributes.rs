//! Changes to attributes and declarations.

use super::{INSTANCE, in_amount, in_any, in_bytes, in_leaf, words};
use crate::dom::{Chance, Element};

pub(super) fn no_namespace_at_all(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    in_bytes(base, chance, |text, _| text.replacen(" xmlns=", " xmlnsx=", 1))
}

pub(super) fn an_unknown_attribute(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    in_any(base, chance, |one, _| one.attributes.push(("Foo".into(), "1".into())))
}

pub(super) fn a_currency_where_none_belongs(
    base: &Element,
    chance: &mut Chance,
) -> Option<Vec<u8>> {
    in_leaf(base, chance, |one, _| one.attributes.insert(0, ("Ccy".into(), "EUR".into())))
}

pub(super) fn an_amount_without_currency(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    in_amount(base, chance, |one, _| one.attributes.clear())
}

pub(super) fn a_currency_misspelt(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    in_amount(base, chance, |one, chance| {
        one.attributes[0].1 =
            words(chance, &["eur", "EURO", "EU", "", " EUR", "EUR ", "E R", "ÄUR", "XYZ", "EUR\n"])
    })
}

pub(super) fn a_currency_attribute_in_a_namespace(
    base: &Element,
    chance: &mut Chance,
) -> Option<Vec<u8>> {
    in_amount(base, chance, |one, _| {
        one.attributes[0].0 = "q:Ccy".into();
        one.attributes.push(("xmlns:q".into(), "urn:q".into()));
    })
}

pub(super) fn a_currency_attribute_misspelt(
    base: &Element,
    chance: &mut Chance,
) -> Option<Vec<u8>> {
    in_amount(base, chance, |one, _| one.attributes[0].0 = "ccy".into())
}

pub(super) fn two_currencies(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    in_amount(base, chance, |one, _| one.attributes.push(one.attributes[0].clone()))
}

pub(super) fn a_hint_where_the_schema_is(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    in_any(base, chance, |one, chance| {
        one.attributes.push(("xmlns:xsi".into(), INSTANCE.into()));
        one.attributes.push((
            words(chance, &["xsi:schemaLocation", "xsi:noNamespaceSchemaLocation"]),
            "urn:a b.xsd".into(),
        ));
    })
}

pub(super) fn nil(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    in_any(base, chance, |one, chance| {
        one.attributes.push(("xmlns:xsi".into(), INSTANCE.into()));
        one.attributes.push(("xsi:nil".into(), words(chance, &["true", "false", "1", "0", "x"])));
    })
}

pub(super) fn an_unknown_instance_attribute(
    base: &Element,
    chance: &mut Chance,
) -> Option<Vec<u8>> {
    in_any(base, chance, |one, _| {
        one.attributes.push(("xmlns:xsi".into(), INSTANCE.into()));
        one.attributes.push(("xsi:foo".into(), "1".into()));
    })
}

pub(super) fn a_type_of_its_own(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    in_leaf(base, chance, |one, chance| {
        one.attributes.push(("xmlns:xsi".into(), INSTANCE.into()));
        one.attributes.push((
            "xsi:type".into(),
            words(
                chance,
                &[
                    "Max35Text",
                    "ISODate",
                    "BICFIDec2014Identifier",
                    "xsi:string",
                    "Nothing",
                    "ISODateTime",
                    "Max140Text",
                    " Max35Text ",
                    "",
                ],
            ),
        ));
    })
}

pub(super) fn a_standard_type_of_its_own(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    in_leaf(base, chance, |one, chance| {
        one.attributes.push(("xmlns:xsi".into(), INSTANCE.into()));
        one.attributes.push(("xmlns:xs".into(), "http://www.w3.org/2001/XMLSchema".into()));
        one.attributes.push((
            "xsi:type".into(),
            words(chance, &["xs:string", "xs:date", "xs:decimal", "xs:anyType"]),
        ));
    })
}

pub(super) fn an_attribute_of_xml_itself(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    in_any(base, chance, |one, chance| {
        one.attributes.push((
            words(chance, &["xml:lang", "xml:space", "xml:id"]),
            words(chance, &["de", "preserve", "a1"]),
        ))
    })
}
