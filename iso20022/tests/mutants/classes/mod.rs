//! The ways in which a message is changed. Some leave it valid: those must be accepted.

mod attributes;
mod elements;
mod markup;
mod values;

use crate::dom::{Chance, Element, Place};

/// Makes the bytes of a mutant; `None` when the message has nothing that could be changed so.
pub(crate) type Change = fn(&Element, &mut Chance) -> Option<Vec<u8>>;

const INSTANCE: &str = "http://www.w3.org/2001/XMLSchema-instance";

fn any_place(base: &Element, chance: &mut Chance) -> Option<Place> {
    chance.pick(&base.places(|_| true)).cloned()
}

fn leaf_place(base: &Element, chance: &mut Chance) -> Option<Place> {
    chance.pick(&base.places(Element::is_leaf)).cloned()
}

fn container_place(base: &Element, chance: &mut Chance) -> Option<Place> {
    chance.pick(&base.places(|one| !one.is_leaf())).cloned()
}

fn bytes(element: &Element) -> Option<Vec<u8>> {
    Some(element.write().into_bytes())
}

/// Changes the parent of a random element; the function gets it and the element's position.
fn in_parent(
    base: &Element,
    chance: &mut Chance,
    change: impl FnOnce(&mut Vec<Element>, usize, &mut Chance),
) -> Option<Vec<u8>> {
    let mut copy = base.clone();
    let place = any_place(base, chance)?;
    let (at, parent) = place.split_last()?;
    change(&mut copy.at_mut(parent).children, *at, chance);
    bytes(&copy)
}

/// Changes a random leaf.
fn in_leaf(
    base: &Element,
    chance: &mut Chance,
    change: impl FnOnce(&mut Element, &mut Chance),
) -> Option<Vec<u8>> {
    let mut copy = base.clone();
    let place = leaf_place(base, chance)?;
    change(copy.at_mut(&place), chance);
    bytes(&copy)
}

/// Changes any random element.
fn in_any(
    base: &Element,
    chance: &mut Chance,
    change: impl FnOnce(&mut Element, &mut Chance),
) -> Option<Vec<u8>> {
    let mut copy = base.clone();
    let place = any_place(base, chance)?;
    change(copy.at_mut(&place), chance);
    bytes(&copy)
}

/// Changes a random leaf whose text meets a condition.
fn in_text(
    base: &Element,
    chance: &mut Chance,
    wanted: fn(&str) -> bool,
    change: impl FnOnce(&str, &mut Chance) -> String,
) -> Option<Vec<u8>> {
    let places = base.places(|one| one.is_leaf());
    let places: Vec<Place> =
        places.into_iter().filter(|place| wanted(&base.at(place).text)).collect();
    let place = chance.pick(&places)?;
    let mut copy = base.clone();
    let leaf = copy.at_mut(place);
    leaf.text = change(&leaf.text, chance);
    bytes(&copy)
}

/// Changes the written text.
fn in_bytes(
    base: &Element,
    chance: &mut Chance,
    change: impl FnOnce(String, &mut Chance) -> String,
) -> Option<Vec<u8>> {
    Some(change(base.write(), chance).into_bytes())
}

/// A random position of a substring.
fn find(text: &str, part: &str, chance: &mut Chance) -> Option<usize> {
    let found: Vec<usize> = text.match_indices(part).map(|(at, _)| at).collect();
    chance.pick(&found).copied()
}

