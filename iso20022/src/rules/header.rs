//! The business application header against the message that it heads.

use super::{Context, Report, rules};
use crate::reference::bic;
use crate::tree::Node;
use crate::views::{Header, agent_bic};

rules! {
    /// `MsgDefIdr` names the message that follows.
    DEFINITION = "header.message-definition", CrossField, ERROR, ["CH16"], "any",
        "business application header, definition of MessageDefinitionIdentifier";
    /// `MsgDefIdr` names the version that follows, without a suffix. The reader goes by the namespace;
    /// another version is what converters leave behind.
    VERSION = "header.message-version", CrossField, STRICT_CBPR, ["CH16"], "any",
        "business application header, definition of MessageDefinitionIdentifier; CBPR+, as re-told";
    /// `BizMsgIdr` is the message identification of the group header.
    BUSINESS_ID = "header.business-message-id", CrossField, STRICT_CBPR, ["CH16"], "any",
        "CBPR+ rule on the header; other communities number headers on their own";
    /// Sender and receiver are the instructing and the instructed agent, except of a copy.
    PARTIES = "header.parties", CrossField, STRICT_CBPR, ["CH16"], "any",
        "CBPR+ rule on the header; other communities route by the header alone";
}

pub(super) fn check(context: &Context<'_>, report: &mut Report) {
    let Some(header) = &context.header else { return };
    if let Some(definition) = header.node().child("MsgDefIdr") {
        message_definition(context, definition, report);
        message_version(context, definition, report);
    }
    business_message_id(context, header, report);
    parties(context, header, report);
}

fn names_family(context: &Context<'_>, definition: Node<'_>) -> bool {
    definition.text().starts_with(context.family())
}

/// See [`DEFINITION`].
fn message_definition(context: &Context<'_>, definition: Node<'_>, report: &mut Report) {
    if !names_family(context, definition) {
        let text = format!("The document is a {}.", context.message.name);
        report.add(&DEFINITION, definition, text);
    }
}

/// See [`VERSION`].
fn message_version(context: &Context<'_>, definition: Node<'_>, report: &mut Report) {
    if names_family(context, definition) && definition.text() != context.message.name.as_str() {
        report.add(&VERSION, definition, format!("The document is a {}.", context.message.name));
    }
}

/// See [`BUSINESS_ID`].
fn business_message_id(context: &Context<'_>, header: &Header<'_>, report: &mut Report) {
    if let Some(node) = header.node().child("BizMsgIdr")
        && let Some(id) = context.body.text_at("GrpHdr/MsgId")
        && node.text() != id
    {
        report.add(&BUSINESS_ID, node, "The group header has another message identification.");
    }
}

/// See [`PARTIES`].
fn parties(context: &Context<'_>, header: &Header<'_>, report: &mut Report) {
    if matches!(header.copy_duplicate(), Some("COPY" | "CODU")) {
        return;
    }
    let pairs = [("Fr", "InstgAgt", header.from_bic()), ("To", "InstdAgt", header.to_bic())];
    for (side, agent, stated) in pairs {
        let Some(stated) = stated else { continue };
        // In the group header, else in the first transaction.
        let mut levels = context.body.elements().take(3);
        let expected = levels.find_map(|level| level.child(agent).and_then(agent_bic));
        if let Some(expected) = expected
            && !bic::same(stated, expected)
            && let Some(node) = header.node().child(side)
        {
            report.add(&PARTIES, node, format!("`{agent}` is {expected}."));
        }
    }
}
