//! Changes to how the same content is written, and to the XML around it.

use super::{bytes, container_place, find, in_bytes, in_leaf, words};
use crate::dom::{Chance, Element, escape};

pub(super) fn text_as_cdata(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    in_leaf(base, chance, |one, _| one.raw = Some(format!("<![CDATA[{}]]>", one.text)))
}

pub(super) fn text_half_as_cdata(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    in_leaf(base, chance, |one, _| {
        let half = one.text.char_indices().nth(1).map_or(0, |(at, _)| at);
        one.raw = Some(format!("{}<![CDATA[{}]]>", escape(&one.text[..half]), &one.text[half..]));
    })
}

pub(super) fn a_comment_inside_a_text(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    in_leaf(base, chance, |one, _| {
        let half = one.text.char_indices().nth(1).map_or(0, |(at, _)| at);
        one.raw =
            Some(format!("{}<!-- - > -->{}", escape(&one.text[..half]), escape(&one.text[half..])));
    })
}

pub(super) fn an_instruction_inside_a_text(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    in_leaf(base, chance, |one, _| one.raw = Some(format!("<?a b?>{}<?c?>", escape(&one.text))))
}

pub(super) fn text_as_references(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    in_leaf(base, chance, |one, chance| {
        let hex = chance.below(2) == 0;
        one.raw =
            Some(
                one.text
                    .chars()
                    .map(|c| {
                        if hex { format!("&#x{:X};", c as u32) } else { format!("&#{};", c as u32) }
                    })
                    .collect(),
            );
    })
}

pub(super) fn a_reference_to_nothing(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    in_leaf(base, chance, |one, chance| {
        one.raw = Some(words(
            chance,
            &["&#0;", "&#x110000;", "&#xD800;", "&nbsp;", "&#;", "&amp", "& ", "&#xFFFF;"],
        ))
    })
}

pub(super) fn an_element_inside_a_text(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    in_leaf(base, chance, |one, _| one.children.push(Element::leaf("Cd", "")))
}

pub(super) fn text_between_elements(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    let place = container_place(base, chance)?;
    let mut copy = base.clone();
    copy.at_mut(&place).text = words(chance, &["x", ".", "\u{A0}", " a "]);
    bytes(&copy)
}

pub(super) fn a_reference_to_a_blank_between_elements(
    base: &Element,
    chance: &mut Chance,
) -> Option<Vec<u8>> {
    let mut copy = base.clone();
    let place = container_place(base, chance)?;
    let one = copy.at_mut(&place);
    let inner: String = {
        let text = one.children.iter().map(|child| {
            let mut root = child.clone();
            root.namespace = base.namespace.clone();
            let text = root.write();
            text[text.find('\n').unwrap() + 1..].to_owned()
        });
        text.collect()
    };
    one.raw = Some(format!("{}{inner}", words(chance, &["&#32;", "&#10;", "&#x9;", "&#13;"])));
    bytes(&copy)
}

pub(super) fn cdata_between_elements(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    let mut copy = base.clone();
    let place = container_place(base, chance)?;
    let one = copy.at_mut(&place);
    let inner: String = {
        let text = one.children.iter().map(|child| {
            let mut root = child.clone();
            root.namespace = base.namespace.clone();
            let text = root.write();
            text[text.find('\n').unwrap() + 1..].to_owned()
        });
        text.collect()
    };
    one.raw = Some(format!(
        "{}{inner}",
        words(chance, &["<![CDATA[]]>", "<![CDATA[ ]]>", "<![CDATA[x]]>", "<![CDATA[\n]]>"])
    ));
    bytes(&copy)
}

pub(super) fn comments_between_elements(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    in_bytes(base, chance, |text, _| text.replace("><", "><!-- a --><"))
}

pub(super) fn instructions_between_elements(
    base: &Element,
    chance: &mut Chance,
) -> Option<Vec<u8>> {
    in_bytes(base, chance, |text, _| text.replace("><", "><?a b?><"))
}

