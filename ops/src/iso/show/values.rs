//! Any message: its elements by name, with their values.

use iso20022::{Message, Node};

use super::Page;

/// Most lines for one message.
const LINES_MAX: usize = 400;

/// Lists what the message holds.
pub(super) fn show(message: &Message, page: &mut Page) {
    let mut lines = 0;
    if let Some(body) = message.document.body() {
        for child in body.elements() {
            element(child, 2, page, &mut lines);
        }
        // A message of one value, or of none.
        if lines == 0 {
            element(body, 2, page, &mut lines);
        }
    }
    if lines > LINES_MAX {
        page.line(2, &format!("... and {} more lines", lines - LINES_MAX));
    }
}

/// An element on one line, those in it below; an only child stands on the line of its parent. The
/// depth of a message is bounded by the reader.
fn element(node: Node<'_>, indent: usize, page: &mut Page, lines: &mut usize) {
    let mut name = node.name().to_owned();
    let mut node = node;
    while let (Some(only), None) = (node.elements().next(), node.elements().nth(1)) {
        name = format!("{name}/{}", only.name());
        node = only;
    }
    *lines += 1;
    if *lines <= LINES_MAX {
        let currency = node.attribute("Ccy").map(|code| format!(" {code}")).unwrap_or_default();
        let text = if node.elements().next().is_some() { "" } else { node.text() };
        let gap = if text.is_empty() { "" } else { " " };
        page.line(indent, &format!("{name}{currency}{gap}{text}"));
    }
    for child in node.elements() {
        element(child, indent + 2, page, lines);
    }
}
