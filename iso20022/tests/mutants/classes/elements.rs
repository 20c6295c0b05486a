//! Changes to elements: which there are, where they stand, in which namespace.

use super::{any_place, bytes, container_place, in_any, in_parent, leaf_place, words};
use crate::dom::{Chance, Element};

pub(super) fn drop_an_element(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    in_parent(base, chance, |all, at, _| {
        all.remove(at);
    })
}

pub(super) fn drop_a_leaf(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    let place = leaf_place(base, chance)?;
    let (at, parent) = place.split_last()?;
    let mut copy = base.clone();
    copy.at_mut(parent).children.remove(*at);
    bytes(&copy)
}

pub(super) fn drop_all_children(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    let place = container_place(base, chance)?;
    let mut copy = base.clone();
    copy.at_mut(&place).children.clear();
    bytes(&copy)
}

pub(super) fn an_element_twice(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    in_parent(base, chance, |all, at, _| all.insert(at, all[at].clone()))
}

pub(super) fn an_element_many_times(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    in_parent(base, chance, |all, at, _| {
        for _ in 0..12 {
            all.insert(at, all[at].clone());
        }
    })
}

pub(super) fn neighbours_swapped(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    in_parent(base, chance, |all, at, _| {
        let next = (at + 1) % all.len();
        all.swap(at, next);
    })
}

pub(super) fn children_reversed(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    let place = container_place(base, chance)?;
    let mut copy = base.clone();
    copy.at_mut(&place).children.reverse();
    bytes(&copy)
}

pub(super) fn first_child_last(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    let place = container_place(base, chance)?;
    let mut copy = base.clone();
    copy.at_mut(&place).children.rotate_left(1);
    bytes(&copy)
}

pub(super) fn an_unknown_element(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    in_parent(base, chance, |all, at, _| all.insert(at, Element::leaf("Xyz", "1")))
}

pub(super) fn an_unknown_element_last(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    let place = container_place(base, chance)?;
    let mut copy = base.clone();
    copy.at_mut(&place).children.push(Element::leaf("Cd", "NORM"));
    bytes(&copy)
}

pub(super) fn a_renamed_element(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    in_any(base, chance, |one, _| one.name.push('x'))
}

pub(super) fn a_name_in_the_wrong_case(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    in_any(base, chance, |one, _| one.name = one.name.to_lowercase())
}

pub(super) fn an_element_from_elsewhere(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    let place = any_place(base, chance)?;
    let stranger = base.at(&any_place(base, chance)?).clone();
    let (at, parent) = place.split_last()?;
    let mut copy = base.clone();
    copy.at_mut(parent).children.insert(*at, stranger);
    bytes(&copy)
}

pub(super) fn an_element_replaced_by_one_from_elsewhere(
    base: &Element,
    chance: &mut Chance,
) -> Option<Vec<u8>> {
    let place = any_place(base, chance)?;
    let stranger = base.at(&any_place(base, chance)?).clone();
    let mut copy = base.clone();
    *copy.at_mut(&place) = stranger;
    bytes(&copy)
}

pub(super) fn the_other_side_of_a_choice(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    let sides = |one: &Element| {
        one.name == "Cd" || one.name == "Prtry" || one.name == "IBAN" || one.name == "Dt"
    };
    let place = chance.pick(&base.places(sides)).cloned()?;
    let mut copy = base.clone();
    let one = copy.at_mut(&place);
    one.name = words(chance, &["Prtry", "Cd", "Othr", "DtTm"]);
    bytes(&copy)
}

pub(super) fn both_sides_of_a_choice(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    let sides = |one: &Element| one.name == "Cd" || one.name == "Prtry" || one.name == "IBAN";
    let place = chance.pick(&base.places(sides)).cloned()?;
    let (at, parent) = place.split_last()?;
    let mut copy = base.clone();
    let other = if base.at(&place).name == "Cd" { "Prtry" } else { "Cd" };
    let side = chance.below(2);
    copy.at_mut(parent).children.insert(at + side, Element::leaf(other, "SEPA"));
    bytes(&copy)
}

pub(super) fn an_element_in_a_foreign_namespace(
    base: &Element,
    chance: &mut Chance,
) -> Option<Vec<u8>> {
    in_any(base, chance, |one, _| one.attributes.push(("xmlns".into(), "urn:x".into())))
}

pub(super) fn an_element_in_no_namespace(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    in_any(base, chance, |one, _| one.attributes.push(("xmlns".into(), String::new())))
}

pub(super) fn a_namespace_said_again(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    let namespace = base.namespace.clone();
    in_any(base, chance, |one, _| one.attributes.push(("xmlns".into(), namespace)))
}

pub(super) fn the_namespace_by_a_prefix_in_one_place(
    base: &Element,
    chance: &mut Chance,
) -> Option<Vec<u8>> {
    let namespace = base.namespace.clone();
    in_any(base, chance, |one, _| {
        one.name = format!("q:{}", one.name);
        one.attributes.push(("xmlns:q".into(), namespace));
    })
}

pub(super) fn prefixes_everywhere(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    Some(base.write_prefixed(&words(chance, &["n", "ns0", "_a.b-c", "é"])).into_bytes())
}

pub(super) fn a_prefix_that_is_not_declared(
    base: &Element,
    chance: &mut Chance,
) -> Option<Vec<u8>> {
    in_any(base, chance, |one, _| one.name = format!("q:{}", one.name))
}

pub(super) fn another_version_namespace(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    let mut copy = base.clone();
    copy.namespace.truncate(copy.namespace.len() - 2);
    copy.namespace.push_str(&words(chance, &["77", "98", "99"]));
    bytes(&copy)
}

pub(super) fn a_namespace_with_blanks(base: &Element, _: &mut Chance) -> Option<Vec<u8>> {
    let mut copy = base.clone();
    copy.namespace = format!(" {} ", copy.namespace);
    bytes(&copy)
}