pub(super) fn white_space_between_elements(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    Some(base.write_spaced(&words(chance, &["\n", "\r\n  ", "\t", " \r"])).into_bytes())
}

pub(super) fn white_space_in_tags(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    in_bytes(base, chance, |text, chance| {
        let Some(at) = find(&text, ">", chance) else { return text };
        let mut text = text;
        if text.as_bytes()[at - 1] != b'?' {
            text.insert_str(at, &words(chance, &[" ", "\n", "\r\n"]));
        }
        text
    })
}

pub(super) fn white_space_before_a_name(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    in_bytes(base, chance, |text, chance| {
        let Some(at) = find(&text, "<", chance) else { return text };
        let mut text = text;
        text.insert(at + 1, ' ');
        text
    })
}

pub(super) fn cut_short(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    let mut text = base.write();
    let end = text.rfind('>')?;
    let mut at = chance.below(end);
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    text.truncate(at);
    Some(text.into_bytes())
}

pub(super) fn an_end_tag_missing(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    in_bytes(base, chance, |text, chance| {
        let Some(at) = find(&text, "</", chance) else { return text };
        let end = at + text[at..].find('>').unwrap() + 1;
        format!("{}{}", &text[..at], &text[end..])
    })
}

pub(super) fn another_end_tag(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    in_bytes(base, chance, |text, chance| {
        let Some(at) = find(&text, "</", chance) else { return text };
        format!("{}</x{}", &text[..at], &text[at + 2..])
    })
}

pub(super) fn a_second_root(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    in_bytes(base, chance, |text, chance| {
        text + &words(chance, &["<a/>", "x", "<!-- a -->", "<?a?>", "</a>", "&#32;", "\n\n"])
    })
}

pub(super) fn something_before_the_declaration(
    base: &Element,
    chance: &mut Chance,
) -> Option<Vec<u8>> {
    in_bytes(base, chance, |text, chance| words(chance, &[" ", "\n", "<!-- a -->", "x"]) + &text)
}

pub(super) fn another_declaration(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    in_bytes(base, chance, |text, chance| {
        let rest = &text[text.find('\n').unwrap()..];
        words(
            chance,
            &[
                "",
                "<?xml version='1.0'?>",
                "<?xml version=\"1.0\" encoding=\"utf-8\" standalone=\"yes\"?>",
                "<?xml version=\"1.0\" standalone=\"no\" ?>",
                "<?xml encoding=\"UTF-8\"?>",
                "<?xml version=\"1.0\" standalone=\"maybe\"?>",
                "<?xml version=\"2.0\"?>",
                "<?XML version=\"1.0\"?>",
            ],
        ) + rest.trim_start()
    })
}

pub(super) fn a_byte_order_mark(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    in_bytes(base, chance, |text, _| format!("\u{FEFF}{text}"))
}

pub(super) fn single_quotes(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    in_bytes(
        base,
        chance,
        |text, _| if text.contains('\'') { text } else { text.replace('"', "'") },
    )
}

pub(super) fn no_quotes(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    in_bytes(base, chance, |text, _| {
        let Some(at) = text.find("xmlns=\"") else { return text };
        let end = text[at + 7..].find('"').unwrap() + at + 7;
        format!("{}{}{}", &text[..at + 6], &text[at + 7..end], &text[end + 1..])
    })
}

pub(super) fn a_bare_ampersand(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    in_bytes(base, chance, |text, chance| {
        let Some(at) = find(&text, "</", chance) else { return text };
        format!("{}& {}", &text[..at], &text[at..])
    })
}

pub(super) fn a_control_character(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    in_bytes(base, chance, |text, chance| {
        let Some(at) = find(&text, "</", chance) else { return text };
        format!(
            "{}{}{}",
            &text[..at],
            words(chance, &["\u{1}", "\u{0}", "\u{7F}", "\u{85}", "\u{FFFE}", "\u{1F}"]),
            &text[at..]
        )
    })
}

