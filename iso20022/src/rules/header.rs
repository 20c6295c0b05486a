//! The business application header against the message that it heads.

use super::{Report, Rule, error, warning};
use crate::finding::Layer;
use crate::message::Message;
use crate::reference::bic;
use crate::tree::Node;
use crate::views::{Header, agent_bic};

pub(super) static DEFINITION: Rule =
    error("header.message-definition", Layer::CrossField, &["CH16"]);
pub(super) static VERSION: Rule = warning("header.message-version", Layer::CrossField, &["CH16"]);
pub(super) static BUSINESS_ID: Rule =
    warning("header.business-message-id", Layer::CrossField, &["CH16"]);
pub(super) static PARTIES: Rule = warning("header.parties", Layer::CrossField, &["CH16"]);

pub(super) fn check(message: &Message, header: &Header<'_>, report: &mut Report) {
    message_definition(message, header, report);
    let group = message.document.body().and_then(|body| body.child("GrpHdr"));
    if let Some(group) = group {
        business_message_id(group, header, report);
        parties(group, header, report);
    }
}

/// `MsgDefIdr` is the name in the namespace of the document. Source: definition of the element. The
/// reader goes by the namespace. A header of another message belongs elsewhere: an error. Another
/// version, or a suffix such as `CORE`, is what converters leave behind: a warning.
fn message_definition(message: &Message, header: &Header<'_>, report: &mut Report) {
    let Some(node) = header.node().child("MsgDefIdr") else { return };
    let stated = node.text();
    if stated == message.name.as_str() {
        return;
    }
    let same_family = stated.starts_with(message.name.family());
    let rule = if same_family { &VERSION } else { &DEFINITION };
    report.add(rule, node, format!("The document is a {}.", message.name));
}

/// `BizMsgIdr` is `GrpHdr/MsgId`. Source: CBPR+ rule on the header; other communities number
/// headers on their own, hence a warning.
fn business_message_id(group: Node<'_>, header: &Header<'_>, report: &mut Report) {
    if let Some(node) = header.node().child("BizMsgIdr")
        && let Some(id) = group.text_at("MsgId")
        && node.text() != id
    {
        report.add(&BUSINESS_ID, node, "The group header has another message identification.");
    }
}

/// Sender and receiver are the instructing and the instructed agent. Source: CBPR+ rule on the
/// header; a copy goes to others, and other communities route by the header alone, hence a warning.
fn parties(group: Node<'_>, header: &Header<'_>, report: &mut Report) {
    if matches!(header.copy_duplicate(), Some("COPY" | "CODU")) {
        return;
    }
    let pairs = [("Fr", "InstgAgt", header.from_bic()), ("To", "InstdAgt", header.to_bic())];
    for (side, agent, stated) in pairs {
        let expected = group.child(agent).and_then(agent_bic);
        if let (Some(stated), Some(expected)) = (stated, expected)
            && !bic::same(stated, expected)
            && let Some(node) = header.node().child(side)
        {
            report.add(&PARTIES, node, format!("`{agent}` is {expected}."));
        }
    }
}
