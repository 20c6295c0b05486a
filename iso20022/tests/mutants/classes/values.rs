//! Changes to the texts of leaves.

use super::{
    bytes, in_leaf, in_text, is_boolean, is_code, is_date, is_date_time, is_decimal, leaf_place,
    words,
};
use crate::dom::{Chance, Element};

pub(super) fn no_text(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    in_leaf(base, chance, |one, _| one.text.clear())
}

pub(super) fn nothing_but_blanks(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    in_leaf(base, chance, |one, _| one.text = "   ".into())
}

pub(super) fn blanks_around(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    in_leaf(base, chance, |one, chance| {
        let space = words(chance, &[" ", "\t", "\n  "]);
        match chance.below(3) {
            0 => one.text.push_str(&space),
            1 => one.text.insert_str(0, &space),
            _ => one.text = format!("{space}{}{space}", one.text),
        }
    })
}

pub(super) fn a_line_break_inside(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    in_leaf(base, chance, |one, chance| {
        let half =
            one.text.char_indices().nth(one.text.chars().count() / 2).map_or(0, |(at, _)| at);
        one.text.insert_str(half, &words(chance, &["\n", "\t", " ", "\r"]));
    })
}

pub(super) fn much_too_long(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    in_leaf(base, chance, |one, _| one.text = one.text.repeat(300) + "y")
}

pub(super) fn a_little_longer(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    in_leaf(base, chance, |one, chance| {
        let more = chance.below(40);
        one.text.push_str(&"Z".repeat(more + 1));
    })
}

pub(super) fn one_letter(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    in_leaf(base, chance, |one, chance| one.text = words(chance, &["x", "X", "0", "-", ".", "é"]))
}

pub(super) fn lower_case(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    in_leaf(base, chance, |one, _| one.text = one.text.to_lowercase())
}

pub(super) fn upper_case(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    in_leaf(base, chance, |one, _| one.text = one.text.to_uppercase())
}

pub(super) fn other_alphabets(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    in_leaf(base, chance, |one, chance| {
        one.text = words(
            chance,
            &["Zürich", "Москва", "東京都", "\u{1F4B6}\u{1F4B6}", "\u{FFFD}", "é", "１２３"],
        )
    })
}

pub(super) fn one_character_changed(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    in_leaf(base, chance, |one, chance| {
        let mut all: Vec<char> = one.text.chars().collect();
        let at = chance.below(all.len());
        if at < all.len() {
            all[at] = *chance.pick(&['A', 'z', '0', '9', '-', ':', ' ', 'T', '/', '+']).unwrap();
        }
        one.text = all.into_iter().collect();
    })
}

pub(super) fn one_character_less(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    in_leaf(base, chance, |one, chance| {
        let mut all: Vec<char> = one.text.chars().collect();
        if !all.is_empty() {
            all.remove(chance.below(all.len()));
        }
        one.text = all.into_iter().collect();
    })
}

pub(super) fn the_texts_of_two_leaves_swapped(
    base: &Element,
    chance: &mut Chance,
) -> Option<Vec<u8>> {
    let (one, two) = (leaf_place(base, chance)?, leaf_place(base, chance)?);
    let mut copy = base.clone();
    let (left, right) = (base.at(&one).text.clone(), base.at(&two).text.clone());
    copy.at_mut(&one).text = right;
    copy.at_mut(&two).text = left;
    bytes(&copy)
}

pub(super) fn a_decimal_in_another_form(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    in_text(base, chance, is_decimal, |text, chance| match chance.below(22) {
        0 => format!("+{text}"),
        1 => format!("-{text}"),
        2 => format!("000{text}"),
        3 => format!("{text}000"),
        4 => ".5".into(),
        5 => "5.".into(),
        6 => "1e5".into(),
        7 => "1,5".into(),
        8 => "1 000".into(),
        9 => "0.123456".into(),
        10 => "1.1234500000".into(),
        11 => "123456789012345678901".into(),
        12 => "1234567890123.12345".into(),
        13 => "12345678901234.12345".into(),
        14 => "NaN".into(),
        15 => "INF".into(),
        16 => ".".into(),
        17 => "-0".into(),
        18 => "-0.001".into(),
        19 => "1.2.3".into(),
        20 => "0x10".into(),
        _ => format!(" {text} "),
    })
}

pub(super) fn a_decimal_with_many_digits(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    in_text(base, chance, is_decimal, |_, chance| {
        let (whole, part) = (chance.below(20), chance.below(12));
        format!("{}.{}", "9".repeat(whole), "1".repeat(part))
    })
}

pub(super) fn a_date_in_another_form(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    in_text(base, chance, is_date, |text, chance| match chance.below(14) {
        0 => format!("{text}Z"),
        1 => format!("{text}+01:00"),
        2 => format!("{text}+14:00"),
        3 => format!("{text}+14:01"),
        4 => "2023-02-29".into(),
        5 => "2024-02-29".into(),
        6 => "24-01-01".into(),
        7 => "2024-1-1".into(),
        8 => "20240101".into(),
        9 => "0000-01-01".into(),
        10 => "12024-01-01".into(),
        11 => "-2024-01-01".into(),
        12 => format!("{text}T00:00:00"),
        _ => format!("{text} "),
    })
}

pub(super) fn a_time_in_another_form(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    in_text(base, chance, is_date_time, |text, chance| {
        let start = &text[..10];
        let tail = words(
            chance,
            &[
                "T24:00:00",
                "T24:00:01",
                "T23:59:60",
                "T10:00:00.5",
                "T10:00:00.",
                "T10:00:00.123456789",
                "T10:00",
                " 10:00:00",
                "t10:00:00",
                "T10:00:00z",
                "T10:00:00Z",
                "T10:00:00+14:00",
                "T10:00:00-14:00",
                "T10:00:00+15:00",
                "T10:00:00+1:00",
                "T10:00:00+0100",
                "T1:00:00",
                "",
                "T10:00:00+01:60",
                "T10:00:00-00:00",
                "T10:00:00Z ",
                "T10:00:00 ",
                "T10:00:00,5",
                "T25:00:00",
                "T10:61:00",
            ],
        );
        format!("{start}{tail}")
    })
}

pub(super) fn a_boolean_in_another_form(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    in_text(base, chance, is_boolean, |_, chance| {
        words(chance, &["1", "0", "TRUE", "True", " true ", "yes", "", "2"])
    })
}

pub(super) fn another_code(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    in_text(base, chance, is_code, |text, chance| match chance.below(5) {
        0 => "ZZZZ".into(),
        1 => format!(" {text}"),
        2 => text[..3].into(),
        3 => format!("{text}X"),
        _ => text.to_lowercase(),
    })
}