pub(super) fn the_end_of_cdata_in_text(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    in_bytes(base, chance, |text, chance| {
        let Some(at) = find(&text, "</", chance) else { return text };
        format!("{}]]>{}", &text[..at], &text[at..])
    })
}

pub(super) fn a_bad_comment(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    in_bytes(base, chance, |text, chance| {
        let Some(at) = find(&text, "<", chance) else { return text };
        format!(
            "{}{}{}",
            &text[..at],
            words(chance, &["<!-- a -- b -->", "<!--->", "<!---->", "<!-- a --->", "<! a>"]),
            &text[at..]
        )
    })
}

pub(super) fn a_bad_instruction(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    in_bytes(base, chance, |text, chance| {
        let Some(at) = find(&text, "</", chance) else { return text };
        format!(
            "{}{}{}",
            &text[..at],
            words(
                chance,
                &["<?xml version='1.0'?>", "<? a?>", "<?XmL a?>", "<?1?>", "<?a:b c?>", "<??>"]
            ),
            &text[at..]
        )
    })
}

pub(super) fn an_attribute_twice(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    in_bytes(base, chance, |text, _| text.replacen(" xmlns=", " a='1' a='2' xmlns=", 1))
}

pub(super) fn attributes_without_a_blank(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    in_bytes(base, chance, |text, _| text.replacen(" xmlns=\"", " xmlns:q=\"urn:q\"xmlns=\"", 1))
}

pub(super) fn unused_declarations(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    in_bytes(base, chance, |text, _| {
        text.replacen(" xmlns=", " xmlns:q='urn:q' xmlns:r=\"urn:r\" xmlns=", 1)
    })
}

pub(super) fn a_line_break_in_a_namespace(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    in_bytes(base, chance, |text, _| text.replacen(" xmlns=\"", " xmlns=\"\n", 1))
}

pub(super) fn supplementary_data(base: &Element, chance: &mut Chance) -> Option<Vec<u8>> {
    let mut copy = base.clone();
    let body = copy.children.first_mut()?;
    let mut envelope = Element::leaf("Envlp", "");
    envelope.raw = Some(words(
        chance,
        &[
            "<a xmlns=\"urn:a\" b=\"c\">d<e/>f</a>",
            "<a/>",
            "<a xmlns=\"\"/>",
            "",
            "<a xmlns=\"urn:a\"/><b/>",
            "text",
            "<x:a xmlns:x=\"urn:x\" x:b='1' xml:lang='de'><x:c/></x:a>",
            "<a xmlns=\"urn:a\"/>text",
            "<Max35Text/>",
            "<Document>x</Document>",
            "<Document><Wrong/></Document>",
            "<a><Document/></a>",
            "<!-- only -->",
        ],
    ));
    let mut data = Element { name: "SplmtryData".into(), ..Element::default() };
    if chance.below(2) == 0 {
        data.children.push(Element::leaf("PlcAndNm", "here"));
    }
    data.children.push(envelope);
    body.children.push(data);
    bytes(&copy)
}

pub(super) fn supplementary_data_with_types_of_their_own(
    base: &Element,
    chance: &mut Chance,
) -> Option<Vec<u8>> {
    let mut copy = base.clone();
    let body = copy.children.first_mut()?;
    let mut envelope = Element::leaf("Envlp", "");
    envelope.raw = Some(words(
        chance,
        &[
            "<a xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xsi:nil='true'/>",
            "<a xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xsi:nil='maybe'/>",
            "<a xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xsi:type='Max35Text'>ok</a>",
            "<a xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xsi:type='Max35Text'></a>",
            "<a xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xsi:type='Nothing'>ok</a>",
            "<a xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xsi:schemaLocation='a b'/>",
        ],
    ));
    body.children.push(Element {
        name: "SplmtryData".into(),
        children: vec![envelope],
        ..Element::default()
    });
    bytes(&copy)
}

pub(super) fn nothing_changed(base: &Element, _: &mut Chance) -> Option<Vec<u8>> {
    bytes(base)
}