fn is_decimal(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

fn is_date(text: &str) -> bool {
    text.len() == 10 && text.as_bytes()[4] == b'-'
}

fn is_date_time(text: &str) -> bool {
    text.len() >= 19 && text.as_bytes()[10] == b'T'
}

fn is_boolean(text: &str) -> bool {
    text == "true" || text == "false"
}

fn is_code(text: &str) -> bool {
    text.len() == 4 && text.bytes().all(|byte| byte.is_ascii_uppercase())
}

fn amount_place(base: &Element, chance: &mut Chance) -> Option<Place> {
    chance.pick(&base.places(|one| one.attributes.iter().any(|(name, _)| name == "Ccy"))).cloned()
}

fn in_amount(
    base: &Element,
    chance: &mut Chance,
    change: impl FnOnce(&mut Element, &mut Chance),
) -> Option<Vec<u8>> {
    let mut copy = base.clone();
    let place = amount_place(base, chance)?;
    change(copy.at_mut(&place), chance);
    bytes(&copy)
}

fn words(chance: &mut Chance, from: &[&str]) -> String {
    (*chance.pick(from).unwrap()).to_owned()
}

/// Every class with its name.
pub(crate) static CLASSES: [(&str, Change); 93] = [
    ("drop an element", elements::drop_an_element),
    ("drop a leaf", elements::drop_a_leaf),
    ("drop all children", elements::drop_all_children),
    ("an element twice", elements::an_element_twice),
    ("an element many times", elements::an_element_many_times),
    ("neighbours swapped", elements::neighbours_swapped),
    ("children reversed", elements::children_reversed),
    ("first child last", elements::first_child_last),
    ("an unknown element", elements::an_unknown_element),
    ("an unknown element last", elements::an_unknown_element_last),
    ("a renamed element", elements::a_renamed_element),
    ("a name in the wrong case", elements::a_name_in_the_wrong_case),
    ("an element from elsewhere", elements::an_element_from_elsewhere),
    (
        "an element replaced by one from elsewhere",
        elements::an_element_replaced_by_one_from_elsewhere,
    ),
    ("the other side of a choice", elements::the_other_side_of_a_choice),
    ("both sides of a choice", elements::both_sides_of_a_choice),
    ("an element in a foreign namespace", elements::an_element_in_a_foreign_namespace),
    ("an element in no namespace", elements::an_element_in_no_namespace),
    ("a namespace said again", elements::a_namespace_said_again),
    ("the namespace by a prefix in one place", elements::the_namespace_by_a_prefix_in_one_place),
    ("prefixes everywhere", elements::prefixes_everywhere),
    ("a prefix that is not declared", elements::a_prefix_that_is_not_declared),
    ("another version's namespace", elements::another_version_namespace),
    ("a namespace with blanks", elements::a_namespace_with_blanks),
    ("no namespace at all", attributes::no_namespace_at_all),
    ("an unknown attribute", attributes::an_unknown_attribute),
    ("a currency where none belongs", attributes::a_currency_where_none_belongs),
    ("an amount without currency", attributes::an_amount_without_currency),
    ("a currency misspelt", attributes::a_currency_misspelt),
    ("a currency attribute in a namespace", attributes::a_currency_attribute_in_a_namespace),
    ("a currency attribute misspelt", attributes::a_currency_attribute_misspelt),
    ("two currencies", attributes::two_currencies),
    ("a hint where the schema is", attributes::a_hint_where_the_schema_is),
    ("nil", attributes::nil),
    ("an unknown instance attribute", attributes::an_unknown_instance_attribute),
    ("a type of its own", attributes::a_type_of_its_own),
    ("a standard type of its own", attributes::a_standard_type_of_its_own),
    ("an attribute of xml itself", attributes::an_attribute_of_xml_itself),
    ("no text", values::no_text),
    ("nothing but blanks", values::nothing_but_blanks),
    ("blanks around", values::blanks_around),
    ("a line break inside", values::a_line_break_inside),
    ("much too long", values::much_too_long),
    ("a little longer", values::a_little_longer),
    ("one letter", values::one_letter),
    ("lower case", values::lower_case),
    ("upper case", values::upper_case),
    ("other alphabets", values::other_alphabets),
    ("one character changed", values::one_character_changed),
    ("one character less", values::one_character_less),
    ("the texts of two leaves swapped", values::the_texts_of_two_leaves_swapped),
    ("text as CDATA", markup::text_as_cdata),
    ("text half as CDATA", markup::text_half_as_cdata),
    ("a comment inside a text", markup::a_comment_inside_a_text),
    ("an instruction inside a text", markup::an_instruction_inside_a_text),
    ("text as references", markup::text_as_references),
    ("a reference to nothing", markup::a_reference_to_nothing),
    ("an element inside a text", markup::an_element_inside_a_text),
    ("text between elements", markup::text_between_elements),
    ("a reference to a blank between elements", markup::a_reference_to_a_blank_between_elements),
    ("CDATA between elements", markup::cdata_between_elements),
    ("comments between elements", markup::comments_between_elements),
    ("instructions between elements", markup::instructions_between_elements),
    ("white space between elements", markup::white_space_between_elements),
    ("white space in tags", markup::white_space_in_tags),
    ("white space before a name", markup::white_space_before_a_name),
    ("a decimal in another form", values::a_decimal_in_another_form),
    ("a decimal with many digits", values::a_decimal_with_many_digits),
    ("a date in another form", values::a_date_in_another_form),
    ("a time in another form", values::a_time_in_another_form),
    ("a boolean in another form", values::a_boolean_in_another_form),
    ("another code", values::another_code),
    ("cut short", markup::cut_short),
    ("an end tag missing", markup::an_end_tag_missing),
    ("another end tag", markup::another_end_tag),
    ("a second root", markup::a_second_root),
    ("something before the declaration", markup::something_before_the_declaration),
    ("another declaration", markup::another_declaration),
    ("a byte order mark", markup::a_byte_order_mark),
    ("single quotes", markup::single_quotes),
    ("no quotes", markup::no_quotes),
    ("a bare ampersand", markup::a_bare_ampersand),
    ("a control character", markup::a_control_character),
    ("the end of CDATA in text", markup::the_end_of_cdata_in_text),
    ("a bad comment", markup::a_bad_comment),
    ("a bad instruction", markup::a_bad_instruction),
    ("an attribute twice", markup::an_attribute_twice),
    ("attributes without a blank", markup::attributes_without_a_blank),
    ("unused declarations", markup::unused_declarations),
    ("a line break in a namespace", markup::a_line_break_in_a_namespace),
    ("supplementary data", markup::supplementary_data),
    (
        "supplementary data with types of their own",
        markup::supplementary_data_with_types_of_their_own,
    ),
    ("nothing changed", markup::nothing_changed),
];
